//! A store in one SQLite file: durable, embedded, for one server.
//!
//! * `schema` opens the file and brings it up to date;
//! * `writer` is the one thread that writes, and commits in groups;
//! * `readers` are the connections that only read;
//! * `commands` and `queries` are the writes and reads, `rows` says what is in which column,
//!   `failure` puts what SQLite says into words.

mod commands;
mod failure;
mod queries;
mod readers;
mod rows;
mod schema;
mod writer;

use std::path::Path;

use async_trait::async_trait;
use jiff::Timestamp;
use railsbench_core::id::{Attempt, RunId, TaskId, TokenName};
use railsbench_core::lifecycle::{Command, Task};
use railsbench_core::protocol::{EventRecord, LogPart};
use rusqlite::Connection;
use tokio::sync::broadcast;

use self::readers::Readers;
use self::writer::{Unit, Writer};
use super::{
    CHANGES_KEPT, ClaimCommand, Claimed, Created, NewRun, Store, StoreError, StoredRun,
    StoredToken, TaskFilter, TokenHash,
};

/// A store in one SQLite file.
///
/// What it acknowledges is on the disk: write-ahead log, `synchronous=FULL`. Dropping it waits
/// until all that was asked for is done.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    changes: broadcast::Sender<RunId>,
}

impl SqliteStore {
    /// Opens the store in this file, and makes the file, readable by its owner alone, if there
    /// is none. Its folder must exist.
    ///
    /// # Errors
    /// [`StoreError::Engine`] if the file cannot be opened or written, is damaged, belongs to
    /// another program, or was made by a newer railsbench.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = schema::open_writer(path)?;
        let changes = broadcast::channel(CHANGES_KEPT).0;
        let writer = Writer::start(connection, changes.clone()).map_err(|error| {
            StoreError::Engine { action: "start its writer", detail: error.to_string() }
        })?;
        Ok(Self { writer, readers: Readers::new(path.to_owned()), changes })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn create_run(&self, run: NewRun) -> Result<Created, StoreError> {
        self.writer.submit("make the run", move |unit| commands::create_run(unit, run)).await
    }

    async fn run(&self, id: &RunId) -> Result<Option<StoredRun>, StoreError> {
        let id = id.clone();
        self.readers.read("read the run", move |connection| queries::run(connection, &id)).await
    }

    async fn runs(
        &self,
        after: Option<(Timestamp, RunId)>,
        limit: u32,
    ) -> Result<Vec<StoredRun>, StoreError> {
        let read = move |connection: &Connection| queries::runs(connection, after.as_ref(), limit);
        self.readers.read("list the runs", read).await
    }

    async fn tasks(
        &self,
        run: &RunId,
        filter: &TaskFilter,
        after: Option<&TaskId>,
        limit: u32,
    ) -> Result<Vec<Task>, StoreError> {
        let (run, filter, after) = (run.clone(), filter.clone(), after.cloned());
        let read = move |connection: &Connection| {
            queries::tasks(connection, &run, &filter, after.as_ref(), limit)
        };
        self.readers.read("list the tasks", read).await
    }

    async fn task(&self, id: &TaskId) -> Result<Option<(StoredRun, Task)>, StoreError> {
        let id = id.clone();
        let read = move |connection: &Connection| {
            let Some((run_id, task)) = queries::task(connection, &id)? else { return Ok(None) };
            Ok(queries::run(connection, &run_id)?.map(|run| (run, task)))
        };
        self.readers.read("read the task", read).await
    }

    async fn claim(&self, claim: ClaimCommand, now: Timestamp) -> Result<Claimed, StoreError> {
        self.writer.submit("claim a task", move |unit| commands::claim(unit, claim, now)).await
    }

    async fn apply(
        &self,
        task: &TaskId,
        command: Command,
        now: Timestamp,
    ) -> Result<Task, StoreError> {
        let task = task.clone();
        let apply = move |unit: &mut Unit<'_>| commands::apply(unit, &task, command, now);
        self.writer.submit("change the task", apply).await
    }

    async fn stop(&self, run: &RunId, now: Timestamp) -> Result<StoredRun, StoreError> {
        let run = run.clone();
        self.writer.submit("stop the run", move |unit| commands::stop(unit, &run, now)).await
    }

    async fn expire(&self, now: Timestamp, limit: u32) -> Result<u32, StoreError> {
        self.writer.submit("expire leases", move |unit| commands::expire(unit, now, limit)).await
    }

    async fn events(
        &self,
        run: &RunId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EventRecord>, StoreError> {
        let run = run.clone();
        let read = move |connection: &Connection| queries::events(connection, &run, after, limit);
        self.readers.read("read the events", read).await
    }

    async fn append_log(&self, task: &TaskId, part: LogPart) -> Result<(), StoreError> {
        let task = task.clone();
        let append = move |unit: &mut Unit<'_>| commands::append_log(unit, &task, part);
        self.writer.submit("keep the log", append).await
    }

    async fn log(
        &self,
        task: &TaskId,
        after: Option<(Attempt, u64)>,
    ) -> Result<Vec<LogPart>, StoreError> {
        let task = task.clone();
        let read = move |connection: &Connection| queries::log(connection, &task, after);
        self.readers.read("read the log", read).await
    }

    fn changes(&self) -> broadcast::Receiver<RunId> {
        self.changes.subscribe()
    }

    async fn add_token(&self, token: StoredToken) -> Result<(), StoreError> {
        self.writer.submit("keep the token", move |unit| commands::add_token(unit, &token)).await
    }

    async fn owned_tokens(&self, now: Timestamp) -> Result<Vec<StoredToken>, StoreError> {
        let read = move |connection: &Connection| queries::owned_tokens(connection, now);
        self.readers.read("list the tokens", read).await
    }

    async fn revoke_token(&self, owner: &TokenName) -> Result<bool, StoreError> {
        let owner = owner.clone();
        let revoke = move |unit: &mut Unit<'_>| commands::revoke_token(unit, &owner);
        self.writer.submit("revoke the token", revoke).await
    }

    async fn token(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<StoredToken>, StoreError> {
        let hash = *hash;
        let read = move |connection: &Connection| queries::token(connection, hash, now);
        self.readers.read("look up the token", read).await
    }

    async fn take_token(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<StoredToken>, StoreError> {
        let hash = *hash;
        let take = move |unit: &mut Unit<'_>| commands::take_token(unit, hash, now);
        self.writer.submit("take the token", take).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.writer.submit("begin a transaction", |_| Ok(())).await?;
        let read = |connection: &Connection| {
            connection.query_row("SELECT count(*) FROM run_states LIMIT 1", [], |_| Ok(()))?;
            Ok(())
        };
        self.readers.read("read", read).await
    }
}

#[cfg(test)]
mod tests;
