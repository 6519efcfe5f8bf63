//! What is stored in which column, in one place: everything that turns rows into values.

use railsbench_core::id::{Attempt, RunId};
use railsbench_core::lifecycle::{Idle, Task};
use railsbench_core::protocol::{Event, EventRecord, LogPart};
use serde::de::DeserializeOwned;
use tokio_postgres::Row;

use super::failure::Failure;
use crate::store::columns::{self, Damaged};
use crate::store::{StoredRun, StoredToken, TokenHash};

pub(super) fn text<'row>(row: &'row Row, column: &str) -> Result<&'row str, Failure> {
    Ok(row.try_get(column)?)
}

pub(super) fn parsed<T: DeserializeOwned>(row: &Row, column: &str) -> Result<T, Failure> {
    Ok(columns::parsed(column, text(row, column)?)?)
}

pub(super) fn run_id(row: &Row, column: &str) -> Result<RunId, Failure> {
    Ok(columns::run_id(column, text(row, column)?)?)
}

/// The columns `id, created_at, policy, providers, config` of `runs` and `state` of `run_states`.
pub(super) fn stored_run(row: &Row) -> Result<StoredRun, Failure> {
    Ok(StoredRun {
        id: run_id(row, "id")?,
        config: columns::config(text(row, "providers")?, text(row, "config")?)?,
        policy: parsed(row, "policy")?,
        run: parsed(row, "state")?,
        created_at: columns::instant("created_at", text(row, "created_at")?)?,
    })
}

/// The column `task` of `tasks`.
pub(super) fn task(row: &Row) -> Result<Task, Failure> {
    parsed(row, "task")
}

/// The columns `seq` and `event` of `events`.
pub(super) fn event_record(row: &Row, run: &RunId) -> Result<EventRecord, Failure> {
    let event: Event = parsed(row, "event")?;
    let seq: i64 = row.try_get("seq")?;
    let seq = u64::try_from(seq).map_err(|error| Damaged::new("seq", error))?;
    Ok(EventRecord { seq, run_id: run.clone(), event })
}

/// The columns `attempt`, `begins` and `text` of `logs`.
pub(super) fn log_part(row: &Row) -> Result<LogPart, Failure> {
    let attempt: i64 = row.try_get("attempt")?;
    let attempt = u32::try_from(attempt).map_err(|error| Damaged::new("attempt", error))?;
    let offset = columns::place("begins", row.try_get("begins")?)?;
    let text = text(row, "text")?.to_owned();
    Ok(LogPart { attempt: Attempt(attempt), offset, text })
}

/// The columns `runner_id` and `idle_until` of `idle_runners`.
pub(super) fn idle(row: &Row) -> Result<Idle, Failure> {
    let runner_id = columns::runner_id("runner_id", text(row, "runner_id")?)?;
    let until = columns::instant("idle_until", text(row, "idle_until")?)?;
    Ok(Idle { runner_id, until })
}

/// All columns of `tokens`.
pub(super) fn owned_token(row: &Row) -> Result<StoredToken, Failure> {
    let hash: &[u8] = row.try_get("hash")?;
    let hash = hash.try_into().map_err(|error| Damaged::new("hash", error))?;
    token(row, hash)
}

/// The columns of `tokens` beside the hash.
pub(super) fn token(row: &Row, hash: TokenHash) -> Result<StoredToken, Failure> {
    let scope = columns::scope(text(row, "scope")?, row.try_get("run_id")?)?;
    let expires_at = columns::instant("expires_at", text(row, "expires_at")?)?;
    let owner = columns::owner(row.try_get("owner")?, row.try_get("created_at")?)?;
    Ok(StoredToken { hash, scope, expires_at, owner })
}
