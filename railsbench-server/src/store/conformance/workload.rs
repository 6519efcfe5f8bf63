//! Many callers at once, doing anything in any order: what is stored must be what the events
//! tell, and the events must keep the rules.

use std::sync::atomic::{AtomicI64, Ordering};

use railsbench_core::id::{Attempt, TaskId};
use railsbench_core::lifecycle::{Command, Replay, Task};
use railsbench_core::protocol::{EventKind, Phase, TaskStatus};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::Subject;
use super::fixture::{Steps, at, caller, claim_on, complete, fail, heartbeat, new_run, run_id};
use crate::store::{Claimed, Store, StoreError};

const CONFIG: &str = r#"{"ruby_version": "3.3.0", "runs_per_instance_type": 12,
    "local": ["host"], "aws": ["c7g.medium"]}"#;
const QUEUES: [(&str, &str); 2] = [("local", "host"), ("aws", "c7g.medium")];
const SEEDS: u64 = 3;
const CALLERS: u64 = 8;
const CALLS: u32 = 60;

pub(super) async fn a_random_workload_replays_to_what_is_stored(subject: &dyn Subject) {
    let steps = Steps(subject);
    for seed in 0..SEEDS {
        let run = format!("random-{seed}");
        steps.create(new_run(&run, CONFIG)).await;
        let store = steps.store().await;
        let clock = AtomicI64::new(0);
        let callers = (0..CALLERS).map(|number| {
            let rng = StdRng::seed_from_u64(seed * 1_000 + number);
            call_at_random(&*store, &run, number, rng, &clock)
        });
        futures::future::join_all(callers).await;
        drop(store);
        steps.check_replay(&run).await;
        check_rules(&steps, &run).await;
        // Nobody comes back: with time alone everything held must end or be free.
        let mut now = clock.into_inner() + 1_000;
        while steps.expire(now, 5).await > 0 {
            now += 1;
        }
        let tasks = steps.tasks(&run).await;
        assert!(
            tasks.iter().all(|task| !task.status.is_held()),
            "seed {seed}: a lease outlived its time: {tasks:?}"
        );
        steps.store().await.stop(&run_id(&run), at(now)).await.expect("a run can be stopped");
        assert!(steps.run(&run).await.run.status.is_ended(), "seed {seed}: the run ends");
        steps.check_replay(&run).await;
    }
}

/// One caller: a runner that does anything, right or wrong.
async fn call_at_random(
    store: &dyn Store,
    run: &str,
    number: u64,
    mut rng: StdRng,
    clock: &AtomicI64,
) {
    let name = format!("runner-{number}");
    let mut task: Option<(TaskId, Attempt)> = None;
    for _ in 0..CALLS {
        let now = at(clock.fetch_add(rng.random_range(0..12), Ordering::Relaxed));
        let Some((id, attempt)) = task.clone() else {
            let (provider, instance_type) = QUEUES[rng.random_range(0..QUEUES.len())];
            let claim = claim_on(run, provider, instance_type, &name);
            match store.claim(claim, now).await.expect("anyone may ask for work") {
                Claimed::Task(given) => task = Some((given.id, given.attempt)),
                Claimed::Wait { .. } | Claimed::Done => {}
            }
            continue;
        };
        // Sometimes an older attempt speaks.
        let spoken = if rng.random_bool(0.1) { attempt.0.saturating_sub(1) } else { attempt.0 };
        let who = caller(&name, spoken);
        let phase = Phase::ALL[rng.random_range(0..4)];
        let (command, lets_go) = match rng.random_range(0..20) {
            0 => (complete(who), true),
            1 => (fail(who, true), true),
            2 => (fail(who, false), true),
            3 => (Command::Release { caller: who, reason: None }, true),
            4 => (Command::Expire, false),
            5 => {
                // It dies: only time can free its task.
                task = None;
                continue;
            }
            6 => {
                store.expire(now, 3).await.expect("leases can be expired");
                continue;
            }
            _ => (heartbeat(who, phase), false),
        };
        match store.apply(&id, command, now).await {
            Ok(after) if lets_go || after.attempt != attempt || !after.status.is_held() => {
                task = None;
            }
            Ok(_) => {}
            Err(StoreError::Rejected(_)) => task = None,
            Err(error) => panic!("the store failed: {error}"),
        }
    }
}

/// Reads the events as a story, and checks that each could follow those before it.
async fn check_rules(steps: &Steps<'_>, run: &str) {
    let mut replay = Replay::default();
    for record in steps.events(run).await {
        let before: Option<Task> =
            record.event.task_id.as_ref().and_then(|id| replay.tasks.get(id)).cloned();
        if let Some(task) = before {
            let seq = record.seq;
            assert!(!task.status.is_ended(), "event {seq} changes a task that has ended: {task:?}");
            match &record.event.kind {
                EventKind::TaskClaimed { attempt, .. } => {
                    assert_eq!(task.status, TaskStatus::Pending, "event {seq}: two leases at once");
                    assert_eq!(*attempt, task.attempt.next(), "event {seq}: attempts grow by one");
                }
                EventKind::TaskCompleted { attempt, .. } => {
                    assert_eq!(*attempt, task.attempt, "event {seq}: the newest attempt completes");
                }
                EventKind::Heartbeat { .. } => {
                    assert!(task.status.is_held(), "event {seq}: only a holder has heartbeats");
                }
                _ => {}
            }
        }
        replay.push(&record).expect("the event stream is whole");
    }
}
