//! Configurations that cannot be used: exit code 2, one line per problem, each with its fix.

use super::{json, run_in, run_with_input};

const CASES: [(&str, &str); 14] = [
    ("empty", ""),
    ("not_json", "{\"ruby_version\": \"system\","),
    ("not_an_object", "[]"),
    ("nothing_to_measure", "{\"ruby_version\": \"system\"}"),
    ("unknown_key", "{\"ruby_verison\": \"system\", \"local\": [\"host\"]}"),
    (
        "given_twice",
        "{\"ruby_version\": \"system\", \"ruby_version\": \"3.3\", \"local\": [\"host\"]}",
    ),
    ("bad_ruby", "{\"ruby_version\": \"latest\", \"local\": [\"host\"]}"),
    (
        "bad_counts",
        "{\"ruby_version\": \"system\", \"local\": [\"host\"], \"runs_per_instance_type\": 0, \"max_attempts\": -1}",
    ),
    (
        "both_spellings",
        "{\"ruby_version\": \"system\", \"local\": [\"host\"], \"runs_per_instance_type\": 1, \"per_instance_type\": {\"tasks\": 1}}",
    ),
    (
        "bad_alias",
        "{\"ruby_version\": \"system\", \"local\": [{\"instance_type\": \"host\", \"alias\": \"../up\"}]}",
    ),
    (
        "unknown_benchmark",
        "{\"ruby_version\": \"system\", \"local\": [\"host\"], \"workload\": {\"benchmarks\": [\"rails_wriet\"]}}",
    ),
    ("unknown_instance_type", "{\"ruby_version\": \"system\", \"local\": [\"hots\"]}"),
    (
        "provider_not_in_this_build",
        "{\"ruby_version\": \"system\", \"aws\": [\"c7g.medium\"], \"mock\": true}",
    ),
    (
        "negative_cost",
        "{\"ruby_version\": \"system\", \"local\": [\"host\"], \"max_cost_usd\": -5}",
    ),
];

#[test]
fn each_problem_is_a_line_with_its_fix() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in CASES {
        let ran = run_with_input(folder.path(), &["plan", "-"], text.as_bytes());
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{name}: {}", ran.stderr);
        insta::assert_snapshot!(format!("config_{name}"), ran.stderr);
    }
}

#[test]
fn run_refuses_what_plan_refuses_and_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in CASES {
        let planned = run_with_input(folder.path(), &["plan", "-"], text.as_bytes());
        let ran = run_with_input(folder.path(), &["run", "-", "--yes"], text.as_bytes());
        assert_eq!((ran.code, ran.stderr), (2, planned.stderr), "{name}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something was made");
}

#[test]
fn with_json_the_problems_are_an_object_on_stdout() {
    let folder = tempfile::tempdir().unwrap();
    let text = br#"{"ruby_verison": "system", "local": ["host"], "mock": "yes"}"#;
    for command in ["plan", "run"] {
        let ran = run_with_input(folder.path(), &[command, "--json", "-"], text);
        assert_eq!((ran.code, ran.stderr.as_str()), (2, ""), "{command}");
        insta::assert_json_snapshot!("config_errors_as_json", json(&ran.stdout));
    }
}

#[test]
fn unreadable_configurations_say_why() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("latin1.json"), b"{\"ruby_version\": \"\xe4\"}").unwrap();
    for (name, path) in [("missing", "none.json"), ("folder", "."), ("not_utf8", "latin1.json")] {
        let ran = run_in(folder.path(), &["plan", path]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{name}");
        insta::assert_snapshot!(format!("config_file_{name}"), ran.stderr);
    }
}

#[test]
fn a_byte_order_mark_is_no_problem() {
    let folder = tempfile::tempdir().unwrap();
    let text = "\u{feff}{\"ruby_version\": \"system\", \"local\": [\"host\"], \"mock\": true}";
    let ran = run_with_input(folder.path(), &["plan", "--config", "-"], text.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}
