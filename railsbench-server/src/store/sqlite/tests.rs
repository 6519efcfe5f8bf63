use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use railsbench_core::config::RunConfig;
use railsbench_core::id::{Attempt, InstanceType, ProviderName, RunnerId};
use railsbench_core::lifecycle::{Caller, Policy, Replay};
use railsbench_core::protocol::Phase;
use tempfile::TempDir;

use super::*;

fn now() -> Timestamp {
    Timestamp::from_second(1_900_000_000).unwrap()
}

fn new_run(id: &str) -> NewRun {
    let config = r#"{"ruby_version": "3.3.0", "local": ["host"], "mock": true}"#;
    NewRun {
        id: RunId::new(id).unwrap(),
        config: RunConfig::parse(config).unwrap(),
        policy: Policy::default(),
        at: now(),
        task_seed: id.bytes().map(u64::from).sum(),
    }
}

fn claim(run: &str) -> ClaimCommand {
    ClaimCommand {
        run_id: RunId::new(run).unwrap(),
        provider: ProviderName::new("local").unwrap(),
        instance_type: InstanceType::new("host").unwrap(),
        runner_id: RunnerId::new("a").unwrap(),
        runner: None,
    }
}

fn heartbeat(message: &str) -> Command {
    Command::Heartbeat {
        caller: Caller { runner_id: None, attempt: Some(Attempt(1)) },
        phase: Phase::Running,
        current_benchmark: None,
        progress_pct: None,
        message: Some(message.to_owned()),
        telemetry: None,
    }
}

async fn store_with_held_task(folder: &TempDir) -> (SqliteStore, TaskId) {
    let store = SqliteStore::open(&folder.path().join("store.db")).unwrap();
    store.create_run(new_run("r")).await.unwrap();
    let Claimed::Task(task) = store.claim(claim("r"), now()).await.unwrap() else {
        panic!("the task is free");
    };
    (store, task.id)
}

async fn replayed(store: &SqliteStore) -> Replay {
    let run = RunId::new("r").unwrap();
    let mut replay = Replay::default();
    for record in store.events(&run, 0, 100_000).await.unwrap() {
        replay.push(&record).unwrap();
    }
    replay
}

fn refusal(outcome: Result<SqliteStore, StoreError>) -> String {
    let error = outcome.unwrap_err();
    assert!(matches!(error, StoreError::Engine { .. }), "{error:?}");
    error.to_string()
}

#[test]
fn only_the_owner_can_read_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    // As an older version or a careless copy may have left it.
    std::fs::write(&path, b"").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let _store = SqliteStore::open(&path).unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", entry.path().display());
    }
}

#[test]
fn a_file_that_cannot_be_used_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent/store.db");
    assert!(refusal(SqliteStore::open(&absent)).contains("its folder must exist"));

    let folder_itself = refusal(SqliteStore::open(folder.path()));
    assert!(folder_itself.contains(&folder.path().display().to_string()), "{folder_itself}");

    let text = folder.path().join("text.db");
    std::fs::write(&text, "x".repeat(10_000)).unwrap();
    assert!(refusal(SqliteStore::open(&text)).contains("restore a backup"));

    let foreign = folder.path().join("foreign.db");
    let connection = Connection::open(&foreign).unwrap();
    connection.execute_batch("CREATE TABLE cats (name TEXT)").unwrap();
    assert!(refusal(SqliteStore::open(&foreign)).contains("another program"));

    let newer = folder.path().join("newer.db");
    drop(SqliteStore::open(&newer).unwrap());
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let refused = refusal(SqliteStore::open(&newer));
    assert!(refused.contains("version 99") && refused.contains("newer railsbench"), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_damaged_later_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let (store, task) = store_with_held_task(&folder).await;
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    let page = 4096;
    assert!(bytes.len() > 4 * page, "there are pages to damage");
    bytes[page..].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let error = match SqliteStore::open(&path) {
        Ok(store) => store.apply(&task, heartbeat("lost"), now()).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, StoreError::Engine { .. }), "{error:?}");
    assert!(error.to_string().contains("damaged"), "{error}");
}

#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, task) = store_with_held_task(&folder).await;
    let limit = |pages: u32| {
        move |unit: &mut Unit<'_>| {
            let count = "SELECT page_count FROM pragma_page_count";
            let now: u32 = unit.connection.query_row(count, [], |row| row.get(0))?;
            unit.connection
                .pragma_update_and_check(None, "max_page_count", now + pages, |_| Ok(()))?;
            Ok(())
        }
    };
    store.writer.submit("set a limit", limit(4)).await.unwrap();
    let mut acknowledged = Vec::new();
    let error = loop {
        assert!(acknowledged.len() < 1_000, "the disk never filled up");
        let message = format!("{} {}", acknowledged.len(), "x".repeat(1_500));
        match store.apply(&task, heartbeat(&message), now()).await {
            Ok(_) => acknowledged.push(message),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Engine { .. }), "{error:?}");
    assert!(error.to_string().contains("free some space"), "{error}");
    let last = replayed(&store).await;
    assert_eq!(last.tasks[&task].message.as_ref(), acknowledged.last(), "nothing half-way");
    assert_eq!(store.task(&task).await.unwrap().unwrap().1, last.tasks[&task]);

    store.writer.submit("lift the limit", limit(10_000)).await.unwrap();
    store.apply(&task, heartbeat("room again"), now()).await.unwrap();
    assert_eq!(replayed(&store).await.tasks[&task].message.as_deref(), Some("room again"));
}

