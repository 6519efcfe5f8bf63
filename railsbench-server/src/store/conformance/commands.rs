//! What becomes of a task that is held.

use railsbench_core::id::Attempt;
use railsbench_core::lifecycle::{AttemptEnd, Command, Rejection};
use railsbench_core::protocol::{Directive, Phase, RunStatus, TaskStatus};

use super::Subject;
use super::fixture::{
    ONE_TYPE, Steps, at, caller, claim_of, complete, fail, heartbeat, new_run, run_id,
};
use crate::store::StoreError;

pub(super) async fn heartbeats_renew_the_lease(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.create(new_run("r", ONE_TYPE)).await;
    let task = steps.take(claim_of("r", "a"), 0).await;
    let after = steps.apply(&task.id, heartbeat(caller("a", 1), Phase::Running), 60).await;
    assert_eq!(after.lease_expires_at, Some(at(160)));
    assert_eq!(after.status, TaskStatus::Running);
    assert_eq!(steps.expire(159, 10).await, 0, "the renewed lease holds");
    let after = steps.apply(&task.id, heartbeat(caller("a", 1), Phase::Boot), 150).await;
    assert_eq!(after.phase, Some(Phase::Running), "phases do not go back");
    assert_eq!(after.lease_expires_at, Some(at(250)), "a late heartbeat renews all the same");
    let counts = steps.run("r").await.run.counts;
    assert_eq!((counts.running, counts.pending), (1, 2));
    steps.check_replay("r").await;
}

pub(super) async fn an_expired_task_is_tried_again_until_its_budget_ends(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.create(new_run("r", ONE_TYPE)).await;
    let task = steps.take(claim_of("r", "a"), 0).await;
    assert_eq!(steps.expire(99, 10).await, 0, "a second too early");
    assert_eq!(steps.expire(100, 10).await, 1, "on the second");
    assert_eq!(steps.expire(100, 10).await, 0, "once");
    let back = steps.task(&task.id).await;
    assert_eq!((back.status, back.failures), (TaskStatus::Pending, 1));
    assert_eq!(back.lease_expires_at, None);
    assert!(back.message.is_some_and(|message| message.contains("lease")), "it says why");
    let again = steps.take(claim_of("r", "b"), 101).await;
    assert_eq!((&again.id, again.attempt), (&task.id, Attempt(2)));
    assert_eq!(steps.expire(1_000, 10).await, 1);
    let given_up = steps.task(&task.id).await;
    assert_eq!((given_up.status, given_up.failures), (TaskStatus::Failed, 2), "two were allowed");
    let ends: Vec<AttemptEnd> = given_up.attempts.iter().map(|record| record.end).collect();
    assert_eq!(ends.len(), 2, "both attempts are remembered: {ends:?}");
    steps.check_replay("r").await;
}

pub(super) async fn leases_are_expired_oldest_first_and_bounded(subject: &dyn Subject) {
    let steps = Steps(subject);
    let mut held = Vec::new();
    for (id, second) in [("r", 2), ("s", 1), ("t", 3)] {
        steps.create(new_run(id, ONE_TYPE)).await;
        held.push(steps.take(claim_of(id, "a"), second).await.id);
    }
    assert_eq!(steps.expire(500, 2).await, 2, "no more than asked");
    let mut statuses = Vec::new();
    for id in &held {
        statuses.push(steps.task(id).await.status);
    }
    let (pending, claimed) = (TaskStatus::Pending, TaskStatus::Claimed);
    assert_eq!(statuses, [pending, pending, claimed], "those that were due first");
    assert_eq!(steps.expire(500, 2).await, 1);
    for id in ["r", "s", "t"] {
        steps.check_replay(id).await;
    }
}

pub(super) async fn a_late_completion_counts(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.create(new_run("r", ONE_TYPE)).await;
    let task = steps.take(claim_of("r", "a"), 0).await;
    steps.expire(100, 10).await;
    let after = steps.apply(&task.id, complete(caller("a", 1)), 150).await;
    assert_eq!(after.status, TaskStatus::Completed, "hours of work are not thrown away");
    let result = after.result.map(|result| (result.size, result.sha256));
    assert_eq!(result, Some((42, "ab".repeat(32))));
    let next = steps.take(claim_of("r", "b"), 151).await;
    assert_ne!(next.id, task.id, "it is not given out again");
    steps.check_replay("r").await;
}

