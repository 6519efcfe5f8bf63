//! Ending machines, from the top down as a host that shuts down does: who has no parent in the
//! machine is asked first, and is given time to end what it started; then nobody is asked.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Duration;

use tokio::time::Instant;

use super::api::{Process, Selection, Snapshot};

/// How long a killed process may take to vanish. Only one in an uninterruptible call needs more
/// than a moment.
const VANISH: Duration = Duration::from_secs(5);

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What has become of the processes of some machines.
#[derive(Debug, Default)]
pub(super) struct Ending {
    pub(super) ended: Vec<Process>,
    pub(super) left: Vec<Process>,
}

/// Ends all processes of the selected machines. They have `grace` to end by themselves.
pub(super) async fn stop(selection: &Selection, grace: Duration) -> io::Result<Ending> {
    let mut known: HashMap<(i32, u64), Process> = HashMap::new();
    let mut asked = HashSet::new();
    let begun = Instant::now();
    // A process in the middle of an exec shows no environment: one look is no proof.
    let mut empty_looks = 0;
    let mut alive: Vec<Process>;
    loop {
        let snapshot = snapshot().await?;
        for process in snapshot.of(selection) {
            known.insert(process.identity(), process);
        }
        // One that was recognised by its parent is still known when that is gone.
        alive = known.values().filter(|process| snapshot.has(process)).cloned().collect();
        if alive.is_empty() {
            empty_looks += 1;
            if empty_looks == 2 {
                break;
            }
        } else {
            empty_looks = 0;
            let time = begun.elapsed();
            if time > grace + VANISH {
                break;
            }
            if time > grace {
                alive.iter().for_each(Process::kill);
            } else {
                for process in roots(&alive) {
                    if asked.insert(process.identity()) {
                        process.terminate();
                    }
                }
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let left: HashSet<(i32, u64)> = alive.iter().map(Process::identity).collect();
    let mut ended: Vec<Process> =
        known.into_values().filter(|process| !left.contains(&process.identity())).collect();
    ended.sort_by_key(|process| process.pid);
    Ok(Ending { ended, left: alive })
}

/// A look at all processes, off the threads that must not wait.
pub(super) async fn snapshot() -> io::Result<Snapshot> {
    tokio::task::spawn_blocking(Snapshot::take).await.map_err(io::Error::other)?
}

/// Those whose parent is not among them.
fn roots(processes: &[Process]) -> impl Iterator<Item = &Process> {
    let pids: HashSet<i32> = processes.iter().map(|process| process.pid).collect();
    processes
        .iter()
        .filter(move |process| process.parent.is_none_or(|parent| !pids.contains(&parent)))
}
