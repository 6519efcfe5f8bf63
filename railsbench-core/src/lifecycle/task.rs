//! One task: its state, and what runners and operators see of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Policy;
use crate::id::{Alias, Attempt, InstanceType, ProviderName, RunnerId, TaskId};
use crate::protocol::{Directive, Lease, Phase, RunnerFacts, TaskStatus, TaskView};

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// Its lease ran out, and the task went back to be claimed again.
    Expired,
    /// It failed, or its lease ran out and that was the task's last failure.
    Failed,
    /// It was given back.
    Released,
    /// It completed.
    Completed,
    /// It was stopped.
    Cancelled,
}

/// An attempt that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// Its number.
    pub attempt: Attempt,
    /// Who held it.
    pub runner_id: RunnerId,
    /// How it ended.
    pub end: AttemptEnd,
    /// When.
    pub at: Timestamp,
}

/// The stored object that counts as a task's result.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StoredResult {
    /// Its key in the artifact store.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// A task as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Its provider.
    pub provider: ProviderName,
    /// Its instance type.
    pub instance_type: InstanceType,
    /// The operator's name for the type.
    pub alias: Option<Alias>,
    /// 1-based number among the tasks of this instance type.
    pub run_number: u32,
    /// State.
    pub status: TaskStatus,
    /// Fencing number of the newest attempt.
    pub attempt: Attempt,
    /// Attempts that failed or expired.
    pub failures: u32,
    /// Whether the operator wants it stopped.
    pub stop_requested: bool,
    /// Who holds it, or held it last.
    pub runner_id: Option<RunnerId>,
    /// When the lease of the holder ends; absent when nobody holds it.
    pub lease_expires_at: Option<Timestamp>,
    /// Where the newest attempt stands.
    pub phase: Option<Phase>,
    /// How much of it is done, 0 to 100.
    pub progress_pct: Option<f64>,
    /// What runs now.
    pub current_benchmark: Option<String>,
    /// What its runner last said, or why it was requeued or failed.
    pub message: Option<String>,
    /// What the runner told of its machine.
    pub runner: Option<RunnerFacts>,
    /// The result, once completed.
    pub result: Option<StoredResult>,
    /// Key of the newest error archive.
    pub error_key: Option<String>,
    /// Ended attempts, oldest first; the last 32.
    pub attempts: Vec<AttemptRecord>,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Task {
    /// A new task, free to be claimed.
    pub fn new(
        id: TaskId,
        provider: ProviderName,
        instance_type: InstanceType,
        alias: Option<Alias>,
        run_number: u32,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            provider,
            instance_type,
            alias,
            run_number,
            status: TaskStatus::Pending,
            attempt: Attempt(0),
            failures: 0,
            stop_requested: false,
            runner_id: None,
            lease_expires_at: None,
            phase: None,
            progress_pct: None,
            current_benchmark: None,
            message: None,
            runner: None,
            result: None,
            error_key: None,
            attempts: Vec::new(),
            updated_at: now,
        }
    }

    /// How the newest attempt ended; `None` while it is held, or if there was none.
    pub(super) fn last_end(&self) -> Option<AttemptEnd> {
        self.attempts
            .last()
            .filter(|record| record.attempt == self.attempt)
            .map(|record| record.end)
    }

    /// The lease of the runner that holds the task now.
    pub fn lease(&self, policy: &Policy) -> Option<Lease> {
        Some(Lease {
            runner_id: self.runner_id.clone()?,
            attempt: self.attempt,
            expires_at: self.lease_expires_at?,
            heartbeat_seconds: u32::try_from(policy.heartbeat.as_secs().max(1)).unwrap_or(u32::MAX),
        })
    }

    /// What the holder is told at a heartbeat.
    pub fn directive(&self) -> Directive {
        if self.status.is_held() && !self.stop_requested {
            Directive::Continue
        } else {
            Directive::Stop
        }
    }

    /// The task as operators see it.
    pub fn view(&self) -> TaskView {
        TaskView {
            id: self.id.clone(),
            provider: self.provider.clone(),
            instance_type: self.instance_type.clone(),
            alias: self.alias.clone(),
            run_number: self.run_number,
            status: self.status,
            attempt: self.attempt,
            failures: self.failures,
            phase: self.phase,
            progress_pct: self.progress_pct,
            current_benchmark: self.current_benchmark.clone(),
            message: self.message.clone(),
            runner_id: self.runner_id.clone(),
            lease_expires_at: self.lease_expires_at,
            runner: self.runner.clone(),
            updated_at: self.updated_at,
        }
    }
}
