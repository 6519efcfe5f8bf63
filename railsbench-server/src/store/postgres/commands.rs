//! The changes, each in one transaction.
//!
//! A change of a run or of one of its tasks holds the run's row from its first statement to its
//! commit. So what it reads of the run stays as it is, its events get the next numbers, and a
//! run's events become visible in their order. Nobody holds a run while waiting for another one.

use jiff::Timestamp;
use railsbench_core::id::{RunId, TaskId, TokenName};
use railsbench_core::lifecycle::{Claim, Command, Idle, Run, Task, claim as decide};
use railsbench_core::protocol::LogPart;

use super::failure::Failure;
use super::queries::{self, Params, Place, all, first};
use super::rows;
use super::unit::{Held, Unit};
use crate::store::columns::{self, json, owner_columns, providers, scope_columns, time};
use crate::store::{
    ClaimCommand, Claimed, Created, NewRun, StoreError, StoredRun, StoredToken, TokenHash,
    TokenOwner, canonical, first_tasks, logs, step,
};

/// Gives nothing to insert if the id is taken; waits for whoever is about to take it.
const ADD_RUN: &str = "INSERT INTO runs (id, created_at, policy, providers, config)
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING";
const ADD_RUN_STATE: &str = "INSERT INTO run_states (run_id, state, last_seq) VALUES ($1, $2, 0)";
const ADD_TASKS: &str = "INSERT INTO tasks (id, run_id, provider, instance_type, status, task)
     SELECT id, $1, provider, instance_type, status, task
     FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
         AS new (id, provider, instance_type, status, task)";
const FIRST_MARK: &str = "SELECT mark FROM events WHERE run_id = $1 AND seq = 1";
const OPEN_TASKS: &str = "SELECT task FROM tasks
     WHERE run_id = $1 AND status IN ('pending', 'claimed', 'running') ORDER BY id";
const ADD_IDLE: &str = "INSERT INTO idle_runners
     (run_id, provider, instance_type, runner_id, idle_until) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (run_id, provider, instance_type, runner_id)
     DO UPDATE SET idle_until = EXCLUDED.idle_until";
const REMOVE_IDLE: &str = "DELETE FROM idle_runners
     WHERE run_id = $1 AND provider = $2 AND instance_type = $3 AND runner_id = $4";
/// One server at a time looks for what has run out; the others leave it to that one.
const LEAD: &str = "SELECT pg_try_advisory_xact_lock($1)";
const DUE: &str = "SELECT id, run_id FROM tasks
     WHERE lease_expires_at <= $1 ORDER BY lease_expires_at LIMIT $2";
const DUE_OF_RUN: &str = "SELECT task FROM tasks
     WHERE run_id = $1 AND id = ANY($2) AND lease_expires_at <= $3 ORDER BY lease_expires_at";
const FORGET_IDLE: &str = "DELETE FROM idle_runners WHERE idle_until <= $1";
const FORGET_TOKENS: &str = "DELETE FROM tokens WHERE expires_at <= $1";
/// Two servers may have the same part of a log at once.
const LOCK_TASK: &str = "SELECT 1 FROM tasks WHERE id = $1 FOR UPDATE";
const LOG_END: &str = "SELECT max(ends) FROM logs WHERE task_id = $1 AND attempt = $2";
const ADD_LOG: &str =
    "INSERT INTO logs (task_id, attempt, begins, ends, text) VALUES ($1, $2, $3, $4, $5)";
const FORGET_LOG: &str = "DELETE FROM logs WHERE task_id = $1 AND attempt = $2 AND ends <= $3";
const FORGET_LOGS: &str = "DELETE FROM logs WHERE task_id = $1 AND attempt <= $2";
const ADD_TOKEN: &str = "INSERT INTO tokens (hash, scope, run_id, expires_at, owner, created_at)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (hash) DO UPDATE
     SET scope = EXCLUDED.scope, run_id = EXCLUDED.run_id, expires_at = EXCLUDED.expires_at,
         owner = EXCLUDED.owner, created_at = EXCLUDED.created_at";
const END_TOKEN_OF: &str = "DELETE FROM tokens WHERE owner = $1 AND expires_at <= $2";
const IS_TAKEN: &str = "SELECT 1 FROM tokens WHERE owner = $1 AND hash <> $2";
const REVOKE_TOKEN: &str = "DELETE FROM tokens WHERE owner = $1 RETURNING hash";
const TAKE_TOKEN: &str = "DELETE FROM tokens WHERE hash = $1 AND expires_at > $2
     RETURNING scope, run_id, expires_at, owner, created_at";
const ADD_KEY: &str =
    "INSERT INTO keys (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
const KEY: &str = "SELECT value FROM keys WHERE name = $1";

/// Number of the advisory lock of [`LEAD`]: "rlsbreap".
const REAPER: i64 = 0x726c_7362_7265_6170;

