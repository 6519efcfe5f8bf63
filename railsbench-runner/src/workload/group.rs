//! The processes of a workload: how they are stopped, and how it is made sure that none is left.
//!
//! A workload's processes are known by its process group and, for those that left it, by a
//! variable in their environment that no other process has.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use procfs::process::{Process, all_processes};
use tokio::process::Child;

/// How long a workload has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);
/// Pause between two looks at what is left, and how many there are at most.
const SWEEP_PAUSE: Duration = Duration::from_millis(20);
const SWEEP_LIMIT: u32 = 250;

/// The process group of one workload. Dropped before [`ProcessGroup::sweep`] has found it empty,
/// it is killed.
pub(super) struct ProcessGroup {
    id: Pid,
    variable: &'static str,
    value: OsString,
    swept: bool,
}

impl ProcessGroup {
    /// The group that `leader` leads, whose processes have `variable` with `value` in their
    /// environment.
    pub(super) fn led_by(leader: &Child, variable: &'static str, value: OsString) -> Option<Self> {
        let id = Pid::from_raw(i32::try_from(leader.id()?).ok()?);
        Some(Self { id, variable, value, swept: false })
    }

    /// Asks the group to end, and after a grace of 5 s makes its leader end.
    pub(super) async fn stop(&self, leader: &mut Child) {
        let _ = killpg(self.id, Signal::SIGTERM);
        if tokio::time::timeout(GRACE, leader.wait()).await.is_err() {
            let _ = killpg(self.id, Signal::SIGKILL);
            let _ = leader.wait().await;
        }
    }

    /// Kills what is left after the leader has ended, until nothing is.
    pub(super) async fn sweep(&mut self) {
        for _ in 0..SWEEP_LIMIT {
            let left = self.survivors();
            for process in &left {
                tracing::warn!(pid = process.as_raw(), "the workload left a process: killed");
                let _ = kill(*process, Signal::SIGKILL);
            }
            self.reap(&left);
            if left.is_empty() {
                self.swept = true;
                return;
            }
            tokio::time::sleep(SWEEP_PAUSE).await;
        }
        tracing::error!("processes of the workload could not be killed");
    }

    fn survivors(&self) -> Vec<Pid> {
        let Ok(processes) = all_processes() else { return Vec::new() };
        processes
            .filter_map(Result::ok)
            .filter(|process| self.owns(process))
            .map(|process| Pid::from_raw(process.pid()))
            .collect()
    }

    fn owns(&self, process: &Process) -> bool {
        let Ok(stat) = process.stat() else { return false };
        if matches!(stat.state, 'Z' | 'X') {
            return false;
        }
        let marked = || {
            process.environ().is_ok_and(|environment| {
                environment
                    .get(std::ffi::OsStr::new(self.variable))
                    .is_some_and(|value| value.as_bytes() == self.value.as_bytes())
            })
        };
        stat.pgrp == self.id.as_raw() || marked()
    }

    /// Where the runner is the first process of a container, orphans become its children: their
    /// remains are cleared away, and those of no other child.
    fn reap(&self, killed: &[Pid]) {
        for process in killed {
            let _ = waitpid(*process, Some(WaitPidFlag::WNOHANG));
        }
        let group = Pid::from_raw(-self.id.as_raw());
        while matches!(
            waitpid(group, Some(WaitPidFlag::WNOHANG)),
            Ok(status) if status != WaitStatus::StillAlive
        ) {}
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if !self.swept {
            let _ = killpg(self.id, Signal::SIGKILL);
        }
    }
}