#[tokio::test]
async fn when_a_commit_fails_every_caller_of_its_group_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (store, task) = store_with_held_task(&folder).await;
    let before = replayed(&store).await;
    let mut changes = store.changes();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (starts, started) = tokio::sync::oneshot::channel::<()>();
    let blocker = store.writer.submit("wait", move |_| {
        starts.send(()).unwrap();
        wait.recv().unwrap();
        Ok(())
    });
    // All three wait behind the blocker, and so share the next transaction.
    let behind = async {
        started.await.unwrap();
        let first = store.apply(&task, heartbeat("before"), now());
        let breaker = store.writer.submit("break", |unit| {
            unit.connection.execute_batch("ROLLBACK")?;
            Ok(())
        });
        let last = store.apply(&task, heartbeat("after"), now());
        // Polled in this order: the way is free once all three are in the queue.
        futures::join!(first, breaker, last, async { go.send(()).unwrap() })
    };
    let (waited, (first, broken, last, ())) = futures::join!(blocker, behind);
    waited.unwrap();
    for outcome in [first.map(drop), broken, last.map(drop)] {
        assert!(matches!(outcome, Err(StoreError::Engine { .. })), "{outcome:?}");
    }
    assert_eq!(replayed(&store).await, before, "nothing of the group is kept");
    assert!(changes.try_recv().is_err(), "nobody was told of a change");
    store.apply(&task, heartbeat("next"), now()).await.unwrap();
    assert_eq!(replayed(&store).await.tasks[&task].message.as_deref(), Some("next"));
}

#[tokio::test]
async fn what_waits_when_the_store_is_dropped_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let (store, task) = store_with_held_task(&folder).await;
    let mut abandoned = Box::pin(store.apply(&task, heartbeat("still said"), now()));
    assert!(futures::poll!(&mut abandoned).is_pending(), "it is in the queue");
    drop(abandoned);
    drop(store);
    let store = SqliteStore::open(&folder.path().join("store.db")).unwrap();
    let (_, task) = store.task(&task).await.unwrap().unwrap();
    assert_eq!(task.message.as_deref(), Some("still said"));
}

#[tokio::test]
async fn readers_do_not_wait_for_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let (store, task) = store_with_held_task(&folder).await;
    let store = Arc::new(store);
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let writing = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            let work = move |_: &mut Unit<'_>| {
                wait.recv().unwrap();
                Ok(())
            };
            store.writer.submit("wait", work).await
        }
    });
    for _ in 0..20 {
        let reads = (0..8).map(|_| store.task(&task));
        for read in futures::future::join_all(reads).await {
            assert!(read.unwrap().is_some());
        }
    }
    assert!(!writing.is_finished(), "the writer was busy all the while");
    go.send(()).unwrap();
    writing.await.unwrap().unwrap();
}

#[test]
fn every_statement_finds_its_rows_by_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let connection = schema::open_writer(&folder.path().join("store.db")).unwrap();
    for sql in queries::STATEMENTS.iter().chain(commands::STATEMENTS) {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().unwrap() {
            let step: String = row.get("detail").unwrap();
            // The list of runs starts at the newest and stops at its limit.
            let walks_an_index = step.starts_with("SCAN runs USING INDEX runs_newest");
            assert!(
                walks_an_index || step.starts_with("SEARCH"),
                "{step:?} is how SQLite does this:\n{sql}"
            );
        }
    }
    let plan = |sql: &str| -> String {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut rows = statement.raw_query();
        rows.next().unwrap().unwrap().get("detail").unwrap()
    };
    let queue = "tasks_in_queue (run_id=? AND provider=? AND instance_type=? AND status=?)";
    for (sql, index) in [
        (queries::OLDEST_PENDING, queue),
        (queries::HELD, queue),
        (queries::DUE_IN_QUEUE, queue),
        (queries::DUE, "tasks_by_lease (lease_expires_at<?)"),
        (queries::OWN, "tasks_by_holder (run_id=? AND runner_id=?)"),
    ] {
        assert!(plan(sql).contains(index), "{:?} is how SQLite does this:\n{sql}", plan(sql));
    }
}
