//! The operating system, as far as machines need it: starting one, finding the processes that
//! belong to one, sending signals.
//!
//! A process belongs to a machine if its environment carries the machine's tag. A program may
//! overwrite its environment when it changes its title, so what descends from such a process, or
//! is in a process group of the machine, belongs to it too.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Stdio;

use jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, getpgid};
use railsbench_core::id::RunId;
use railsbench_core::provider::Resource;
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};
use tokio::process::{Child, Command};

use super::folder::SCRIPT;
use super::naming::{MachineKey, provider_name};

/// The tags.
pub(super) const MACHINE: &str = "RAILSBENCH_MACHINE";
pub(super) const EXPIRES: &str = "RAILSBENCH_EXPIRES";

/// Which machines are meant.
#[derive(Debug, Clone)]
pub(super) enum Selection {
    All,
    Run(RunId),
    Machine(MachineKey),
    Machines(BTreeSet<MachineKey>),
}

impl Selection {
    pub(super) fn of_run(run: Option<&RunId>) -> Self {
        run.map_or(Self::All, |run| Self::Run(run.clone()))
    }

    fn includes(&self, key: &MachineKey) -> bool {
        match self {
            Self::All => true,
            Self::Run(run_id) => key.run_id == *run_id,
            Self::Machine(wanted) => key == wanted,
            Self::Machines(wanted) => wanted.contains(key),
        }
    }
}

/// What a machine's processes carry in their environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) key: MachineKey,
    pub(super) expires_at: Option<Timestamp>,
}

/// A process that belongs to a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) parent: Option<i32>,
    group: i32,
    started: u64,
    name: String,
    pub(super) tag: Tag,
}

impl Process {
    /// Tells it apart from a later process of the same number.
    pub(super) fn identity(&self) -> (i32, u64) {
        (self.pid, self.started)
    }

    pub(super) fn resource(&self) -> Resource {
        Resource {
            provider: provider_name(),
            kind: "process".to_owned(),
            id: self.pid.to_string(),
            name: self.name.clone(),
            run_id: Some(self.tag.key.run_id.clone()),
            region: None,
            created_at: i64::try_from(self.started)
                .ok()
                .and_then(|seconds| Timestamp::from_second(seconds).ok()),
            expires_at: self.tag.expires_at,
            per_hour: None,
        }
    }

    /// Asks it to end. One that has ended already, or may not be asked, is left to the next look.
    pub(super) fn terminate(&self) {
        self.send(Signal::SIGTERM);
    }

    pub(super) fn kill(&self) {
        self.send(Signal::SIGKILL);
    }

    fn send(&self, signal: Signal) {
        if let Err(error) = kill(Pid::from_raw(self.pid), signal) {
            tracing::debug!(pid = self.pid, %signal, %error, "signal not delivered");
        }
    }
}

/// A process as the system shows it.
#[derive(Debug, Clone)]
struct Seen {
    parent: Option<i32>,
    group: i32,
    started: u64,
    name: String,
    tag: Option<Tag>,
}

/// The living processes of this user at one moment.
pub(super) struct Snapshot(HashMap<i32, Seen>);

impl Snapshot {
    /// Looks at all processes; takes a few milliseconds.
    pub(super) fn take() -> io::Result<Self> {
        let mut system = System::new().map_err(|error| io::Error::other(error.to_string()))?;
        let wanted = ProcessRefreshKind::nothing()
            .with_environ(UpdateKind::Always)
            .with_user(UpdateKind::Always)
            .without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, wanted);
        let user = Uid::effective().as_raw();
        let mut seen = HashMap::new();
        for (pid, process) in system.processes() {
            let ended = matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead);
            let ours = process.effective_user_id().is_some_and(|owner| **owner == user);
            let Ok(pid) = i32::try_from(pid.as_u32()) else { continue };
            if ended || !ours || pid.cast_unsigned() == std::process::id() {
                continue;
            }
            // One that ended since has no group any more.
            let Ok(group) = getpgid(Some(Pid::from_raw(pid))) else { continue };
            seen.insert(
                pid,
                Seen {
                    parent: process.parent().and_then(|pid| i32::try_from(pid.as_u32()).ok()),
                    group: group.as_raw(),
                    started: process.start_time(),
                    name: process.name().to_string_lossy().into_owned(),
                    tag: tag(process.environ().iter().map(AsRef::as_ref)),
                },
            );
        }
        Ok(Self(seen))
    }

    /// The processes that belong to the selected machines, by number.
    pub(super) fn of(&self, selection: &Selection) -> Vec<Process> {
        let mut tags: HashMap<i32, &Tag> = self
            .0
            .iter()
            .filter_map(|(pid, process)| Some((*pid, process.tag.as_ref()?)))
            .collect();
        loop {
            let found: Vec<(i32, &Tag)> = self
                .0
                .iter()
                .filter(|(pid, _)| !tags.contains_key(pid))
                .filter_map(|(pid, process)| Some((*pid, self.inherited(process, &tags)?)))
                .collect();
            if found.is_empty() {
                break;
            }
            tags.extend(found);
        }
        let mut processes: Vec<Process> = tags
            .into_iter()
            .filter(|(_, tag)| selection.includes(&tag.key))
            .filter_map(|(pid, tag)| Some(self.0.get(&pid)?.as_process(pid, tag)))
            .collect();
        processes.sort_by_key(|process| process.pid);
        processes
    }

    /// The tag of the parent, or of the process group: of its leader, or, if that has ended, of
    /// any other in it.
    fn inherited<'a>(&self, process: &Seen, tags: &HashMap<i32, &'a Tag>) -> Option<&'a Tag> {
        if let Some(tag) = process.parent.and_then(|parent| tags.get(&parent)) {
            return Some(tag);
        }
        if self.0.contains_key(&process.group) {
            return tags.get(&process.group).copied();
        }
        let own_group = nix::unistd::getpgrp().as_raw();
        if process.group == own_group {
            return None;
        }
        tags.iter()
            .find(|(pid, _)| self.0.get(pid).is_some_and(|other| other.group == process.group))
            .map(|(_, tag)| *tag)
    }

    /// Whether a process that was seen earlier still lives.
    pub(super) fn has(&self, process: &Process) -> bool {
        self.0.get(&process.pid).is_some_and(|seen| seen.started == process.started)
    }
}

