//! Who gets which task.

use std::collections::BTreeSet;
use std::time::Duration;

use railsbench_core::id::{Attempt, TaskId};
use railsbench_core::lifecycle::{Command, Policy};
use railsbench_core::protocol::{RunStatus, TaskStatus};

use super::Subject;
use super::fixture::{
    ONE_TYPE, POLICY, Steps, at, caller, claim_of, claim_on, complete, new_run, run_id, runner,
};
use crate::store::{Claimed, NewRun};

/// One task on one type.
const ONE_TASK: &str = r#"{"ruby_version": "3.3.0", "local": ["host"], "mock": true}"#;

pub(super) async fn the_oldest_task_is_claimed_first(subject: &dyn Subject) {
    let steps = Steps(subject);
    let text = r#"{"ruby_version": "3.3.0", "aws": ["c7g.medium"], "local": ["host"],
        "runs_per_instance_type": 3}"#;
    steps.create(new_run("r", text)).await;
    for number in 1..=3 {
        let name = format!("runner-{number}");
        let task = steps.take(claim_of("r", &name), number).await;
        assert_eq!(i64::from(task.run_number), number, "the oldest of its type");
        assert_eq!(task.instance_type.as_str(), "host");
        assert_eq!(task.status, TaskStatus::Claimed);
        assert_eq!(task.attempt, Attempt(1));
        assert_eq!(task.runner_id, Some(runner(&name)));
        assert_eq!(task.lease_expires_at, Some(at(number + 100)), "a lease is as the policy says");
    }
    // What comes back is older than what was never taken.
    let tasks = steps.tasks("r").await;
    let release = Command::Release { caller: caller("runner-2", 1), reason: None };
    steps.apply(&tasks[3].id, release, 10).await;
    let task = steps.take(claim_of("r", "runner-4"), 11).await;
    assert_eq!((task.run_number, task.attempt), (2, Attempt(2)));
    let run = steps.run("r").await.run;
    assert_eq!(run.status, RunStatus::Running, "the first claim starts the run");
    assert_eq!((run.counts.claimed, run.counts.pending), (3, 3));
    steps.check_replay("r").await;
}

pub(super) async fn a_repeated_claim_gives_the_same_attempt(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.create(new_run("r", ONE_TYPE)).await;
    let first = steps.take(claim_of("r", "a"), 1).await;
    let events = steps.events("r").await;
    let again = steps.take(claim_of("r", "a"), 50).await;
    assert_eq!(again, first, "a lost answer is given again as it was");
    assert_eq!(steps.events("r").await, events, "and nothing is recorded");
    let later = steps.take(claim_of("r", "a"), 101).await;
    assert_eq!((later.id, later.attempt), (first.id, Attempt(2)), "its lease had run out");
    steps.check_replay("r").await;
}

pub(super) async fn one_of_two_that_race_gets_the_task(subject: &dyn Subject) {
    let steps = Steps(subject);
    for round in 0..10 {
        let id = format!("race-{round}");
        steps.create(new_run(&id, ONE_TASK)).await;
        let store = steps.store().await;
        let (a, b) = futures::join!(
            store.claim(claim_of(&id, "a"), at(1)),
            store.claim(claim_of(&id, "b"), at(1))
        );
        drop(store);
        let answers = [a.expect("a may ask"), b.expect("b may ask")];
        let tasks = answers.iter().filter(|answer| matches!(answer, Claimed::Task(_))).count();
        let waits = answers.iter().filter(|answer| matches!(answer, Claimed::Wait { .. })).count();
        assert_eq!((tasks, waits), (1, 1), "one gets it, one is the spare: {answers:?}");
        steps.check_replay(&id).await;
    }
}

pub(super) async fn many_runners_share_many_tasks(subject: &dyn Subject) {
    let steps = Steps(subject);
    let text = r#"{"ruby_version": "3.3.0", "local": ["host"], "runs_per_instance_type": 20}"#;
    steps.create(new_run("r", text)).await;
    let store = steps.store().await;
    let names: Vec<String> = (0..30).map(|number| format!("runner-{number}")).collect();
    let claims = names.iter().map(|name| store.claim(claim_of("r", name), at(1)));
    let answers = futures::future::join_all(claims).await;
    drop(store);
    let mut taken: BTreeSet<TaskId> = BTreeSet::new();
    let (mut waiting, mut done) = (0, 0);
    for (answer, name) in answers.into_iter().zip(&names) {
        match answer.expect("anyone may ask") {
            Claimed::Task(task) => {
                assert_eq!(task.runner_id, Some(runner(name)));
                assert!(taken.insert(task.id.clone()), "task {} was given twice", task.id);
            }
            Claimed::Wait { .. } => waiting += 1,
            Claimed::Done => done += 1,
        }
    }
    assert_eq!((taken.len(), waiting, done), (20, 1, 9));
    steps.check_replay("r").await;
}

