//! The reads: from a reader's snapshot or from inside a writing transaction.

use jiff::Timestamp;
use railsbench_core::id::{Attempt, InstanceType, ProviderName, RunId, RunnerId, TaskId};
use railsbench_core::lifecycle::{Queue, Task};
use railsbench_core::protocol::{EventRecord, LogPart};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::failure::Failure;
use super::rows::{self, RunState};
use crate::store::columns::time;
use crate::store::{StoreError, StoredRun, StoredToken, TaskFilter, TokenHash};

const RUN: &str = "SELECT id, created_at, policy, providers, config, state
     FROM runs JOIN run_states ON run_id = id WHERE id = ?1";
const RUNS: &str = "SELECT id, created_at, policy, providers, config, state
     FROM runs JOIN run_states ON run_id = id
     ORDER BY created_at DESC, id DESC LIMIT ?1";
const RUNS_AFTER: &str = "SELECT id, created_at, policy, providers, config, state
     FROM runs JOIN run_states ON run_id = id
     WHERE (created_at, id) < (?2, ?3)
     ORDER BY created_at DESC, id DESC LIMIT ?1";
const RUN_STATE: &str = "SELECT id, policy, state, last_seq
     FROM runs JOIN run_states ON run_id = id WHERE id = ?1";
const RUN_EXISTS: &str = "SELECT 1 FROM runs WHERE id = ?1";
const CONFIG: &str = "SELECT config FROM runs WHERE id = ?1";
const TASK: &str = "SELECT run_id, task FROM tasks WHERE id = ?1";
const TASKS: &str = "SELECT task FROM tasks
     WHERE run_id = ?1 AND id > ?2
       AND (?3 IS NULL OR status = ?3)
       AND (?4 IS NULL OR provider = ?4)
       AND (?5 IS NULL OR instance_type = ?5)
     ORDER BY id LIMIT ?6";
const OPEN_TASKS: &str = "SELECT task FROM tasks
     WHERE run_id = ?1 AND status IN ('pending', 'claimed', 'running') ORDER BY id";
pub(super) const DUE_IN_QUEUE: &str = "SELECT task FROM tasks
     WHERE run_id = ?1 AND provider = ?2 AND instance_type = ?3
       AND status IN ('claimed', 'running') AND lease_expires_at <= ?4";
pub(super) const DUE: &str = "SELECT run_id, task FROM tasks
     WHERE lease_expires_at <= ?1 ORDER BY lease_expires_at LIMIT ?2";
pub(super) const OWN: &str = "SELECT task FROM tasks
     WHERE run_id = ?1 AND runner_id = ?2 AND lease_expires_at IS NOT NULL
       AND provider = ?3 AND instance_type = ?4
     ORDER BY id LIMIT 1";
pub(super) const OLDEST_PENDING: &str = "SELECT task FROM tasks
     WHERE run_id = ?1 AND provider = ?2 AND instance_type = ?3 AND status = 'pending'
     ORDER BY id LIMIT 1";
pub(super) const HELD: &str = "SELECT count(*) FROM tasks
     WHERE run_id = ?1 AND provider = ?2 AND instance_type = ?3
       AND status IN ('claimed', 'running')";
const IDLE: &str = "SELECT runner_id, idle_until FROM idle_runners
     WHERE run_id = ?1 AND provider = ?2 AND instance_type = ?3 AND idle_until > ?4";
const EVENTS: &str = "SELECT seq, event FROM events
     WHERE run_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
const LOG: &str = "SELECT attempt, begins, text FROM logs
     WHERE task_id = ?1 AND (attempt > ?2 OR (attempt = ?2 AND ends > ?3))
     ORDER BY attempt, begins";
const OWNED_TOKENS: &str = "SELECT hash, scope, run_id, expires_at, owner, created_at FROM tokens
     WHERE owner IS NOT NULL AND expires_at > ?1 ORDER BY owner";
const TOKEN: &str = "SELECT scope, run_id, expires_at, owner, created_at FROM tokens
     WHERE hash = ?1 AND expires_at > ?2";

/// Every statement above, for the test that looks at their plans.
#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[
    RUN,
    RUNS,
    RUNS_AFTER,
    RUN_STATE,
    RUN_EXISTS,
    CONFIG,
    TASK,
    TASKS,
    OPEN_TASKS,
    DUE_IN_QUEUE,
    DUE,
    OWN,
    OLDEST_PENDING,
    HELD,
    IDLE,
    EVENTS,
    LOG,
    OWNED_TOKENS,
    TOKEN,
];

/// All rows of a query.
fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut values = Vec::new();
    while let Some(row) = rows.next()? {
        values.push(read(row)?);
    }
    Ok(values)
}

/// The first row of a query.
pub(super) fn first<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

pub(super) fn run(connection: &Connection, id: &RunId) -> Result<Option<StoredRun>, Failure> {
    first(connection, RUN, [id.as_str()], rows::stored_run)
}

pub(super) fn runs(
    connection: &Connection,
    after: Option<&(Timestamp, RunId)>,
    limit: u32,
) -> Result<Vec<StoredRun>, Failure> {
    match after {
        None => all(connection, RUNS, [limit], rows::stored_run),
        Some((at, id)) => {
            all(connection, RUNS_AFTER, params![limit, time(*at), id.as_str()], rows::stored_run)
        }
    }
}

