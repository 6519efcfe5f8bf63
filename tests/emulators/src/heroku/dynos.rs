//! Dynos as processes of this host, for tests that want the release to be run for real.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::process::Process;

/// Starts the command of a process type in a copy of the source, with the config vars.
pub(super) fn start(
    source: &Path,
    command: &str,
    dyno: &str,
    vars: &BTreeMap<String, String>,
) -> Process {
    let home = source.with_extension(dyno);
    let copied = Command::new("cp").arg("-R").arg(source).arg(&home).status().unwrap();
    assert!(copied.success(), "cp of {}", source.display());
    let mut shell = Command::new("sh");
    shell
        .args(["-c", command])
        .current_dir(&home)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", &home)
        .env("DYNO", dyno)
        .envs(vars);
    Process::start(shell, home.with_extension("log"))
}
