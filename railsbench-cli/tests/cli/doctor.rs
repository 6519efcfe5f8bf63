//! `doctor` on this host. The clouds are in `all_providers`.

use std::os::unix::fs::PermissionsExt;

use railsbench::server::{Server, ServerConfig};

use super::{Ran, command, json, run};

/// Runs it where `PATH` holds a runner and what `more` is.
fn doctor(more: &str, arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let runner = folder.path().join("railsbench-runner");
    std::fs::write(&runner, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(&runner, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = command(folder.path())
        .args([&["doctor"], arguments].concat())
        .env("PATH", format!("{}:{more}", folder.path().display()))
        .output()
        .unwrap();
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "something was made beside the runner");
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn the_looks_of_a_run_decide_how_it_ends() {
    let path = std::env::var("PATH").unwrap();
    for arguments in [&["--json", "local"][..], &["--json"]] {
        let ran = doctor(&path, arguments);
        let found = json(&ran.stdout);
        let local = &found["providers"][0];
        assert_eq!(
            (&local["provider"], &local["instance_type"]),
            (&"local".into(), &"host".into())
        );
        let checks = local["checks"].as_array().unwrap();
        for name in ["tools", "runner", "disk", "ruby"] {
            assert!(checks.iter().any(|check| check["name"] == name), "{name}: {found}");
        }
        let all_passed = checks.iter().all(|check| check["outcome"] == "passed");
        assert_eq!(found["ok"], all_passed, "{found}");
        assert_eq!(ran.code, if all_passed { 0 } else { 3 }, "{found}");
    }
}

#[test]
fn what_is_missing_is_told_with_its_fix() {
    let ran = doctor("", &["local"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (3, ""));
    insta::assert_snapshot!("doctor_without_a_shell", ran.stdout);
    let ran = doctor("", &["local", "--json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (3, ""));
    insta::assert_json_snapshot!("doctor_without_a_shell_as_json", json(&ran.stdout));
    let ran = doctor("", &["local", "--region", "here"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (3, ""));
    insta::assert_snapshot!("doctor_with_a_region", ran.stdout);
}

#[test]
fn wrong_arguments_end_with_2() {
    let cases: [(&str, &[&str]); 5] = [
        ("unknown_provider", &["doctor", "lcal"]),
        ("provider_of_another_build", &["doctor", "aws"]),
        ("unknown_type", &["doctor", "local", "--type", "hots"]),
        ("type_of_no_provider", &["doctor", "--type", "host"]),
        ("unreachable_scheme", &["doctor", "local", "--orchestrator", "ftp://bench.example.com"]),
    ];
    for (name, arguments) in cases {
        if cfg!(feature = "clouds") && name == "provider_of_another_build" {
            continue;
        }
        let ran = run(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{name}: {}", ran.stdout);
        insta::assert_snapshot!(format!("doctor_{name}"), ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orchestrator_is_looked_at_too() {
    let folder = tempfile::tempdir().unwrap();
    let config = ServerConfig::new("127.0.0.1:0".parse().unwrap(), folder.path().to_owned());
    let server = Box::pin(Server::start(config)).await.unwrap();
    let (url, key) = (server.url().to_string(), server.api_key().clone());
    let key = secrecy::ExposeSecret::expose_secret(&key).to_owned();
    let told = tokio::task::spawn_blocking(move || {
        let ask = |key: &[&str]| {
            let arguments = [&["local", "--json", "--orchestrator", &url], key].concat();
            let ran = doctor("", &arguments);
            assert_eq!(ran.code, 3, "{}", ran.stdout);
            let mut found = json(&ran.stdout.replace(&url, "[url]/"));
            found["orchestrator"].take()
        };
        [ask(&["--api-key", &key]), ask(&["--api-key", "wrong"]), ask(&[])]
    });
    let told = told.await.unwrap();
    server.shutdown().await.unwrap();
    insta::assert_json_snapshot!("doctor_orchestrator", told);
    let nobody = run(&["doctor", "local", "--json", "--orchestrator", "http://127.0.0.1:1"]);
    let answer = json(&nobody.stdout)["orchestrator"][0].take();
    assert_eq!((nobody.code, &answer["outcome"]), (3, &"failed".into()), "{answer}");
    assert!(answer["fix"].as_str().unwrap().contains("--orchestrator"), "{answer}");
}
