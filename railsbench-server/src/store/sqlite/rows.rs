//! What is stored in which column, in one place: everything that turns values into rows and
//! rows into values.

use jiff::Timestamp;
use railsbench_core::config::RunConfig;
use railsbench_core::id::{RunId, RunnerId};
use railsbench_core::lifecycle::{Idle, Policy, Run, Task};
use railsbench_core::protocol::{Event, EventRecord};
use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::failure::Failure;
use crate::store::{Scope, StoredRun, StoredToken, TokenHash};

/// A time as stored: of fixed length, so that it sorts as text.
pub(super) fn time(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// A value as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Unreadable(error.to_string()))
}

fn text<'row>(row: &'row Row<'_>, column: &str) -> Result<&'row str, Failure> {
    let value = row.get_ref(column)?;
    value.as_str().map_err(|error| unreadable(column, error))
}

fn unreadable(column: &str, error: impl std::fmt::Display) -> Failure {
    Failure::Unreadable(format!("the stored {column} is damaged: {error}"))
}

fn parsed<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T, Failure> {
    serde_json::from_str(text(row, column)?).map_err(|error| unreadable(column, error))
}

fn instant(row: &Row<'_>, column: &str) -> Result<Timestamp, Failure> {
    text(row, column)?.parse().map_err(|error| unreadable(column, error))
}

fn run_id(row: &Row<'_>, column: &str) -> Result<RunId, Failure> {
    RunId::new(text(row, column)?).map_err(|error| unreadable(column, error))
}

/// The columns `id, created_at, policy, providers, config` of `runs` and `state` of `run_states`.
pub(super) fn stored_run(row: &Row<'_>) -> Result<StoredRun, Failure> {
    let providers: Vec<String> = parsed(row, "providers")?;
    let providers: Vec<&str> = providers.iter().map(String::as_str).collect();
    let config = RunConfig::parse_for(text(row, "config")?, &providers)
        .map_err(|error| unreadable("config", error))?;
    Ok(StoredRun {
        id: run_id(row, "id")?,
        config,
        policy: parsed(row, "policy")?,
        run: parsed(row, "state")?,
        created_at: instant(row, "created_at")?,
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
    let seq = u64::try_from(row.get::<_, i64>("seq")?).map_err(|error| unreadable("seq", error))?;
    Ok(EventRecord { seq, run_id: run.clone(), event })
}

/// The columns `runner_id` and `idle_until` of `idle_runners`.
pub(super) fn idle(row: &Row<'_>) -> Result<Idle, Failure> {
    let runner_id =
        RunnerId::new(text(row, "runner_id")?).map_err(|error| unreadable("runner_id", error))?;
    Ok(Idle { runner_id, until: instant(row, "idle_until")? })
}

/// A scope as the columns `scope` and `run_id` of `tokens`.
pub(super) fn scope_columns(scope: &Scope) -> (&'static str, Option<&str>) {
    match scope {
        Scope::Operator => ("operator", None),
        Scope::Reader => ("reader", None),
        Scope::Login => ("login", None),
        Scope::Run(run) => ("run", Some(run.as_str())),
    }
}

/// The columns `scope`, `run_id` and `expires_at` of `tokens`.
pub(super) fn token(row: &Row<'_>, hash: TokenHash) -> Result<StoredToken, Failure> {
    let scope = match text(row, "scope")? {
        "operator" => Scope::Operator,
        "reader" => Scope::Reader,
        "login" => Scope::Login,
        "run" => Scope::Run(run_id(row, "run_id")?),
        other => return Err(unreadable("scope", format_args!("{other:?} is none"))),
    };
    Ok(StoredToken { hash, scope, expires_at: instant(row, "expires_at")? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn instants() -> impl Strategy<Value = Timestamp> {
        (0i64..253_000_000_000, 0i32..1_000_000_000)
            .prop_map(|(second, nanosecond)| Timestamp::new(second, nanosecond).unwrap())
    }

    proptest! {
        #[test]
        fn times_sort_as_text_and_come_back_exactly(a in instants(), b in instants()) {
            prop_assert_eq!(time(a).cmp(&time(b)), a.cmp(&b));
            prop_assert_eq!(time(a).parse::<Timestamp>().unwrap(), a);
        }
    }

    #[test]
    fn the_last_time_of_all_is_no_longer_than_others() {
        assert_eq!(time(Timestamp::MAX).len(), time(Timestamp::UNIX_EPOCH).len());
    }
}
