//! Rebuilding a run from its event stream.

use std::collections::BTreeMap;

use super::{Run, Task};
use crate::id::TaskId;
use crate::protocol::{Event, EventKind, EventRecord, TaskStatus};

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
    /// A task was made twice.
    #[error("event {seq} makes task {task}, which was made before")]
    RepeatedTask {
        /// The event.
        seq: u64,
        /// The task.
        task: TaskId,
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
    /// [`ReplayError`] if the stream has a gap or a repeat, or if a task is unknown or made
    /// twice; nothing is changed then.
    pub fn push(&mut self, record: &EventRecord) -> Result<(), ReplayError> {
        if record.seq != self.last_seq + 1 {
            return Err(ReplayError::OutOfSequence { last: self.last_seq, found: record.seq });
        }
        let event = &record.event;
        match &event.task_id {
            None => self.run.absorb(event),
            Some(task) => self.push_of_task(record.seq, task, event)?,
        }
        self.last_seq = record.seq;
        Ok(())
    }

    fn push_of_task(&mut self, seq: u64, id: &TaskId, event: &Event) -> Result<(), ReplayError> {
        let counts = &mut self.run.counts;
        if let EventKind::TaskCreated { provider, instance_type, alias, run_number } = &event.kind {
            if self.tasks.contains_key(id) {
                return Err(ReplayError::RepeatedTask { seq, task: id.clone() });
            }
            let task = Task::new(
                id.clone(),
                provider.clone(),
                instance_type.clone(),
                alias.clone(),
                *run_number,
                event.at,
            );
            self.tasks.insert(id.clone(), task);
            counts.total += 1;
            *counts.of(TaskStatus::Pending) += 1;
            return Ok(());
        }
        let Some(task) = self.tasks.get_mut(id) else {
            return Err(ReplayError::UnknownTask { seq, task: id.clone() });
        };
        // The run's own events tell its status; here only the counters follow.
        let leaving = counts.of(task.status);
        *leaving = leaving.saturating_sub(1);
        task.absorb(event);
        *counts.of(task.status) += 1;
        Ok(())
    }
}
