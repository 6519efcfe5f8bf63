//! Servers on one database: they hear of each other's changes, and agree on who does what.

use std::time::Duration;

use railsbench_core::id::RunId;
use railsbench_core::lifecycle::Policy;
use railsbench_core::protocol::TaskStatus;
use railsbench_emulators::postgres::Cluster;
use railsbench_server::store::{NewRun, Store, TaskFilter};
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;
use tokio_postgres::NoTls;

use crate::steps::{at, heartbeat, new_run, open, run_id, take};

/// Longest that a change may take to be told.
const PATIENCE: Duration = Duration::from_mins(1);

async fn told(changes: &mut Receiver<RunId>) -> RunId {
    timeout(PATIENCE, changes.recv()).await.expect("a change is told").unwrap()
}

/// A session of somebody else.
async fn session(cluster: &Cluster) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&cluster.url("bench"), NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SET search_path = railsbench").await.unwrap();
    client
}

/// How many sessions listen.
fn listeners(cluster: &Cluster) -> String {
    cluster.sql(
        "bench",
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = 'bench' AND (query LIKE 'LISTEN %' OR query LIKE '%railsbench.runs%')
           AND pid <> pg_backend_pid()",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn each_server_hears_of_the_changes_of_all() {
    let cluster = Cluster::start();
    let url = cluster.create_database("bench");
    let (one, other) = (open(&url).await, open(&cluster.socket_url("bench")).await);
    let mut changes = other.changes();
    one.create_run(new_run("r", 1)).await.unwrap();
    assert_eq!(told(&mut changes).await, run_id("r"));
    let task = take(&one, "r", "a").await;
    assert_eq!(told(&mut changes).await, run_id("r"));
    one.apply(&task.id, heartbeat(&task, "x"), at(2)).await.unwrap();
    assert_eq!(told(&mut changes).await, run_id("r"));
    assert!(changes.is_empty(), "each is told once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_while_nobody_listened_is_told_afterwards() {
    let mut cluster = Cluster::start();
    let url = cluster.create_database("bench");
    let (one, other) = (open(&url).await, open(&url).await);
    one.create_run(new_run("r", 1)).await.unwrap();
    one.create_run(new_run("s", 1)).await.unwrap();
    let mut changes = other.changes();
    while !changes.is_empty() {
        changes.recv().await.unwrap();
    }
    cluster.kill();
    cluster.resume();
    let mut heard = [told(&mut changes).await, told(&mut changes).await];
    heard.sort();
    assert_eq!(heard, [run_id("r"), run_id("s")], "anything may have happened to every run");
    // Each server notices by itself that its connection has gone.
    let begun = std::time::Instant::now();
    while listeners(&cluster) != "2" {
        assert!(begun.elapsed() < PATIENCE, "both listen again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    while !changes.is_empty() {
        changes.recv().await.unwrap();
    }
    take(&one, "s", "a").await;
    assert_eq!(told(&mut changes).await, run_id("s"), "and it listens again");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_servers_sign_with_one_key() {
    let cluster = Cluster::start();
    let url = cluster.create_database("bench");
    let (one, other) = (open(&url).await, open(&url).await);
    let (key, same) = tokio::join!(one.signing_key(), other.signing_key());
    let key = key.unwrap();
    assert_eq!(key, same.unwrap());
    assert_ne!(key, [0; 32]);
    drop((one, other));
    assert_eq!(open(&url).await.signing_key().await.unwrap(), key, "it is kept");
    let elsewhere = cluster.create_database("elsewhere");
    assert_ne!(open(&elsewhere).await.signing_key().await.unwrap(), key);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_at_a_time_looks_for_what_has_run_out() {
    let cluster = Cluster::start();
    let store = open(&cluster.create_database("bench")).await;
    let policy = Policy { lease: Duration::from_secs(10), ..Policy::default() };
    store.create_run(NewRun { policy, ..new_run("r", 1) }).await.unwrap();
    take(&store, "r", "a").await;
    let leader = session(&cluster).await;
    let lock = "SELECT pg_advisory_lock(x'726c736272656170'::bigint)";
    leader.batch_execute(lock).await.unwrap();
    assert_eq!(store.expire(at(1_000), 10).await.unwrap(), 0, "another one leads");
    leader.batch_execute(&lock.replace("_lock", "_unlock")).await.unwrap();
    assert_eq!(store.expire(at(1_000), 10).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_somebody_is_at_work_on_is_left_for_the_next_look() {
    let cluster = Cluster::start();
    let store = open(&cluster.create_database("bench")).await;
    let policy = Policy { lease: Duration::from_secs(10), ..Policy::default() };
    for run in ["busy", "free"] {
        store.create_run(NewRun { policy, ..new_run(run, 1) }).await.unwrap();
        take(&store, run, "a").await;
    }
    let worker = session(&cluster).await;
    let hold = "BEGIN; SELECT 1 FROM run_states WHERE run_id = 'busy' FOR UPDATE";
    worker.batch_execute(hold).await.unwrap();
    assert_eq!(store.expire(at(1_000), 10).await.unwrap(), 1, "it does not wait");
    let counts = async |run| store.run(&run_id(run)).await.unwrap().unwrap().run.counts;
    assert_eq!((counts("busy").await.claimed, counts("free").await.claimed), (1, 0));
    worker.batch_execute("COMMIT").await.unwrap();
    assert_eq!(store.expire(at(1_000), 10).await.unwrap(), 1);
    let (_, task) = store
        .task(&store.tasks(&run_id("busy"), &TaskFilter::default(), None, 1).await.unwrap()[0].id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(task.status, TaskStatus::Pending);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_no_changes_is_not_ready() {
    let cluster = Cluster::start();
    let store = open(&cluster.create_database("bench")).await;
    store.ping().await.unwrap();
    cluster.sql("postgres", "ALTER DATABASE bench SET default_transaction_read_only = on");
    let standby = open(&cluster.url("bench")).await;
    let error = standby.ping().await.unwrap_err().to_string();
    assert!(error.contains("takes no changes"), "{error}");
}
