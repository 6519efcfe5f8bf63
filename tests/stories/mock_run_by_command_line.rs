//! The main job with made-up figures: one command, files, a report, nothing left behind.

use serde_json::Value;

use crate::support::Cli;

const CONFIG: &str = r#"{"ruby_version":"9.9.9",
    "local":[{"instance_type":"host","alias":"here"}],"runs_per_instance_type":2,"mock":true}"#;

#[test]
fn a_mock_run_leaves_results_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mock.json"), CONFIG).unwrap();
    let cli = Cli::new(folder.path());
    let printed = cli.expect(0, &["run", "mock.json", "--run-id", "mock", "--yes"]);
    assert!(printed.contains("mock_request"), "{printed}");

    let run = folder.path().join("results/mock");
    for number in 1..=2 {
        for file in ["output.txt", "output.json", "output.csv", "metadata.json"] {
            let path = run.join(format!("here-{number}")).join(file);
            assert!(path.is_file(), "{} is missing", path.display());
        }
    }
    let report: Value =
        serde_json::from_slice(&std::fs::read(run.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["run"]["id"], "mock");
    let html = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(html.contains("<svg") && html.contains("mock_query"));

    // What the runner said lies with the orchestrator, for as long as the run does.
    let said = cli.expect(0, &["logs", "mock", "--follow"]);
    for line in ["here-1: ", "here-2: "] {
        assert!(said.lines().any(|said| said.starts_with(line)), "no {line} in {said}");
    }
    let said = cli.expect(0, &["logs", "mock", "here-2", "--json"]);
    let part: Value = serde_json::from_str(said.lines().next().expect("there is one")).unwrap();
    assert_eq!((&part["task"], &part["attempt"]), (&"here-2".into(), &1.into()));
    assert!(said.contains("run_number=2"), "{said}");
    let unknown = cli.run(&["logs", "mock", "here-3"]);
    assert_eq!(unknown.status.code(), Some(2));
    let unknown = String::from_utf8(unknown.stderr).unwrap();
    assert!(unknown.contains("did you mean here-"), "{unknown}");

    let left = cli.expect(0, &["teardown", "mock", "--dry-run", "--json"]);
    let left: Value = serde_json::from_str(&left).unwrap();
    assert!(!left.to_string().contains("process"), "{left}");
}

#[test]
fn json_events_tell_the_whole_story() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mock.json"), CONFIG).unwrap();
    let cli = Cli::new(folder.path());
    let printed = cli
        .expect(0, &["run", "--config", "mock.json", "--run-id", "mock-events", "--yes", "--json"]);
    let events: Vec<Value> =
        printed.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    for wanted in ["stage", "run_ready", "provisioned", "lifecycle", "collected", "reported"] {
        assert!(names.contains(&wanted), "no {wanted} in {names:?}");
    }
}

#[test]
fn another_configuration_under_the_same_id_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mock.json"), CONFIG).unwrap();
    let other = CONFIG.replace("\"runs_per_instance_type\":2", "\"runs_per_instance_type\":1");
    std::fs::write(folder.path().join("other.json"), other).unwrap();
    let cli = Cli::new(folder.path());
    cli.expect(0, &["run", "mock.json", "--run-id", "mock-taken", "--yes"]);
    let refused = cli.run(&["run", "other.json", "--run-id", "mock-taken", "--yes"]);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("different configuration"), "{said}");
    // The same configuration again is the same run: it is over, so there is nothing to do.
    cli.expect(0, &["run", "mock.json", "--run-id", "mock-taken", "--yes"]);
    let status = cli.expect(0, &["status", "mock-taken", "--json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["status"], "completed");
}
