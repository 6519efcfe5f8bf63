//! What is explored: the bounds, and the state of a model within them.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Mutex;

use railsbench_core::id::Attempt;
use railsbench_core::protocol::{Phase, TaskStatus};

use crate::world::World;

/// What is explored.
pub struct Bounds {
    pub runners: usize,
    pub tasks: u32,
    pub max_attempts: u32,
    /// Requests lost, delayed or duplicated, and answers lost, in one history.
    pub faults: u8,
    /// Tasks given back in one history.
    pub releases: u8,
    /// Whether the operator may stop the run.
    pub stop: bool,
    /// Whether a runner that is gone is replaced while a task is pending.
    pub replace: bool,
    /// Requests on their way at one time.
    pub in_flight: usize,
    /// The phases that a runner reports, in order.
    pub phases: &'static [Phase],
    /// How often each outcome was seen.
    pub seen: Mutex<BTreeMap<&'static str, u64>>,
}

impl Default for Bounds {
    /// Two runners, two tasks, each tried at most twice, one fault.
    fn default() -> Self {
        Self {
            runners: 2,
            tasks: 2,
            max_attempts: 2,
            faults: 1,
            releases: 0,
            stop: false,
            replace: false,
            in_flight: 2,
            phases: &[],
            seen: Mutex::default(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Doing {
    /// It has nothing and asks for work.
    Asking,
    /// It was told to wait.
    Spare,
    /// It believes to hold this attempt, and has reported so many phases.
    Working { task: usize, attempt: Attempt, reported: usize },
    /// It was told to stop, or ended, or crashed.
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Call {
    Claim,
    Heartbeat(usize, Attempt, usize),
    Complete(usize, Attempt),
    Fail(usize, Attempt),
    Release(usize, Attempt),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Request {
    pub runner: usize,
    pub call: Call,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Runner {
    pub doing: Doing,
    /// The call whose answer it waits for.
    pub waits_for: Option<Call>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub world: World,
    pub runners: Vec<Runner>,
    pub in_flight: Vec<Request>,
    pub faults: u8,
    pub releases: u8,
    /// What a step broke, if one did.
    pub broken: Option<String>,
}

impl Hash for State {
    /// All that decides what can happen next, and so no texts and no time of the last change.
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let World { run, tasks, idle, .. } = &self.world;
        (run.status, run.stop_requested).hash(hasher);
        for task in tasks {
            (task.status, task.attempt, task.failures, task.stop_requested).hash(hasher);
            (task.lease_expires_at, task.phase, &task.result).hash(hasher);
            if task.status.is_held() || task.status == TaskStatus::Pending {
                (&task.runner_id, &task.attempts).hash(hasher);
            }
        }
        idle.hash(hasher);
        (&self.runners, &self.in_flight, self.faults, self.releases).hash(hasher);
        self.broken.hash(hasher);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Send(Request),
    /// The server handles a request and its answer arrives.
    Deliver(Request),
    /// … and its answer is lost.
    LoseAnswer(Request),
    /// … and will get it once more.
    Duplicate(Request),
    Lose(Request),
    /// A runner gives up on a request that is still on its way.
    Delay(usize),
    Crash(usize),
    Replace(usize),
    RunOut(usize),
    Stop,
}

pub enum Answer {
    Assigned(usize, Attempt),
    Wait,
    Done,
    Continue,
    Ended,
}
