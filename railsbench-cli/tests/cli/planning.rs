//! `plan` on a mock configuration. What belongs to the machine that runs the test is blotted out.

use super::{json, run_in, run_with_input};

const MOCK: &[u8] =
    br#"{"ruby_version": "system", "local": [{"instance_type": "host", "alias": "here"}],
    "runs_per_instance_type": 3, "mock": true}"#;

#[test]
fn the_plan_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run_with_input(folder.path(), &["plan", "--json", "-"], MOCK);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let mut plan = json(&ran.stdout);
    let run_id = plan["run_id"].as_str().unwrap().to_owned();
    let script = plan["plans"][0]["user_data"].as_str().unwrap().to_owned();
    let machine = &mut plan["plans"][0]["machines"][0];
    for fact in ["arch", "vcpus", "memory_bytes"] {
        assert!(!machine[fact].is_null(), "{fact}");
        machine[fact] = format!("[{fact}]").into();
    }
    plan["plans"][0]["user_data"] = "[user_data]".into();
    let text = serde_json::to_string_pretty(&plan).unwrap().replace(&run_id, "[run_id]");
    // The state folder is named in full, with links resolved.
    let state = folder.path().canonicalize().unwrap();
    let text = text.replace(state.to_str().unwrap(), "[folder]");
    insta::assert_snapshot!("plan_as_json", text);

    for variable in ["ORCHESTRATOR_URL", "API_KEY", "RUN_ID", "PROVIDER", "INSTANCE_TYPE"] {
        assert!(script.contains(&format!("{variable}=\"")), "{variable}: {script}");
    }
    assert!(script.contains("API_KEY=\"********\""), "{script}");
}

#[test]
fn the_plan_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run_with_input(folder.path(), &["plan", "-"], MOCK);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let text = &ran.stdout;
    assert!(text.contains(": 3 tasks on 1 machine, about "), "{text}");
    assert!(text.contains(", free\n"), "{text}");
    assert!(text.contains("local") && text.contains("host"), "{text}");
    assert!(!text.contains("API_KEY"), "{text}");

    let shown = run_with_input(folder.path(), &["plan", "--user-data", "-"], MOCK).stdout;
    assert!(shown.contains("API_KEY=\"********\""), "{shown}");
}

#[test]
fn quick_shortens_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("rails.json"),
        r#"{"ruby_version": "system", "local": ["host"]}"#,
    )
    .unwrap();
    let seconds = |arguments: &[&str]| {
        let ran = run_in(folder.path(), arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        json(&ran.stdout)["expected_seconds"].as_f64().unwrap()
    };
    let full = seconds(&["plan", "rails.json", "--json"]);
    let quick = seconds(&["plan", "rails.json", "--json", "--quick"]);
    assert!(quick < full / 2.0, "{quick} {full}");
}

#[test]
fn planning_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    run_with_input(folder.path(), &["plan", "-"], MOCK);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
