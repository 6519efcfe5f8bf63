//! What needs no run: version, providers, completions.

use super::{json, run};

#[test]
fn version() {
    let expected = format!("railsbench {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(&["version"]).stdout, expected);
    assert_eq!(run(&["--version"]).stdout, expected);
    let body = json(&run(&["version", "--json"]).stdout);
    assert_eq!(body["version"], env!("CARGO_PKG_VERSION"));
}

/// Those of other builds are in `all_providers`.
#[cfg(not(feature = "clouds"))]
#[test]
fn providers() {
    let ran = run(&["providers"]);
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!("providers", ran.stdout);
    insta::assert_json_snapshot!("providers_as_json", json(&run(&["providers", "--json"]).stdout));
}

#[test]
fn completions() {
    let ran = run(&["completions", "bash"]);
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!("completions_bash", ran.stdout);
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(run(&["completions", shell]).stdout.contains("teardown"), "{shell}");
        assert!(run(&["completions", shell]).stdout.contains("doctor"), "{shell}");
    }
    let body = json(&run(&["completions", "bash", "--json"]).stdout);
    assert_eq!(body["script"].as_str().unwrap().trim_end(), ran.stdout.trim_end());
}