pub(super) async fn an_older_attempt_is_refused(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.create(new_run("r", ONE_TYPE)).await;
    let task = steps.take(claim_of("r", "a"), 0).await;
    let newer = steps.take(claim_of("r", "b"), 100).await;
    assert_eq!((&newer.id, newer.attempt), (&task.id, Attempt(2)));
    for command in [
        heartbeat(caller("a", 1), Phase::Running),
        complete(caller("a", 1)),
        fail(caller("a", 1), true),
        Command::Release { caller: caller("a", 1), reason: None },
    ] {
        let refused = steps.try_apply(&task.id, command.clone(), 101).await;
        assert!(
            matches!(refused, Err(StoreError::Rejected(Rejection::LeaseLost { .. }))),
            "{command:?} of the first attempt got {refused:?}"
        );
    }
    let stranger = steps.try_apply(&task.id, complete(caller("z", 2)), 102).await;
    assert!(
        matches!(stranger, Err(StoreError::Rejected(Rejection::WrongRunner { .. }))),
        "a stranger got {stranger:?}"
    );
    assert_eq!(steps.task(&task.id).await, newer, "the newer attempt goes on undisturbed");
    steps.check_replay("r").await;
}

pub(super) async fn a_refused_command_changes_nothing(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.create(new_run("r", ONE_TYPE)).await;
    let task = steps.take(claim_of("r", "a"), 0).await;
    let free = steps.tasks("r").await[1].id.clone();
    let before = (steps.run("r").await, steps.tasks("r").await, steps.events("r").await);
    // Refused and accepted commands at the same moment: a store that groups them must undo only
    // the refused ones.
    let store = steps.store().await;
    let commands = (0..20).map(|number| {
        let wrong = caller("z", number);
        store.apply(if number % 2 == 0 { &task.id } else { &free }, complete(wrong), at(1))
    });
    let (refused, renewed) = futures::join!(
        futures::future::join_all(commands),
        store.apply(&task.id, heartbeat(caller("a", 1), Phase::Boot), at(2))
    );
    drop(store);
    for answer in refused {
        assert!(matches!(answer, Err(StoreError::Rejected(_))), "{answer:?}");
    }
    assert!(renewed.is_ok(), "the accepted one among them holds: {renewed:?}");
    let after = (steps.run("r").await, steps.tasks("r").await, steps.events("r").await);
    assert_eq!(after.0, before.0, "the run is as it was");
    assert_eq!(after.1[1..], before.1[1..], "the other tasks are as they were");
    assert_eq!(after.2.len(), before.2.len() + 1, "only the heartbeat is recorded");
    steps.check_replay("r").await;
}

pub(super) async fn completing_twice_is_once(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.create(new_run("r", ONE_TYPE)).await;
    let task = steps.take(claim_of("r", "a"), 0).await;
    let first = steps.apply(&task.id, complete(caller("a", 1)), 1).await;
    let events = steps.events("r").await;
    let second = steps.apply(&task.id, complete(caller("a", 1)), 2).await;
    assert_eq!(second, first);
    assert_eq!(steps.events("r").await, events, "nothing is recorded the second time");
    let late = steps.apply(&task.id, heartbeat(caller("a", 1), Phase::Running), 3).await;
    assert_eq!(late.directive(), Directive::Stop, "a heartbeat afterwards is told to stop");
    assert_eq!(steps.run("r").await.run.counts.completed, 1);
    steps.check_replay("r").await;
}

