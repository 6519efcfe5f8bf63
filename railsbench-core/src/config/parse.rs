//! From JSON text to a [`RunConfig`], or to the list of everything that is wrong with it.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::time::Duration;

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::suggest::fix_for;
use super::{
    ConfigError, FieldError, MAX_TASKS, MachineRequest, PROVIDERS, RubyVersion, RunConfig,
    WorkloadConfig,
};
use crate::id::{Alias, InstanceType, ProviderName};
use crate::money::Usd;
use crate::workload::{SUITES, Suite};

const SETTINGS: [&str; 9] = [
    "ruby_version",
    "runs_per_instance_type",
    "per_instance_type",
    "mock",
    "workload",
    "regions",
    "max_cost_usd",
    "max_lifetime_minutes",
    "max_attempts",
];

/// JSON in which each key of an object is kept, also when it is given twice.
enum Json {
    Object(Vec<(String, Json)>),
    Array(Vec<Json>),
    Scalar(Value),
}

impl Json {
    fn describe(&self) -> String {
        match self {
            Self::Object(_) => "an object".to_owned(),
            Self::Array(_) => "a list".to_owned(),
            Self::Scalar(value) => {
                let text = value.to_string();
                if text.chars().count() > 60 {
                    format!("{}…", text.chars().take(60).collect::<String>())
                } else {
                    text
                }
            }
        }
    }
}

impl<'de> serde::Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keep;
        impl<'de> Visitor<'de> for Keep {
            type Value = Json;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_bool<E>(self, v: bool) -> Result<Json, E> {
                Ok(Json::Scalar(v.into()))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Json, E> {
                Ok(Json::Scalar(v.into()))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Json, E> {
                Ok(Json::Scalar(v.into()))
            }
            fn visit_f64<E>(self, v: f64) -> Result<Json, E> {
                Ok(Json::Scalar(v.into()))
            }
            fn visit_str<E>(self, v: &str) -> Result<Json, E> {
                Ok(Json::Scalar(v.into()))
            }
            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Scalar(Value::Null))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Json::Array(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Json::Object(entries))
            }
        }
        deserializer.deserialize_any(Keep)
    }
}

/// Collects problems while the document is walked.
#[derive(Default)]
struct Problems(Vec<FieldError>);

impl Problems {
    fn add(&mut self, field: &str, problem: impl Into<String>, fix: impl Into<String>) {
        self.0.push(FieldError {
            field: field.to_owned(),
            problem: problem.into(),
            fix: fix.into(),
        });
    }

    fn wrong_type(&mut self, field: &str, found: &Json, wanted: &str) {
        self.add(field, format!("{} is not {wanted}", found.describe()), format!("write {wanted}"));
    }

    /// The entries of an object; unknown and repeated keys are problems.
    fn entries<'a>(
        &mut self,
        field: &str,
        json: &'a Json,
        known: &[&str],
    ) -> Vec<(&'a str, &'a Json)> {
        let Json::Object(entries) = json else {
            self.wrong_type(field, json, "an object");
            return Vec::new();
        };
        let mut seen = HashSet::new();
        let mut kept = Vec::new();
        for (key, value) in entries {
            let path = if field.is_empty() { key.clone() } else { format!("{field}.{key}") };
            if !known.contains(&key.as_str()) {
                self.add(&path, "unknown key", fix_for(key, known));
            } else if seen.insert(key.as_str()) {
                kept.push((key.as_str(), value));
            } else {
                self.add(&path, "given twice", "keep one of the two");
            }
        }
        kept
    }

    fn text<'a>(&mut self, field: &str, json: &'a Json) -> Option<&'a str> {
        if let Json::Scalar(Value::String(text)) = json {
            return Some(text);
        }
        self.wrong_type(field, json, "text in quotes");
        None
    }

    fn boolean(&mut self, field: &str, json: &Json) -> Option<bool> {
        if let Json::Scalar(Value::Bool(value)) = json {
            return Some(*value);
        }
        self.wrong_type(field, json, "true or false");
        None
    }

    fn whole(&mut self, field: &str, json: &Json, low: u32, high: u32) -> Option<u32> {
        let number = match json {
            Json::Scalar(Value::Number(n)) => n.as_u64().and_then(|n| u32::try_from(n).ok()),
            _ => None,
        };
        let found = number.filter(|n| (low..=high).contains(n));
        if found.is_none() {
            self.wrong_type(field, json, &format!("a whole number from {low} to {high}"));
        }
        found
    }

    fn number(&mut self, field: &str, json: &Json, low: f64, high: f64) -> Option<f64> {
        let number = match json {
            Json::Scalar(Value::Number(n)) => n.as_f64(),
            _ => None,
        };
        let found = number.filter(|n| (low..=high).contains(n));
        if found.is_none() {
            self.wrong_type(field, json, &format!("a number from {low} to {high}"));
        }
        found
    }

    fn list<'a>(&mut self, field: &str, json: &'a Json) -> &'a [Json] {
        if let Json::Array(items) = json {
            return items;
        }
        self.wrong_type(field, json, "a list");
        &[]
    }
}

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
        let json = match serde_json::from_str::<Json>(text) {
            Ok(json) => json,
            Err(error) => {
                problems.add("", format!("not JSON: {error}"), "correct the JSON at that place");
                return Err(ConfigError { errors: problems.0 });
            }
        };
        let config = read(&json, providers, &mut problems);
        match config {
            Some(config) if problems.0.is_empty() => Ok(config),
            _ => Err(ConfigError { errors: problems.0 }),
        }
    }
}

