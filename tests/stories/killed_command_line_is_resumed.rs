//! The command line, and the orchestrator in it, die without warning. What was finished is kept,
//! the runner that was left alone is found by its tag, and the run goes on.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::support::Cli;

const CONFIG: &str =
    r#"{"ruby_version":"system","local":["host"],"runs_per_instance_type":2,"mock":true}"#;

#[test]
fn the_run_goes_on_and_the_orphan_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mock.json"), CONFIG).unwrap();
    let cli = Cli::new(folder.path());
    let mut run = cli
        .command(&["run", "mock.json", "--run-id", "dead", "--yes", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for line in BufReader::new(run.stdout.take().unwrap()).lines() {
        if line.unwrap().contains("\"task_completed\"") {
            break;
        }
    }
    run.kill().unwrap();
    run.wait().unwrap();
    let left = cli.expect(0, &["teardown", "dead", "--dry-run", "--json"]);
    assert!(left.contains("process"), "the runner did not outlive its orchestrator: {left}");

    cli.expect(0, &["resume", "dead", "--yes"]);
    for number in 1..=2 {
        assert!(folder.path().join(format!("results/dead/host-{number}/output.json")).is_file());
    }
    let status = cli.expect(0, &["status", "dead", "--json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["status"], "completed");
    let left = cli.expect(0, &["teardown", "dead", "--dry-run", "--json"]);
    assert!(!left.contains("process"), "{left}");
}
