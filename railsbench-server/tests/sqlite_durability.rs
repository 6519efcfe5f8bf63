//! What the SQLite store has acknowledged survives `kill -9`.
//!
//! The test starts its own executable as a child that writes and says what was acknowledged,
//! kills it in the middle, and looks for all of it.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command as Process, Stdio};

use jiff::Timestamp;
use railsbench_core::config::RunConfig;
use railsbench_core::id::{InstanceType, ProviderName, RunId, RunnerId};
use railsbench_core::lifecycle::{Caller, Command, Policy, Replay};
use railsbench_core::protocol::{EventKind, Phase};
use railsbench_server::store::{ClaimCommand, Claimed, NewRun, SqliteStore, Store, TaskFilter};

const DATABASE: &str = "RAILSBENCH_DURABILITY_DATABASE";
const ROUND: &str = "RAILSBENCH_DURABILITY_ROUND";
const RUNNERS: usize = 16;
const ENOUGH: usize = 400;

fn now() -> Timestamp {
    Timestamp::from_second(1_900_000_000).unwrap()
}

fn run_id() -> RunId {
    RunId::new("durable").unwrap()
}

fn caller(number: usize) -> RunnerId {
    RunnerId::new(format!("runner-{number}")).unwrap()
}

/// One runner: claims, and sends heartbeats for ever. Says what was acknowledged.
async fn work(store: &SqliteStore, round: &str, number: usize) {
    let claim = ClaimCommand {
        run_id: run_id(),
        provider: ProviderName::new("local").unwrap(),
        instance_type: InstanceType::new("host").unwrap(),
        runner_id: caller(number),
        runner: None,
    };
    let Claimed::Task(task) = store.claim(claim, now()).await.unwrap() else {
        panic!("every runner has a task");
    };
    for beat in 0u64.. {
        let said = format!("{round}-{number}-{beat}");
        let command = Command::Heartbeat {
            caller: Caller { runner_id: Some(caller(number)), attempt: Some(task.attempt) },
            phase: Phase::Running,
            current_benchmark: None,
            progress_pct: None,
            message: Some(said.clone()),
            telemetry: None,
        };
        store.apply(&task.id, command, now()).await.unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "acknowledged {said}").unwrap();
        out.flush().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it is the child that the other test starts and kills"]
async fn child_that_writes_until_it_is_killed() {
    let database = std::env::var(DATABASE).unwrap();
    let round = std::env::var(ROUND).unwrap();
    let store = SqliteStore::open(Path::new(&database)).unwrap();
    let config = format!(
        r#"{{"ruby_version": "3.3.0", "local": ["host"], "runs_per_instance_type": {RUNNERS}}}"#
    );
    let new = NewRun {
        id: run_id(),
        config: RunConfig::parse(&config).unwrap(),
        policy: Policy::default(),
        at: now(),
        task_seed: 1,
    };
    store.create_run(new).await.unwrap();
    futures::future::join_all((0..RUNNERS).map(|number| work(&store, &round, number))).await;
}

/// Starts the child, kills it once it has said enough, and gives all that it had said by then.
fn write_and_kill(database: &Path, round: usize) -> Vec<String> {
    let mut child = Process::new(std::env::current_exe().unwrap())
        .args(["child_that_writes_until_it_is_killed", "--exact", "--ignored", "--nocapture"])
        .env(DATABASE, database)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut acknowledged = Vec::new();
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 {
        let whole = line.strip_suffix('\n');
        acknowledged
            .extend(whole.and_then(|line| line.strip_prefix("acknowledged ")).map(str::to_owned));
        line.clear();
        if acknowledged.len() == ENOUGH {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(status.code().is_none(), "the child ended by itself: {status}");
    acknowledged
}

#[tokio::test]
async fn acknowledged_changes_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("store.db");
    let mut acknowledged = BTreeSet::new();
    for round in 0..3 {
        acknowledged.extend(write_and_kill(&database, round));
        assert!(acknowledged.len() >= ENOUGH * (round + 1), "round {round} said too little");
        let store = SqliteStore::open(&database).unwrap();
        let mut replay = Replay::default();
        let mut stored = BTreeSet::new();
        for record in store.events(&run_id(), 0, u32::MAX).await.unwrap() {
            replay.push(&record).unwrap();
            if let EventKind::Heartbeat { message: Some(message), .. } = record.event.kind {
                stored.insert(message);
            }
        }
        let lost: Vec<_> = acknowledged.difference(&stored).collect();
        assert!(lost.is_empty(), "round {round} lost {lost:?}");
        assert_eq!(store.run(&run_id()).await.unwrap().unwrap().run, replay.run);
        let tasks = store.tasks(&run_id(), &TaskFilter::default(), None, 100).await.unwrap();
        assert_eq!(tasks, replay.tasks.into_values().collect::<Vec<_>>(), "round {round}");
    }
}
