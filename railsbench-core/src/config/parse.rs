//! From JSON text to a [`RunConfig`], or to the list of everything that is wrong with it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::json::{Json, excerpt};
use super::machines::{read_machines, report_repeated_machines};
use super::problems::Problems;
use super::workload::read_workload;
use super::{ConfigError, MAX_TASKS, PROVIDERS, RubyVersion, RunConfig, WorkloadConfig};
use crate::id::{ImageName, ProviderName};
use crate::money::Usd;

const SETTINGS: [&str; 10] = [
    "ruby_version",
    "runs_per_instance_type",
    "per_instance_type",
    "mock",
    "workload",
    "runner_image",
    "regions",
    "max_cost_usd",
    "max_lifetime_minutes",
    "max_attempts",
];

impl RunConfig {
    /// Reads a configuration for the providers that railsbench ships.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem found, each naming its field and the fix.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::parse_for(text, &PROVIDERS)
    }

    /// Reads a configuration whose provider keys are those of `providers`.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem found, each naming its field and the fix.
    pub fn parse_for(text: &str, providers: &[&str]) -> Result<Self, ConfigError> {
        let mut problems = Problems::default();
        let json = Json::parse(text).map_err(|error| ConfigError { errors: vec![error] })?;
        match read(&json, providers, &mut problems) {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ConfigError { errors: problems.into_errors() }),
        }
    }
}

fn read(json: &Json, providers: &[&str], problems: &mut Problems) -> Option<RunConfig> {
    let known: Vec<&str> = SETTINGS.iter().copied().chain(providers.iter().copied()).collect();
    let mut ruby_version = None;
    let mut runs = None;
    let mut per_type = None;
    let mut names_machines = false;
    let mut config = RunConfig {
        ruby_version: RubyVersion::System,
        machines: Vec::new(),
        tasks_per_type: 1,
        instances_per_type: 1,
        mock: false,
        workload: WorkloadConfig::default(),
        runner_image: None,
        regions: BTreeMap::new(),
        max_cost: None,
        max_lifetime: Duration::from_hours(4),
        max_attempts: 3,
    };
    for (key, value) in problems.entries("", json, &known) {
        match key {
            "ruby_version" => ruby_version = Some(read_ruby_version(value, problems)),
            "runs_per_instance_type" => runs = Some(problems.whole(key, value, 1, 10_000)),
            "per_instance_type" => per_type = Some(read_per_type(value, problems)),
            "mock" => config.mock = problems.boolean(key, value).unwrap_or_default(),
            "workload" => config.workload = read_workload(value, problems),
            "runner_image" => config.runner_image = read_image(value, problems),
            "regions" => config.regions = read_regions(value, providers, problems),
            "max_cost_usd" => {
                config.max_cost = problems.number(key, value, 0.0, 1e6).and_then(Usd::from_dollars);
            }
            "max_lifetime_minutes" => {
                if let Some(minutes) = problems.whole(key, value, 1, 7 * 24 * 60) {
                    config.max_lifetime = Duration::from_mins(u64::from(minutes));
                }
            }
            "max_attempts" => {
                config.max_attempts = problems.whole(key, value, 1, 100).unwrap_or(1);
            }
            provider => {
                names_machines = true;
                read_machines(provider, value, &mut config.machines, problems);
            }
        }
    }
    if !matches!(json, Json::Object(_)) {
        return None;
    }
    // An unknown key may be the provider that is missing, misspelt.
    if !names_machines && !has_unknown_key(json, &known) {
        problems.add(
            "",
            "no instance types",
            format!(
                "name some under a provider ({}), e.g. \"local\": [\"host\"]",
                providers.join(", ")
            ),
        );
    }
    match ruby_version {
        Some(version) => config.ruby_version = version.unwrap_or(RubyVersion::System),
        None => problems.add(
            "ruby_version",
            "missing",
            "write \"system\" or a version such as \"3.3.0\"",
        ),
    }
    match (runs, per_type) {
        (Some(_), Some(_)) => problems.add(
            "runs_per_instance_type",
            "given together with per_instance_type",
            "keep one of the two: runs_per_instance_type: n is per_instance_type: {\"tasks\": n}",
        ),
        (Some(runs), None) => config.tasks_per_type = runs.unwrap_or(1),
        (None, Some((tasks, instances))) => {
            config.tasks_per_type = tasks;
            config.instances_per_type = instances;
        }
        (None, None) => {}
    }
    if config.instances_per_type > config.tasks_per_type {
        problems.add(
            "per_instance_type.instances",
            format!(
                "more machines ({}) than tasks ({}) of each type",
                config.instances_per_type, config.tasks_per_type
            ),
            "ask for no more machines than tasks: an idle machine costs money",
        );
    }
    if config.task_count() > MAX_TASKS {
        problems.add(
            if runs.is_some() { "runs_per_instance_type" } else { "per_instance_type.tasks" },
            format!("{} tasks in all", config.task_count()),
            format!("ask for at most {MAX_TASKS}"),
        );
    }
    report_repeated_machines(&config.machines, problems);
    Some(config)
}

