//! One change of the store: a transaction that holds the rows it is about, and what of it has
//! still to be written.

use deadpool_postgres::Transaction;
use futures::future::try_join_all;
use futures::try_join;
use jiff::Timestamp;
use railsbench_core::id::{RunId, RunnerId, TaskId};
use railsbench_core::lifecycle::{Command, Policy, Run, Task};
use railsbench_core::protocol::Event;
use tokio_postgres::Row;

use super::failure::Failure;
use super::notices::CHANNEL;
use super::queries::{Params, first};
use super::rows;
use crate::store::columns::{json, time};
use crate::store::{StoreError, step};

/// Locks a run, and waits for whoever has it.
const LOCK_RUN: &str = "SELECT id, policy, state, last_seq
     FROM run_states JOIN runs ON id = run_id WHERE run_id = $1 FOR UPDATE OF run_states";
/// The same by one of its tasks, which belongs to one run for ever.
const LOCK_RUN_OF_TASK: &str = "SELECT id, policy, state, last_seq
     FROM run_states JOIN runs ON id = run_id
     WHERE run_id = (SELECT run_id FROM tasks WHERE id = $1) FOR UPDATE OF run_states";
/// The same without waiting.
const LOCK_FREE_RUN: &str = "SELECT id, policy, state, last_seq
     FROM run_states JOIN runs ON id = run_id WHERE run_id = $1
     FOR UPDATE OF run_states SKIP LOCKED";
const TASK: &str = "SELECT task FROM tasks WHERE id = $1";
const WRITTEN: &str = "SELECT 1 FROM events WHERE run_id = $1 AND seq = $2 AND mark = $3";
const SAVE_RUN: &str = "UPDATE run_states SET state = $2, last_seq = $3 WHERE run_id = $1";
const SAVE_TASK: &str = "UPDATE tasks
     SET status = $2, runner_id = $3, lease_expires_at = $4, task = $5 WHERE id = $1";
const ADD_EVENTS: &str = "INSERT INTO events (run_id, seq, mark, event)
     SELECT $1, seq, $2, event FROM unnest($3::bigint[], $4::text[]) AS new (seq, event)";
const TELL: &str = "SELECT pg_notify($1, $2)";

/// A run that this transaction holds, as far as its rules need it, with what is to be written.
pub(super) struct Held {
    pub(super) id: RunId,
    pub(super) policy: Policy,
    pub(super) run: Run,
    last_seq: i64,
    tasks: Vec<Task>,
    numbers: Vec<i64>,
    events: Vec<String>,
}

impl Held {
    /// A run that is being made.
    pub(super) fn new(id: RunId, policy: Policy, run: Run) -> Self {
        let (tasks, numbers, events) = (Vec::new(), Vec::new(), Vec::new());
        Self { id, policy, run, last_seq: 0, tasks, numbers, events }
    }

    fn of_row(row: &Row) -> Result<Self, Failure> {
        let held = Self::new(
            rows::run_id(row, "id")?,
            rows::parsed(row, "policy")?,
            rows::parsed(row, "state")?,
        );
        Ok(Self { last_seq: row.try_get("last_seq")?, ..held })
    }

    /// Adds events to the run's stream.
    pub(super) fn record(&mut self, events: &[Event]) -> Result<(), Failure> {
        for event in events {
            self.last_seq += 1;
            self.numbers.push(self.last_seq);
            self.events.push(json(event)?);
        }
        Ok(())
    }

    /// Applies a command to a task of the run, and gives the task after it.
    pub(super) fn step(
        &mut self,
        mut task: Task,
        command: Command,
        now: Timestamp,
    ) -> Result<Task, Failure> {
        let events = step::apply(&mut self.run, &mut task, command, now, &self.policy)?;
        if !events.is_empty() {
            self.record(&events)?;
            self.tasks.push(task.clone());
        }
        Ok(task)
    }
}

/// The last event that a transaction wrote.
pub(super) struct Written {
    run: RunId,
    seq: i64,
}

/// An open transaction.
pub(super) struct Unit<'a> {
    pub(super) transaction: Transaction<'a>,
    /// Of the change, the same however often it is tried.
    pub(super) mark: i64,
    written: Option<Written>,
}

