//! What a runner that asks for work gets.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Policy, Task};
use crate::id::{RunnerId, TaskId};

/// A runner that was told to wait.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Idle {
    /// Who.
    pub runner_id: RunnerId,
    /// It is counted as waiting until then.
    pub until: Timestamp,
}

/// What a claim needs to know of the tasks of one provider and instance type in one run.
///
/// A store must have applied [`super::Command::Expire`] to the tasks of the queue first, so that
/// a task whose lease has run out counts as pending.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    /// The task that this runner holds a live lease on, if any.
    pub own: Option<Task>,
    /// The oldest task that is free to be claimed.
    pub oldest_pending: Option<Task>,
    /// How many tasks are held by runners.
    pub held: u32,
    /// Runners that were told to wait and whose time has not passed.
    pub idle: Vec<Idle>,
    /// Whether the operator has stopped the run.
    pub stop_requested: bool,
}

/// The decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The runner holds this task already: its answer was lost. Same task, same attempt.
    Again(TaskId),
    /// The runner gets this task: apply [`super::Command::Claim`] to it.
    Take(TaskId),
    /// The runner waits as a spare; remember it as [`Idle`].
    Wait(Idle),
    /// Nothing is left for it.
    Done,
}

/// Decides what a runner that asks for work gets.
///
/// As many runners as `policy.spares` wait while a held task may still come back; the others are
/// done, so that nobody pays for idle machines.
pub fn claim(queue: &Queue, runner_id: &RunnerId, now: Timestamp, policy: &Policy) -> Claim {
    if let Some(task) = &queue.own {
        return Claim::Again(task.id.clone());
    }
    if let Some(task) = queue.oldest_pending.as_ref().filter(|_| !queue.stop_requested) {
        return Claim::Take(task.id.clone());
    }
    let others =
        queue.idle.iter().filter(|idle| idle.until > now && &idle.runner_id != runner_id).count();
    let spare = u32::try_from(others).is_ok_and(|others| others < policy.spares);
    if queue.held > 0 && !queue.stop_requested && spare {
        let until = SignedDuration::try_from(policy.retry_after)
            .ok()
            .and_then(|wait| now.checked_add(wait).ok())
            .unwrap_or(Timestamp::MAX);
        return Claim::Wait(Idle { runner_id: runner_id.clone(), until });
    }
    Claim::Done
}
