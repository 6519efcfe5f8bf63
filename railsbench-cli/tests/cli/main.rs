//! The command line from outside: help, errors, exit codes, listings and plans. Whole runs are
//! proved by the tests of the workspace's root.

#![allow(clippy::unwrap_used, reason = "in a test a panic is a failure")]

#[cfg(all(feature = "clouds", feature = "docker"))]
mod all_providers;
#[cfg(feature = "clouds")]
mod clouds;
mod config_errors;
mod consent;
mod costs;
mod doctor;
mod help;
mod instance_types;
mod listings;
mod planning;
mod removal;
mod state;
mod streams;
mod tokens;
mod usage;

use std::path::Path;

use assert_cmd::Command;

/// What a command left.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

/// The command in a folder of its own, away from the variables of who runs the tests.
fn command(folder: &Path) -> Command {
    let mut command = Command::cargo_bin("railsbench").expect("cargo builds it for its tests");
    command.current_dir(folder);
    for variable in [
        "RAILSBENCH_STATE_DIR",
        "RAILSBENCH_ORCHESTRATOR",
        "RAILSBENCH_ALLOW_PLAIN_HTTP",
        "RAILSBENCH_API_KEY",
        "COLUMNS",
        "CLICOLOR_FORCE",
    ] {
        command.env_remove(variable);
    }
    command
}

/// Runs it with nothing on standard input.
fn run_in(folder: &Path, arguments: &[&str]) -> Ran {
    run_with_input(folder, arguments, b"")
}

fn run_with_input(folder: &Path, arguments: &[&str], input: &[u8]) -> Ran {
    let output = command(folder).args(arguments).write_stdin(input).output().expect("it starts");
    Ran {
        code: output.status.code().expect("no signal ends it"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// Runs it where nothing is.
fn run(arguments: &[&str]) -> Ran {
    run_in(tempfile::tempdir().expect("a temporary folder").path(), arguments)
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
