//! Wrong command lines: exit code 2, nothing on stdout, and a hint.

use super::{json, run};

#[test]
fn wrong_arguments_end_with_2_and_a_hint() {
    let cases: [(&str, &[&str]); 9] = [
        ("no_command", &[]),
        ("unknown_command", &["rnu"]),
        ("unknown_option", &["run", "x.json", "--quikc"]),
        ("no_config", &["run"]),
        ("config_given_twice", &["run", "a.json", "--config", "b.json"]),
        ("bad_run_id", &["run", "a.json", "--run-id", "a b"]),
        ("no_scope", &["teardown"]),
        ("bad_architecture", &["instance-types", "--arch", "sparc"]),
        ("quiet_and_verbose", &["status", "-q", "-v"]),
    ];
    for (name, arguments) in cases {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{name}");
        insta::assert_snapshot!(format!("usage_{name}"), ran.stderr);
    }
}

#[test]
fn with_json_a_wrong_command_line_is_an_object_on_stdout() {
    let ran = run(&["run", "--json", "--quikc", "x.json"]);
    assert_eq!(ran.code, 2);
    let body = json(&ran.stdout);
    assert_eq!(body["error"], "usage");
    assert_eq!(body["exit_code"], 2);
    assert!(body["detail"].as_str().unwrap().contains("--quick"), "{body}");
}

#[test]
fn a_remote_orchestrator_needs_a_token() {
    let ran = run(&["status", "--orchestrator", "https://bench.example.com"]);
    assert_eq!(ran.code, 2);
    insta::assert_snapshot!("usage_no_token", ran.stderr);
}

#[test]
fn a_token_goes_by_plain_http_to_this_machine_alone() {
    let away = ["status", "--orchestrator", "http://bench.invalid", "--api-key", "hush-hush"];
    let ran = run(&away);
    assert_eq!(ran.code, 2);
    insta::assert_snapshot!("usage_plain_http", ran.stderr);
    // Where it is allowed, the name is looked up, and it does not exist.
    assert_eq!(run(&[&away[..], &["--allow-plain-http"]].concat()).code, 3);
}

#[test]
fn an_unknown_provider_names_those_that_are_there() {
    let ran = run(&["instance-types", "lokal"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    insta::assert_snapshot!("usage_unknown_provider", ran.stderr);
}
