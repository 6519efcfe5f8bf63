//! The writes, each inside one savepoint of the writer's transaction.

use jiff::Timestamp;
use railsbench_core::id::{RunId, TaskId, TokenName};
use railsbench_core::lifecycle::{Claim, Command, Idle, Run, Task, claim as decide};
use railsbench_core::protocol::{Event, LogPart};
use rusqlite::{Params, params};

use super::failure::Failure;
use super::queries::{self, Place, first};
use super::rows::{self, RunState};
use super::writer::Unit;
use crate::store::columns::{self, json, owner_columns, providers, scope_columns, time};
use crate::store::{
    ClaimCommand, Claimed, Created, NewRun, StoreError, StoredRun, StoredToken, TokenHash,
    TokenOwner, canonical, first_tasks, logs, step,
};

const ADD_RUN: &str =
    "INSERT INTO runs (id, created_at, policy, providers, config) VALUES (?1, ?2, ?3, ?4, ?5)";
const ADD_RUN_STATE: &str = "INSERT INTO run_states (run_id, state, last_seq) VALUES (?1, ?2, ?3)";
const SAVE_RUN_STATE: &str = "UPDATE run_states SET state = ?2, last_seq = ?3 WHERE run_id = ?1";
const ADD_TASK: &str = "INSERT INTO tasks
     (id, run_id, provider, instance_type, status, runner_id, lease_expires_at, task)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const SAVE_TASK: &str = "UPDATE tasks
     SET status = ?2, runner_id = ?3, lease_expires_at = ?4, task = ?5 WHERE id = ?1";
const ADD_EVENT: &str = "INSERT INTO events (run_id, seq, event) VALUES (?1, ?2, ?3)";
const ADD_IDLE: &str = "INSERT INTO idle_runners
     (run_id, provider, instance_type, runner_id, idle_until) VALUES (?1, ?2, ?3, ?4, ?5)";
const REMOVE_IDLE: &str = "DELETE FROM idle_runners
     WHERE run_id = ?1 AND provider = ?2 AND instance_type = ?3 AND runner_id = ?4";
const FORGET_IDLE: &str = "DELETE FROM idle_runners WHERE idle_until <= ?1";
const LOG_END: &str = "SELECT max(ends) FROM logs WHERE task_id = ?1 AND attempt = ?2";
const ADD_LOG: &str =
    "INSERT INTO logs (task_id, attempt, begins, ends, text) VALUES (?1, ?2, ?3, ?4, ?5)";
const FORGET_LOG: &str = "DELETE FROM logs WHERE task_id = ?1 AND attempt = ?2 AND ends <= ?3";
const FORGET_LOGS: &str = "DELETE FROM logs WHERE task_id = ?1 AND attempt <= ?2";
const ADD_TOKEN: &str =
    "INSERT OR REPLACE INTO tokens (hash, scope, run_id, expires_at, owner, created_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const END_TOKEN_OF: &str = "DELETE FROM tokens WHERE owner = ?1 AND expires_at <= ?2";
const IS_TAKEN: &str = "SELECT 1 FROM tokens WHERE owner = ?1 AND hash <> ?2";
const REVOKE_TOKEN: &str = "DELETE FROM tokens WHERE owner = ?1 RETURNING hash";
const TAKE_TOKEN: &str = "DELETE FROM tokens WHERE hash = ?1 AND expires_at > ?2
     RETURNING scope, run_id, expires_at, owner, created_at";
const FORGET_TOKENS: &str = "DELETE FROM tokens WHERE expires_at <= ?1";

/// Every statement above that looks for rows, for the test that looks at their plans.
#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[
    SAVE_RUN_STATE,
    SAVE_TASK,
    REMOVE_IDLE,
    FORGET_IDLE,
    LOG_END,
    FORGET_LOG,
    FORGET_LOGS,
    END_TOKEN_OF,
    IS_TAKEN,
    REVOKE_TOKEN,
    TAKE_TOKEN,
    FORGET_TOKENS,
];

