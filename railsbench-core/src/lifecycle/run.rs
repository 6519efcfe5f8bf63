//! A run as a whole: it follows what happens to its tasks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::protocol::{Event, EventKind, RunStatus, TaskCounts, TaskStatus};

/// What is stored of a run besides its configuration and tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// State.
    pub status: RunStatus,
    /// Whether the operator has asked it to stop.
    pub stop_requested: bool,
    /// Its tasks by state.
    pub counts: TaskCounts,
    /// When its last task ended.
    pub ended_at: Option<Timestamp>,
}

impl Run {
    /// A run of so many tasks, all free to be claimed.
    pub fn new(tasks: u32) -> Self {
        let counts = TaskCounts { total: tasks, pending: tasks, ..TaskCounts::default() };
        Self { counts, ..Self::default() }
    }

    /// Asks the run to stop. Gives the event, or none if it was asked before or has ended.
    /// The caller then applies [`super::Command::Stop`] to each task.
    pub fn stop(&mut self, now: Timestamp) -> Option<Event> {
        if self.stop_requested || self.status.is_ended() {
            return None;
        }
        self.stop_requested = true;
        Some(Event { at: now, task_id: None, kind: EventKind::StopRequested })
    }

    /// Follows a task from one status to another. Gives the event if that changes the run:
    /// the first claim starts it, the last end ends it.
    pub fn follow(&mut self, from: TaskStatus, to: TaskStatus, now: Timestamp) -> Option<Event> {
        if from != to {
            let leaving = self.counts.of(from);
            *leaving = leaving.saturating_sub(1);
            *self.counts.of(to) += 1;
        }
        let status = self.status_by_counts();
        if status == self.status || self.status.is_ended() {
            return None;
        }
        let event = Event { at: now, task_id: None, kind: EventKind::RunStatusChanged { status } };
        self.absorb(&event);
        Some(event)
    }

    fn status_by_counts(&self) -> RunStatus {
        if self.counts.ended() < self.counts.total {
            // Tasks may be cancelled one by one before anything of the run was claimed.
            let untouched = self.counts.pending + self.counts.cancelled == self.counts.total;
            return if untouched && self.status == RunStatus::Pending {
                RunStatus::Pending
            } else {
                RunStatus::Running
            };
        }
        if self.stop_requested && self.counts.cancelled > 0 {
            RunStatus::Cancelled
        } else if self.counts.completed > 0 {
            RunStatus::Completed
        } else {
            RunStatus::Failed
        }
    }

    /// Changes the run as an event of its own says; ignores those of tasks.
    pub fn absorb(&mut self, event: &Event) {
        if event.task_id.is_some() {
            return;
        }
        match event.kind {
            EventKind::StopRequested => self.stop_requested = true,
            EventKind::RunStatusChanged { status } => {
                self.status = status;
                if status.is_ended() {
                    self.ended_at = Some(event.at);
                }
            }
            _ => {}
        }
    }
}
