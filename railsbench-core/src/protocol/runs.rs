//! Runs and tasks as operators see them.

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::tasks::{Phase, RunnerFacts};
use crate::id::{Alias, Attempt, InstanceType, ProviderName, RunId, RunnerId, TaskId};

/// State of a run. The last three never change.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RunStatus {
    /// Nothing is claimed yet.
    #[default]
    Pending,
    /// At least one task has been claimed.
    Running,
    /// All tasks have ended and at least one of them completed.
    Completed,
    /// All tasks have ended and none completed.
    Failed,
    /// It was stopped, and all tasks have ended.
    Cancelled,
}

impl RunStatus {
    /// Whether it can still change.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The status as on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// State of a task. The last three never change.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum TaskStatus {
    /// Free to be claimed.
    #[default]
    Pending,
    /// Held by a runner that has not said `running` yet.
    Claimed,
    /// Held by a runner that runs benchmarks.
    Running,
    /// Done, with a result.
    Completed,
    /// Given up.
    Failed,
    /// Stopped by the operator.
    Cancelled,
}

impl TaskStatus {
    /// All statuses, in order.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Claimed,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether it can still change.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Whether a runner holds the task.
    pub fn is_held(self) -> bool {
        matches!(self, Self::Claimed | Self::Running)
    }

    /// The status as on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Claimed => "claimed",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::str::FromStr for TaskStatus {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|status| status.as_str()).collect();
            format!("{text:?} is not a task status; use one of {}", names.join(", "))
        })
    }
}

/// How many tasks of a run are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskCounts {
    /// All of them.
    pub total: u32,
    /// Free to be claimed.
    pub pending: u32,
    /// Held, not running yet.
    pub claimed: u32,
    /// Held and running.
    pub running: u32,
    /// Done.
    pub completed: u32,
    /// Given up.
    pub failed: u32,
    /// Stopped.
    pub cancelled: u32,
}

impl TaskCounts {
    /// The counter of one status.
    pub fn of(&mut self, status: TaskStatus) -> &mut u32 {
        match status {
            TaskStatus::Pending => &mut self.pending,
            TaskStatus::Claimed => &mut self.claimed,
            TaskStatus::Running => &mut self.running,
            TaskStatus::Completed => &mut self.completed,
            TaskStatus::Failed => &mut self.failed,
            TaskStatus::Cancelled => &mut self.cancelled,
        }
    }

    /// How many have ended.
    pub fn ended(&self) -> u32 {
        self.completed + self.failed + self.cancelled
    }
}

/// A task as shown to operators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskView {
    /// The task.
    pub id: TaskId,
    /// Its provider.
    pub provider: ProviderName,
    /// Its instance type.
    pub instance_type: InstanceType,
    /// The operator's name for the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Alias>,
    /// 1-based number among the tasks of this instance type.
    pub run_number: u32,
    /// State.
    pub status: TaskStatus,
    /// How often it has been claimed.
    pub attempt: Attempt,
    /// How many attempts failed or expired.
    pub failures: u32,
    /// Where the current attempt stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// How much of it is done, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_pct: Option<f64>,
    /// What runs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_benchmark: Option<String>,
    /// What its runner last said, or why it failed or was requeued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Who holds it or held it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_id: Option<RunnerId>,
    /// When the lease ends, while it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub lease_expires_at: Option<Timestamp>,
    /// What the runner told of its machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<RunnerFacts>,
    /// When the task was last changed.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub updated_at: Timestamp,
}

impl TaskView {
    /// What its results are filed under: alias or instance type, and its number.
    pub fn label(&self) -> String {
        let name = self.alias.as_ref().map_or(self.instance_type.as_str(), Alias::as_str);
        format!("{name}-{}", self.run_number)
    }
}

/// A run without its tasks, as in lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunSummary {
    /// The run.
    pub run_id: RunId,
    /// State.
    pub status: RunStatus,
    /// Whether the operator has asked it to stop.
    #[serde(default)]
    pub stop_requested: bool,
    /// `system` or a version.
    pub ruby_version: String,
    /// When it was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// When its last task ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub ended_at: Option<Timestamp>,
    /// Its tasks by state.
    pub task_counts: TaskCounts,
    /// Where its results are listed.
    pub results_url: String,
}

/// `GET /runs/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunView {
    /// The run.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// Its configuration in canonical form.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub config: serde_json::Value,
    /// Its first 1000 tasks; `GET /runs/{id}/tasks` pages through all.
    pub tasks: Vec<TaskView>,
}

/// Writes a secret into an answer that shows it this once; nothing else may serialise one.
pub(super) fn shown_once<S: Serializer>(
    secret: &SecretString,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

#[allow(clippy::ref_option, reason = "serde passes a reference to the field")]
fn shown_once_if_any<S: Serializer>(
    secret: &Option<SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(ExposeSecret::expose_secret).serialize(serializer)
}

/// `POST /runs/{id}/token`: another token for the runners of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunToken {
    /// Token of scope `run`; shown here and never again.
    #[serde(serialize_with = "shown_once")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub run_token: SecretString,
    /// When it ends.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: Timestamp,
}

/// `POST /runs`: the run, and the token of its runners.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedRun {
    /// The run.
    #[serde(flatten)]
    pub run: RunView,
    /// Token of scope `run`; shown here and never again. Absent when the run existed already.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "shown_once_if_any"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub run_token: Option<SecretString>,
}

/// `GET /runs`, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<RunSummary>,
    /// Pass it as `cursor` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// `GET /runs/{id}/tasks`, in creation order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<TaskView>,
    /// Pass it as `cursor` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// `POST /login-links`: a link that opens the dashboard in a browser once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginLink {
    /// The link; worth a reader token until it is used or expires.
    #[serde(serialize_with = "shown_once")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub url: SecretString,
    /// When it ends.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: Timestamp,
}
