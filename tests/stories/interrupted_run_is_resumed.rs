//! Ctrl-C keeps what was finished and leaves no process; the same run goes on later.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::Cli;

const CONFIG: &str =
    r#"{"ruby_version":"system","local":["host"],"runs_per_instance_type":3,"mock":true}"#;

#[test]
fn what_was_finished_is_kept_and_the_rest_is_done_later() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mock.json"), CONFIG).unwrap();
    let cli = Cli::new(folder.path());
    let mut run = cli
        .command(&["run", "mock.json", "--run-id", "broken", "--yes", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut completed = false;
    for line in BufReader::new(run.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        completed |= line.contains("\"task_completed\"");
        // In the middle of the second task.
        if completed && line.contains("\"running\"") && line.contains("\"heartbeat\"") {
            kill(Pid::from_raw(run.id().try_into().unwrap()), Signal::SIGINT).unwrap();
            completed = false;
        }
    }
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert!(folder.path().join("results/broken/host-1/output.json").is_file());
    let left = cli.expect(0, &["teardown", "broken", "--dry-run", "--json"]);
    assert!(!left.contains("process"), "{left}");

    let status = cli.expect(0, &["status", "broken", "--json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["status"], "running");

    cli.expect(0, &["resume", "broken", "--yes"]);
    for number in 1..=3 {
        assert!(folder.path().join(format!("results/broken/host-{number}/output.json")).is_file());
    }
    let status = cli.expect(0, &["status", "broken", "--json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["status"], "completed");
    assert_eq!(status["task_counts"]["completed"], 3);
}
