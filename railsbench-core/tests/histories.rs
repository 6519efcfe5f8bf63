//! Random histories of runs keep the invariants: runners that come and go, calls that come late,
//! twice, out of order or from strangers, a clock that jumps both ways, and a stop.

#![allow(clippy::unwrap_used, reason = "in a test a panic is a failure")]

mod world;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use railsbench_core::id::{Attempt, RunnerId, TaskId};
use railsbench_core::lifecycle::{
    AttemptEnd, Caller, Claim, Command, Policy, Rejection, Replay, Task,
};
use railsbench_core::protocol::{Event, EventKind, Phase, RunStatus, TaskStatus};

use world::invariants::{check_state, check_step, claims, record};
use world::{World, complete, fail, full, heartbeat, release, runner, start};

/// One thing that happens in a random history.
#[derive(Debug, Clone)]
enum Step {
    Claim {
        queue: usize,
        runner: usize,
    },
    /// A call of an attempt that was granted at any time before: late, repeated, out of order.
    Call {
        grant: prop::sample::Index,
        call: Call,
        names: Names,
    },
    /// A call of somebody who never held the task.
    Stranger {
        task: prop::sample::Index,
        call: Call,
    },
    /// The clock moves, also backwards.
    Clock {
        seconds: i64,
    },
    Expire,
    Stop,
}

#[derive(Debug, Clone, Copy)]
enum Call {
    Heartbeat(Phase),
    Complete,
    Fail { retryable: bool },
    Release,
}

/// What a caller says of itself.
#[derive(Debug, Clone, Copy)]
enum Names {
    RunnerAndAttempt,
    Attempt,
    Runner,
}

/// An attempt as its runner knows it.
#[derive(Debug, Clone)]
struct Grant {
    task: usize,
    runner_id: RunnerId,
    attempt: Attempt,
}

fn calls() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => prop::sample::select(Phase::ALL.to_vec()).prop_map(Call::Heartbeat),
        2 => Just(Call::Complete),
        1 => any::<bool>().prop_map(|retryable| Call::Fail { retryable }),
        1 => Just(Call::Release),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let names = prop::sample::select(vec![Names::RunnerAndAttempt, Names::Attempt, Names::Runner]);
    let step = prop_oneof![
        6 => (0..2usize, 0..4usize).prop_map(|(queue, runner)| Step::Claim { queue, runner }),
        12 => (any::<prop::sample::Index>(), calls(), names)
            .prop_map(|(grant, call, names)| Step::Call { grant, call, names }),
        1 => (any::<prop::sample::Index>(), calls())
            .prop_map(|(task, call)| Step::Stranger { task, call }),
        4 => prop_oneof![-500..500i64, Just(1_000_000i64), Just(-1_000_000i64)]
            .prop_map(|seconds| Step::Clock { seconds }),
        3 => Just(Step::Expire),
    ];
    // At most one stop, at a random place or not at all: more would end most histories early.
    let end = prop::option::weighted(0.4, any::<prop::sample::Index>());
    (prop::collection::vec(step, 1..100), end).prop_map(|(mut steps, end)| {
        if let Some(place) = end {
            steps.insert(place.index(steps.len()), Step::Stop);
        }
        steps
    })
}

/// A history: the world, the clock, all that was granted and all that happened.
struct History {
    world: World,
    now: Timestamp,
    grants: Vec<Grant>,
    log: Vec<Event>,
    completions: BTreeMap<TaskId, Attempt>,
}

impl History {
    fn new(max_attempts: u32) -> Self {
        let policy = Policy { max_attempts, ..Policy::default() };
        let world = World::new(&[("local", "host"), ("heroku", "standard-1x")], 2, policy);
        let log = world.birth();
        let completions = BTreeMap::new();
        Self { world, now: start(), grants: Vec::new(), log, completions }
    }

    fn command(&self, task: usize, caller: Caller, attempt: Attempt, call: Call) -> Command {
        match call {
            Call::Heartbeat(phase) => heartbeat(caller, phase),
            Call::Complete => complete(caller, &self.world.tasks[task].id, attempt),
            Call::Fail { retryable } => fail(caller, retryable),
            Call::Release => release(caller),
        }
    }

