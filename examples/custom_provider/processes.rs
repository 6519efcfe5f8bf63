//! The world that `wrapper` makes machines in: processes of this host, found by what they have in
//! their environment, by nobody's memory.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use railsbench::id::RunId;
use railsbench::provider::Scope;
use tokio::time::{Instant, sleep};

/// The tags: every process of a machine has them in its environment, whoever started it.
pub const MACHINE: &str = "RAILSBENCH_WRAPPER_MACHINE";
pub const MADE: &str = "RAILSBENCH_WRAPPER_MADE";
pub const EXPIRES: &str = "RAILSBENCH_WRAPPER_EXPIRES";

/// What runners that are asked to end have for it; after that nobody is asked.
const GRACE: Duration = Duration::from_secs(10);

/// What a killed process may take to vanish.
const VANISH: Duration = Duration::from_secs(5);

/// A process of a machine, by what /proc tells of it.
#[derive(Debug, Clone)]
pub struct Process {
    pub pid: i32,
    parent: i32,
    /// `RUN/NAME`, the id of the machine.
    pub machine: String,
    pub run_id: RunId,
    pub made_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
}

impl Process {
    /// Nothing if it has ended, is another user's, or is no process of ours.
    fn read(pid: i32) -> Option<Self> {
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let environment = String::from_utf8_lossy(&environment);
        let variable = |name: &str| {
            let mut all = environment.split('\0');
            all.find_map(|line| line.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
        };
        let machine = variable(MACHINE)?;
        let run_id = RunId::new(machine.split_once('/')?.0).ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // `PID (COMMAND) STATE PARENT …`, and a command may hold anything.
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
        let time = |name| variable(name).and_then(|time| time.parse().ok());
        let (made_at, expires_at) = (time(MADE), time(EXPIRES));
        Some(Self { pid, parent, machine, run_id, made_at, expires_at })
    }
}

/// The processes that are alive, of the run in scope or of all, whatever their age. A process in
/// the middle of an exec shows no environment, so one look is no proof; this takes two.
pub async fn alive(scope: &Scope) -> io::Result<Vec<Process>> {
    let mut found = BTreeMap::new();
    for pause in [Duration::ZERO, Duration::from_millis(20)] {
        sleep(pause).await;
        for entry in fs::read_dir("/proc")?.flatten() {
            let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(process) = number.and_then(Process::read)
                && scope.run.as_ref().is_none_or(|run| *run == process.run_id)
            {
                found.insert(process.pid, process);
            }
        }
    }
    Ok(found.into_values().collect())
}

/// What has become of processes that were to end.
#[derive(Debug)]
pub struct Ending {
    /// All that there were.
    pub known: Vec<Process>,
    /// Those that will not go.
    pub left: Vec<Process>,
}

/// Ends processes, and looks until none is left. Who has no parent among them is asked first, so
/// that the runner gives its task back and ends what it has started.
pub async fn end(scope: &Scope, which: impl Fn(&Process) -> bool) -> io::Result<Ending> {
    let begun = Instant::now();
    let mut asked = HashSet::new();
    let mut known = BTreeMap::new();
    loop {
        let mut left = alive(scope).await?;
        left.retain(&which);
        known.extend(left.iter().map(|process| (process.pid, process.clone())));
        let time = begun.elapsed();
        if left.is_empty() || time > GRACE + VANISH {
            return Ok(Ending { known: known.into_values().collect(), left });
        }
        let pids: BTreeSet<i32> = left.iter().map(|process| process.pid).collect();
        for process in &left {
            // One that has ended since needs no signal.
            if time > GRACE {
                let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
            } else if !pids.contains(&process.parent) && asked.insert(process.pid) {
                let _ = kill(Pid::from_raw(process.pid), Signal::SIGTERM);
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
}