pub(super) async fn create_run(unit: &mut Unit<'_>, new: NewRun) -> Result<Created, Failure> {
    let config = canonical(&new.config)?;
    let (id, at, policy) = (new.id.as_str(), time(new.at), json(&new.policy)?);
    let add: Params<'_> = &[&id, &at, &policy, &providers(&new.config)?, &config];
    if unit.execute(ADD_RUN, add).await? == 0 {
        if queries::config(&unit.transaction, &new.id).await? != Some(config) {
            return Err(StoreError::DifferentConfig(new.id).into());
        }
        // Made by an earlier try of this very call, it is as fresh as it could be.
        let mark = first(&unit.transaction, FIRST_MARK, &[&id]).await?;
        let mark: Option<i64> = mark.map(|row| row.try_get("mark")).transpose()?;
        let run = queries::run(&unit.transaction, &new.id).await?;
        let run = run.ok_or_else(|| StoreError::UnknownRun(new.id.clone()))?;
        return Ok(Created { run, fresh: mark == Some(unit.mark) });
    }
    let tasks = first_tasks(&new);
    let run = Run::new(u32::try_from(tasks.len()).unwrap_or(u32::MAX));
    unit.execute(ADD_RUN_STATE, &[&id, &json(&run)?]).await?;
    let texts = tasks.iter().map(json).collect::<Result<Vec<_>, _>>()?;
    let column = |value: fn(&Task) -> &str| tasks.iter().map(value).collect::<Vec<&str>>();
    let add: Params<'_> = &[
        &id,
        &column(|task| task.id.as_str()),
        &column(|task| task.provider.as_str()),
        &column(|task| task.instance_type.as_str()),
        &column(|task| task.status.as_str()),
        &texts,
    ];
    unit.execute(ADD_TASKS, add).await?;
    let mut held = Held::new(new.id.clone(), new.policy, run);
    held.record(&step::first_events(&new, &tasks))?;
    unit.save(&mut held).await?;
    let run = StoredRun {
        id: new.id,
        config: new.config,
        policy: new.policy,
        run: held.run,
        created_at: new.at,
    };
    Ok(Created { run, fresh: true })
}

pub(super) async fn claim(
    unit: &mut Unit<'_>,
    command: ClaimCommand,
    now: Timestamp,
) -> Result<Claimed, Failure> {
    let ClaimCommand { run_id, provider, instance_type, runner_id, runner } = command;
    let place = Place { run: &run_id, provider: &provider, instance_type: &instance_type };
    let mut held = unit.hold(&run_id).await?;
    for task in queries::due_in_queue(&unit.transaction, place, now).await? {
        held.step(task, Command::Expire, now)?;
    }
    unit.save(&mut held).await?;
    let stopped = held.run.stop_requested;
    let queue = queries::queue(&unit.transaction, place, &runner_id, stopped, now).await?;
    let (run, provider, instance_type) =
        (run_id.as_str(), provider.as_str(), instance_type.as_str());
    let decision = decide(&queue, &runner_id, now, &held.policy);
    if !matches!(decision, Claim::Wait(_)) {
        let idle: Params<'_> = &[&run, &provider, &instance_type, &runner_id.as_str()];
        unit.execute(REMOVE_IDLE, idle).await?;
    }
    match decision {
        Claim::Again(id) => Ok(Claimed::Task(Box::new(chosen(queue.own, &id)?))),
        Claim::Take(id) => {
            let take = Command::Claim { runner_id, runner: runner.map(Box::new) };
            let task = held.step(chosen(queue.oldest_pending, &id)?, take, now)?;
            unit.save(&mut held).await?;
            Ok(Claimed::Task(Box::new(task)))
        }
        Claim::Wait(Idle { runner_id, until }) => {
            let idle: Params<'_> =
                &[&run, &provider, &instance_type, &runner_id.as_str(), &time(until)];
            unit.execute(ADD_IDLE, idle).await?;
            Ok(Claimed::Wait { until })
        }
        Claim::Done => Ok(Claimed::Done),
    }
}

/// The task of the queue that a decision names.
fn chosen(task: Option<Task>, id: &TaskId) -> Result<Task, Failure> {
    task.filter(|task| &task.id == id).ok_or_else(|| StoreError::UnknownTask(id.clone()).into())
}

pub(super) async fn apply(
    unit: &mut Unit<'_>,
    id: &TaskId,
    command: Command,
    now: Timestamp,
) -> Result<Task, Failure> {
    let (mut held, task) = unit.hold_with_task(id).await?;
    let task = held.step(task, command, now)?;
    unit.save(&mut held).await?;
    Ok(task)
}

pub(super) async fn stop(
    unit: &mut Unit<'_>,
    id: &RunId,
    now: Timestamp,
) -> Result<StoredRun, Failure> {
    let mut held = unit.hold(id).await?;
    if let Some(event) = held.run.stop(now) {
        held.record(&[event])?;
        for row in all(&unit.transaction, OPEN_TASKS, &[&id.as_str()]).await? {
            held.step(rows::task(&row)?, Command::Stop, now)?;
        }
        unit.save(&mut held).await?;
    }
    let run = queries::run(&unit.transaction, id).await?;
    run.ok_or_else(|| StoreError::UnknownRun(id.clone()).into())
}

