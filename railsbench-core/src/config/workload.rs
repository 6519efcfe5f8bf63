//! Reading what each task runs.

use super::WorkloadConfig;
use super::json::{Json, excerpt};
use super::problems::Problems;
use super::suggest::fix_for;
use crate::workload::{SUITES, Suite};

pub(super) fn read_workload(json: &Json, problems: &mut Problems) -> WorkloadConfig {
    let mut workload = WorkloadConfig::default();
    let mut suite = Suite::named(&workload.suite);
    let mut benchmarks = None;
    for (key, value) in
        problems.entries("workload", json, &["suite", "benchmarks", "quick", "min_seconds"])
    {
        let path = format!("workload.{key}");
        match key {
            "suite" => suite = read_suite(&path, value, problems),
            "benchmarks" => benchmarks = problems.list(&path, value),
            "quick" => workload.quick = problems.boolean(&path, value).unwrap_or_default(),
            _ => workload.min_seconds = problems.number(&path, value, 0.01, 86_400.0),
        }
    }
    // Of an unknown suite no benchmark is known, and one problem is enough.
    if let Some(suite) = suite {
        suite.name.clone_into(&mut workload.suite);
        if let Some(items) = benchmarks {
            workload.benchmarks = read_benchmarks(suite, items, problems);
        }
    }
    workload
}

fn read_suite(path: &str, json: &Json, problems: &mut Problems) -> Option<&'static Suite> {
    let name = problems.text(path, json)?;
    let suite = Suite::named(name);
    if suite.is_none() {
        let names: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
        let problem = format!("unknown suite \"{}\"", excerpt(name));
        problems.add(path, problem, fix_for(name, &names));
    }
    suite
}

fn read_benchmarks(suite: &Suite, items: &[Json], problems: &mut Problems) -> Vec<String> {
    let names: Vec<&str> = suite.benchmarks.iter().map(|benchmark| benchmark.name).collect();
    let mut chosen: Vec<String> = Vec::new();
    if items.is_empty() {
        problems.add("workload.benchmarks", "an empty list", "leave it out to run them all");
    }
    for (index, item) in items.iter().enumerate() {
        let path = format!("workload.benchmarks[{index}]");
        let Some(name) = problems.text(&path, item) else {
            continue;
        };
        if !names.contains(&name) {
            let problem = format!("suite {} has no benchmark \"{}\"", suite.name, excerpt(name));
            problems.add(&path, problem, fix_for(name, &names));
        } else if chosen.iter().any(|known| known == name) {
            problems.add(&path, format!("{name:?} is named twice"), "name it once");
        } else {
            chosen.push(name.to_owned());
        }
    }
    chosen
}
