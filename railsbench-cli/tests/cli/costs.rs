//! `cost`, and the limit of `plan` and `run`. What runs on this host is free; what clouds cost is
//! proved by the tests of the libraries, and below `clouds`.

use std::fmt::Write as _;
use std::fs;

use super::{json, run, run_in, run_with_input};

const MOCK: &[u8] = br#"{"ruby_version": "system", "local": ["host"], "mock": true}"#;

/// Two machines of a run: one ended after half an hour; of the other nobody knows, and it lived
/// no longer than an hour.
const LEDGER: &str = r#"
{"at":"2026-01-02T10:00:00Z","run_id":"nightly-1","provider":"aws","machine":"m-1","step":"started","instance_type":"c7g.medium","region":"us-east-1","terms":{"per_hour":0.04,"sent":0.001,"as_of":"2025-12-20","source":"a price list","billing_minimum_ms":60000,"billing_increment_ms":1000,"max_lifetime_ms":3600000,"charged_when_ended":false}}
{"at":"2026-01-02T10:00:00Z","run_id":"nightly-1","provider":"aws","machine":"m-2","step":"started","instance_type":"c7g.medium","region":"us-east-1","terms":{"per_hour":0.04,"sent":0.001,"as_of":"2025-12-20","source":"a price list","billing_minimum_ms":60000,"billing_increment_ms":1000,"max_lifetime_ms":3600000,"charged_when_ended":false}}
{"at":"2026-01-02T10:30:00Z","run_id":"nightly-1","provider":"aws","machine":"m-1","step":"ended"}
"#;

#[test]
fn what_costs_nothing_is_within_every_limit() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run_with_input(folder.path(), &["plan", "-", "--max-cost", "0"], MOCK);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = run_with_input(folder.path(), &["cost", "-"], MOCK);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("local host: 1 machine, about "), "{}", ran.stdout);
    assert!(ran.stdout.contains("in all about $0.00: $0.00 at least"), "{}", ran.stdout);
    let told = json(&run_with_input(folder.path(), &["cost", "-", "--json"], MOCK).stdout);
    assert_eq!(told["is_estimate"], true);
    assert_eq!(told["estimate"]["groups"][0]["instance_type"], "host");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something was made");
}

#[test]
fn what_a_run_has_cost_is_told_by_what_is_known_of_its_machines() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(".railsbench")).unwrap();
    fs::write(folder.path().join(".railsbench/costs.jsonl"), LEDGER).unwrap();
    let ran = run_in(folder.path(), &["cost", "nightly-1"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    insta::assert_snapshot!("cost_of_a_run", ran.stdout);
    let told = json(&run_in(folder.path(), &["cost", "nightly-1", "--json"]).stdout);
    assert_eq!((&told["run"]["total"], &told["run"]["is_final"]), (&0.062.into(), &false.into()));
    let all = run_in(folder.path(), &["cost"]);
    assert_eq!(all.code, 0);
    insta::assert_snapshot!("cost_of_all_runs", all.stdout);
}

#[test]
fn without_runs_nothing_was_spent() {
    let ran = run(&["cost"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "no machine was started from here\n"));
}

#[test]
fn wrong_command_lines_name_what_is_wrong() {
    let cases: [(&str, &[&str]); 5] = [
        ("no_such_run", &["cost", "nightly-2"]),
        ("neither_file_nor_run", &["cost", "no/such.json"]),
        ("limit_in_words", &["plan", "-", "--max-cost", "five"]),
        ("negative_limit", &["run", "-", "--max-cost=-1"]),
        ("limit_of_a_resumed_run", &["resume", "nightly-1", "--max-cost", "5"]),
    ];
    let mut told = String::new();
    for (name, arguments) in cases {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{name}: {}", ran.stderr);
        writeln!(told, "# {name}\n{}", ran.stderr).expect("a string takes all");
    }
    insta::assert_snapshot!("usage_of_costs", told);
}
