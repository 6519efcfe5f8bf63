//! The one thread that writes.
//!
//! Commands wait in a bounded channel. The thread takes all that wait, up to [`GROUP`], runs
//! each in a savepoint of one transaction, commits, and only then answers: so every answer is
//! durable, a refused command undoes only itself, and the cost of reaching the disk is shared.
//! A refusal, too, waits for the commit, because it was decided by what the commands before it
//! wrote.

use std::collections::BTreeSet;
use std::thread::JoinHandle;

use railsbench_core::id::RunId;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{broadcast, mpsc, oneshot};

use super::failure::{Failure, explain};
use crate::store::StoreError;

/// How many commands may wait before callers do.
const QUEUE: usize = 1024;

/// How many commands share a commit at most.
const GROUP: usize = 256;

/// What a command works with: the open transaction, and the runs that it wrote events of.
pub(super) struct Unit<'a> {
    pub(super) connection: &'a Connection,
    pub(super) changed: BTreeSet<RunId>,
}

/// A command in the queue.
trait Job: Send {
    /// Does the work. Gives whether to keep what it wrote.
    fn work(&mut self, unit: &mut Unit<'_>) -> bool;

    /// Answers the caller, after the commit; `failed` says why there was none.
    fn answer(self: Box<Self>, failed: Option<&str>);
}

struct Submitted<T, F> {
    action: &'static str,
    work: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Job for Submitted<T, F>
where
    T: Send,
    F: FnOnce(&mut Unit<'_>) -> Result<T, Failure> + Send,
{
    fn work(&mut self, unit: &mut Unit<'_>) -> bool {
        let Some(work) = self.work.take() else { return false };
        let outcome = work(unit).map_err(|failure| failure.during(self.action));
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn answer(self: Box<Self>, failed: Option<&str>) {
        let answer = match (self.outcome, failed) {
            (Some(outcome), None) => outcome,
            // What went wrong with the command itself says more.
            (Some(Err(error @ StoreError::Engine { .. })), _) => Err(error),
            (_, failed) => {
                let detail = failed.unwrap_or("the command was not run").to_owned();
                Err(StoreError::Engine { action: self.action, detail })
            }
        };
        // The caller may have gone away; what it asked for is done all the same.
        let _ = self.reply.send(answer);
    }
}

/// The way to the thread. When it is dropped, the thread finishes what waits and ends.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. It tells `changes` which runs have new events, after each commit.
    pub(super) fn start(
        connection: Connection,
        changes: broadcast::Sender<RunId>,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("railsbench-store".to_owned())
            .spawn(move || serve(&connection, receiver, &changes))?;
        Ok(Self { jobs: Some(sender), thread: Some(thread) })
    }

    /// Runs a command in a transaction and gives its answer once it is durable.
    pub(super) async fn submit<T, F>(&self, action: &'static str, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Unit<'_>) -> Result<T, Failure> + Send + 'static,
    {
        let stopped = || StoreError::Engine {
            action,
            detail: "its writer has stopped; restart the server".to_owned(),
        };
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Submitted { action, work: Some(work), outcome: None, reply });
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(job).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // If the thread panicked, its callers have been told already.
            let _ = thread.join();
        }
    }
}

fn serve(
    connection: &Connection,
    mut jobs: mpsc::Receiver<Box<dyn Job>>,
    changes: &broadcast::Sender<RunId>,
) {
    let mut group = Vec::with_capacity(GROUP);
    while jobs.blocking_recv_many(&mut group, GROUP) > 0 {
        let failed = match commit(connection, &mut group) {
            Ok(runs) => {
                for run in runs {
                    // Nobody may be listening.
                    let _ = changes.send(run);
                }
                None
            }
            Err(error) => {
                let detail = explain(&error);
                tracing::error!(commands = group.len(), %detail, "a commit failed");
                Some(detail)
            }
        };
        for job in group.drain(..) {
            job.answer(failed.as_deref());
        }
    }
}

/// Runs a group of commands in one transaction. Gives the runs with new events.
fn commit(
    connection: &Connection,
    group: &mut [Box<dyn Job>],
) -> Result<BTreeSet<RunId>, rusqlite::Error> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let run = |sql: &str| transaction.prepare_cached(sql)?.execute([]).map(drop);
    let mut changed = BTreeSet::new();
    for job in group {
        run("SAVEPOINT command")?;
        let mut unit = Unit { connection: &transaction, changed: BTreeSet::new() };
        if job.work(&mut unit) {
            changed.append(&mut unit.changed);
        } else {
            // On a full disk SQLite undoes the whole transaction by itself; then this fails,
            // and with it the group.
            run("ROLLBACK TO command")?;
        }
        run("RELEASE command")?;
    }
    transaction.commit()?;
    Ok(changed)
}
