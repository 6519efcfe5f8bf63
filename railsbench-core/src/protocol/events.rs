//! The event stream of a run: everything that happened to it, in order, without gaps.
//!
//! Events are what the lifecycle emits and the store keeps; replaying a run's events from
//! nothing gives its stored state (see [`crate::lifecycle::Replay`]). They are also what
//! `GET /runs/{id}/events` sends.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::runs::RunStatus;
use super::tasks::{Phase, RunnerFacts, Telemetry};
use crate::id::{Alias, Attempt, InstanceType, ProviderName, RunId, RunnerId, TaskId};

/// One event as the lifecycle emits it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Timestamp,
    /// To which task; absent for events of the run itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum EventKind {
    /// The run was made.
    RunCreated,
    /// The run's status changed.
    RunStatusChanged {
        /// The new status.
        status: RunStatus,
    },
    /// The operator asked the run to stop.
    StopRequested,
    /// A task was made.
    TaskCreated {
        /// Its provider.
        provider: ProviderName,
        /// Its instance type.
        instance_type: InstanceType,
        /// The operator's name for the type.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alias: Option<Alias>,
        /// 1-based number among the tasks of this instance type.
        run_number: u32,
    },
    /// A runner took the task.
    TaskClaimed {
        /// Who.
        runner_id: RunnerId,
        /// Its fencing number.
        attempt: Attempt,
        /// When the lease ends.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        lease_expires_at: Timestamp,
        /// What it told of its machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        runner: Option<Box<RunnerFacts>>,
    },
    /// The runner gave a sign of life.
    Heartbeat {
        /// Where the attempt stands.
        phase: Phase,
        /// When the renewed lease ends.
        #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
        lease_expires_at: Timestamp,
        /// What runs now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        current_benchmark: Option<String>,
        /// How much is done, 0 to 100.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        progress_pct: Option<f64>,
        /// Anything worth saying.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// State of the machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        telemetry: Option<Telemetry>,
    },
    /// The task went back to be claimed again.
    TaskRequeued {
        /// Why.
        reason: Requeue,
        /// In words.
        message: String,
        /// Failures so far.
        failures: u32,
        /// Key of the error archive, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error_key: Option<String>,
    },
    /// The task completed.
    TaskCompleted {
        /// The attempt whose result counts.
        attempt: Attempt,
        /// Key of the result.
        result_key: String,
        /// Its size in bytes.
        size: u64,
        /// Its SHA-256.
        sha256: String,
    },
    /// The task was given up.
    TaskFailed {
        /// A short name.
        error_type: String,
        /// What went wrong.
        error_message: String,
        /// Failures in all.
        failures: u32,
        /// Key of the error archive, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error_key: Option<String>,
    },
    /// The task was stopped.
    TaskCancelled,
}

/// Why a task went back to be claimed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Requeue {
    /// No heartbeat came in time; counts as a failure.
    LeaseExpired,
    /// The attempt failed; counts as a failure.
    AttemptFailed,
    /// The runner gave it back unharmed; does not count.
    Released,
}

impl EventKind {
    /// The name of the event on the wire, e.g. `task_claimed`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RunCreated => "run_created",
            Self::RunStatusChanged { .. } => "run_status_changed",
            Self::StopRequested => "stop_requested",
            Self::TaskCreated { .. } => "task_created",
            Self::TaskClaimed { .. } => "task_claimed",
            Self::Heartbeat { .. } => "heartbeat",
            Self::TaskRequeued { .. } => "task_requeued",
            Self::TaskCompleted { .. } => "task_completed",
            Self::TaskFailed { .. } => "task_failed",
            Self::TaskCancelled => "task_cancelled",
        }
    }
}

/// One event as stored and sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventRecord {
    /// 1-based place in the run's stream, without gaps; the `id` of the server-sent event.
    pub seq: u64,
    /// The run.
    pub run_id: RunId,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}