impl Seen {
    fn as_process(&self, pid: i32, tag: &Tag) -> Process {
        Process {
            pid,
            parent: self.parent,
            group: self.group,
            started: self.started,
            name: self.name.clone(),
            tag: tag.clone(),
        }
    }
}

fn tag<'a>(environment: impl Iterator<Item = &'a OsStr>) -> Option<Tag> {
    let mut key = None;
    let mut expires_at = None;
    for variable in environment.filter_map(OsStr::to_str) {
        match variable.split_once('=') {
            Some((MACHINE, value)) => key = value.parse().ok(),
            Some((EXPIRES, value)) => expires_at = value.parse().ok(),
            _ => {}
        }
    }
    Some(Tag { key: key?, expires_at })
}

/// Starts a machine in its folder. What it is started with stays with all its descendants.
pub(super) fn start(folder: &Path, tag: &Tag, log: File) -> io::Result<Child> {
    let errors = log.try_clone()?;
    let mut command = shell(&folder.join(SCRIPT));
    command
        .env(MACHINE, tag.key.to_string())
        .envs(tag.expires_at.map(|time| (EXPIRES, time.to_string())))
        .current_dir(folder)
        .stdout(log)
        .stderr(errors)
        .process_group(0)
        .spawn()
}

/// `sh` on a script, without standard input, and without what this process was itself told by
/// variables of railsbench: its token, or the tag of a machine it may run on.
pub(super) fn shell(script: &Path) -> Command {
    let mut command = Command::new("sh");
    command.arg(script).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RAILSBENCH_") {
            command.env_remove(name);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(parent: i32, group: i32, key: Option<&str>) -> Seen {
        let tag = key.map(|key| Tag { key: key.parse().unwrap(), expires_at: None });
        Seen { parent: Some(parent), group, started: 0, name: String::new(), tag }
    }

    fn pids(snapshot: &Snapshot, selection: &Selection) -> Vec<i32> {
        snapshot.of(selection).iter().map(|process| process.pid).collect()
    }

    #[test]
    fn a_machine_is_its_tagged_processes_their_descendants_and_their_groups() {
        let snapshot = Snapshot(HashMap::from([
            (1, seen(0, 1, None)),
            (10, seen(1, 10, Some("r1/host-1"))),
            // Children and grandchildren that have overwritten their environment.
            (11, seen(10, 11, None)),
            (12, seen(11, 11, None)),
            // An orphan in the group of a living leader that belongs.
            (13, seen(1, 11, None)),
            // Orphans in a group whose leader (20) has ended; one of them is tagged.
            (21, seen(1, 20, Some("r1/host-1"))),
            (22, seen(1, 20, None)),
            // Another machine, a stranger, and a tagged process in the stranger's group.
            (30, seen(1, 30, Some("r2/host-1"))),
            (40, seen(1, 40, None)),
            (41, seen(40, 40, Some("r1/other-1"))),
            (42, seen(40, 40, None)),
        ]));
        let run = Selection::Run(RunId::new("r1").unwrap());
        let machine = Selection::Machine("r1/host-1".parse().unwrap());
        assert_eq!(pids(&snapshot, &machine), [10, 11, 12, 13, 21, 22]);
        assert_eq!(pids(&snapshot, &run), [10, 11, 12, 13, 21, 22, 41]);
        assert_eq!(pids(&snapshot, &Selection::All), [10, 11, 12, 13, 21, 22, 30, 41]);
    }

    #[test]
    fn tags_are_read_from_an_environment() {
        let read = |variables: &[&str]| tag(variables.iter().map(OsStr::new));
        let found =
            read(&["A=b", "RAILSBENCH_EXPIRES=2026-01-02T03:04:05Z", "RAILSBENCH_MACHINE=r/h-1"]);
        let found = found.unwrap();
        assert_eq!(found.key.to_string(), "r/h-1");
        assert_eq!(found.expires_at, "2026-01-02T03:04:05Z".parse().ok());
        assert_eq!(read(&["RAILSBENCH_MACHINE=../../x"]), None);
        assert_eq!(read(&["RAILSBENCH_EXPIRES=2026-01-02T03:04:05Z"]), None);
    }

    #[test]
    fn this_process_is_never_in_a_snapshot_but_its_children_are() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let snapshot = Snapshot::take().unwrap();
        let pid = child.id().cast_signed();
        let found = snapshot.0.contains_key(&pid);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found);
        assert!(!snapshot.0.contains_key(&std::process::id().cast_signed()));
        assert!(!Snapshot::take().unwrap().0.contains_key(&pid));
    }
}
