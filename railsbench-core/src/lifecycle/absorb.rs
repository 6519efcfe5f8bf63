//! How events change a task. This is the only place where a task changes.

use jiff::Timestamp;

use super::{AttemptEnd, AttemptRecord, StoredResult, Task};
use crate::protocol::{Event, EventKind, Phase, Requeue, TaskStatus};

/// How many ended attempts a task remembers: enough to tell a late caller from a stranger,
/// bounded so that a runner that claims and releases for ever cannot grow it.
const REMEMBERED_ATTEMPTS: usize = 32;

impl Task {
    /// Changes the task as an event says. Events are facts: this never refuses, and ignores
    /// events of other tasks and of the run.
    pub fn absorb(&mut self, event: &Event) {
        if event.task_id.as_ref() != Some(&self.id) {
            return;
        }
        self.updated_at = event.at;
        match &event.kind {
            EventKind::TaskClaimed { runner_id, attempt, lease_expires_at, runner } => {
                self.status = TaskStatus::Claimed;
                self.attempt = *attempt;
                self.runner_id = Some(runner_id.clone());
                self.lease_expires_at = Some(*lease_expires_at);
                self.runner = runner.as_deref().cloned();
                self.forget_progress();
                self.message = None;
            }
            EventKind::Heartbeat {
                phase,
                lease_expires_at,
                current_benchmark,
                progress_pct,
                message,
                ..
            } => {
                self.lease_expires_at = Some(*lease_expires_at);
                self.phase = Some(*phase);
                self.current_benchmark.clone_from(current_benchmark);
                self.progress_pct = *progress_pct;
                self.message.clone_from(message);
                if *phase >= Phase::Running {
                    self.status = TaskStatus::Running;
                }
            }
            EventKind::TaskRequeued { reason, message, failures, error_key } => {
                let end = match reason {
                    Requeue::LeaseExpired => AttemptEnd::Expired,
                    Requeue::AttemptFailed => AttemptEnd::Failed,
                    Requeue::Released => AttemptEnd::Released,
                };
                self.end_attempt(end, event.at);
                self.status = TaskStatus::Pending;
                self.failures = *failures;
                self.message = Some(message.clone());
                self.remember_error(error_key.as_ref());
                self.forget_progress();
            }
            EventKind::TaskCompleted { result_key, size, sha256, .. } => {
                if self.status == TaskStatus::Pending {
                    // It completed late: why it went back is no longer so.
                    self.message = None;
                }
                self.end_attempt(AttemptEnd::Completed, event.at);
                self.status = TaskStatus::Completed;
                self.phase = Some(Phase::Finished);
                self.progress_pct = Some(100.0);
                self.current_benchmark = None;
                self.result = Some(StoredResult {
                    key: result_key.clone(),
                    size: *size,
                    sha256: sha256.clone(),
                });
            }
            EventKind::TaskFailed { error_type, error_message, failures, error_key } => {
                self.end_attempt(AttemptEnd::Failed, event.at);
                self.status = TaskStatus::Failed;
                self.failures = *failures;
                self.phase = Some(Phase::Error);
                self.message = Some(format!("{error_type}: {error_message}"));
                self.remember_error(error_key.as_ref());
            }
            EventKind::TaskCancelled => {
                if self.status.is_held() {
                    self.end_attempt(AttemptEnd::Cancelled, event.at);
                }
                self.status = TaskStatus::Cancelled;
            }
            EventKind::StopRequested => self.stop_requested = true,
            EventKind::RunCreated
            | EventKind::RunStatusChanged { .. }
            | EventKind::TaskCreated { .. } => {}
        }
    }

    /// Ends the lease and records how the newest attempt ended. An attempt has one record: that
    /// of one that completed late replaces that of its expiry.
    fn end_attempt(&mut self, end: AttemptEnd, at: Timestamp) {
        self.lease_expires_at = None;
        let Some(runner_id) = self.runner_id.clone() else { return };
        let record = AttemptRecord { attempt: self.attempt, runner_id, end, at };
        match self.attempts.last_mut().filter(|last| last.attempt == self.attempt) {
            Some(last) => *last = record,
            None => self.attempts.push(record),
        }
        if self.attempts.len() > REMEMBERED_ATTEMPTS {
            self.attempts.remove(0);
        }
    }

    fn forget_progress(&mut self) {
        self.phase = None;
        self.progress_pct = None;
        self.current_benchmark = None;
    }

    fn remember_error(&mut self, key: Option<&String>) {
        if let Some(key) = key {
            self.error_key = Some(key.clone());
        }
    }
}