pub(super) fn run_state(connection: &Connection, id: &RunId) -> Result<RunState, Failure> {
    first(connection, RUN_STATE, [id.as_str()], rows::run_state)?
        .ok_or_else(|| StoreError::UnknownRun(id.clone()).into())
}

/// The canonical configuration of a run, if there is such a run.
pub(super) fn config(connection: &Connection, id: &RunId) -> Result<Option<String>, Failure> {
    let mut statement = connection.prepare_cached(CONFIG)?;
    Ok(statement.query_row([id.as_str()], |row| row.get(0)).optional()?)
}

fn check_run(connection: &Connection, id: &RunId) -> Result<(), Failure> {
    first(connection, RUN_EXISTS, [id.as_str()], |_| Ok(()))?
        .ok_or_else(|| StoreError::UnknownRun(id.clone()).into())
}

/// A task, and the run it belongs to.
pub(super) fn task(connection: &Connection, id: &TaskId) -> Result<Option<(RunId, Task)>, Failure> {
    first(connection, TASK, [id.as_str()], rows::task_of_run)
}

pub(super) fn tasks(
    connection: &Connection,
    run: &RunId,
    filter: &TaskFilter,
    after: Option<&TaskId>,
    limit: u32,
) -> Result<Vec<Task>, Failure> {
    check_run(connection, run)?;
    let params = params![
        run.as_str(),
        after.map_or("", TaskId::as_str),
        filter.status.map(railsbench_core::protocol::TaskStatus::as_str),
        filter.provider.as_ref().map(ProviderName::as_str),
        filter.instance_type.as_ref().map(InstanceType::as_str),
        limit,
    ];
    all(connection, TASKS, params, rows::task)
}

/// The tasks of a run that have not ended, in creation order.
pub(super) fn open_tasks(connection: &Connection, run: &RunId) -> Result<Vec<Task>, Failure> {
    all(connection, OPEN_TASKS, [run.as_str()], rows::task)
}

/// Where a runner asks for work.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) run: &'a RunId,
    pub(super) provider: &'a ProviderName,
    pub(super) instance_type: &'a InstanceType,
}

/// The tasks of a queue whose leases have run out, in creation order.
pub(super) fn due_in_queue(
    connection: &Connection,
    place: Place<'_>,
    now: Timestamp,
) -> Result<Vec<Task>, Failure> {
    let Place { run, provider, instance_type } = place;
    let params = params![run.as_str(), provider.as_str(), instance_type.as_str(), time(now)];
    // Sorted here: asked to, SQLite would go through all tasks of the run in order.
    let mut due = all(connection, DUE_IN_QUEUE, params, rows::task)?;
    due.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(due)
}

/// The tasks of all runs whose leases have run out, longest first.
pub(super) fn due(
    connection: &Connection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(RunId, Task)>, Failure> {
    all(connection, DUE, params![time(now), limit], rows::task_of_run)
}

/// What a claim needs to know, once the due leases have been expired.
pub(super) fn queue(
    connection: &Connection,
    place: Place<'_>,
    runner: &RunnerId,
    stop_requested: bool,
    now: Timestamp,
) -> Result<Queue, Failure> {
    let Place { run, provider, instance_type } = place;
    let (run, provider, instance_type) = (run.as_str(), provider.as_str(), instance_type.as_str());
    let queue = [run, provider, instance_type];
    let own = params![run, runner.as_str(), provider, instance_type];
    Ok(Queue {
        own: first(connection, OWN, own, rows::task)?,
        oldest_pending: first(connection, OLDEST_PENDING, queue, rows::task)?,
        held: connection.prepare_cached(HELD)?.query_row(queue, |row| row.get(0))?,
        idle: all(connection, IDLE, params![run, provider, instance_type, time(now)], rows::idle)?,
        stop_requested,
    })
}

pub(super) fn events(
    connection: &Connection,
    run: &RunId,
    after: u64,
    limit: u32,
) -> Result<Vec<EventRecord>, Failure> {
    check_run(connection, run)?;
    // A number beyond what SQLite counts to is after every event.
    let Ok(after) = i64::try_from(after) else { return Ok(Vec::new()) };
    all(connection, EVENTS, params![run.as_str(), after, limit], |row| rows::event_record(row, run))
}

pub(super) fn check_task(connection: &Connection, id: &TaskId) -> Result<(), Failure> {
    first(connection, TASK, [id.as_str()], |_| Ok(()))?
        .ok_or_else(|| StoreError::UnknownTask(id.clone()).into())
}

pub(super) fn log(
    connection: &Connection,
    task: &TaskId,
    after: Option<(Attempt, u64)>,
) -> Result<Vec<LogPart>, Failure> {
    check_task(connection, task)?;
    let (attempt, place) = after.unwrap_or((Attempt(0), 0));
    // A place beyond what SQLite counts to is after every part.
    let place = i64::try_from(place).unwrap_or(i64::MAX);
    all(connection, LOG, params![task.as_str(), attempt.0, place], rows::log_part)
}

pub(super) fn token(
    connection: &Connection,
    hash: TokenHash,
    now: Timestamp,
) -> Result<Option<StoredToken>, Failure> {
    first(connection, TOKEN, params![hash, time(now)], |row| rows::token(row, hash))
}

pub(super) fn owned_tokens(
    connection: &Connection,
    now: Timestamp,
) -> Result<Vec<StoredToken>, Failure> {
    all(connection, OWNED_TOKENS, params![time(now)], |row| rows::token(row, row.get("hash")?))
}
