//! Rebuilding a run from its event stream.

use std::collections::BTreeMap;

use super::{Run, Task};
use crate::id::TaskId;
use crate::protocol::{EventKind, EventRecord, TaskStatus};

/// A run and its tasks as their events tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replay {
    /// The run.
    pub run: Run,
    /// Its tasks.
    pub tasks: BTreeMap<TaskId, Task>,
    /// Number of the last event seen.
    pub last_seq: u64,
}

/// An event that cannot follow those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// An event is missing or came twice.
    #[error("event {found} follows event {last}: the stream has a gap or a repeat")]
    OutOfSequence {
        /// The last event that fitted.
        last: u64,
        /// The one that did not.
        found: u64,
    },
    /// An event names a task that was never made.
    #[error("event {seq} is of task {task}, which was never made")]
    UnknownTask {
        /// The event.
        seq: u64,
        /// The task.
        task: TaskId,
    },
}

impl Replay {
    /// Adds the next event.
    ///
    /// # Errors
    /// [`ReplayError`] if the stream has a gap, a repeat or an unknown task.
    pub fn push(&mut self, record: &EventRecord) -> Result<(), ReplayError> {
        if record.seq != self.last_seq + 1 {
            return Err(ReplayError::OutOfSequence { last: self.last_seq, found: record.seq });
        }
        self.last_seq = record.seq;
        let event = &record.event;
        let Some(task_id) = &event.task_id else {
            self.run.absorb(event);
            return Ok(());
        };
        if let EventKind::TaskCreated { provider, instance_type, alias, run_number } = &event.kind {
            let task = Task::new(
                task_id.clone(),
                provider.clone(),
                instance_type.clone(),
                alias.clone(),
                *run_number,
                event.at,
            );
            self.tasks.insert(task_id.clone(), task);
            self.run.counts.total += 1;
            *self.run.counts.of(TaskStatus::Pending) += 1;
            return Ok(());
        }
        let Some(task) = self.tasks.get_mut(task_id) else {
            return Err(ReplayError::UnknownTask { seq: record.seq, task: task_id.clone() });
        };
        let from = task.status;
        task.absorb(event);
        let to = task.status;
        // The run's own events tell its status; here only the counters follow.
        let counts = &mut self.run.counts;
        *counts.of(from) = counts.of(from).saturating_sub(1);
        *counts.of(to) += 1;
        Ok(())
    }
}
