//! Connections and the database itself break: nothing is lost, nothing is done twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use railsbench_core::lifecycle::{Command, Task};
use railsbench_core::protocol::TaskStatus;
use railsbench_emulators::postgres::Cluster;
use railsbench_server::store::{PostgresStore, Scope, Store, StoredToken};
use tokio::time::sleep;

use crate::meddler::{Fault, Meddler};
use crate::steps::{at, claim, heartbeat, holder, messages, new_run, open, run_id, take};

const RUNNERS: usize = 8;

/// A database, a way to it that breaks, and a server that uses this way.
async fn meddled() -> (Cluster, Meddler, PostgresStore) {
    let cluster = Cluster::start();
    cluster.create_database("bench");
    let meddler = Meddler::before(cluster.port()).await;
    let store = open(&cluster.url_by("127.0.0.1", meddler.port, "bench")).await;
    (cluster, meddler, store)
}

/// Changes of every kind, with the fault at each; gives what the events tell.
async fn story(
    meddler: &Meddler,
    store: &PostgresStore,
    fault: Option<Fault>,
) -> Vec<&'static str> {
    let run = fault.map_or("none".to_owned(), |fault| format!("{fault:?}"));
    let next = || {
        assert!(meddler.has_fired(), "{run}: the change before committed past the fault");
        if let Some(fault) = fault {
            meddler.arm(fault);
        }
    };
    next();
    let created = store.create_run(new_run(&run, 2)).await.unwrap();
    assert!(created.fresh, "{run}: this call made it");
    next();
    let task = take(store, &run, "a").await;
    for message in ["one", "two"] {
        next();
        store.apply(&task.id, heartbeat(&task, message), at(2)).await.unwrap();
    }
    next();
    let release = Command::Release { caller: holder(&task), reason: None };
    let after = store.apply(&task.id, release, at(3)).await.unwrap();
    assert_eq!((after.status, after.attempt.0), (TaskStatus::Pending, 1), "{run}");
    next();
    let stopped = store.stop(&run_id(&run), at(5)).await.unwrap();
    assert_eq!(stopped.run.counts.cancelled, 2, "{run}");
    assert!(meddler.has_fired());
    assert_eq!(messages(store, &run).await, ["one", "two"], "{run}");
    let events = store.events(&run_id(&run), 0, u32::MAX).await.unwrap();
    events.iter().map(|record| record.event.kind.name()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_breaks_is_done_once() {
    let (_cluster, meddler, store) = meddled().await;
    let wanted = story(&meddler, &store, None).await;
    for fault in [Fault::Request, Fault::Answer] {
        assert_eq!(story(&meddler, &store, Some(fault)).await, wanted, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_never_taken_twice() {
    let (_cluster, meddler, store) = meddled().await;
    for (fault, got) in [(Fault::Request, true), (Fault::Answer, false)] {
        let token =
            StoredToken { hash: [7; 32], scope: Scope::Login, expires_at: at(100), owner: None };
        meddler.arm(fault);
        store.add_token(token.clone()).await.unwrap();
        assert!(meddler.has_fired());
        meddler.arm(fault);
        let answer = store.take_token(&token.hash, at(1)).await.unwrap();
        assert!(meddler.has_fired());
        assert_eq!(answer.is_some(), got, "{fault:?}");
        assert_eq!(store.take_token(&token.hash, at(1)).await.unwrap(), None, "it is gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_in_a_transaction_does_not_hold_up_the_others() {
    let (cluster, meddler, store) = meddled().await;
    let other = open(&cluster.url("bench")).await;
    store.create_run(new_run("r", 2)).await.unwrap();
    let task = take(&store, "r", "a").await;
    meddler.arm(Fault::Client);
    // PostgreSQL believes that the first try of this goes on, and holds the run.
    let (stuck, waiting) = tokio::join!(
        store.apply(&task.id, heartbeat(&task, "stuck"), at(2)),
        other.claim(claim("r", "b"), at(2)),
    );
    assert!(meddler.has_fired());
    stuck.unwrap();
    waiting.unwrap();
    assert_eq!(messages(&other, "r").await, ["stuck"]);
}

/// What runners said, and what of it was acknowledged.
struct Work {
    said: Vec<String>,
    acknowledged: Vec<String>,
}

/// One runner: sends heartbeats, each told from all others, until told to stop.
async fn work(
    store: Arc<PostgresStore>,
    task: Task,
    ended: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
) -> Work {
    let mut work = Work { said: Vec::new(), acknowledged: Vec::new() };
    while !ended.load(Ordering::Relaxed) {
        let message = format!("{}-{}", task.id, work.said.len());
        work.said.push(message.clone());
        if store.apply(&task.id, heartbeat(&task, &message), at(2)).await.is_ok() {
            work.acknowledged.push(message);
            done.fetch_add(1, Ordering::Relaxed);
        }
    }
    work
}

/// Lets runners work through two servers while `meddle` breaks things; gives what must be true.
async fn under_load(cluster: &mut Cluster, meddle: impl AsyncFn(&mut Cluster, usize)) {
    let url = cluster.create_database("bench");
    let stores = [Arc::new(open(&url).await), Arc::new(open(&url).await)];
    stores[0].create_run(new_run("r", RUNNERS)).await.unwrap();
    let (ended, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut workers = Vec::new();
    for number in 0..RUNNERS {
        let store = Arc::clone(&stores[number % 2]);
        let task = take(&store, "r", &format!("runner-{number}")).await;
        workers.push(tokio::spawn(work(store, task, Arc::clone(&ended), Arc::clone(&done))));
    }
    for round in 0..5 {
        let before = done.load(Ordering::Relaxed);
        while done.load(Ordering::Relaxed) < before + 5 * RUNNERS {
            sleep(Duration::from_millis(5)).await;
        }
        meddle(cluster, round).await;
    }
    ended.store(true, Ordering::Relaxed);
    let (mut said, mut acknowledged) = (BTreeSet::new(), BTreeSet::new());
    for worker in workers {
        let work = worker.await.unwrap();
        said.extend(work.said);
        acknowledged.extend(work.acknowledged);
    }
    let told = messages(&stores[1], "r").await;
    let once: BTreeSet<String> = told.iter().cloned().collect();
    assert_eq!(once.len(), told.len(), "something was told twice");
    let lost: Vec<_> = acknowledged.difference(&once).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let never_said: Vec<_> = once.difference(&said).collect();
    assert!(never_said.is_empty(), "told and never said: {never_said:?}");
    assert_eq!(said, acknowledged, "every call was brought to its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_may_break_at_any_moment() {
    let mut cluster = Cluster::start();
    under_load(&mut cluster, async |cluster: &mut Cluster, _| {
        cluster.sql(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'bench'",
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_may_be_killed_and_come_back() {
    let mut cluster = Cluster::start();
    under_load(&mut cluster, async |cluster: &mut Cluster, _| {
        cluster.kill();
        cluster.resume();
    })
    .await;
}
