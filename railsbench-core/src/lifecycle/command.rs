//! What can be asked of a task, by whom, and why it may be refused.

use crate::id::{Attempt, RunnerId, TaskId};
use crate::protocol::{Phase, RunnerFacts, TaskStatus, Telemetry};

use super::StoredResult;

/// Who calls: what a request says of itself. Both parts are optional, because the smallest
/// client sends neither and is known by its token alone.
///
/// A part that is given must be right. Only a caller that gives its attempt, or an id that no
/// other attempt has used, is told apart from an earlier holder of the same task; one that gives
/// neither is taken for the newest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The runner's name.
    pub runner_id: Option<RunnerId>,
    /// The attempt it believes to hold.
    pub attempt: Option<Attempt>,
}

/// What can be asked of a task.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// A runner takes it; only through [`super::claim`].
    Claim {
        /// Who.
        runner_id: RunnerId,
        /// What it tells of its machine.
        runner: Option<Box<RunnerFacts>>,
    },
    /// A sign of life. A phase of `error` is a failure of kind `runner_error`.
    Heartbeat {
        /// Who.
        caller: Caller,
        /// Where the attempt stands.
        phase: Phase,
        /// What runs now.
        current_benchmark: Option<String>,
        /// How much is done, 0 to 100.
        progress_pct: Option<f64>,
        /// Anything worth saying.
        message: Option<String>,
        /// State of the machine.
        telemetry: Option<Telemetry>,
    },
    /// The result is stored and has been looked at.
    Complete {
        /// Who.
        caller: Caller,
        /// What is stored.
        result: StoredResult,
    },
    /// The attempt failed.
    Fail {
        /// Who.
        caller: Caller,
        /// A short name.
        error_type: String,
        /// What went wrong.
        error_message: String,
        /// Whether another attempt may do better.
        retryable: bool,
        /// Key of the stored error archive.
        error_key: Option<String>,
    },
    /// The runner gives the task back unharmed.
    Release {
        /// Who.
        caller: Caller,
        /// Why.
        reason: Option<String>,
    },
    /// The operator wants it stopped.
    Stop,
    /// Time has passed: ends a lease that has run out, and does nothing otherwise.
    Expire,
}

/// Why a command is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Another attempt has the task, or the lease ran out and the task went back.
    #[error("lease lost: attempt {attempt} no longer holds task {task}; stop working on it")]
    LeaseLost {
        /// The task.
        task: TaskId,
        /// The attempt that called.
        attempt: Attempt,
    },
    /// The caller's runner id has never held the task.
    #[error(
        "Invalid runner_id: task {task} was claimed under another one; \
         send the runner_id that the claim was answered with"
    )]
    WrongRunner {
        /// The task.
        task: TaskId,
    },
    /// The task cannot take this command in its state.
    #[error("task {task} is {}: it cannot {wanted}; claim again for other work", .status.as_str())]
    WrongState {
        /// The task.
        task: TaskId,
        /// Its state.
        status: TaskStatus,
        /// What was asked of it.
        wanted: &'static str,
    },
}