pub(super) async fn expire(
    unit: &mut Unit<'_>,
    now: Timestamp,
    limit: u32,
) -> Result<u32, Failure> {
    let leads = first(&unit.transaction, LEAD, &[&REAPER]).await?;
    if !leads.map_or(Ok(false), |row| row.try_get(0))? {
        return Ok(0);
    }
    let now_text = time(now);
    let mut due: Vec<(RunId, Vec<String>)> = Vec::new();
    for row in all(&unit.transaction, DUE, &[&now_text, &i64::from(limit)]).await? {
        let (run, task) = (rows::run_id(&row, "run_id")?, row.try_get("id")?);
        match due.iter_mut().find(|(known, _)| known == &run) {
            Some((_, tasks)) => tasks.push(task),
            None => due.push((run, vec![task])),
        }
    }
    let mut expired = 0;
    for (run, tasks) in due {
        // Somebody is at work on this run; the next look finds what is still due of it.
        let Some(mut held) = unit.hold_if_free(&run).await? else { continue };
        let due: Params<'_> = &[&run.as_str(), &tasks, &now_text];
        for row in all(&unit.transaction, DUE_OF_RUN, due).await? {
            held.step(rows::task(&row)?, Command::Expire, now)?;
            expired += 1;
        }
        unit.save(&mut held).await?;
    }
    unit.execute(FORGET_IDLE, &[&now_text]).await?;
    unit.execute(FORGET_TOKENS, &[&now_text]).await?;
    Ok(expired)
}

pub(super) async fn append_log(
    unit: &mut Unit<'_>,
    task: &TaskId,
    part: LogPart,
) -> Result<(), Failure> {
    let (id, attempt) = (task.as_str(), i64::from(part.attempt.0));
    let locked = first(&unit.transaction, LOCK_TASK, &[&id]).await?;
    locked.ok_or_else(|| StoreError::UnknownTask(task.clone()))?;
    let row = first(&unit.transaction, LOG_END, &[&id, &attempt]).await?;
    let end: Option<i64> = row.map_or(Ok(None), |row| row.try_get(0))?;
    let end = end.map(|end| columns::place("ends", end)).transpose()?;
    let Some(part) = logs::news(part, end) else { return Ok(()) };
    let (begins, ends) = (part.offset.cast_signed(), part.end().cast_signed());
    let outdated = logs::outdated(part.end()).cast_signed();
    unit.execute(FORGET_LOG, &[&id, &attempt, &outdated]).await?;
    unit.execute(FORGET_LOGS, &[&id, &(attempt - i64::from(logs::ATTEMPTS))]).await?;
    unit.execute(ADD_LOG, &[&id, &attempt, &begins, &ends, &part.text]).await.map(drop)
}

pub(super) async fn add_token(unit: &mut Unit<'_>, token: &StoredToken) -> Result<(), Failure> {
    let (scope, run) = scope_columns(&token.scope);
    let (owner, created_at) = owner_columns(token.owner.as_ref());
    let hash = token.hash.as_slice();
    if let Some(TokenOwner { name, created_at }) = &token.owner {
        unit.execute(END_TOKEN_OF, &[&name.as_str(), &time(*created_at)]).await?;
        if first(&unit.transaction, IS_TAKEN, &[&name.as_str(), &hash]).await?.is_some() {
            return Err(Failure::Refused(StoreError::TokenNameTaken(name.clone())));
        }
    }
    let expires_at = time(token.expires_at);
    let params: Params<'_> = &[&hash, &scope, &run, &expires_at, &owner, &created_at];
    unit.execute(ADD_TOKEN, params).await.map(drop)
}

pub(super) async fn revoke_token(unit: &mut Unit<'_>, owner: &TokenName) -> Result<bool, Failure> {
    Ok(first(&unit.transaction, REVOKE_TOKEN, &[&owner.as_str()]).await?.is_some())
}

pub(super) async fn take_token(
    unit: &mut Unit<'_>,
    hash: TokenHash,
    now: Timestamp,
) -> Result<Option<StoredToken>, Failure> {
    let row = first(&unit.transaction, TAKE_TOKEN, &[&hash.as_slice(), &time(now)]).await?;
    row.map(|row| rows::token(&row, hash)).transpose()
}

/// The key of this name; `fresh` if there is none yet.
pub(super) async fn key(
    unit: &mut Unit<'_>,
    name: &'static str,
    fresh: [u8; 32],
) -> Result<Vec<u8>, Failure> {
    unit.execute(ADD_KEY, &[&name, &fresh.as_slice()]).await?;
    let row = first(&unit.transaction, KEY, &[&name]).await?;
    Ok(row.map_or(Ok(Vec::new()), |row| row.try_get("value"))?)
}
