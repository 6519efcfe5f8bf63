//! A process of this host that stands for a machine.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// How often it is looked whether all that was asked to end has ended, and after what time.
const LOOKS: usize = 1500;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A process that stands for a machine, and all that it starts in its process group. Dropping it
/// ends them as the clouds end machines: SIGTERM to all, and SIGKILL to what is left.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command whose output goes to a file.
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Self {
        let output = File::create(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Whether the process that was started is no more.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it has printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    fn group(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Whether anything of the group is alive; what only waits for its parent to look is not.
    fn is_alive(&self) -> bool {
        let all = procfs::process::all_processes().unwrap();
        let mut stats = all.filter_map(|process| process.ok()?.stat().ok());
        stats.any(|stat| stat.pgrp == self.group() && stat.state != 'Z')
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            // There is nobody to get it where all have ended before.
            let _ = killpg(Pid::from_raw(self.group()), signal);
            for _ in 0..LOOKS {
                if !self.is_alive() {
                    let _ = self.child.wait();
                    return;
                }
                std::thread::sleep(LOOK_EVERY);
            }
        }
    }
}
