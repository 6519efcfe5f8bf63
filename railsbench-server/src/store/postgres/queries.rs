//! The reads. Those on a pooled connection are one statement each, or look at what never
//! changes: none needs a transaction to see one consistent state.

use deadpool_postgres::GenericClient;
use futures::try_join;
use jiff::Timestamp;
use railsbench_core::id::{Attempt, InstanceType, ProviderName, RunId, RunnerId, TaskId};
use railsbench_core::lifecycle::{Queue, Task};
use railsbench_core::protocol::{EventRecord, LogPart, TaskStatus};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::failure::Failure;
use super::rows;
use crate::store::columns::{Damaged, time};
use crate::store::{StoreError, StoredRun, StoredToken, TaskFilter, TokenHash};

const RUN: &str = "SELECT id, created_at, policy, providers, config, state
     FROM runs JOIN run_states ON run_id = id WHERE id = $1";
const RUNS: &str = "SELECT id, created_at, policy, providers, config, state
     FROM runs JOIN run_states ON run_id = id
     ORDER BY created_at DESC, id DESC LIMIT $1";
const RUNS_AFTER: &str = "SELECT id, created_at, policy, providers, config, state
     FROM runs JOIN run_states ON run_id = id
     WHERE (created_at, id) < ($2, $3)
     ORDER BY created_at DESC, id DESC LIMIT $1";
const RUN_EXISTS: &str = "SELECT 1 FROM runs WHERE id = $1";
const CONFIG: &str = "SELECT config FROM runs WHERE id = $1";
const TASK: &str = "SELECT runs.id, created_at, policy, providers, config, state, task
     FROM tasks JOIN runs ON runs.id = tasks.run_id JOIN run_states ON run_states.run_id = runs.id
     WHERE tasks.id = $1";
const TASKS: &str = "SELECT task FROM tasks
     WHERE run_id = $1 AND id > $2
       AND ($3::text IS NULL OR status = $3)
       AND ($4::text IS NULL OR provider = $4)
       AND ($5::text IS NULL OR instance_type = $5)
     ORDER BY id LIMIT $6";
const DUE_IN_QUEUE: &str = "SELECT task FROM tasks
     WHERE run_id = $1 AND provider = $2 AND instance_type = $3
       AND status IN ('claimed', 'running') AND lease_expires_at <= $4
     ORDER BY id";
const OWN: &str = "SELECT task FROM tasks
     WHERE run_id = $1 AND runner_id = $2 AND lease_expires_at IS NOT NULL
       AND provider = $3 AND instance_type = $4
     ORDER BY id LIMIT 1";
const OLDEST_PENDING: &str = "SELECT task FROM tasks
     WHERE run_id = $1 AND provider = $2 AND instance_type = $3 AND status = 'pending'
     ORDER BY id LIMIT 1";
const HELD: &str = "SELECT count(*) FROM tasks
     WHERE run_id = $1 AND provider = $2 AND instance_type = $3
       AND status IN ('claimed', 'running')";
const IDLE: &str = "SELECT runner_id, idle_until FROM idle_runners
     WHERE run_id = $1 AND provider = $2 AND instance_type = $3 AND idle_until > $4";
const EVENTS: &str = "SELECT seq, event FROM events
     WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
const TASK_EXISTS: &str = "SELECT 1 FROM tasks WHERE id = $1";
const LOG: &str = "SELECT attempt, begins, text FROM logs
     WHERE task_id = $1 AND (attempt > $2 OR (attempt = $2 AND ends > $3))
     ORDER BY attempt, begins";
const OWNED_TOKENS: &str = "SELECT hash, scope, run_id, expires_at, owner, created_at FROM tokens
     WHERE owner IS NOT NULL AND expires_at > $1 ORDER BY owner";
const TOKEN: &str = "SELECT scope, run_id, expires_at, owner, created_at FROM tokens
     WHERE hash = $1 AND expires_at > $2";

const WRITABLE: &str = "SELECT current_setting('transaction_read_only') = 'off'";

pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// All rows of a statement.
pub(super) async fn all(
    client: &impl GenericClient,
    sql: &str,
    params: Params<'_>,
) -> Result<Vec<Row>, Failure> {
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query(&statement, params).await?)
}

/// The first row of a statement.
pub(super) async fn first(
    client: &impl GenericClient,
    sql: &str,
    params: Params<'_>,
) -> Result<Option<Row>, Failure> {
    Ok(all(client, sql, params).await?.into_iter().next())
}

fn each<T>(rows: &[Row], read: impl Fn(&Row) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
    rows.iter().map(read).collect()
}

pub(super) async fn run(
    client: &impl GenericClient,
    id: &RunId,
) -> Result<Option<StoredRun>, Failure> {
    first(client, RUN, &[&id.as_str()]).await?.as_ref().map(rows::stored_run).transpose()
}

pub(super) async fn runs(
    client: &impl GenericClient,
    after: Option<&(Timestamp, RunId)>,
    limit: u32,
) -> Result<Vec<StoredRun>, Failure> {
    let limit = i64::from(limit);
    let rows = match after {
        None => all(client, RUNS, &[&limit]).await?,
        Some((at, id)) => all(client, RUNS_AFTER, &[&limit, &time(*at), &id.as_str()]).await?,
    };
    each(&rows, rows::stored_run)
}

/// The canonical configuration of a run, if there is such a run.
pub(super) async fn config(
    client: &impl GenericClient,
    id: &RunId,
) -> Result<Option<String>, Failure> {
    let row = first(client, CONFIG, &[&id.as_str()]).await?;
    Ok(row.map(|row| row.try_get("config")).transpose()?)
}

