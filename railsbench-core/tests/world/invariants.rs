//! The invariants of the lifecycle that can be seen without storage: of a state, and of a step
//! from one state to the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use railsbench_core::id::{Attempt, RunId, RunnerId, TaskId};
use railsbench_core::lifecycle::{AttemptEnd, Claim, Command, Policy, Replay, Task, claim};
use railsbench_core::protocol::{
    Event, EventKind, EventRecord, Phase, RunStatus, TaskCounts, TaskStatus,
};

use super::{World, complete, fail, full, heartbeat, result_key, start};

/// What does not hold, in words.
pub type Broken = String;

fn require(holds: bool, what: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(what()) }
}

/// What must hold of every state.
pub fn check_state(world: &World) -> Result<(), Broken> {
    let mut counts = TaskCounts::default();
    for task in &world.tasks {
        counts.total += 1;
        *counts.of(task.status) += 1;
        check_task(task, &world.policy).map_err(|broken| format!("{broken}: {task:#?}"))?;
    }
    let run = &world.run;
    require(counts == run.counts, || format!("counters are {:?}, not {counts:?}", run.counts))?;
    let all_ended = counts.ended() == counts.total;
    require(all_ended == run.status.is_ended(), || {
        format!("the run is {:?} with {counts:?}", run.status)
    })?;
    require(run.status.is_ended() == run.ended_at.is_some(), || "ended without a time".to_owned())?;
    let touched = world.tasks.iter().any(|task| task.attempt > Attempt(0));
    require(touched || run.status != RunStatus::Running, || "runs without a claim".to_owned())?;
    require(!touched || run.status != RunStatus::Pending, || "pending after a claim".to_owned())?;
    if run.status.is_ended() {
        let expected = if run.stop_requested && counts.cancelled > 0 {
            RunStatus::Cancelled
        } else if counts.completed > 0 {
            RunStatus::Completed
        } else {
            RunStatus::Failed
        };
        require(run.status == expected, || format!("ended as {:?}", run.status))?;
    }
    require(!run.stop_requested || counts.pending == 0, || {
        "a stopped run has a pending task".to_owned()
    })?;
    check_claims(world)
}

/// Invariant 4: nothing is stranded. Whoever asks for work while a task is pending gets one.
fn check_claims(world: &World) -> Result<(), Broken> {
    let stranger = RunnerId::new("stranger").unwrap();
    for number in 0..world.queue_count() {
        let queue = world.queue(number, &stranger);
        let answer = claim(&queue, &stranger, start(), &world.policy);
        let pending = queue.oldest_pending.map(|task| task.id);
        match answer {
            Claim::Take(id) => require(pending == Some(id), || "not the oldest".to_owned())?,
            Claim::Wait(_) => require(pending.is_none() && queue.held > 0, || {
                "told to wait for nothing, or beside a pending task".to_owned()
            })?,
            Claim::Done => require(pending.is_none(), || "a task is stranded".to_owned())?,
            Claim::Again(id) => return Err(format!("{id} was never given to the stranger")),
        }
    }
    Ok(())
}

/// What must hold of every task at any time.
pub fn check_task(task: &Task, policy: &Policy) -> Result<(), Broken> {
    let held = task.status.is_held();
    require(held == task.lease_expires_at.is_some(), || "a lease without a holder".to_owned())?;
    require((task.status == TaskStatus::Completed) == task.result.is_some(), || {
        "a result and its status disagree".to_owned()
    })?;
    let numbers: Vec<Attempt> = task.attempts.iter().map(|record| record.attempt).collect();
    require(numbers.is_sorted_by(|a, b| a < b), || "attempts are not in order".to_owned())?;
    require(numbers.len() <= 32, || "the task grows".to_owned())?;
    require(numbers.last().is_none_or(|last| *last <= task.attempt), || {
        "an attempt that never began has ended".to_owned()
    })?;
    require(!held || numbers.last() != Some(&task.attempt), || "held and ended".to_owned())?;
    require(task.failures <= policy.max_attempts, || "over the budget".to_owned())?;
    match task.status {
        TaskStatus::Pending => {
            require(task.failures < policy.max_attempts, || "no budget, not failed".to_owned())?;
            require(!task.stop_requested, || "stopped and pending".to_owned())?;
            let mut copy = task.clone();
            let runner_id = RunnerId::new("stranger").unwrap();
            let command = Command::Claim { runner_id, runner: None };
            require(copy.apply(command, start(), policy).is_ok(), || "not claimable".to_owned())?;
            require(copy.attempt > task.attempt, || "a claim without a new attempt".to_owned())?;
        }
        TaskStatus::Claimed | TaskStatus::Running => {
            let mut copy = task.clone();
            let end = task.lease_expires_at.unwrap();
            let events = copy.apply(Command::Expire, end, policy).unwrap();
            require(!events.is_empty() && !copy.status.is_held(), || "never expires".to_owned())?;
        }
        TaskStatus::Completed => {
            let key = &task.result.as_ref().unwrap().key;
            require(key == &result_key(&task.id, task.attempt), || {
                format!("attempt {} completed with {key}", task.attempt)
            })?;
        }
        TaskStatus::Failed | TaskStatus::Cancelled => {}
    }
    check_fencing(task, policy)
}