    /// Whether the rules of `protocol.md` let this attempt complete now.
    fn may_complete(&self, grant: &Grant) -> bool {
        let task = &self.world.tasks[grant.task];
        let newest = self.grants.iter().rfind(|other| other.task == grant.task);
        let is_newest = newest.is_some_and(|newest| newest.attempt == grant.attempt);
        let ended = task.attempts.iter().find(|record| record.attempt == grant.attempt);
        let end = ended.map(|record| record.end);
        is_newest
            && match task.status {
                TaskStatus::Completed => true,
                TaskStatus::Failed | TaskStatus::Cancelled => false,
                _ => end.is_none() || end == Some(AttemptEnd::Expired),
            }
    }

    fn take(&mut self, step: &Step) -> Result<(), String> {
        let before = self.world.clone();
        let events = match step {
            Step::Claim { queue, runner: number } => {
                let runner_id = runner(*number);
                let held = before.queue(*queue, &runner_id).own;
                let (decision, events) = self.world.claim(*queue, &runner_id, self.now);
                if let Some(task) = held.filter(|task| task.lease_expires_at > Some(self.now))
                    && (decision != Claim::Again(task.id.clone()) || claims(&events) > 0)
                {
                    return Err(format!("{decision:?} instead of {} again", task.id));
                }
                if let Claim::Take(id) = decision {
                    let task = self.world.index_of(&id);
                    let attempt = self.world.tasks[task].attempt;
                    self.grants.push(Grant { task, runner_id, attempt });
                }
                events
            }
            Step::Call { grant, call, names } => {
                if self.grants.is_empty() {
                    return Ok(());
                }
                let mut grant = grant.get(&self.grants).clone();
                let task = &before.tasks[grant.task];
                if matches!(names, Names::Runner)
                    && task.runner_id.as_ref() == Some(&grant.runner_id)
                {
                    // It does not say which of its attempts it means: the newest, then.
                    grant.attempt = task.attempt;
                }
                let runner_id = match names {
                    Names::RunnerAndAttempt | Names::Runner => Some(grant.runner_id.clone()),
                    Names::Attempt => None,
                };
                let attempt = match names {
                    Names::RunnerAndAttempt | Names::Attempt => Some(grant.attempt),
                    Names::Runner => None,
                };
                let caller = Caller { runner_id, attempt };
                let command = self.command(grant.task, caller, grant.attempt, *call);
                let allowed = self.may_complete(&grant);
                let answer = self.world.apply(grant.task, command, self.now);
                if matches!(call, Call::Complete) && answer.is_ok() != allowed {
                    return Err(format!("allowed: {allowed}, but {answer:?} for {grant:?}"));
                }
                let stale = grant.attempt != before.tasks[grant.task].attempt;
                match answer {
                    Ok(_) if stale => return Err(format!("{grant:?} is not the newest")),
                    Ok(events) => events,
                    Err(Rejection::WrongRunner { .. }) => {
                        return Err(format!("{grant:?} was taken for a stranger"));
                    }
                    Err(Rejection::WrongState { .. }) if stale => {
                        return Err(format!("{grant:?} was not told that it lost its lease"));
                    }
                    Err(_) => Vec::new(),
                }
            }
            Step::Stranger { task, call } => {
                let task = task.index(self.world.tasks.len());
                let attempt = self.world.tasks[task].attempt;
                let caller = full(&runner(99), attempt);
                let command = self.command(task, caller, attempt, *call);
                match self.world.apply(task, command, self.now) {
                    Ok(_) => return Err("a stranger was let in".to_owned()),
                    Err(_) => Vec::new(),
                }
            }
            Step::Clock { seconds } => {
                self.now += SignedDuration::from_secs(*seconds);
                Vec::new()
            }
            Step::Expire => self.world.expire(self.now),
            Step::Stop => self.world.stop(self.now),
        };
        check_step(&before, &events, &self.world)?;
        check_state(&self.world)?;
        for event in &events {
            if let (Some(id), EventKind::TaskCompleted { attempt, .. }) =
                (&event.task_id, &event.kind)
                && let Some(first) = self.completions.insert(id.clone(), *attempt)
            {
                return Err(format!("{id} completed by {first} and by {attempt}"));
            }
        }
        self.log.extend(events);
        Ok(())
    }