fn read(json: &Json, providers: &[&str], problems: &mut Problems) -> Option<RunConfig> {
    let known: Vec<&str> = SETTINGS.iter().copied().chain(providers.iter().copied()).collect();
    let mut ruby_version = None;
    let mut runs = None;
    let mut per_type = None;
    let mut config = RunConfig {
        ruby_version: RubyVersion::System,
        machines: Vec::new(),
        tasks_per_type: 1,
        instances_per_type: 1,
        mock: false,
        workload: WorkloadConfig::default(),
        regions: BTreeMap::new(),
        max_cost: None,
        max_lifetime: Duration::from_secs(240 * 60),
        max_attempts: 3,
    };
    for (key, value) in problems.entries("", json, &known) {
        match key {
            "ruby_version" => ruby_version = Some(read_ruby_version(value, problems)),
            "runs_per_instance_type" => runs = Some(problems.whole(key, value, 1, 10_000)),
            "per_instance_type" => per_type = Some(read_per_type(value, problems)),
            "mock" => config.mock = problems.boolean(key, value).unwrap_or_default(),
            "workload" => config.workload = read_workload(value, problems),
            "regions" => config.regions = read_regions(value, providers, problems),
            "max_cost_usd" => {
                config.max_cost = problems.number(key, value, 0.0, 1e6).and_then(Usd::from_dollars);
            }
            "max_lifetime_minutes" => {
                if let Some(minutes) = problems.whole(key, value, 1, 7 * 24 * 60) {
                    config.max_lifetime = Duration::from_secs(u64::from(minutes) * 60);
                }
            }
            "max_attempts" => {
                config.max_attempts = problems.whole(key, value, 1, 100).unwrap_or(1);
            }
            provider => read_machines(provider, value, &mut config.machines, problems),
        }
    }
    if !matches!(json, Json::Object(_)) {
        return None;
    }
    match ruby_version {
        Some(version) => config.ruby_version = version?,
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
                "{} machines for {} tasks of each type",
                config.instances_per_type, config.tasks_per_type
            ),
            "ask for no more machines than tasks: an idle machine costs money",
        );
    }
    if config.machines.is_empty() && problems.0.is_empty() {
        problems.add(
            "",
            "no instance types",
            format!(
                "name some under a provider ({}), e.g. \"local\": [\"host\"]",
                providers.join(", ")
            ),
        );
    }
    if config.task_count() > MAX_TASKS {
        problems.add(
            "per_instance_type.tasks",
            format!("{} tasks in all", config.task_count()),
            format!("ask for at most {MAX_TASKS}"),
        );
    }
    report_repeated_machines(&config.machines, problems);
    Some(config)
}