pub(super) async fn a_release_costs_no_attempt(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.create(new_run("r", ONE_TYPE)).await;
    for number in 1..=4 {
        let second = i64::from(number) * 10;
        let task = steps.take(claim_of("r", "a"), second).await;
        assert_eq!((task.run_number, task.attempt), (1, Attempt(number)));
        let reason = Some("SIGTERM".to_owned());
        let release = Command::Release { caller: caller("a", number), reason };
        let back = steps.apply(&task.id, release, second + 1).await;
        assert_eq!((back.status, back.failures), (TaskStatus::Pending, 0));
        assert_eq!(back.message.as_deref(), Some("SIGTERM"));
    }
    steps.check_replay("r").await;
}

pub(super) async fn failures_are_tried_again_if_they_may(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.create(new_run("r", ONE_TYPE)).await;
    let task = steps.take(claim_of("r", "a"), 0).await;
    let back = steps.apply(&task.id, fail(caller("a", 1), true), 1).await;
    assert_eq!((back.status, back.failures), (TaskStatus::Pending, 1));
    let again = steps.take(claim_of("r", "a"), 2).await;
    assert_eq!((&again.id, again.attempt), (&task.id, Attempt(2)));
    let given_up = steps.apply(&task.id, fail(caller("a", 2), true), 3).await;
    assert_eq!((given_up.status, given_up.failures), (TaskStatus::Failed, 2));
    assert_eq!(given_up.error_key.as_deref(), Some("some/error.tar.gz"));
    let hopeless = steps.take(claim_of("r", "a"), 4).await;
    let given_up = steps.apply(&hopeless.id, fail(caller("a", 1), false), 5).await;
    assert_eq!((given_up.status, given_up.failures), (TaskStatus::Failed, 1));
    let last = steps.take(claim_of("r", "a"), 6).await;
    let error = heartbeat(caller("a", 1), Phase::Error);
    let back = steps.apply(&last.id, error, 7).await;
    assert_eq!(back.status, TaskStatus::Pending, "a heartbeat of error is a failure");
    steps.take(claim_of("r", "a"), 8).await;
    assert_eq!(steps.run("r").await.run.status, RunStatus::Running);
    steps.apply(&last.id, complete(caller("a", 2)), 9).await;
    let run = steps.run("r").await.run;
    assert_eq!(run.status, RunStatus::Completed, "one completed is enough");
    assert_eq!(run.ended_at, Some(at(9)));
    assert_eq!((run.counts.completed, run.counts.failed), (1, 2));
    steps.check_replay("r").await;
}

pub(super) async fn stopping_cancels_what_is_free_and_tells_who_holds(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.create(new_run("r", ONE_TYPE)).await;
    let task = steps.take(claim_of("r", "a"), 0).await;
    let stop = async |second| {
        let stopped = steps.store().await.stop(&run_id("r"), at(second)).await;
        stopped.expect("a run can be stopped")
    };
    let stopped = stop(1).await;
    assert_eq!(stopped, steps.run("r").await, "the answer is what is stored");
    assert!(stopped.run.stop_requested);
    assert_eq!((stopped.run.counts.cancelled, stopped.run.counts.claimed), (2, 1));
    assert_eq!(stopped.run.status, RunStatus::Running, "one is still held");
    let events = steps.events("r").await;
    assert_eq!(stop(2).await, stopped, "stopping twice is once");
    assert_eq!(steps.events("r").await, events);
    assert_eq!(steps.task(&task.id).await.directive(), Directive::Stop);
    let after = steps.apply(&task.id, heartbeat(caller("a", 1), Phase::Running), 3).await;
    assert_eq!(after.status, TaskStatus::Cancelled, "its holder has learnt it");
    let run = steps.run("r").await.run;
    assert_eq!((run.status, run.ended_at), (RunStatus::Cancelled, Some(at(3))));
    assert_eq!(stop(4).await.run, run, "an ended run does not change");
    steps.check_replay("r").await;

    steps.create(new_run("s", ONE_TYPE)).await;
    let stopped = steps.store().await.stop(&run_id("s"), at(5)).await;
    let run = stopped.expect("a run can be stopped").run;
    assert_eq!(run.status, RunStatus::Cancelled, "nobody held anything");
    assert_eq!(run.counts.cancelled, 3);
    steps.check_replay("s").await;
}
