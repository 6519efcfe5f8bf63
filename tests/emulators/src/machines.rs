//! The machines of an emulated cloud as processes of this host, for tests that want what a
//! machine is told to run to be run for real.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Process;

type Boot = Box<dyn Fn(&Path, &str) -> Command + Send>;

/// The machines of an emulated cloud, by the ids that it has for them. By default they are only
/// written down, and run for as long as nobody says otherwise.
#[derive(Default)]
pub struct Machines {
    host: Option<(PathBuf, Boot)>,
    running: BTreeMap<String, Process>,
    /// Those that were told to have ended.
    told: BTreeSet<String>,
    started: usize,
}

impl fmt::Debug for Machines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machines").field("running", &self.running).finish_non_exhaustive()
    }
}

impl Machines {
    /// Machines that are processes. `boot` gives the command that stands for one: it gets a new
    /// empty folder below `folder` and the user data that the cloud was given for the machine.
    /// The command and all that it starts end with the machine.
    pub fn on_this_host(
        folder: &Path,
        boot: impl Fn(&Path, &str) -> Command + Send + 'static,
    ) -> Self {
        Self { host: Some((folder.to_owned(), Box::new(boot))), ..Self::default() }
    }

    /// How many were started so far.
    pub fn started(&self) -> usize {
        self.started
    }

    pub(crate) fn start(&mut self, id: &str, user_data: &str) {
        let Some((folder, boot)) = &self.host else { return };
        self.started += 1;
        let home = folder.join(self.started.to_string());
        std::fs::create_dir_all(&home).unwrap();
        let process = Process::start(boot(&home, user_data), home.with_extension("log"));
        self.running.insert(id.to_owned(), process);
    }

    /// Ends a machine, which is unknown from then on.
    pub(crate) fn end(&mut self, id: &str) {
        self.running.remove(id);
    }

    /// What a machine has printed so far; none if it is no process.
    pub(crate) fn log(&self, id: &str) -> Option<String> {
        self.running.get(id).map(Process::log)
    }

    /// Those of the machines whose ids begin so that have ended by themselves; each is told once.
    pub(crate) fn ended(&mut self, prefix: &str) -> Vec<String> {
        let meant = self.running.iter_mut().filter(|(id, _)| id.starts_with(prefix));
        let ended = meant.filter_map(|(id, process)| process.has_ended().then(|| id.clone()));
        ended.filter(|id| self.told.insert(id.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn shell(folder: &Path, script: &str) -> Machines {
        let script = script.to_owned();
        let boot = move |home: &Path, user_data: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", &script, "sh", user_data]).current_dir(home);
            command
        };
        Machines::on_this_host(folder, boot)
    }

    fn log_with(machines: &Machines, id: &str, end: &str) -> String {
        for _ in 0..3000 {
            let log = machines.log(id).unwrap();
            if log.ends_with(end) {
                return log;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{end:?} does not come")
    }

    #[test]
    fn a_machine_ends_with_all_that_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let mut machines = shell(folder.path(), "sleep 600 & echo \"$1 $!\"; wait");
        machines.start("z/m", "told");
        let log = log_with(&machines, "z/m", "\n");
        let (told, process) = log.trim().split_once(' ').unwrap();
        assert_eq!(told, "told");
        let is_there = || {
            let process = procfs::process::Process::new(process.parse().unwrap());
            process.and_then(|process| process.stat()).is_ok_and(|stat| stat.state != 'Z')
        };
        assert!(is_there());
        assert_eq!(machines.ended(""), Vec::<String>::new());
        machines.end("z/m");
        assert!(!is_there(), "it outlives its machine");
        assert_eq!(machines.log("z/m"), None);
    }

    #[test]
    fn a_machine_that_has_ended_by_itself_is_told_once_and_keeps_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut machines = shell(folder.path(), "echo bye");
        machines.start("a/m", "");
        log_with(&machines, "a/m", "bye\n");
        let ended = loop {
            let ended = machines.ended("a/");
            if !ended.is_empty() {
                break ended;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        assert_eq!(ended, ["a/m"]);
        assert!(machines.ended("").is_empty());
        assert_eq!(machines.log("a/m").unwrap(), "bye\n");
        assert_eq!(machines.started(), 1);
    }
}
