//! What needs no run: version, providers, instance types, completions.

use super::{json, run};

#[test]
fn version() {
    let expected = format!("railsbench {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["version"]).stdout, expected);
    assert_eq!(run(&["--version"]).stdout, expected);
    let body = json(&run(&["version", "--json"]).stdout);
    assert_eq!(body["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn providers() {
    let ran = run(&["providers"]);
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!("providers", ran.stdout);
    insta::assert_json_snapshot!("providers_as_json", json(&run(&["providers", "--json"]).stdout));
}

#[test]
fn instance_types() {
    let ran = run(&["instance-types", "--json"]);
    assert_eq!(ran.code, 0);
    let mut body = json(&ran.stdout);
    let host = &mut body["instance_types"][0];
    assert!(host["vcpus"].as_u64().unwrap() > 0);
    assert!(host["memory_bytes"].as_u64().unwrap() > 0);
    let arch = host["arch"].as_str().unwrap().to_owned();
    for fact in ["arch", "vcpus", "memory_bytes"] {
        host[fact] = format!("[{fact}]").into();
    }
    insta::assert_json_snapshot!("instance_types_as_json", body);

    let table = run(&["instance-types", "local", "--arch", &arch]).stdout;
    assert!(table.contains("host") && table.contains(&arch), "{table}");
    let other = if arch == "x86_64" { "arm64" } else { "amd64" };
    let none = run(&["instance-types", "--arch", other]);
    assert_eq!((none.code, none.stdout.as_str()), (0, "no instance type matches\n"));
}

#[test]
fn completions() {
    let ran = run(&["completions", "bash"]);
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!("completions_bash", ran.stdout);
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(run(&["completions", shell]).stdout.contains("teardown"), "{shell}");
    }
    let body = json(&run(&["completions", "bash", "--json"]).stdout);
    assert_eq!(body["script"].as_str().unwrap().trim_end(), ran.stdout.trim_end());
}