impl<'a> Unit<'a> {
    pub(super) fn new(transaction: Transaction<'a>, mark: i64) -> Self {
        Self { transaction, mark, written: None }
    }

    /// Ends it, and gives what it wrote, so that it can be looked for if the end is unknown.
    pub(super) async fn commit(self) -> Result<(), (Failure, Option<Written>)> {
        let Self { transaction, written, .. } = self;
        transaction.commit().await.map_err(|error| (error.into(), written))
    }

    /// Undoes it. When this returns its locks are free.
    pub(super) async fn undo(self) -> Result<(), Failure> {
        Ok(self.transaction.rollback().await?)
    }

    pub(super) async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, Failure> {
        let statement = self.transaction.prepare_cached(sql).await?;
        Ok(self.transaction.execute(&statement, params).await?)
    }

    /// Holds a run until the transaction ends.
    pub(super) async fn hold(&self, id: &RunId) -> Result<Held, Failure> {
        let row = first(&self.transaction, LOCK_RUN, &[&id.as_str()]).await?;
        Held::of_row(&row.ok_or_else(|| StoreError::UnknownRun(id.clone()))?)
    }

    /// Holds a run unless somebody else does.
    pub(super) async fn hold_if_free(&self, id: &RunId) -> Result<Option<Held>, Failure> {
        let row = first(&self.transaction, LOCK_FREE_RUN, &[&id.as_str()]).await?;
        row.as_ref().map(Held::of_row).transpose()
    }

    /// Holds the run of a task, and gives both.
    pub(super) async fn hold_with_task(&self, id: &TaskId) -> Result<(Held, Task), Failure> {
        let unknown = || StoreError::UnknownTask(id.clone());
        let run = first(&self.transaction, LOCK_RUN_OF_TASK, &[&id.as_str()]).await?;
        let run = Held::of_row(&run.ok_or_else(unknown)?)?;
        // Read once the run is held: before, somebody else may have been about to change it.
        let task = first(&self.transaction, TASK, &[&id.as_str()]).await?;
        let task = rows::task(&task.ok_or_else(unknown)?)?;
        Ok((run, task))
    }

    /// Whether an earlier try of this change did commit. The run is held from here on, so the
    /// earlier try cannot commit any more.
    pub(super) async fn has_written(&self, written: &Written) -> Result<bool, Failure> {
        let Written { run, seq } = written;
        first(&self.transaction, LOCK_RUN, &[&run.as_str()]).await?;
        let found = first(&self.transaction, WRITTEN, &[&run.as_str(), seq, &self.mark]).await?;
        Ok(found.is_some())
    }

    /// Writes what the steps since the last save have changed.
    pub(super) async fn save(&mut self, held: &mut Held) -> Result<(), Failure> {
        if held.numbers.is_empty() {
            return Ok(());
        }
        let (id, state) = (held.id.as_str(), json(&held.run)?);
        let save_run: Params<'_> = &[&id, &state, &held.last_seq];
        let add_events: Params<'_> = &[&id, &self.mark, &held.numbers, &held.events];
        // Told at the commit, and once, however often it is said.
        let tell: Params<'_> = &[&CHANNEL, &id];
        let tasks = held.tasks.iter().map(|task| self.save_task(task));
        try_join!(
            self.execute(SAVE_RUN, save_run),
            try_join_all(tasks),
            self.execute(ADD_EVENTS, add_events),
            first(&self.transaction, TELL, tell),
        )?;
        self.written = Some(Written { run: held.id.clone(), seq: held.last_seq });
        held.tasks.clear();
        held.numbers.clear();
        held.events.clear();
        Ok(())
    }

    async fn save_task(&self, task: &Task) -> Result<(), Failure> {
        let params: Params<'_> = &[
            &task.id.as_str(),
            &task.status.as_str(),
            &task.runner_id.as_ref().map(RunnerId::as_str),
            &task.lease_expires_at.map(time),
            &json(task)?,
        ];
        self.execute(SAVE_TASK, params).await.map(drop)
    }
}
