//! Whole tasks on the SQLite store: claim, heartbeat, complete, each durable before it is
//! acknowledged, by 1 and by 64 runners at a time.
//!
//! What the disk alone can do is measured in the same run and in the same folder: one append of
//! a page and its `fdatasync`. A lone runner cannot do a cycle in less than three of them; many
//! runners share them, because the store commits in groups.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{
    BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use jiff::Timestamp;
use railsbench_core::config::RunConfig;
use railsbench_core::id::{InstanceType, ProviderName, RunId, RunnerId};
use railsbench_core::lifecycle::{Caller, Command, Policy, StoredResult};
use railsbench_core::protocol::Phase;
use railsbench_server::store::{ClaimCommand, Claimed, NewRun, SqliteStore, Store};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Tasks of each run that the cycles are taken from.
const TASKS: u64 = 1_000;

/// A folder on the disk that the build is on: the usual folder for temporary files may be in
/// memory, where `fdatasync` costs nothing.
fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("cargo made the folder around it")
}

fn run_id(number: u64) -> RunId {
    RunId::new(format!("run-{number}")).expect("it follows the grammar")
}

async fn make_runs(store: &SqliteStore, cycles: u64) {
    let config = format!(
        r#"{{"ruby_version":"system","local":["host"],"mock":true,"runs_per_instance_type":{TASKS}}}"#
    );
    let config = RunConfig::parse(&config).expect("it is a configuration");
    for number in 0..cycles.div_ceil(TASKS) {
        let run = NewRun {
            id: run_id(number),
            config: config.clone(),
            policy: Policy::default(),
            at: Timestamp::UNIX_EPOCH,
            task_seed: number,
        };
        store.create_run(run).await.expect("the store takes a new run");
    }
}

/// One task from its claim to its end.
async fn cycle(store: &SqliteStore, run: RunId, runner_id: &RunnerId) {
    let now = Timestamp::UNIX_EPOCH;
    let claim = ClaimCommand {
        run_id: run,
        provider: ProviderName::new("local").expect("it follows the grammar"),
        instance_type: InstanceType::new("host").expect("it follows the grammar"),
        runner_id: runner_id.clone(),
        runner: None,
    };
    let claimed = store.claim(claim, now).await.expect("the store answers");
    let Claimed::Task(task) = claimed else {
        panic!("there are as many tasks as cycles, but the store says {claimed:?}");
    };
    let caller = Caller { runner_id: Some(runner_id.clone()), attempt: Some(task.attempt) };
    let heartbeat = Command::Heartbeat {
        caller: caller.clone(),
        phase: Phase::Running,
        current_benchmark: Some("rails_request_json".to_owned()),
        progress_pct: Some(40.0),
        message: None,
        telemetry: None,
    };
    store.apply(&task.id, heartbeat, now).await.expect("the runner holds the task");
    let result = StoredResult { key: "result".to_owned(), size: 1, sha256: "0".repeat(64) };
    let complete = Command::Complete { caller, result };
    store.apply(&task.id, complete, now).await.expect("the runner holds the task");
}

/// How long so many runners at a time take for `rounds` cycles per runner.
async fn time_cycles(rounds: u64, runners: u64) -> Duration {
    let cycles = rounds * runners;
    let folder = folder();
    let store = SqliteStore::open(&folder.path().join("store.db")).expect("the folder is writable");
    let store = Arc::new(store);
    make_runs(&store, cycles).await;
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let runners: Vec<_> = (0..runners)
        .map(|number| {
            let (store, next) = (Arc::clone(&store), Arc::clone(&next));
            tokio::spawn(async move {
                let runner_id =
                    RunnerId::new(format!("runner-{number}")).expect("it follows the grammar");
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= cycles {
                        return;
                    }
                    cycle(&store, run_id(number / TASKS), &runner_id).await;
                }
            })
        })
        .collect();
    for runner in runners {
        runner.await.expect("no runner panics");
    }
    began.elapsed()
}

fn cycles(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("threads can be started");
    let mut group = criterion.benchmark_group("sqlite");
    group.sample_size(10).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(1));

    group.bench_function("the disk alone, one append and fdatasync", |bencher| {
        let folder = folder();
        let path = folder.path().join("appended");
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .expect("the folder is writable");
        bencher.iter(|| {
            file.write_all(&[7; 4096]).expect("the disk is not full");
            file.sync_data().expect("the disk works");
        });
    });
    for runners in [1, 64] {
        let id = BenchmarkId::new("claim, heartbeat, complete by each of", runners);
        group.throughput(Throughput::Elements(runners));
        group.bench_with_input(id, &runners, |bencher, runners| {
            bencher.iter_custom(|rounds| runtime.block_on(time_cycles(rounds, *runners)));
        });
    }
    group.finish();
}

criterion_group!(benches, cycles);
criterion_main!(benches);
