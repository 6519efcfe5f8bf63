//! Dynos as processes of this host, for tests that want the release to be run for real.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A process that stands for a dyno.
#[derive(Debug)]
pub struct Machine {
    child: Child,
    log: PathBuf,
}

impl Machine {
    /// Starts the command of a process type in a copy of the source, with the config vars.
    pub fn start(
        source: &Path,
        command: &str,
        dyno: &str,
        vars: &BTreeMap<String, String>,
        base: &str,
    ) -> Self {
        let home = source.with_extension(dyno);
        let copied = Command::new("cp").arg("-R").arg(source).arg(&home).status().unwrap();
        assert!(copied.success(), "cp of {}", source.display());
        let log = home.with_extension("log");
        let output = File::create(&log).unwrap();
        let child = Command::new("sh")
            .args(["-c", command])
            .current_dir(&home)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", &home)
            .env("DYNO", dyno)
            .env("EMULATOR", base)
            .envs(vars)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

/// Heroku sends SIGTERM to every process of a dyno, and SIGKILL to what is left.
impl Drop for Machine {
    fn drop(&mut self) {
        for signal in ["-TERM", "-KILL"] {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            let group = format!("-{}", self.child.id());
            let _ =
                Command::new("kill").args([signal, "--", &group]).stderr(Stdio::null()).status();
            for _ in 0..3000 {
                if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }
}
