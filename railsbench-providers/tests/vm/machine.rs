//! A machine whose every call to the outside is written down and not made.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use railsbench_core::config::RubyVersion;
use railsbench_core::id::ProviderName;
use railsbench_core::provider::{Arch, RunnerFile, RunnerTarget, UserData, UserDataVars};
use railsbench_providers::testing::{self, StandInMachine};
use railsbench_providers::vm::StartupScript;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub const TOKEN: &str = "t0ken $(touch broken) \"quoted\" \\ `touch broken`";
pub const RUNNER: &str = "#!/bin/sh\necho this is the runner\n";

/// Reads what it is asked for and copies the file `served` of the machine, if it is there.
const CURL: &str = r#"
read -r header
printf '%s\n' "$header" >>"$MACHINE/headers"
while [ $# -gt 0 ]; do
  case $1 in --output) output=$2; shift ;; --url) printf '%s\n' "$2" >>"$MACHINE/urls"; shift ;; esac
  shift
done
[ -e "$MACHINE/served" ] || exit 22
cp "$MACHINE/served" "$output"
"#;

/// Knows one container, which does nothing, and any image it was told to pull or make.
const DOCKER: &str = r#"
case "$1 ${2:-}" in
  'container inspect') [ -e "$MACHINE/container" ] ;;
  'image inspect') grep -qxF -e "$3" "$MACHINE/images" 2>/dev/null ;;
  'pull --quiet') printf '%s\n' "$3" >>"$MACHINE/images" ;;
  'commit railsbench-gems') printf '%s\n' "$3" >>"$MACHINE/images" ;;
  'run --detach')
    for argument in "$@"; do
      case $argument in */runner.env) cp -p "$argument" "$MACHINE/env" ;; esac
    done
    : >"$MACHINE/container" ;;
  'logs --follow') echo 'a line of the runner' ;;
  'wait railsbench-runner') echo 0 ;;
esac
"#;

/// A machine whose network and docker are stand-ins too.
pub struct Machine {
    stand_in: StandInMachine,
    _folder: TempDir,
}

impl Machine {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let machine =
            Self { stand_in: StandInMachine::new(folder.path()).unwrap(), _folder: folder };
        std::fs::write(machine.path("served"), RUNNER).unwrap();
        machine.stand_in("curl", CURL);
        machine.stand_in("docker", DOCKER);
        // What the script waits for is there at once.
        machine.stand_in("sleep", "");
        machine
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.stand_in.path(name)
    }

    pub fn state(&self, name: &str) -> PathBuf {
        self.path("state").join(name)
    }

    pub fn stand_in(&self, name: &str, body: &str) {
        self.stand_in.stand_in(name, body).unwrap();
    }

    pub fn command(&self, data: &UserData) -> Command {
        self.stand_in.boot(data).unwrap()
    }

    pub fn boot(&self, data: &UserData) -> Output {
        self.command(data).output().unwrap()
    }

    pub fn read(&self, name: &str) -> String {
        read(&self.path(name))
    }

    pub fn calls(&self) -> Vec<String> {
        self.stand_in.calls()
    }

    pub fn count(&self, start: &str) -> usize {
        self.calls().iter().filter(|call| call.starts_with(start)).count()
    }
}

pub fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

pub fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

pub fn vars(ruby_version: Option<RubyVersion>) -> UserDataVars {
    let sha256 = hex::encode(Sha256::digest(RUNNER));
    UserDataVars {
        orchestrator_url: "https://bench.example.com/base[1]/".to_owned(),
        api_key: TOKEN.to_owned().into(),
        ruby_version,
        max_lifetime: Duration::from_secs(3590),
        runners: vec![RunnerFile { target: RunnerTarget::ArmMusl, sha256 }],
        ..testing::vars("cloud", "c7g.medium")
    }
}

pub fn render(vars: &UserDataVars) -> UserData {
    let template = "#!/bin/sh\n{{> vm-head}}\nend_machine() {\n  shutdown -h now\n}\n{{> vm-main}}";
    let provider = ProviderName::new("cloud").unwrap();
    StartupScript::new(provider, template, 16_384).unwrap().render(vars, Arch::Aarch64).unwrap()
}
