//! Runs, tasks, events and tokens, kept durably.
//!
//! A [`Store`] decides nothing: it loads state, asks [`railsbench_core::lifecycle`], and persists
//! the answer together with its events in one transaction. What it acknowledges survives
//! `kill -9` and power loss, except in [`memory`]. Every implementation must pass
//! [`conformance`].

mod columns;
pub mod conformance;
pub mod logs;
pub mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod sqlite;
pub mod step;

use async_trait::async_trait;
use jiff::Timestamp;
use railsbench_core::config::RunConfig;
use railsbench_core::id::{
    Attempt, InstanceType, ProviderName, RunId, RunnerId, TaskId, TokenName,
};
use railsbench_core::lifecycle::{Command, Policy, Rejection, Run, Task};
use railsbench_core::protocol::{EventRecord, LogPart, RunnerFacts, TaskStatus};
use tokio::sync::broadcast;

pub use memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresConfig, PostgresStore};
pub use sqlite::SqliteStore;

/// Why a store could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such run.
    #[error("there is no run {0}")]
    UnknownRun(RunId),
    /// No such task.
    #[error("there is no task {0}")]
    UnknownTask(TaskId),
    /// The run exists with another configuration.
    #[error("run {0} exists with a different configuration; choose another run id")]
    DifferentConfig(RunId),
    /// A token of this name exists and has not ended.
    #[error("there is a token {0} already; revoke it first, or choose another name")]
    TokenNameTaken(TokenName),
    /// The lifecycle refuses the command.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The storage engine failed.
    #[error("the store cannot {action}: {detail}")]
    Engine {
        /// What was tried.
        action: &'static str,
        /// What went wrong.
        detail: String,
    },
}

/// A run to be made.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// Its configuration.
    pub config: RunConfig,
    /// Its rules.
    pub policy: Policy,
    /// When it is made.
    pub at: Timestamp,
    /// Random bits for the ids of its tasks.
    pub task_seed: u64,
}

/// A run as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRun {
    /// Its id.
    pub id: RunId,
    /// Its configuration.
    pub config: RunConfig,
    /// Its rules.
    pub policy: Policy,
    /// Its state.
    pub run: Run,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The run that [`Store::create_run`] made or found.
#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    /// The run.
    pub run: StoredRun,
    /// Whether it was made now.
    pub fresh: bool,
}

/// A runner that asks for work.
#[derive(Debug, Clone)]
pub struct ClaimCommand {
    /// Of which run.
    pub run_id: RunId,
    /// Provider of its machine.
    pub provider: ProviderName,
    /// Type of its machine.
    pub instance_type: InstanceType,
    /// Who.
    pub runner_id: RunnerId,
    /// What it tells of its machine.
    pub runner: Option<RunnerFacts>,
}

/// What a runner that asked for work gets.
#[derive(Debug, Clone, PartialEq)]
pub enum Claimed {
    /// This task; its lease is in it.
    Task(Box<Task>),
    /// It waits as a spare until then.
    Wait {
        /// It should ask again at this time.
        until: Timestamp,
    },
    /// Nothing is left for it.
    Done,
}

/// Which tasks of a run to give.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    /// Only in this state.
    pub status: Option<TaskStatus>,
    /// Only of this provider.
    pub provider: Option<ProviderName>,
    /// Only of this instance type.
    pub instance_type: Option<InstanceType>,
}

impl TaskFilter {
    /// Whether a task passes.
    pub fn accepts(&self, task: &Task) -> bool {
        self.status.is_none_or(|status| status == task.status)
            && self.provider.as_ref().is_none_or(|provider| provider == &task.provider)
            && self.instance_type.as_ref().is_none_or(|name| name == &task.instance_type)
    }
}

/// What the bearer of a token may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    Operator,
    /// GETs and the dashboard.
    Reader,
    /// The runner calls of one run.
    Run(RunId),
    /// Be exchanged, once, for a reader token.
    Login,
}

/// SHA-256 of a token: tokens themselves are never stored.
pub type TokenHash = [u8; 32];

/// A token as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredToken {
    /// Its hash.
    pub hash: TokenHash,
    /// What it allows.
    pub scope: Scope,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whose it is, for those that people list and revoke.
    pub owner: Option<TokenOwner>,
}

/// Whose a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenOwner {
    /// The name.
    pub name: TokenName,
    /// When the token was made.
    pub created_at: Timestamp,
}