    /// All events from nothing give the state that is stored.
    fn replay(&self) -> Result<(), String> {
        let mut replay = Replay::default();
        for (event, seq) in self.log.iter().zip(1..) {
            // Through JSON, as a store keeps them.
            let text = serde_json::to_string(&record(seq, event)).unwrap();
            let stored = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
            replay.push(&stored).map_err(|error| error.to_string())?;
        }
        let tasks: Vec<&Task> = self.world.tasks.iter().map(AsRef::as_ref).collect();
        let replayed: Vec<&Task> = replay.tasks.values().collect();
        if replayed != tasks || replay.run != self.world.run {
            return Err(format!("replayed {replay:#?} but stored {:#?}", self.world));
        }
        Ok(())
    }

    fn end_of_time(&self) -> Timestamp {
        self.world.tasks.iter().filter_map(|task| task.lease_expires_at).max().unwrap_or(self.now)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn random_histories_keep_all_invariants(steps in steps(), max_attempts in 1..4u32) {
        let mut history = History::new(max_attempts);
        for step in &steps {
            history.take(step).map_err(TestCaseError::fail)?;
        }
        history.replay().map_err(TestCaseError::fail)?;
    }

    /// Invariant 5: once stopped, a run ends by expiry alone.
    #[test]
    fn a_stopped_run_ends_without_any_runner(steps in steps(), max_attempts in 1..4u32) {
        let mut history = History::new(max_attempts);
        for step in &steps {
            history.take(step).map_err(TestCaseError::fail)?;
        }
        history.take(&Step::Stop).map_err(TestCaseError::fail)?;
        history.now = history.end_of_time();
        history.take(&Step::Expire).map_err(TestCaseError::fail)?;
        prop_assert!(history.world.run.status.is_ended());
        history.replay().map_err(TestCaseError::fail)?;
    }

    /// Invariant 5: a run that is not stopped ends after so many more claims, even if every
    /// runner vanishes with its task.
    #[test]
    fn runners_that_all_vanish_bring_a_run_to_its_end(steps in steps(), max_attempts in 1..4u32) {
        let mut history = History::new(max_attempts);
        for step in &steps {
            history.take(step).map_err(TestCaseError::fail)?;
        }
        let budget: u32 = history
            .world
            .tasks
            .iter()
            .filter(|task| !task.status.is_ended())
            .map(|task| max_attempts - task.failures)
            .sum();
        for _ in 0..=budget {
            history.now = history.end_of_time();
            history.take(&Step::Expire).map_err(TestCaseError::fail)?;
            for queue in 0..2 {
                history.take(&Step::Claim { queue, runner: 50 }).map_err(TestCaseError::fail)?;
            }
        }
        history.now = history.end_of_time();
        history.take(&Step::Expire).map_err(TestCaseError::fail)?;
        prop_assert!(history.world.run.status.is_ended(), "{:#?}", history.world);
    }

    /// No status of a run is skipped or repeated.
    #[test]
    fn the_status_of_a_run_only_moves_forward(steps in steps()) {
        let mut history = History::new(2);
        for step in &steps {
            history.take(step).map_err(TestCaseError::fail)?;
        }
        let statuses: Vec<RunStatus> = history
            .log
            .iter()
            .filter_map(|event| match event.kind {
                EventKind::RunStatusChanged { status } => Some(status),
                _ => None,
            })
            .collect();
        prop_assert!(statuses.is_sorted_by(|a, b| a < b), "{statuses:?}");
        prop_assert_eq!(statuses.last().copied().unwrap_or_default(), history.world.run.status);
    }
}
