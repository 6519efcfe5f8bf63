//! What the cases share: a clock, runs to make, and checks that hold after every case.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use railsbench_core::config::RunConfig;
use railsbench_core::id::{Attempt, InstanceType, ProviderName, RunId, RunnerId, TaskId};
use railsbench_core::lifecycle::{Caller, Command, Policy, Replay, StoredResult, Task};
use railsbench_core::protocol::{EventRecord, Phase};

use super::Subject;
use crate::store::{
    ClaimCommand, Claimed, Created, NewRun, Store, StoreError, StoredRun, TaskFilter,
};

pub(super) const POLICY: Policy = Policy {
    lease: Duration::from_secs(100),
    heartbeat: Duration::from_secs(20),
    max_attempts: 2,
    spares: 1,
    retry_after: Duration::from_secs(10),
};

/// Three tasks on one type.
pub(super) const ONE_TYPE: &str =
    r#"{"ruby_version": "3.3.0", "local": ["host"], "runs_per_instance_type": 3, "mock": true}"#;

/// So many seconds into the case.
pub(super) fn at(seconds: i64) -> Timestamp {
    let start = Timestamp::from_second(1_900_000_000).expect("it is within range");
    start + SignedDuration::from_secs(seconds)
}

pub(super) fn run_id(text: &str) -> RunId {
    RunId::new(text).expect("it is a run id")
}

pub(super) fn runner(text: &str) -> RunnerId {
    RunnerId::new(text).expect("it is a runner id")
}

pub(super) fn config(text: &str) -> RunConfig {
    RunConfig::parse(text).expect("it is a configuration")
}

/// A run to be made. Runs of different ids get different task ids.
pub(super) fn new_run(id: &str, config_text: &str) -> NewRun {
    let seed = id.bytes().fold(7u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    NewRun {
        id: run_id(id),
        config: config(config_text),
        policy: POLICY,
        at: at(0),
        task_seed: seed,
    }
}

/// Who calls, by name and attempt.
pub(super) fn caller(name: &str, attempt: u32) -> Caller {
    Caller { runner_id: Some(runner(name)), attempt: Some(Attempt(attempt)) }
}

pub(super) fn heartbeat(caller: Caller, phase: Phase) -> Command {
    Command::Heartbeat {
        caller,
        phase,
        current_benchmark: None,
        progress_pct: None,
        message: None,
        telemetry: None,
    }
}

pub(super) fn complete(caller: Caller) -> Command {
    let result =
        StoredResult { key: "some/result.tar.gz".to_owned(), size: 42, sha256: "ab".repeat(32) };
    Command::Complete { caller, result }
}

pub(super) fn fail(caller: Caller, retryable: bool) -> Command {
    Command::Fail {
        caller,
        error_type: "out_of_memory".to_owned(),
        error_message: "it was too much".to_owned(),
        retryable,
        error_key: Some("some/error.tar.gz".to_owned()),
    }
}

/// A claim on the local host, where most cases play.
pub(super) fn claim_of(run: &str, name: &str) -> ClaimCommand {
    claim_on(run, "local", "host", name)
}

pub(super) fn claim_on(run: &str, provider: &str, instance_type: &str, name: &str) -> ClaimCommand {
    ClaimCommand {
        run_id: run_id(run),
        provider: ProviderName::new(provider).expect("it is a provider"),
        instance_type: InstanceType::new(instance_type).expect("it is an instance type"),
        runner_id: runner(name),
        runner: None,
    }
}

/// Each call is a step: it asks the subject for its store anew.
pub(super) struct Steps<'a>(pub(super) &'a dyn Subject);

impl Steps<'_> {
    pub(super) async fn store(&self) -> Arc<dyn Store> {
        self.0.store().await
    }

    pub(super) async fn create(&self, new: NewRun) -> Created {
        self.store().await.create_run(new).await.expect("the run can be made")
    }

    pub(super) async fn run(&self, id: &str) -> StoredRun {
        let run = self.store().await.run(&run_id(id)).await;
        run.expect("runs can be read").expect("the run is there")
    }

    pub(super) async fn tasks(&self, run: &str) -> Vec<Task> {
        let store = self.store().await;
        let tasks = store.tasks(&run_id(run), &TaskFilter::default(), None, 10_000).await;
        tasks.expect("tasks can be listed")
    }

    pub(super) async fn task(&self, id: &TaskId) -> Task {
        let found = self.store().await.task(id).await;
        found.expect("tasks can be read").expect("the task is there").1
    }

    pub(super) async fn claim(&self, claim: ClaimCommand, seconds: i64) -> Claimed {
        let claimed = self.store().await.claim(claim, at(seconds)).await;
        claimed.expect("anyone may ask for work")
    }

    /// Claims, and expects to get a task.
    pub(super) async fn take(&self, claim: ClaimCommand, seconds: i64) -> Task {
        match self.claim(claim, seconds).await {
            Claimed::Task(task) => *task,
            other => panic!("a task was free, and the claim got {other:?}"),
        }
    }

    pub(super) async fn try_apply(
        &self,
        task: &TaskId,
        command: Command,
        seconds: i64,
    ) -> Result<Task, StoreError> {
        self.store().await.apply(task, command, at(seconds)).await
    }

    /// Applies a command that must be accepted, and checks that the answer is what is stored.
    pub(super) async fn apply(&self, task: &TaskId, command: Command, seconds: i64) -> Task {
        let shown = format!("{command:?}");
        let after = self.try_apply(task, command, seconds).await;
        let after = after.unwrap_or_else(|error| panic!("{shown} was refused: {error}"));
        assert_eq!(after, self.task(task).await, "the answer to {shown} is what is stored");
        after
    }

    pub(super) async fn expire(&self, seconds: i64, limit: u32) -> u32 {
        let expired = self.store().await.expire(at(seconds), limit).await;
        expired.expect("leases can be expired")
    }

    /// All events, read in pages.
    pub(super) async fn events(&self, run: &str) -> Vec<EventRecord> {
        let mut events: Vec<EventRecord> = Vec::new();
        loop {
            let last = events.last().map_or(0, |record| record.seq);
            let page = self.store().await.events(&run_id(run), last, 50).await;
            let page = page.expect("events can be read");
            if page.is_empty() {
                return events;
            }
            events.extend(page);
        }
    }

    /// Checks that the events of a run tell exactly what is stored.
    pub(super) async fn check_replay(&self, run: &str) {
        let mut replay = Replay::default();
        for record in self.events(run).await {
            assert_eq!(record.run_id, run_id(run), "event {} is of its run", record.seq);
            replay.push(&record).expect("the event stream is whole");
        }
        assert_eq!(self.run(run).await.run, replay.run, "the run is what its events tell");
        let replayed: Vec<Task> = replay.tasks.into_values().collect();
        assert_eq!(self.tasks(run).await, replayed, "the tasks are what their events tell");
    }
}