impl Unit<'_> {
    fn execute(&self, sql: &str, params: impl Params) -> Result<(), Failure> {
        self.connection.prepare_cached(sql)?.execute(params)?;
        Ok(())
    }

    fn run(&self, id: &RunId) -> Result<StoredRun, Failure> {
        queries::run(self.connection, id)?.ok_or_else(|| StoreError::UnknownRun(id.clone()).into())
    }

    /// Adds events to a run's stream, without saving its state.
    fn record(&mut self, run: &mut RunState, events: &[Event]) -> Result<(), Failure> {
        for event in events {
            run.last_seq += 1;
            self.execute(ADD_EVENT, params![run.id.as_str(), run.last_seq, json(event)?])?;
        }
        if !events.is_empty() {
            self.changed.insert(run.id.clone());
        }
        Ok(())
    }

    fn save_run(&self, run: &RunState) -> Result<(), Failure> {
        self.execute(SAVE_RUN_STATE, params![run.id.as_str(), json(&run.run)?, run.last_seq])
    }

    /// Applies a command to a loaded task; saves the task and its events, and leaves the run to
    /// be saved.
    fn step(
        &mut self,
        run: &mut RunState,
        task: &mut Task,
        command: Command,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let events = step::apply(&mut run.run, task, command, now, &run.policy)?;
        if events.is_empty() {
            return Ok(());
        }
        let columns = params![
            task.id.as_str(),
            task.status.as_str(),
            task.runner_id.as_ref().map(railsbench_core::id::RunnerId::as_str),
            task.lease_expires_at.map(time),
            json(task)?,
        ];
        self.execute(SAVE_TASK, columns)?;
        self.record(run, &events)
    }
}

pub(super) fn create_run(unit: &mut Unit<'_>, new: NewRun) -> Result<Created, Failure> {
    let config = canonical(&new.config)?;
    if let Some(existing) = queries::config(unit.connection, &new.id)? {
        return if existing == config {
            Ok(Created { run: unit.run(&new.id)?, fresh: false })
        } else {
            Err(StoreError::DifferentConfig(new.id).into())
        };
    }
    let tasks = first_tasks(&new);
    let events = step::first_events(&new, &tasks);
    let run = Run::new(u32::try_from(tasks.len()).unwrap_or(u32::MAX));
    let mut state = RunState { id: new.id.clone(), policy: new.policy, run, last_seq: 0 };
    let id = new.id.as_str();
    unit.execute(
        ADD_RUN,
        params![id, time(new.at), json(&new.policy)?, providers(&new.config)?, config],
    )?;
    unit.execute(ADD_RUN_STATE, params![id, json(&state.run)?, state.last_seq])?;
    for task in &tasks {
        let columns = params![
            task.id.as_str(),
            id,
            task.provider.as_str(),
            task.instance_type.as_str(),
            task.status.as_str(),
            None::<&str>,
            None::<&str>,
            json(task)?,
        ];
        unit.execute(ADD_TASK, columns)?;
    }
    unit.record(&mut state, &events)?;
    unit.save_run(&state)?;
    let run = StoredRun {
        id: new.id,
        config: new.config,
        policy: new.policy,
        run: state.run,
        created_at: new.at,
    };
    Ok(Created { run, fresh: true })
}

pub(super) fn claim(
    unit: &mut Unit<'_>,
    command: ClaimCommand,
    now: Timestamp,
) -> Result<Claimed, Failure> {
    let ClaimCommand { run_id, provider, instance_type, runner_id, runner } = command;
    let place = Place { run: &run_id, provider: &provider, instance_type: &instance_type };
    let mut run = queries::run_state(unit.connection, &run_id)?;
    let before = run.last_seq;
    for mut task in queries::due_in_queue(unit.connection, place, now)? {
        unit.step(&mut run, &mut task, Command::Expire, now)?;
    }
    let queue = queries::queue(unit.connection, place, &runner_id, run.run.stop_requested, now)?;
    let decision = decide(&queue, &runner_id, now, &run.policy);
    let at =
        params![run_id.as_str(), provider.as_str(), instance_type.as_str(), runner_id.as_str()];
    unit.execute(REMOVE_IDLE, at)?;
    let claimed = match decision {
        Claim::Again(id) => Claimed::Task(Box::new(chosen(queue.own, &id)?)),
        Claim::Take(id) => {
            let mut task = chosen(queue.oldest_pending, &id)?;
            let take = Command::Claim { runner_id, runner: runner.map(Box::new) };
            unit.step(&mut run, &mut task, take, now)?;
            Claimed::Task(Box::new(task))
        }
        Claim::Wait(Idle { runner_id, until }) => {
            let columns = params![
                run_id.as_str(),
                provider.as_str(),
                instance_type.as_str(),
                runner_id.as_str(),
                time(until),
            ];
            unit.execute(ADD_IDLE, columns)?;
            Claimed::Wait { until }
        }
        Claim::Done => Claimed::Done,
    };
    if run.last_seq != before {
        unit.save_run(&run)?;
    }
    Ok(claimed)
}

