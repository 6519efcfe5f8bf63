//! What has to be installed is installed only with consent: where nobody can be asked and
//! `--yes` is not given, the command says what is missing and how to get it, and ends.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::{command, json};

/// A folder with every tool of this machine but Ruby, and with a package manager that must not
/// be called.
fn tools_without_ruby(folder: &Path) {
    let path = std::env::var_os("PATH").expect("tests have a PATH");
    for tool in std::env::split_paths(&path).flat_map(std::fs::read_dir).flatten().flatten() {
        let name = tool.file_name();
        if !name.to_string_lossy().contains("ruby") {
            // The first of a name is the one that PATH would find.
            let _ = symlink(tool.path(), folder.join(name));
        }
    }
    for (name, script) in [("id", "echo 0"), ("apt-get", "exit 1")] {
        let file = folder.join(name);
        let _ = std::fs::remove_file(&file);
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("a new file");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).expect("our file");
    }
}

#[test]
fn without_a_terminal_and_yes_nothing_is_installed() {
    let tools = tempfile::tempdir().unwrap();
    tools_without_ruby(tools.path());
    let runner = tools.path().join("true");
    let folder = tempfile::tempdir().unwrap();
    let config = r#"{"ruby_version": "system", "local": ["host"]}"#;
    let run = |more: &[&str]| {
        command(folder.path())
            .args(["run", "-", "--runner", runner.to_str().unwrap()])
            .args(more)
            .env("PATH", tools.path())
            .write_stdin(config)
            .output()
            .unwrap()
    };
    let told = [
        "no Ruby is on PATH; run this first: apt-get install -y --no-install-recommends ruby ",
        "give --yes",
    ];

    let output = run(&[]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), &b""[..]), "{stderr}");
    assert!(told.iter().all(|text| stderr.contains(text)), "{stderr}");

    let output = run(&["--json"]);
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(3), &b""[..]));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = stdout.lines().map(json).collect();
    assert_eq!((lines.len(), &lines[0]["event"]), (2, &"planned".into()), "{stdout}");
    assert_eq!(lines[1]["error"], "environment");
    let detail = lines[1]["detail"].as_str().unwrap();
    assert!(told.iter().all(|text| detail.contains(text)), "{detail}");

    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something was made");
}