/// Where runs, tasks, events and tokens are kept.
///
/// Every method is atomic, and durable when it returns. Methods take the time from the caller.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Makes a run with its tasks and their events, or gives the existing run if its
    /// configuration is the same.
    ///
    /// Tasks are made in the order of the configuration: number 1 of every instance type, then
    /// number 2, …
    ///
    /// # Errors
    /// [`StoreError::DifferentConfig`] if the id is taken by another configuration.
    async fn create_run(&self, run: NewRun) -> Result<Created, StoreError>;

    /// A run; `None` if there is none of this id.
    async fn run(&self, id: &RunId) -> Result<Option<StoredRun>, StoreError>;

    /// Runs, newest first (by creation time, then id), at most `limit`, strictly after `after`.
    async fn runs(
        &self,
        after: Option<(Timestamp, RunId)>,
        limit: u32,
    ) -> Result<Vec<StoredRun>, StoreError>;

    /// Tasks of a run in creation order, at most `limit`, strictly after `after`.
    ///
    /// # Errors
    /// [`StoreError::UnknownRun`].
    async fn tasks(
        &self,
        run: &RunId,
        filter: &TaskFilter,
        after: Option<&TaskId>,
        limit: u32,
    ) -> Result<Vec<Task>, StoreError>;

    /// A task and the run it belongs to; `None` if there is none of this id.
    async fn task(&self, id: &TaskId) -> Result<Option<(StoredRun, Task)>, StoreError>;

    /// Gives a runner work by [`railsbench_core::lifecycle::claim`], after expiring the due
    /// leases of its queue.
    ///
    /// # Errors
    /// [`StoreError::UnknownRun`].
    async fn claim(&self, claim: ClaimCommand, now: Timestamp) -> Result<Claimed, StoreError>;

    /// Applies a command to a task and gives the task after it.
    ///
    /// # Errors
    /// [`StoreError::UnknownTask`], or [`StoreError::Rejected`] with nothing changed.
    async fn apply(
        &self,
        task: &TaskId,
        command: Command,
        now: Timestamp,
    ) -> Result<Task, StoreError>;

    /// Asks a run to stop: pending tasks are cancelled, held ones learn it from their runners'
    /// next heartbeat. Idempotent.
    ///
    /// # Errors
    /// [`StoreError::UnknownRun`].
    async fn stop(&self, run: &RunId, now: Timestamp) -> Result<StoredRun, StoreError>;

    /// Expires at most `limit` leases that have run out, and forgets idle runners and tokens
    /// whose time has passed. Gives how many leases were expired.
    async fn expire(&self, now: Timestamp, limit: u32) -> Result<u32, StoreError>;

    /// Events of a run with a sequence number greater than `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::UnknownRun`].
    async fn events(
        &self,
        run: &RunId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<EventRecord>, StoreError>;

    /// Keeps what was said during an attempt: of its log the last [`logs::KEPT`] bytes or so, and
    /// the logs of the last [`logs::ATTEMPTS`] attempts. What the log has already is not kept
    /// twice.
    ///
    /// # Errors
    /// [`StoreError::UnknownTask`].
    async fn append_log(&self, task: &TaskId, part: LogPart) -> Result<(), StoreError>;

    /// What is kept of the logs of a task, by attempt and place; with `after`, only what is later
    /// than this place in this attempt's log.
    ///
    /// # Errors
    /// [`StoreError::UnknownTask`].
    async fn log(
        &self,
        task: &TaskId,
        after: Option<(Attempt, u64)>,
    ) -> Result<Vec<LogPart>, StoreError>;

    /// Tells which run has new events, after they are durable. A receiver that lags must look
    /// at its run again.
    fn changes(&self) -> broadcast::Receiver<RunId>;

    /// Keeps a token. One that has an owner replaces one of the same owner that had ended by the
    /// time it was made.
    ///
    /// # Errors
    /// [`StoreError::TokenNameTaken`] if the owner has another that goes on.
    async fn add_token(&self, token: StoredToken) -> Result<(), StoreError>;

    /// The tokens that have an owner and have not expired, by name.
    async fn owned_tokens(&self, now: Timestamp) -> Result<Vec<StoredToken>, StoreError>;

    /// Ends the token of this owner; `false` if there is none.
    async fn revoke_token(&self, owner: &TokenName) -> Result<bool, StoreError>;

    /// The token of this hash, if it has not expired.
    async fn token(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<StoredToken>, StoreError>;

    /// Takes a token away and gives it, if it has not expired: of two callers only one gets it.
    async fn take_token(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<StoredToken>, StoreError>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// How many changes a receiver of [`Store::changes`] may be behind before it lags.
const CHANGES_KEPT: usize = 1024;

/// The configuration as text: equal texts mean the same configuration.
///
/// # Errors
/// [`StoreError::Engine`] if it cannot be written as JSON.
pub fn canonical(config: &RunConfig) -> Result<String, StoreError> {
    serde_json::to_string(config).map_err(|error| StoreError::Engine {
        action: "write the configuration",
        detail: error.to_string(),
    })
}

/// The tasks that a new run starts with, in creation order; their ids sort in that order.
pub fn first_tasks(new: &NewRun) -> Vec<Task> {
    let milliseconds = u64::try_from(new.at.as_millisecond()).unwrap_or(0);
    (1..=new.config.tasks_per_type)
        .flat_map(|number| new.config.machines.iter().map(move |machine| (number, machine)))
        .zip(0u128..)
        .map(|((number, machine), index)| {
            // Ids must grow with the index, so it stands above the random bits.
            let random = (index << 48) | u128::from(new.task_seed & 0xffff_ffff_ffff);
            Task::new(
                TaskId::from_parts(milliseconds, random),
                machine.provider.clone(),
                machine.instance_type.clone(),
                machine.alias.clone(),
                number,
                new.at,
            )
        })
        .collect()
}