/// The task of the queue that a decision names.
fn chosen(task: Option<Task>, id: &TaskId) -> Result<Task, Failure> {
    task.filter(|task| &task.id == id).ok_or_else(|| StoreError::UnknownTask(id.clone()).into())
}

pub(super) fn apply(
    unit: &mut Unit<'_>,
    id: &TaskId,
    command: Command,
    now: Timestamp,
) -> Result<Task, Failure> {
    let (run_id, mut task) =
        queries::task(unit.connection, id)?.ok_or_else(|| StoreError::UnknownTask(id.clone()))?;
    let mut run = queries::run_state(unit.connection, &run_id)?;
    let before = run.last_seq;
    unit.step(&mut run, &mut task, command, now)?;
    if run.last_seq != before {
        unit.save_run(&run)?;
    }
    Ok(task)
}

pub(super) fn stop(unit: &mut Unit<'_>, id: &RunId, now: Timestamp) -> Result<StoredRun, Failure> {
    let mut run = queries::run_state(unit.connection, id)?;
    if let Some(event) = run.run.stop(now) {
        unit.record(&mut run, &[event])?;
        for mut task in queries::open_tasks(unit.connection, id)? {
            unit.step(&mut run, &mut task, Command::Stop, now)?;
        }
        unit.save_run(&run)?;
    }
    unit.run(id)
}

pub(super) fn expire(unit: &mut Unit<'_>, now: Timestamp, limit: u32) -> Result<u32, Failure> {
    let mut expired = 0;
    for (run_id, mut task) in queries::due(unit.connection, now, limit)? {
        let mut run = queries::run_state(unit.connection, &run_id)?;
        unit.step(&mut run, &mut task, Command::Expire, now)?;
        unit.save_run(&run)?;
        expired += 1;
    }
    unit.execute(FORGET_IDLE, [time(now)])?;
    unit.execute(FORGET_TOKENS, [time(now)])?;
    Ok(expired)
}

pub(super) fn append_log(unit: &mut Unit<'_>, task: &TaskId, part: LogPart) -> Result<(), Failure> {
    queries::check_task(unit.connection, task)?;
    let (id, attempt) = (task.as_str(), part.attempt.0);
    let end: Option<i64> = unit
        .connection
        .prepare_cached(LOG_END)?
        .query_row(params![id, attempt], |row| row.get(0))?;
    let end = end.map(|end| columns::place("ends", end)).transpose()?;
    let Some(part) = logs::news(part, end) else { return Ok(()) };
    let outdated = logs::outdated(part.end()).cast_signed();
    unit.execute(FORGET_LOG, params![id, attempt, outdated])?;
    unit.execute(FORGET_LOGS, params![id, i64::from(attempt) - i64::from(logs::ATTEMPTS)])?;
    let (begins, ends) = (part.offset.cast_signed(), part.end().cast_signed());
    unit.execute(ADD_LOG, params![id, attempt, begins, ends, part.text])
}

pub(super) fn add_token(unit: &mut Unit<'_>, token: &StoredToken) -> Result<(), Failure> {
    let (scope, run) = scope_columns(&token.scope);
    let (owner, created_at) = owner_columns(token.owner.as_ref());
    if let Some(TokenOwner { name, created_at }) = &token.owner {
        unit.execute(END_TOKEN_OF, params![name.as_str(), time(*created_at)])?;
        if first(unit.connection, IS_TAKEN, params![name.as_str(), token.hash], |_| Ok(()))?
            .is_some()
        {
            return Err(Failure::Refused(StoreError::TokenNameTaken(name.clone())));
        }
    }
    let expires_at = time(token.expires_at);
    unit.execute(ADD_TOKEN, params![token.hash, scope, run, expires_at, owner, created_at])
}

pub(super) fn revoke_token(unit: &mut Unit<'_>, owner: &TokenName) -> Result<bool, Failure> {
    let revoked = first(unit.connection, REVOKE_TOKEN, params![owner.as_str()], |_| Ok(()))?;
    Ok(revoked.is_some())
}

pub(super) fn take_token(
    unit: &mut Unit<'_>,
    hash: TokenHash,
    now: Timestamp,
) -> Result<Option<StoredToken>, Failure> {
    first(unit.connection, TAKE_TOKEN, params![hash, time(now)], |row| rows::token(row, hash))
}
