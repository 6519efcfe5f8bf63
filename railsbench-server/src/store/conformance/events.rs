//! The event stream, and who is told of it.

use std::time::Duration;

use railsbench_core::lifecycle::Command;
use railsbench_core::protocol::Phase;
use tokio::sync::broadcast::error::TryRecvError;

use super::Subject;
use super::fixture::{ONE_TYPE, Steps, at, caller, claim_of, complete, heartbeat, new_run, run_id};
use crate::store::NewRun;

/// How long a change may take to be told, before the case gives up on it.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn events_are_paged_without_gaps(subject: &dyn Subject) {
    let steps = Steps(subject);
    steps.create(new_run("r", ONE_TYPE)).await;
    steps.create(new_run("s", ONE_TYPE)).await;
    let task = steps.take(claim_of("r", "a"), 0).await;
    for second in 1..=20 {
        steps.apply(&task.id, heartbeat(caller("a", 1), Phase::Running), second).await;
    }
    let all = steps.events("r").await;
    let numbers: Vec<u64> = all.iter().map(|record| record.seq).collect();
    let count = u64::try_from(all.len()).expect("it is a small number");
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>(), "from 1, without gaps");
    assert!(count >= 26, "the run, three tasks, a claim, the start and 20 heartbeats: {count}");
    let store = steps.store().await;
    let page = store.events(&run_id("r"), 5, 3).await.expect("events can be read");
    assert_eq!(page, all[5..8], "strictly after, at most as many as asked");
    for beyond in [count, count + 1, u64::MAX] {
        let rest = store.events(&run_id("r"), beyond, 3).await.expect("events can be read");
        assert_eq!(rest, [], "nothing is after {beyond}");
    }
    drop(store);
    assert_eq!(steps.events("s").await.len(), 4, "another run has its own numbers");
}

pub(super) async fn changes_are_told_once_they_can_be_read(subject: &dyn Subject) {
    let store = subject.store().await;
    let mut changes = store.changes();
    let told = async |changes: &mut tokio::sync::broadcast::Receiver<_>| {
        let told = tokio::time::timeout(PATIENCE, changes.recv()).await;
        told.expect("a change is told").expect("and none is lost")
    };
    let (r, new) = (run_id("r"), new_run("r", ONE_TYPE));
    store.create_run(new.clone()).await.expect("the run can be made");
    assert_eq!(told(&mut changes).await, r);
    let count = |events: Vec<_>| events.len();
    let read = async || store.events(&r, 0, 1_000).await.map(count).expect("events can be read");
    assert_eq!(read().await, 4);

    // Reads as soon as it is told, while the change may still be on its way back to its caller.
    let claim = store.claim(claim_of("r", "a"), at(1));
    let reader = async {
        let run = told(&mut changes).await;
        (run, read().await)
    };
    let (claimed, (run, seen)) = futures::join!(claim, reader);
    claimed.expect("anyone may ask for work");
    assert_eq!((run, seen), (r.clone(), 6), "what is told can be read: claim and start");

    // What changes nothing is not told.
    store.claim(claim_of("r", "a"), at(2)).await.expect("a lost answer is given again");
    let again = store.create_run(NewRun { at: at(3), ..new }).await;
    again.expect("the run can be made twice");
    let task = store.tasks(&r, &crate::store::TaskFilter::default(), None, 1).await;
    let task = task.expect("tasks can be listed").remove(0);
    let refused = store.apply(&task.id, complete(caller("z", 1)), at(3)).await;
    refused.expect_err("a stranger is refused");
    let nothing_due = store.apply(&task.id, Command::Expire, at(3)).await;
    nothing_due.expect("time may pass");
    assert_eq!(store.expire(at(3), 10).await.expect("leases can be expired"), 0);
    let none = changes.try_recv();
    assert_eq!(none, Err(TryRecvError::Empty));
    assert_eq!(store.expire(at(101), 10).await.expect("leases can be expired"), 1);
    assert_eq!(told(&mut changes).await, r);
}
