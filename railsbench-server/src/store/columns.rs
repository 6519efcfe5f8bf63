//! How values look in the columns of a database: the same in every engine, so that rows can be
//! compared and moved between them.

use jiff::Timestamp;
use railsbench_core::config::RunConfig;
use railsbench_core::id::{InvalidId, RunId, RunnerId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Scope, TokenOwner};

/// What is stored cannot be read back, or a value cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Damaged(String);

impl Damaged {
    /// The value of a column is not what it must be.
    pub(super) fn new(column: &str, error: impl std::fmt::Display) -> Self {
        Self(format!("the stored {column} is damaged: {error}"))
    }
}

/// A time as stored: of fixed length, so that it sorts as text.
pub(super) fn time(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// A value as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<String, Damaged> {
    serde_json::to_string(value).map_err(|error| Damaged(error.to_string()))
}

/// The value that was written as JSON.
pub(super) fn parsed<T: DeserializeOwned>(column: &str, text: &str) -> Result<T, Damaged> {
    serde_json::from_str(text).map_err(|error| Damaged::new(column, error))
}

/// The time that was written by [`time`].
pub(super) fn instant(column: &str, text: &str) -> Result<Timestamp, Damaged> {
    text.parse().map_err(|error| Damaged::new(column, error))
}

/// The place that was written as a number of a database, which has a sign.
pub(super) fn place(column: &str, number: i64) -> Result<u64, Damaged> {
    u64::try_from(number).map_err(|error| Damaged::new(column, error))
}

pub(super) fn run_id(column: &str, text: &str) -> Result<RunId, Damaged> {
    RunId::new(text).map_err(|error| Damaged::new(column, error))
}

pub(super) fn runner_id(column: &str, text: &str) -> Result<RunnerId, Damaged> {
    RunnerId::new(text).map_err(|error| Damaged::new(column, error))
}

/// The names of the providers of a configuration, as JSON: without them it cannot be read back.
pub(super) fn providers(config: &RunConfig) -> Result<String, Damaged> {
    let mut names: Vec<&str> =
        config.machines.iter().map(|machine| machine.provider.as_str()).collect();
    names.dedup();
    json(&names)
}

/// The configuration that was written as [`super::canonical`], with its [`providers`].
pub(super) fn config(providers: &str, config: &str) -> Result<RunConfig, Damaged> {
    let providers: Vec<String> = parsed("providers", providers)?;
    let providers: Vec<&str> = providers.iter().map(String::as_str).collect();
    RunConfig::parse_for(config, &providers).map_err(|error| Damaged::new("config", error))
}

/// A scope as its name and its run.
pub(super) fn scope_columns(scope: &Scope) -> (&'static str, Option<&str>) {
    match scope {
        Scope::Operator => ("operator", None),
        Scope::Reader => ("reader", None),
        Scope::Login => ("login", None),
        Scope::Run(run) => ("run", Some(run.as_str())),
    }
}

/// What is written of the owner of a token: the name, and when the token was made.
pub(super) fn owner_columns(owner: Option<&TokenOwner>) -> (Option<&str>, Option<String>) {
    let name = owner.map(|owner| owner.name.as_str());
    (name, owner.map(|owner| time(owner.created_at)))
}

/// The owner that was written by [`owner_columns`].
pub(super) fn owner(
    name: Option<&str>,
    created_at: Option<&str>,
) -> Result<Option<TokenOwner>, Damaged> {
    let (Some(name), Some(created_at)) = (name, created_at) else { return Ok(None) };
    let name = name.parse().map_err(|error: InvalidId| Damaged::new("owner", error))?;
    Ok(Some(TokenOwner { name, created_at: instant("created_at", created_at)? }))
}

/// The scope that was written by [`scope_columns`].
pub(super) fn scope(name: &str, run: Option<&str>) -> Result<Scope, Damaged> {
    match (name, run) {
        ("operator", _) => Ok(Scope::Operator),
        ("reader", _) => Ok(Scope::Reader),
        ("login", _) => Ok(Scope::Login),
        ("run", Some(run)) => Ok(Scope::Run(run_id("run_id", run)?)),
        (other, _) => Err(Damaged::new("scope", format_args!("{other:?} is none"))),
    }
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
            prop_assert_eq!(instant("x", &time(a)).unwrap(), a);
        }
    }

    #[test]
    fn the_last_time_of_all_is_no_longer_than_others() {
        assert_eq!(time(Timestamp::MAX).len(), time(Timestamp::UNIX_EPOCH).len());
    }

    #[test]
    fn scopes_come_back_and_others_are_damage() {
        let run = RunId::new("r").unwrap();
        for wanted in [Scope::Operator, Scope::Reader, Scope::Login, Scope::Run(run)] {
            let (name, run) = scope_columns(&wanted);
            assert_eq!(scope(name, run).unwrap(), wanted);
        }
        assert!(scope("run", None).is_err() && scope("root", None).is_err());
    }
}
