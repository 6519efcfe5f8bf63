//! What the rules alone cost: one heartbeat applied to a task that is held.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use railsbench_core::id::{Attempt, InstanceType, ProviderName, RunnerId, TaskId};
use railsbench_core::lifecycle::{Caller, Command, Policy, Task};
use railsbench_core::protocol::Phase;

fn one_heartbeat(criterion: &mut Criterion) {
    let policy = Policy::default();
    let now = Timestamp::UNIX_EPOCH;
    let runner_id = RunnerId::new("runner-1").expect("it follows the grammar");
    let mut task = Task::new(
        TaskId::from_parts(1, 1),
        ProviderName::new("local").expect("it follows the grammar"),
        InstanceType::new("host").expect("it follows the grammar"),
        None,
        1,
        now,
    );
    let claim = Command::Claim { runner_id: runner_id.clone(), runner: None };
    task.apply(claim, now, &policy).expect("a new task can be claimed");
    let heartbeat = Command::Heartbeat {
        caller: Caller { runner_id: Some(runner_id), attempt: Some(Attempt(1)) },
        phase: Phase::Running,
        current_benchmark: Some("rails_request_json".to_owned()),
        progress_pct: Some(40.0),
        message: None,
        telemetry: None,
    };
    criterion.bench_function("lifecycle step, one heartbeat", |bencher| {
        bencher.iter(|| task.apply(black_box(heartbeat.clone()), now, &policy));
    });
}

criterion_group!(benches, one_heartbeat);
criterion_main!(benches);