/// Invariant 1, seen from outside: of all who ever held the task, only the holder of the live
/// lease can renew or fail it; only the newest attempt can complete it.
fn check_fencing(task: &Task, policy: &Policy) -> Result<(), Broken> {
    if task.status.is_ended() {
        // That nothing changes it any more is checked at each step.
        return Ok(());
    }
    let past = task.attempts.iter().map(|record| (&record.runner_id, record.attempt));
    let newest = task.runner_id.iter().map(|runner_id| (runner_id, task.attempt));
    let mut callers: Vec<_> = past.chain(newest).collect();
    callers.dedup();
    for (runner_id, attempt) in callers {
        let is_holder = task.status.is_held() && attempt == task.attempt;
        let changes = |command: Command| {
            let mut copy = task.clone();
            copy.apply(command, start(), policy).is_ok_and(|events| !events.is_empty())
        };
        let caller = || full(runner_id, attempt);
        require(changes(heartbeat(caller(), Phase::Running)) == is_holder, || {
            format!("heartbeat of {runner_id} for attempt {attempt}")
        })?;
        require(changes(fail(caller(), true)) == is_holder, || {
            format!("failure of {runner_id} for attempt {attempt}")
        })?;
        let completes = changes(complete(caller(), &task.id, attempt));
        require(!completes || attempt == task.attempt, || {
            format!("completion of {runner_id} for attempt {attempt}")
        })?;
        require(!is_holder || completes, || "the holder cannot complete".to_owned())?;
    }
    Ok(())
}

/// What must hold of every step: nothing that ended changes, attempts only grow, a result stays,
/// no lease gets shorter, and the events tell it all.
pub fn check_step(before: &World, events: &[Event], after: &World) -> Result<(), Broken> {
    require(!before.run.status.is_ended() || before.run == after.run, || {
        "an ended run changed".to_owned()
    })?;
    let told = |task: &Task| events.iter().any(|event| event.task_id.as_ref() == Some(&task.id));
    let mut moved = BTreeMap::new();
    for (old, new) in before.tasks.iter().zip(&after.tasks) {
        if told(old) {
            moved.insert(old.id.clone(), old.as_ref().clone());
        } else if Arc::ptr_eq(old, new) || old == new {
            continue;
        }
        let broken = |what: &str| format!("{what}: {old:#?} became {new:#?}");
        require(told(old), || broken("a task changed without an event"))?;
        require(!old.status.is_ended(), || broken("an ended task changed"))?;
        let is_late = old.status == TaskStatus::Pending && new.status == TaskStatus::Completed;
        let expired = old
            .attempts
            .last()
            .is_some_and(|last| last.attempt == old.attempt && last.end == AttemptEnd::Expired);
        require(!is_late || expired, || broken("a late completion without an expiry"))?;
        require(old.attempt <= new.attempt, || broken("attempts went back"))?;
        require(old.failures <= new.failures, || broken("failures went back"))?;
        require(old.stop_requested <= new.stop_requested, || broken("a stop was forgotten"))?;
        if old.attempt == new.attempt {
            let shorter =
                old.lease_expires_at.zip(new.lease_expires_at).is_some_and(|(a, b)| b < a);
            require(!shorter, || broken("a lease got shorter"))?;
            let back = old.phase.zip(new.phase).is_some_and(|(a, b)| b < a);
            require(!back, || broken("the phase went back"))?;
        }
    }
    check_replay(before, moved, events, after).map_err(|broken| format!("{broken}: {events:#?}"))
}

/// Invariant 6, by induction: the state before and the events give the state after.
fn check_replay(
    before: &World,
    tasks: BTreeMap<TaskId, Task>,
    events: &[Event],
    after: &World,
) -> Result<(), Broken> {
    let mut replay = Replay { run: before.run.clone(), tasks, last_seq: 0 };
    for (event, seq) in events.iter().zip(1..) {
        replay.push(&record(seq, event)).map_err(|error| error.to_string())?;
    }
    require(replay.run == after.run, || {
        format!("events give {:#?} instead of {:#?}", replay.run, after.run)
    })?;
    for (id, task) in &replay.tasks {
        let stored = &after.tasks[after.index_of(id)];
        require(task == stored.as_ref(), || {
            format!("events give {task:#?} instead of {stored:#?}")
        })?;
    }
    Ok(())
}

/// An event as it is stored.
pub fn record(seq: u64, event: &Event) -> EventRecord {
    EventRecord { seq, run_id: RunId::new("run").unwrap(), event: event.clone() }
}

/// How many claims a log holds.
pub fn claims(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event.kind, EventKind::TaskClaimed { .. })).count()
}
