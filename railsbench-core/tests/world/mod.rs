//! A store without storage: one run in memory, changed only through the lifecycle, the way every
//! store does it. The property tests and the model checker drive it.

#![allow(clippy::unwrap_used, reason = "in a test a panic is a failure")]
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod invariants;

use std::sync::Arc;

use jiff::Timestamp;
use railsbench_core::id::{Attempt, InstanceType, ProviderName, RunnerId, TaskId};
use railsbench_core::lifecycle::{
    Caller, Claim, Command, Idle, Policy, Queue, Rejection, Run, StoredResult, Task, claim,
};
use railsbench_core::protocol::{Event, EventKind, Phase, TaskStatus};

/// One run with its tasks in creation order.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    pub policy: Policy,
    pub run: Run,
    pub tasks: Vec<Arc<Task>>,
    /// Spares, with the number of the queue they wait in.
    pub idle: Vec<(usize, Idle)>,
    /// Provider and instance type of each queue.
    queues: Vec<(ProviderName, InstanceType)>,
}

/// When every world begins.
pub fn start() -> Timestamp {
    Timestamp::from_second(1_732_470_000).unwrap()
}

pub fn runner(number: usize) -> RunnerId {
    RunnerId::new(format!("runner-{number}")).unwrap()
}

/// A caller that says who it is and which attempt it believes to hold.
pub fn full(runner_id: &RunnerId, attempt: Attempt) -> Caller {
    Caller { runner_id: Some(runner_id.clone()), attempt: Some(attempt) }
}

pub fn heartbeat(caller: Caller, phase: Phase) -> Command {
    Command::Heartbeat {
        caller,
        phase,
        current_benchmark: None,
        progress_pct: None,
        message: None,
        telemetry: None,
    }
}

/// The key that an attempt stores its result under.
pub fn result_key(task: &TaskId, attempt: Attempt) -> String {
    format!("results/{task}/{attempt}.tar.gz")
}

/// Completes with the object of this attempt.
pub fn complete(caller: Caller, task: &TaskId, attempt: Attempt) -> Command {
    let result = StoredResult { key: result_key(task, attempt), size: 1, sha256: "0".repeat(64) };
    Command::Complete { caller, result }
}

pub fn fail(caller: Caller, retryable: bool) -> Command {
    Command::Fail {
        caller,
        error_type: "disk".to_owned(),
        error_message: "full".to_owned(),
        retryable,
        error_key: None,
    }
}

pub fn release(caller: Caller) -> Command {
    Command::Release { caller, reason: None }
}

impl World {
    /// A run with so many tasks in each queue.
    pub fn new(queues: &[(&str, &str)], tasks_per_queue: u32, policy: Policy) -> Self {
        let queues: Vec<_> = queues
            .iter()
            .map(|(provider, name)| {
                (ProviderName::new(*provider).unwrap(), InstanceType::new(*name).unwrap())
            })
            .collect();
        let tasks: Vec<Arc<Task>> = (1..=tasks_per_queue)
            .flat_map(|number| queues.iter().map(move |queue| (number, queue)))
            .zip(0..)
            .map(|((number, (provider, instance_type)), index)| {
                Arc::new(Task::new(
                    TaskId::from_parts(1, index),
                    provider.clone(),
                    instance_type.clone(),
                    None,
                    number,
                    start(),
                ))
            })
            .collect();
        let run = Run::new(u32::try_from(tasks.len()).unwrap());
        Self { policy, run, tasks, idle: Vec::new(), queues }
    }

    /// The events that made this world.
    pub fn birth(&self) -> Vec<Event> {
        let made = |task: &Arc<Task>| Event {
            at: start(),
            task_id: Some(task.id.clone()),
            kind: EventKind::TaskCreated {
                provider: task.provider.clone(),
                instance_type: task.instance_type.clone(),
                alias: task.alias.clone(),
                run_number: task.run_number,
            },
        };
        let run = Event { at: start(), task_id: None, kind: EventKind::RunCreated };
        std::iter::once(run).chain(self.tasks.iter().map(made)).collect()
    }

    pub fn queue_count(&self) -> usize {
        self.queues.len()
    }

    fn in_queue(&self, index: usize, queue: usize) -> bool {
        let (provider, instance_type) = &self.queues[queue];
        &self.tasks[index].provider == provider && &self.tasks[index].instance_type == instance_type
    }

    /// Applies a command to one task, and lets the run follow.
    pub fn apply(
        &mut self,
        index: usize,
        command: Command,
        now: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        let from = self.tasks[index].status;
        let mut events = Arc::make_mut(&mut self.tasks[index]).apply(command, now, &self.policy)?;
        events.extend(self.run.follow(from, self.tasks[index].status, now));
        Ok(events)
    }

    fn expire_one(&mut self, index: usize, now: Timestamp) -> Vec<Event> {
        self.apply(index, Command::Expire, now).expect("expiry is never refused")
    }

    /// Ends all leases that have run out.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Event> {
        self.idle.retain(|(_, idle)| idle.until > now);
        (0..self.tasks.len()).flat_map(|index| self.expire_one(index, now)).collect()
    }

    /// What the lifecycle is told of a queue when this runner asks for work.
    pub fn queue(&self, queue: usize, runner_id: &RunnerId) -> Queue {
        let tasks = || {
            let indexes = (0..self.tasks.len()).filter(move |index| self.in_queue(*index, queue));
            indexes.map(|index| self.tasks[index].as_ref())
        };
        let own =
            |task: &&Task| task.status.is_held() && task.runner_id.as_ref() == Some(runner_id);
        Queue {
            own: tasks().find(own).cloned(),
            oldest_pending: tasks().find(|task| task.status == TaskStatus::Pending).cloned(),
            held: u32::try_from(tasks().filter(|task| task.status.is_held()).count()).unwrap(),
            idle: self
                .idle
                .iter()
                .filter(|(number, _)| *number == queue)
                .map(|(_, idle)| idle.clone())
                .collect(),
            stop_requested: self.run.stop_requested,
        }
    }

    /// A runner asks for work.
    pub fn claim(
        &mut self,
        queue: usize,
        runner_id: &RunnerId,
        now: Timestamp,
    ) -> (Claim, Vec<Event>) {
        let due: Vec<usize> =
            (0..self.tasks.len()).filter(|index| self.in_queue(*index, queue)).collect();
        let mut events: Vec<Event> =
            due.into_iter().flat_map(|index| self.expire_one(index, now)).collect();
        let decision = claim(&self.queue(queue, runner_id), runner_id, now, &self.policy);
        self.idle.retain(|(_, idle)| &idle.runner_id != runner_id);
        match &decision {
            Claim::Take(id) => {
                let command = Command::Claim { runner_id: runner_id.clone(), runner: None };
                let index = self.index_of(id);
                let taken = self.apply(index, command, now);
                events.extend(taken.expect("a pending task can be claimed"));
            }
            Claim::Wait(idle) => self.idle.push((queue, idle.clone())),
            Claim::Again(_) | Claim::Done => {}
        }
        (decision, events)
    }

    pub fn index_of(&self, id: &TaskId) -> usize {
        self.tasks.iter().position(|task| &task.id == id).expect("the run has the task")
    }

    /// The operator stops the run.
    pub fn stop(&mut self, now: Timestamp) -> Vec<Event> {
        let mut events: Vec<Event> = self.run.stop(now).into_iter().collect();
        for index in 0..self.tasks.len() {
            events.extend(self.apply(index, Command::Stop, now).expect("stop is never refused"));
        }
        events
    }
}