fn read_ruby_version(json: &Json, problems: &mut Problems) -> Option<RubyVersion> {
    let text = problems.text("ruby_version", json)?;
    match text.parse() {
        Ok(version) => Some(version),
        Err(problem) => {
            problems.add(
                "ruby_version",
                format!("{text:?}: {problem}"),
                "write \"system\" or a version such as \"3.3.0\"",
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

fn read_workload(json: &Json, problems: &mut Problems) -> WorkloadConfig {
    let mut workload = WorkloadConfig::default();
    let mut benchmarks = None;
    for (key, value) in
        problems.entries("workload", json, &["suite", "benchmarks", "quick", "min_seconds"])
    {
        let path = format!("workload.{key}");
        match key {
            "suite" => {
                let names: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
                if let Some(name) = problems.text(&path, value) {
                    if names.contains(&name) {
                        name.clone_into(&mut workload.suite);
                    } else {
                        problems.add(
                            &path,
                            format!("unknown suite {name:?}"),
                            fix_for(name, &names),
                        );
                    }
                }
            }
            "benchmarks" => benchmarks = Some(problems.list(&path, value)),
            "quick" => workload.quick = problems.boolean(&path, value).unwrap_or_default(),
            _ => workload.min_seconds = problems.number(&path, value, 0.01, 86_400.0),
        }
    }
    let names: Vec<&str> = Suite::named(&workload.suite)
        .map(|suite| suite.benchmarks.iter().map(|benchmark| benchmark.name).collect())
        .unwrap_or_default();
    if benchmarks.is_some_and(<[Json]>::is_empty) {
        problems.add("workload.benchmarks", "an empty list", "leave it out to run them all");
    }
    for (index, item) in benchmarks.unwrap_or_default().iter().enumerate() {
        let path = format!("workload.benchmarks[{index}]");
        let Some(name) = problems.text(&path, item) else {
            continue;
        };
        if !names.contains(&name) {
            problems.add(&path, format!("unknown benchmark {name:?}"), fix_for(name, &names));
        } else if workload.benchmarks.iter().any(|known| known == name) {
            problems.add(&path, format!("{name:?} is named twice"), "name it once");
        } else {
            workload.benchmarks.push(name.to_owned());
        }
    }
    workload
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
                format!("{region:?} is not a region name"),
                "write 1 to 64 characters of A-Z a-z 0-9 _ -",
            ),
        }
    }
    regions
}

fn read_machines(
    provider: &str,
    json: &Json,
    machines: &mut Vec<MachineRequest>,
    problems: &mut Problems,
) {
    let provider_name = match ProviderName::new(provider) {
        Ok(name) => name,
        Err(error) => return problems.add(provider, error.to_string(), "rename the provider"),
    };
    let items = problems.list(provider, json);
    if items.is_empty() && matches!(json, Json::Array(_)) {
        problems.add(provider, "an empty list", "name an instance type or leave the provider out");
    }
    for (index, item) in items.iter().enumerate() {
        let path = format!("{provider}[{index}]");
        let mut name = None;
        let mut alias = None;
        if let Json::Object(_) = item {
            let mut named = false;
            for (key, value) in problems.entries(&path, item, &["instance_type", "alias"]) {
                let field = format!("{path}.{key}");
                named |= key == "instance_type";
                let Some(text) = problems.text(&field, value) else {
                    continue;
                };
                if key == "instance_type" {
                    name = Some((field, text));
                } else {
                    match Alias::new(text) {
                        Ok(value) => alias = Some(value),
                        Err(e) => problems.add(&field, e.to_string(), "choose another alias"),
                    }
                }
            }
            if !named {
                problems.add(&format!("{path}.instance_type"), "missing", "name the instance type");
            }
        } else if let Json::Scalar(Value::String(text)) = item {
            name = Some((path.clone(), text.as_str()));
        } else {
            problems.wrong_type(
                &path,
                item,
                "an instance type, or an object with instance_type and alias",
            );
        }
        let Some((field, text)) = name else { continue };
        match InstanceType::new(text) {
            Ok(instance_type) => {
                machines.push(MachineRequest {
                    provider: provider_name.clone(),
                    instance_type,
                    alias,
                });
            }
            Err(error) => problems.add(
                &field,
                error.to_string(),
                "write the type as its cloud does, e.g. \"c7g.medium\"",
            ),
        }
    }
}

/// Two machines of one label would write their results to the same folder, and two requests
/// for one type would share a queue.
fn report_repeated_machines(machines: &[MachineRequest], problems: &mut Problems) {
    let mut types = HashSet::new();
    let mut labels = HashSet::new();
    for machine in machines {
        let provider = machine.provider.as_str();
        if !types.insert((provider, machine.instance_type.as_str())) {
            problems.add(
                provider,
                format!("{} is named twice", machine.instance_type),
                "name it once; per_instance_type says how many tasks and machines it gets",
            );
        } else if !labels.insert(machine.label().to_lowercase()) {
            problems.add(
                provider,
                format!("the name {:?} is used twice", machine.label()),
                "give one of the two another alias: results are filed under it",
            );
        }
    }
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
                "regions":{"aws":"us-east-1"},"max_cost_usd":5.25,"max_lifetime_minutes":30,"max_attempts":2}"#,
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
