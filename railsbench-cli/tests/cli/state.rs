//! Commands about runs, where there are none.

use super::{json, run, run_in};

#[test]
fn without_a_state_folder_there_are_no_runs_and_none_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run_in(folder.path(), &["status"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.stdout, "no runs; start one with: railsbench run CONFIG\n");
    assert_eq!(json(&run_in(folder.path(), &["status", "--json"]).stdout)["runs"], json("[]"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_run_that_is_not_there_is_named() {
    let commands: [&[&str]; 6] = [
        &["status", "nightly-1"],
        &["logs", "nightly-1"],
        &["watch", "nightly-1"],
        &["stop", "nightly-1", "--yes"],
        &["results", "nightly-1"],
        &["resume", "nightly-1", "--yes"],
    ];
    let empty = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    for arguments in commands {
        let ran = run_in(empty.path(), arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.stderr.contains("there are no runs in .railsbench; "), "{}", ran.stderr);

        // A folder that exists, with an orchestrator that has no such run.
        let folder = state.path().to_str().unwrap();
        let ran = run_in(empty.path(), &[arguments, &["--state-dir", folder]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("nightly-1"), "{}", ran.stderr);
    }
    let ran = run(&["report", "nightly-1"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("results/nightly-1"), "{}", ran.stderr);
}

#[test]
fn an_orchestrator_that_does_not_answer_is_an_environment_error() {
    // A port that was free a moment ago and that nobody listens on.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ran = run(&["status", "--json", "--orchestrator", &url, "--api-key", "hush-hush"]);
    assert_eq!(ran.code, 3);
    let body = json(&ran.stdout);
    assert_eq!(body["error"], "environment");
    assert!(body["detail"].as_str().unwrap().contains(&url), "{body}");
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("hush-hush"));
}

#[test]
fn a_missing_runner_is_an_environment_error_with_the_command_that_builds_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("mock.json"),
        r#"{"ruby_version": "system", "local": ["host"], "mock": true}"#,
    )
    .unwrap();
    let ran = run_in(folder.path(), &["run", "mock.json", "--yes", "--runner", "no/such/runner"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("no/such/runner"), "{}", ran.stderr);
    assert!(ran.stderr.contains("cargo build"), "{}", ran.stderr);
}

#[test]
fn with_nothing_left_a_teardown_removes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run_in(folder.path(), &["teardown", "no-such-run"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "nothing is left\n"), "{}", ran.stderr);
}
