//! Runs, callers and commands that the tests share.

use jiff::{SignedDuration, Timestamp};
use railsbench_core::config::RunConfig;
use railsbench_core::id::{InstanceType, ProviderName, RunId, RunnerId};
use railsbench_core::lifecycle::{Caller, Command, Policy, Replay, Task};
use railsbench_core::protocol::{EventKind, Phase};
use railsbench_server::store::{
    ClaimCommand, Claimed, NewRun, PostgresConfig, PostgresStore, Store, TaskFilter,
};

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

pub fn run_id(text: &str) -> RunId {
    RunId::new(text).unwrap()
}

/// A run of mock tasks on the local host.
pub fn new_run(id: &str, tasks: usize) -> NewRun {
    let config = format!(
        r#"{{"ruby_version": "system", "local": ["host"], "runs_per_instance_type": {tasks}}}"#
    );
    NewRun {
        id: run_id(id),
        config: RunConfig::parse(&config).unwrap(),
        policy: Policy::default(),
        at: at(0),
        task_seed: rand::random(),
    }
}

pub fn claim(run: &str, runner: &str) -> ClaimCommand {
    ClaimCommand {
        run_id: run_id(run),
        provider: ProviderName::new("local").unwrap(),
        instance_type: InstanceType::new("host").unwrap(),
        runner_id: RunnerId::new(runner).unwrap(),
        runner: None,
    }
}

pub async fn open(url: &str) -> PostgresStore {
    PostgresStore::open(&PostgresConfig::new(url.into())).await.unwrap()
}

/// Claims, and expects to get a task.
pub async fn take(store: &PostgresStore, run: &str, runner: &str) -> Task {
    match store.claim(claim(run, runner), at(1)).await.unwrap() {
        Claimed::Task(task) => *task,
        other => panic!("a task was free, and {runner} got {other:?}"),
    }
}

/// Whoever holds the task now.
pub fn holder(task: &Task) -> Caller {
    Caller { runner_id: task.runner_id.clone(), attempt: Some(task.attempt) }
}

/// A heartbeat that can be told from all others.
pub fn heartbeat(task: &Task, message: &str) -> Command {
    Command::Heartbeat {
        caller: holder(task),
        phase: Phase::Running,
        current_benchmark: None,
        progress_pct: None,
        message: Some(message.to_owned()),
        telemetry: None,
    }
}

/// The messages of all heartbeats of a run, in the order of its events, after checking that the
/// events are whole and tell what is stored.
pub async fn messages(store: &PostgresStore, run: &str) -> Vec<String> {
    let run = run_id(run);
    let mut replay = Replay::default();
    let mut messages = Vec::new();
    for record in store.events(&run, 0, u32::MAX).await.unwrap() {
        replay.push(&record).unwrap();
        if let EventKind::Heartbeat { message: Some(message), .. } = record.event.kind {
            messages.push(message);
        }
    }
    assert_eq!(store.run(&run).await.unwrap().unwrap().run, replay.run);
    let tasks = store.tasks(&run, &TaskFilter::default(), None, u32::MAX).await.unwrap();
    assert_eq!(tasks, replay.tasks.into_values().collect::<Vec<_>>());
    messages
}
