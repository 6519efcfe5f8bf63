//! What is stored in which column, in one place: everything that turns rows into values.

use railsbench_core::id::{Attempt, RunId};
use railsbench_core::lifecycle::{Idle, Policy, Run, Task};
use railsbench_core::protocol::{Event, EventRecord, LogPart};
use rusqlite::Row;
use serde::de::DeserializeOwned;

use super::failure::Failure;
use crate::store::columns::{self, Damaged};
use crate::store::{StoredRun, StoredToken, TokenHash};

fn text<'row>(row: &'row Row<'_>, column: &str) -> Result<&'row str, Failure> {
    let value = row.get_ref(column)?;
    Ok(value.as_str().map_err(|error| Damaged::new(column, error))?)
}

fn parsed<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T, Failure> {
    Ok(columns::parsed(column, text(row, column)?)?)
}

fn run_id(row: &Row<'_>, column: &str) -> Result<RunId, Failure> {
    Ok(columns::run_id(column, text(row, column)?)?)
}

/// The columns `id, created_at, policy, providers, config` of `runs` and `state` of `run_states`.
pub(super) fn stored_run(row: &Row<'_>) -> Result<StoredRun, Failure> {
    Ok(StoredRun {
        id: run_id(row, "id")?,
        config: columns::config(text(row, "providers")?, text(row, "config")?)?,
        policy: parsed(row, "policy")?,
        run: parsed(row, "state")?,
        created_at: columns::instant("created_at", text(row, "created_at")?)?,
    })
}

/// A run as far as its rules need it.
pub(super) struct RunState {
    pub(super) id: RunId,
    pub(super) policy: Policy,
    pub(super) run: Run,
    pub(super) last_seq: i64,
}

/// The columns `id` and `policy` of `runs`, `state` and `last_seq` of `run_states`.
pub(super) fn run_state(row: &Row<'_>) -> Result<RunState, Failure> {
    Ok(RunState {
        id: run_id(row, "id")?,
        policy: parsed(row, "policy")?,
        run: parsed(row, "state")?,
        last_seq: row.get("last_seq")?,
    })
}

/// The column `task` of `tasks`.
pub(super) fn task(row: &Row<'_>) -> Result<Task, Failure> {
    parsed(row, "task")
}

/// The columns `run_id` and `task` of `tasks`.
pub(super) fn task_of_run(row: &Row<'_>) -> Result<(RunId, Task), Failure> {
    Ok((run_id(row, "run_id")?, task(row)?))
}

/// The columns `seq` and `event` of `events`.
pub(super) fn event_record(row: &Row<'_>, run: &RunId) -> Result<EventRecord, Failure> {
    let event: Event = parsed(row, "event")?;
    let seq =
        u64::try_from(row.get::<_, i64>("seq")?).map_err(|error| Damaged::new("seq", error))?;
    Ok(EventRecord { seq, run_id: run.clone(), event })
}

/// The columns `attempt`, `begins` and `text` of `logs`.
pub(super) fn log_part(row: &Row<'_>) -> Result<LogPart, Failure> {
    let offset = columns::place("begins", row.get("begins")?)?;
    Ok(LogPart { attempt: Attempt(row.get("attempt")?), offset, text: row.get("text")? })
}

/// The columns `runner_id` and `idle_until` of `idle_runners`.
pub(super) fn idle(row: &Row<'_>) -> Result<Idle, Failure> {
    let runner_id = columns::runner_id("runner_id", text(row, "runner_id")?)?;
    let until = columns::instant("idle_until", text(row, "idle_until")?)?;
    Ok(Idle { runner_id, until })
}

/// The columns of `tokens` beside the hash.
pub(super) fn token(row: &Row<'_>, hash: TokenHash) -> Result<StoredToken, Failure> {
    let run: Option<String> = row.get("run_id")?;
    let scope = columns::scope(text(row, "scope")?, run.as_deref())?;
    let expires_at = columns::instant("expires_at", text(row, "expires_at")?)?;
    let owner: Option<String> = row.get("owner")?;
    let created_at: Option<String> = row.get("created_at")?;
    let owner = columns::owner(owner.as_deref(), created_at.as_deref())?;
    Ok(StoredToken { hash, scope, expires_at, owner })
}
