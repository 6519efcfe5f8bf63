//! Bad configurations, with what is said of each: the field, the problem and the fix.

#![allow(clippy::unwrap_used, reason = "in a test a panic is a failure")]

use std::fmt::Write;

use railsbench_core::config::{ConfigError, RunConfig};

const CASES: &[(&str, &str)] = &[
    // The document.
    ("empty file", ""),
    ("only white space", " \n\t\n"),
    ("byte order mark", "\u{feff}{\"ruby_version\":\"system\",\"local\":[\"host\"]}"),
    ("not an object", r#"["local"]"#),
    ("a bare word", "local"),
    ("trailing comma in a list", "{\"ruby_version\":\"system\",\n \"local\":[\"host\",]}"),
    ("trailing comma in an object", "{\"ruby_version\":\"system\",\n \"local\":[\"host\"],}"),
    ("comma forgotten", "{\"ruby_version\":\"system\"\n \"local\":[\"host\"]}"),
    ("end forgotten", r#"{"ruby_version":"system","local":["host"]"#),
    ("quote forgotten", "{\"ruby_version\":\"system,\n\"local\":[\"host\"]}"),
    ("single quotes", "{'ruby_version':'system'}"),
    ("single quotes in a value", r#"{"ruby_version":'system'}"#),
    ("key without quotes", "{ruby_version: \"system\"}"),
    ("a comment", "{\n  // which Ruby\n  \"ruby_version\":\"system\"}"),
    ("two documents", r#"{"ruby_version":"system","local":["host"]}{}"#),
    ("a number that is no number", r#"{"max_cost_usd":1e400}"#),
    // Keys.
    ("misspelt setting", r#"{"ruby_verison":"system","local":["host"]}"#),
    ("misspelt provider", r#"{"ruby_version":"system","azur":["Standard_B1s"]}"#),
    ("provider in capitals", r#"{"ruby_version":"system","AWS":["c7g.medium"]}"#),
    ("unknown provider", r#"{"ruby_version":"system","local":["host"],"oracle":["x"]}"#),
    ("key given twice", r#"{"ruby_version":"system","local":["host"],"local":["host"]}"#),
    ("control characters in a key", r#"{"ruby_version":"system","local":["host"],"a\u001b\nb":1}"#),
    ("no instance types", r#"{"ruby_version":"system"}"#),
    ("nothing at all", "{}"),
    // ruby_version.
    ("version as a number", r#"{"ruby_version":3.3,"local":["host"]}"#),
    ("version that is none", r#"{"ruby_version":"latest","local":["host"]}"#),
    ("version null", r#"{"ruby_version":null,"local":["host"]}"#),
    ("version with one part", r#"{"ruby_version":"3","local":["host"]}"#),
    // Machines.
    ("machines not in a list", r#"{"ruby_version":"system","aws":"c7g.medium"}"#),
    (
        "one machine object not in a list",
        r#"{"ruby_version":"system","aws":{"instance_type":"x"}}"#,
    ),
    ("empty list of machines", r#"{"ruby_version":"system","aws":[]}"#),
    ("machine is a number", r#"{"ruby_version":"system","aws":[1]}"#),
    ("machine with a space", r#"{"ruby_version":"system","aws":["c7g medium"]}"#),
    ("machine with a path", r#"{"ruby_version":"system","local":["../host"]}"#),
    ("machine without a type", r#"{"ruby_version":"system","aws":[{"alias":"arm"}]}"#),
    ("machine with a misspelt key", r#"{"ruby_version":"system","aws":[{"instance_typ":"x"}]}"#),
    (
        "alias with a slash",
        r#"{"ruby_version":"system","aws":[{"instance_type":"x","alias":"a/b"}]}"#,
    ),
    ("alias is a number", r#"{"ruby_version":"system","aws":[{"instance_type":"x","alias":4}]}"#),
    ("type named twice", r#"{"ruby_version":"system","aws":["x","x"]}"#),
    (
        "alias used twice",
        r#"{"ruby_version":"system","aws":[{"instance_type":"x","alias":"A"},{"instance_type":"y","alias":"a"}]}"#,
    ),
    (
        "one name at two providers",
        r#"{"ruby_version":"system","docker":["local-2"],"local":["local-2"]}"#,
    ),
    // How many.
    ("no runs", r#"{"ruby_version":"system","local":["host"],"runs_per_instance_type":0}"#),
    ("runs as text", r#"{"ruby_version":"system","local":["host"],"runs_per_instance_type":"3"}"#),
    (
        "runs with a fraction",
        r#"{"ruby_version":"system","local":["host"],"runs_per_instance_type":1.5}"#,
    ),
    (
        "huge number of runs",
        r#"{"ruby_version":"system","local":["host"],"runs_per_instance_type":99999999999999999999999}"#,
    ),
    (
        "both spellings",
        r#"{"ruby_version":"system","local":["host"],"runs_per_instance_type":1,"per_instance_type":{"tasks":1}}"#,
    ),
    ("per type as a number", r#"{"ruby_version":"system","local":["host"],"per_instance_type":3}"#),
    (
        "more machines than tasks",
        r#"{"ruby_version":"system","local":["host"],"per_instance_type":{"tasks":1,"instances":2}}"#,
    ),
    (
        "misspelt tasks",
        r#"{"ruby_version":"system","local":["host"],"per_instance_type":{"task":1}}"#,
    ),
    (
        "too many tasks",
        r#"{"ruby_version":"system","aws":["a","b","c","d","e","f","g","h","i","j","k"],"runs_per_instance_type":10000}"#,
    ),
    // Bounds.
    ("negative cost", r#"{"ruby_version":"system","local":["host"],"max_cost_usd":-1}"#),
    ("cost as text", r#"{"ruby_version":"system","local":["host"],"max_cost_usd":"$5"}"#),
    ("no lifetime", r#"{"ruby_version":"system","local":["host"],"max_lifetime_minutes":0}"#),
    (
        "lifetime beyond a week",
        r#"{"ruby_version":"system","local":["host"],"max_lifetime_minutes":10081}"#,
    ),
    ("no attempts", r#"{"ruby_version":"system","local":["host"],"max_attempts":0}"#),
    ("mock as text", r#"{"ruby_version":"system","local":["host"],"mock":"true"}"#),
    // Workload.
    ("workload as text", r#"{"ruby_version":"system","local":["host"],"workload":"rails"}"#),
    (
        "unknown suite",
        r#"{"ruby_version":"system","local":["host"],"workload":{"suite":"railz","benchmarks":["x"]}}"#,
    ),
    (
        "unknown benchmark",
        r#"{"ruby_version":"system","local":["host"],"workload":{"benchmarks":["rails_request"]}}"#,
    ),
    (
        "benchmark of another suite",
        r#"{"ruby_version":"system","local":["host"],"workload":{"benchmarks":["boot"],"suite":"mock"}}"#,
    ),
    (
        "benchmark named twice",
        r#"{"ruby_version":"system","local":["host"],"workload":{"benchmarks":["boot","boot"]}}"#,
    ),
    (
        "benchmarks not in a list",
        r#"{"ruby_version":"system","local":["host"],"workload":{"benchmarks":"boot"}}"#,
    ),
    ("no benchmarks", r#"{"ruby_version":"system","local":["host"],"workload":{"benchmarks":[]}}"#),
    (
        "no time to measure",
        r#"{"ruby_version":"system","local":["host"],"workload":{"min_seconds":0}}"#,
    ),
    (
        "misspelt workload key",
        r#"{"ruby_version":"system","local":["host"],"workload":{"benchmark":["boot"]}}"#,
    ),
    // Container image.
    (
        "image with a space",
        r#"{"ruby_version":"system","aws":["x"],"runner_image":"ruby:3.3 slim"}"#,
    ),
    ("image that is an option", r#"{"ruby_version":"system","aws":["x"],"runner_image":"--rm"}"#),
    ("image as a list", r#"{"ruby_version":"system","aws":["x"],"runner_image":["ruby"]}"#),
    // Regions.
    (
        "region of an unknown provider",
        r#"{"ruby_version":"system","local":["host"],"regions":{"amazon":"us-east-1"}}"#,
    ),
    ("region with a space", r#"{"ruby_version":"system","aws":["x"],"regions":{"aws":"us east"}}"#),
    (
        "region is a list",
        r#"{"ruby_version":"system","aws":["x"],"regions":{"aws":["us-east-1"]}}"#,
    ),
    // All at once.
    (
        "several problems",
        r#"{"ruby_version":3,"aws":["c7g medium"],"mock":"yes","max_attempts":0,"regiions":{}}"#,
    ),
];

fn refuse(text: &str) -> ConfigError {
    RunConfig::parse(text).expect_err(text)
}

#[test]
fn every_bad_configuration_is_refused_with_field_problem_and_fix() {
    let mut report = String::new();
    for (name, text) in CASES {
        let error = refuse(text);
        for problem in &error.errors {
            assert!(!problem.problem.is_empty() && !problem.fix.is_empty(), "{name}: {problem:?}");
            assert!(!problem.to_string().contains(char::is_control), "{name}: {problem:?}");
        }
        writeln!(report, "{name}\n  {}", text.replace('\n', "⏎").replace('\u{feff}', "<BOM>"))
            .unwrap();
        for line in error.to_string().lines() {
            writeln!(report, "  → {line}").unwrap();
        }
        report.push('\n');
    }
    insta::assert_snapshot!("bad_configurations", report);
}

#[test]
fn deep_nesting_is_an_error_and_no_stack_overflow() {
    for depth in [128, 100_000] {
        for open in ["[", "{\"a\":"] {
            let error = refuse(&open.repeat(depth)).to_string();
            assert!(error.contains("recursion limit exceeded at line 1 column"), "{error}");
            assert!(error.contains("nest less"), "{error}");
        }
    }
}

#[test]
fn syntax_errors_name_line_and_column() {
    let error = refuse("{\n  \"ruby_version\": \"system\",\n  \"local\": [\"host\"],\n}");
    assert_eq!(
        error.to_string(),
        "config: not JSON: trailing comma at line 4 column 1; \
         remove the comma before the closing bracket or brace"
    );
}

#[test]
fn messages_stay_short_however_long_the_document() {
    let long = "x".repeat(1_000_000);
    for text in [
        format!(r#"{{"{long}":1}}"#),
        format!(r#"{{"ruby_version":"{long}"}}"#),
        format!(r#"{{"ruby_version":"system","aws":["{long}"]}}"#),
        format!(r#"{{"ruby_version":"system","workload":{{"suite":"{long}"}}}}"#),
        format!(r#"{{"ruby_version":"system","workload":{{"benchmarks":["{long}"]}}}}"#),
        format!(r#"{{"ruby_version":"system","mock":"{long}"}}"#),
        format!(r#"{{"ruby_version":"system","regions":{{"aws":"{long}"}}}}"#),
    ] {
        let error = refuse(&text).to_string();
        assert!(error.len() < 2_000, "{} bytes for {}…", error.len(), &text[..60]);
    }
    let keys: Vec<String> = (0..10_000).map(|number| format!("\"k{number}\":1")).collect();
    let error = refuse(&format!("{{{}}}", keys.join(",")));
    assert_eq!(error.errors.len(), 51);
    // The unknown keys, and the missing ruby_version.
    assert_eq!(error.errors[50].problem, "9951 more problems");
}

#[test]
fn both_spellings_of_each_choice_are_accepted() {
    let runs = |text: &str| RunConfig::parse(text).unwrap_or_else(|error| panic!("{error}"));
    let short = runs(r#"{"ruby_version":"ruby-3.3.0","aws":["x"],"runs_per_instance_type":3}"#);
    let long = runs(
        r#"{"aws":[{"instance_type":"x"}],"ruby_version":"3.3.0",
            "per_instance_type":{"instances":1,"tasks":3}}"#,
    );
    assert_eq!(short, long);
    let shared = runs(r#"{"ruby_version":"3.3","aws":["x"],"per_instance_type":{"instances":2}}"#);
    assert_eq!((shared.tasks_per_type, shared.instances_per_type), (2, 2));
    assert_eq!(shared.task_count(), 2);
}