async fn check_run(client: &impl GenericClient, id: &RunId) -> Result<(), Failure> {
    match first(client, RUN_EXISTS, &[&id.as_str()]).await? {
        Some(_) => Ok(()),
        None => Err(StoreError::UnknownRun(id.clone()).into()),
    }
}

/// A task and the run it belongs to.
pub(super) async fn task(
    client: &impl GenericClient,
    id: &TaskId,
) -> Result<Option<(StoredRun, Task)>, Failure> {
    let row = first(client, TASK, &[&id.as_str()]).await?;
    row.map(|row| Ok((rows::stored_run(&row)?, rows::task(&row)?))).transpose()
}

pub(super) async fn tasks(
    client: &impl GenericClient,
    run: &RunId,
    filter: &TaskFilter,
    after: Option<&TaskId>,
    limit: u32,
) -> Result<Vec<Task>, Failure> {
    let params: Params<'_> = &[
        &run.as_str(),
        &after.map_or("", TaskId::as_str),
        &filter.status.map(TaskStatus::as_str),
        &filter.provider.as_ref().map(ProviderName::as_str),
        &filter.instance_type.as_ref().map(InstanceType::as_str),
        &i64::from(limit),
    ];
    let ((), rows) = try_join!(check_run(client, run), all(client, TASKS, params))?;
    each(&rows, rows::task)
}

/// Where a runner asks for work.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) run: &'a RunId,
    pub(super) provider: &'a ProviderName,
    pub(super) instance_type: &'a InstanceType,
}

/// The tasks of a queue whose leases have run out, in creation order.
pub(super) async fn due_in_queue(
    client: &impl GenericClient,
    place: Place<'_>,
    now: Timestamp,
) -> Result<Vec<Task>, Failure> {
    let Place { run, provider, instance_type } = place;
    let params: Params<'_> =
        &[&run.as_str(), &provider.as_str(), &instance_type.as_str(), &time(now)];
    each(&all(client, DUE_IN_QUEUE, params).await?, rows::task)
}

/// What a claim needs to know, once the due leases have been expired.
pub(super) async fn queue(
    client: &impl GenericClient,
    place: Place<'_>,
    runner: &RunnerId,
    stop_requested: bool,
    now: Timestamp,
) -> Result<Queue, Failure> {
    let Place { run, provider, instance_type } = place;
    let (run, provider, instance_type) = (run.as_str(), provider.as_str(), instance_type.as_str());
    let (runner, now) = (runner.as_str(), time(now));
    let own: Params<'_> = &[&run, &runner, &provider, &instance_type];
    let queue: Params<'_> = &[&run, &provider, &instance_type];
    let idle: Params<'_> = &[&run, &provider, &instance_type, &now];
    let (own, pending, held, idle) = try_join!(
        first(client, OWN, own),
        first(client, OLDEST_PENDING, queue),
        first(client, HELD, queue),
        all(client, IDLE, idle),
    )?;
    let held: i64 = held.map_or(Ok(0), |row| row.try_get(0))?;
    Ok(Queue {
        own: own.as_ref().map(rows::task).transpose()?,
        oldest_pending: pending.as_ref().map(rows::task).transpose()?,
        held: u32::try_from(held).map_err(|error| Damaged::new("number of tasks", error))?,
        idle: each(&idle, rows::idle)?,
        stop_requested,
    })
}

pub(super) async fn events(
    client: &impl GenericClient,
    run: &RunId,
    after: u64,
    limit: u32,
) -> Result<Vec<EventRecord>, Failure> {
    // A number beyond what PostgreSQL counts to is after every event.
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let params: Params<'_> = &[&run.as_str(), &after, &i64::from(limit)];
    let ((), rows) = try_join!(check_run(client, run), all(client, EVENTS, params))?;
    each(&rows, |row| rows::event_record(row, run))
}

pub(super) async fn log(
    client: &impl GenericClient,
    task: &TaskId,
    after: Option<(Attempt, u64)>,
) -> Result<Vec<LogPart>, Failure> {
    let (Attempt(attempt), place) = after.unwrap_or((Attempt(0), 0));
    // A place beyond what PostgreSQL counts to is after every part.
    let place = i64::try_from(place).unwrap_or(i64::MAX);
    let params: Params<'_> = &[&task.as_str(), &i64::from(attempt), &place];
    first(client, TASK_EXISTS, &[&task.as_str()])
        .await?
        .ok_or_else(|| StoreError::UnknownTask(task.clone()))?;
    each(&all(client, LOG, params).await?, rows::log_part)
}

pub(super) async fn owned_tokens(
    client: &impl GenericClient,
    now: Timestamp,
) -> Result<Vec<StoredToken>, Failure> {
    let rows = all(client, OWNED_TOKENS, &[&time(now)]).await?;
    each(&rows, rows::owned_token)
}

pub(super) async fn token(
    client: &impl GenericClient,
    hash: TokenHash,
    now: Timestamp,
) -> Result<Option<StoredToken>, Failure> {
    let row = first(client, TOKEN, &[&hash.as_slice(), &time(now)]).await?;
    row.map(|row| rows::token(&row, hash)).transpose()
}

/// Whether the database takes changes, which one that only follows another does not.
pub(super) async fn is_writable(client: &impl GenericClient) -> Result<bool, Failure> {
    let row = first(client, WRITABLE, &[]).await?;
    Ok(row.map_or(Ok(false), |row| row.try_get(0))?)
}