fn has_unknown_key(json: &Json, known: &[&str]) -> bool {
    let Json::Object(entries) = json else { return false };
    entries.iter().any(|(key, _)| !known.contains(&key.as_str()))
}

fn read_ruby_version(json: &Json, problems: &mut Problems) -> Option<RubyVersion> {
    let text = problems.text("ruby_version", json)?;
    match text.parse() {
        Ok(version) => Some(version),
        Err(problem) => {
            problems.add(
                "ruby_version",
                format!("\"{}\": {problem}", excerpt(text)),
                "write \"system\" or a version such as \"3.3.0\"",
            );
            None
        }
    }
}

fn read_image(json: &Json, problems: &mut Problems) -> Option<ImageName> {
    let text = problems.text("runner_image", json)?;
    match ImageName::new(text) {
        Ok(image) => Some(image),
        Err(error) => {
            problems.add(
                "runner_image",
                error.to_string(),
                "write the image as docker does, e.g. \"ruby:3.3.0\"",
            );
            None
        }
    }
}

fn read_per_type(json: &Json, problems: &mut Problems) -> (u32, u32) {
    let mut tasks = None;
    let mut instances = None;
    for (key, value) in problems.entries("per_instance_type", json, &["tasks", "instances"]) {
        let path = format!("per_instance_type.{key}");
        let number = problems.whole(&path, value, 1, 10_000);
        if key == "tasks" { tasks = number } else { instances = number }
    }
    let instances = instances.unwrap_or(1);
    (tasks.unwrap_or(instances), instances)
}

fn read_regions(
    json: &Json,
    providers: &[&str],
    problems: &mut Problems,
) -> BTreeMap<ProviderName, String> {
    let mut regions = BTreeMap::new();
    for (key, value) in problems.entries("regions", json, providers) {
        let path = format!("regions.{key}");
        let Some(region) = problems.text(&path, value) else {
            continue;
        };
        let valid = !region.is_empty()
            && region.len() <= 64
            && region.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        match ProviderName::new(key) {
            Ok(provider) if valid => {
                regions.insert(provider, region.to_owned());
            }
            _ => problems.add(
                &path,
                format!("\"{}\" is not a region name", excerpt(region)),
                "write 1 to 64 characters of A-Z a-z 0-9 _ -",
            ),
        }
    }
    regions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        RunConfig::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn both_spellings_mean_the_same() {
        let short = RunConfig::parse(
            r#"{"ruby_version":"3.3.0","aws":["c7g.medium"],"runs_per_instance_type":3}"#,
        )
        .unwrap();
        let long = RunConfig::parse(
            r#"{"ruby_version":"3.3.0","aws":[{"instance_type":"c7g.medium"}],
                "per_instance_type":{"tasks":3,"instances":1}}"#,
        )
        .unwrap();
        assert_eq!(short, long);
        assert_eq!(short.task_count(), 3);
    }

    #[test]
    fn canonical_form_reads_back_equal() {
        let config = RunConfig::parse(
            r#"{"ruby_version":"system","local":["host"],"aws":[{"instance_type":"c8g.medium","alias":"graviton4"}],
                "per_instance_type":{"tasks":4,"instances":2},"mock":true,
                "workload":{"suite":"rails","benchmarks":["boot"],"quick":true,"min_seconds":1.5},
                "runner_image":"registry.example.com/team/ruby:3.3@sha256:0a","regions":{"aws":"us-east-1"},"max_cost_usd":5.25,"max_lifetime_minutes":30,"max_attempts":2}"#,
        )
        .unwrap();
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(RunConfig::parse(&text).unwrap(), config);
    }

    #[test]
    fn typos_are_named_with_what_was_meant() {
        assert_eq!(
            problem(r#"{"ruby_verison":"system","local":["host"]}"#),
            "ruby_verison: unknown key; did you mean \"ruby_version\"?\n\
             ruby_version: missing; write \"system\" or a version such as \"3.3.0\""
        );
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let error =
            RunConfig::parse(r#"{"ruby_version":3,"aws":[1],"mock":"yes","max_attempts":0}"#)
                .unwrap_err();
        assert_eq!(error.errors.len(), 4, "{error}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = RunConfig::parse(&text);
        }

        #[test]
        fn no_json_value_panics(
            key in "[a-z_]{1,12}|aws|mock|workload|per_instance_type|regions|ruby_version",
            value in "null|true|-1|1e400|99999999999|\"x\"|\\[\\]|\\{\\}|\\[\\[\\]\\]|\\{\"a\":1\\}",
        ) {
            let _ = RunConfig::parse(&format!("{{{key:?}:{value}}}"));
        }
    }
}