pub(super) async fn a_spare_waits_while_a_task_may_come_back(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.create(new_run("r", ONE_TASK)).await;
    let task = steps.take(claim_of("r", "a"), 0).await;
    let spare = steps.claim(claim_of("r", "b"), 1).await;
    assert_eq!(spare, Claimed::Wait { until: at(11) });
    assert_eq!(steps.claim(claim_of("r", "c"), 2).await, Claimed::Done, "one spare is enough");
    let spare = steps.claim(claim_of("r", "b"), 5).await;
    assert_eq!(spare, Claimed::Wait { until: at(15) }, "the spare may ask again");
    let elsewhere = steps.claim(claim_on("r", "local", "other", "d"), 6).await;
    assert_eq!(elsewhere, Claimed::Done, "another type has nothing to wait for");
    // The spare went away; its time passes, and another takes its place.
    let spare = steps.claim(claim_of("r", "c"), 15).await;
    assert_eq!(spare, Claimed::Wait { until: at(25) });
    let release = Command::Release { caller: caller("a", 1), reason: None };
    steps.apply(&task.id, release, 16).await;
    assert_eq!(steps.take(claim_of("r", "c"), 17).await.id, task.id, "the task came back");
    // Whoever works does not count as a spare.
    let spare = steps.claim(claim_of("r", "b"), 18).await;
    assert_eq!(spare, Claimed::Wait { until: at(28) });
    steps.apply(&task.id, complete(caller("c", 2)), 19).await;
    assert_eq!(steps.claim(claim_of("r", "b"), 20).await, Claimed::Done, "nothing can come back");
    // Without spares nobody waits.
    let policy = Policy { spares: 0, ..POLICY };
    steps.create(NewRun { policy, ..new_run("s", ONE_TASK) }).await;
    steps.take(claim_of("s", "a"), 0).await;
    assert_eq!(steps.claim(claim_of("s", "b"), 1).await, Claimed::Done);
    steps.check_replay("r").await;
}

pub(super) async fn a_claim_takes_over_an_expired_lease(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.create(new_run("r", ONE_TASK)).await;
    let first = steps.take(claim_of("r", "a"), 0).await;
    let waiting = steps.claim(claim_of("r", "b"), 99).await;
    assert!(matches!(waiting, Claimed::Wait { .. }), "the lease holds at 99 s: {waiting:?}");
    let second = steps.take(claim_of("r", "b"), 100).await;
    assert_eq!((&second.id, second.attempt), (&first.id, Attempt(2)), "it has run out at 100 s");
    assert_eq!(second.failures, 1, "an expiry is a failure");
    // The budget of two is used up by the second expiry: the claim itself ends the task.
    assert_eq!(steps.claim(claim_of("r", "c"), 200).await, Claimed::Done);
    assert_eq!(steps.task(&first.id).await.status, TaskStatus::Failed);
    assert_eq!(steps.run("r").await.run.status, RunStatus::Failed);
    assert_eq!(steps.run("r").await.run.ended_at, Some(at(200)));
    steps.check_replay("r").await;
    // Some clouds are given longer.
    let text = r#"{"ruby_version": "3.3.0", "heroku": ["standard-1x"]}"#;
    let policy = Policy { retry_after: Duration::from_secs(3), ..POLICY };
    steps.create(NewRun { policy, ..new_run("h", text) }).await;
    let task = steps.take(claim_on("h", "heroku", "standard-1x", "a"), 0).await;
    assert_eq!(task.lease_expires_at, Some(at(300)));
    let spare = steps.claim(claim_on("h", "heroku", "standard-1x", "b"), 299).await;
    assert_eq!(spare, Claimed::Wait { until: at(302) });
}

pub(super) async fn a_stopped_run_gives_no_work(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.create(new_run("r", ONE_TYPE)).await;
    let task = steps.take(claim_of("r", "a"), 0).await;
    steps.store().await.stop(&run_id("r"), at(1)).await.expect("a run can be stopped");
    assert_eq!(steps.claim(claim_of("r", "b"), 2).await, Claimed::Done);
    let again = steps.take(claim_of("r", "a"), 3).await;
    assert_eq!(again.id, task.id, "the holder still gets the answer it lost");
    assert!(again.stop_requested, "and learns that it is to stop");
    // Nobody says more; the lease runs out while someone asks.
    assert_eq!(steps.claim(claim_of("r", "b"), 100).await, Claimed::Done);
    assert_eq!(steps.run("r").await.run.status, RunStatus::Cancelled);
    steps.check_replay("r").await;
}

pub(super) async fn runs_do_not_see_each_other(subject: &dyn Subject) {
    let steps = Steps(subject);
    for id in ["r", "s"] {
        steps.create(new_run(id, ONE_TASK)).await;
    }
    let of_r = steps.take(claim_of("r", "a"), 0).await;
    let of_s = steps.take(claim_of("s", "a"), 0).await;
    assert_ne!(of_r.id, of_s.id, "the same runner may work for two runs");
    for id in ["r", "s"] {
        let spare = steps.claim(claim_of(id, "b"), 1).await;
        assert!(matches!(spare, Claimed::Wait { .. }), "each run has its own spares: {spare:?}");
    }
    steps.apply(&of_r.id, complete(caller("a", 1)), 2).await;
    assert_eq!(steps.run("r").await.run.status, RunStatus::Completed);
    assert_eq!(steps.run("s").await.run.status, RunStatus::Running);
    for id in ["r", "s"] {
        steps.check_replay(id).await;
    }
}
