//! What happens between the start and the end of a workload: signs of life, and orders to stop.

use railsbench_core::protocol::{Directive, Phase};
use railsbench_runner::agent::AgentError;

use crate::stub::{Fault, Stub, World};
use crate::world::{GOOD, Running, Script, task};

/// Commands that note their process and that of a child, and then wait for the gate.
const WAITS: &str = r#"
echo $$ > "$SHARED/leader"
sleep 1000 & echo $! > "$SHARED/child"
while [ ! -e "$SHARED/gate" ]; do sleep 0.02; done
kill $!
"#;

#[tokio::test]
async fn heartbeats_go_on_while_a_workload_runs() {
    let script = Script::new(&format!(
        r#"printf '{{"benchmark": "b", "variant": "yjit", "done": 1, "total": 4}}\n' > "$RAILSBENCH_PROGRESS"
        printf '{{"message": "all is well"}}\n' > "$RAILSBENCH_PROGRESS"
        {WAITS}{GOOD}"#
    ));
    let stub = Stub::start(World::with_tasks([task(1)]));
    let runner = Running::start(&stub, vec![script.workload()]);
    stub.until("progress and four signs of life", |world| {
        let progress = world.has_heartbeat(|request| {
            request.current_benchmark.as_deref() == Some("b (yjit)")
                && request.progress_pct == Some(25.0)
                && request.message.as_deref() == Some("all is well")
        });
        progress && world.calls.iter().filter(|call| call.name == "heartbeat").count() >= 4
    })
    .await;
    script.open_gate();
    runner.done().await;
    stub.assert_no_violation();
    assert!(stub.world().is_running());
}

#[tokio::test]
async fn an_unreachable_server_does_not_stop_the_workload() {
    let script = Script::new(&format!("{WAITS}{GOOD}"));
    let down = std::iter::repeat_n(Fault::Status(503), 6);
    let world = World::with_tasks([task(1)]).fault("heartbeat", down);
    let stub = Stub::start(world);
    let runner = Running::start(&stub, vec![script.workload()]);
    stub.until("the server is back", World::is_running).await;
    stub.until("all faults are over", |world| world.faults["heartbeat"].is_empty()).await;
    script.open_gate();
    runner.done().await;
    stub.assert_no_violation();
    assert_eq!(stub.world().results.len(), 1);
}

#[tokio::test]
async fn a_lost_lease_kills_the_workload_and_drops_its_result() {
    let script = Script::new(WAITS);
    let stub = Stub::start(World::with_tasks([task(1)]));
    let runner = Running::start(&stub, vec![script.workload()]);
    stub.until("the workload runs", World::is_running).await;
    until_file(&script, "child").await;
    stub.world().lease_lost = true;
    runner.done().await;
    script.assert_gone("leader");
    script.assert_gone("child");
    stub.assert_no_violation();
    assert_eq!(stub.names(), ["claim", "claim"]);
}

#[tokio::test]
async fn told_to_stop_it_kills_the_workload_and_claims_again() {
    let script = Script::new(WAITS);
    let stub = Stub::start(World::with_tasks([task(1)]));
    let runner = Running::start(&stub, vec![script.workload()]);
    stub.until("the workload runs", World::is_running).await;
    until_file(&script, "child").await;
    stub.world().directive = Some(Directive::Stop);
    runner.done().await;
    script.assert_gone("leader");
    script.assert_gone("child");
    stub.assert_no_violation();
    assert_eq!(stub.names(), ["claim", "claim"]);
}

#[tokio::test]
async fn a_token_that_ends_ends_the_workload_and_the_runner() {
    let script = Script::new(WAITS);
    let stub = Stub::start(World::with_tasks([task(1)]));
    let runner = Running::start(&stub, vec![script.workload()]);
    stub.until("the workload runs", World::is_running).await;
    until_file(&script, "child").await;
    stub.world().faults.entry("heartbeat").or_default().push_back(Fault::Status(401));
    let error = runner.end().await.unwrap_err();
    assert!(matches!(error, AgentError::Refused(_)), "{error}");
    script.assert_gone("child");
}

#[tokio::test]
async fn phases_are_told_in_order() {
    let script = Script::new(&format!("{WAITS}{GOOD}"));
    let slow_store = [Fault::Status(503), Fault::Status(503)];
    let world = World::with_tasks([task(1)]).fault("put result", slow_store);
    let stub = Stub::start(world);
    let runner = Running::start(&stub, vec![script.workload()]);
    stub.until("the workload runs", World::is_running).await;
    script.open_gate();
    stub.until("the upload is told", |world| {
        world.has_heartbeat(|request| request.heartbeat_status == Phase::Uploading)
    })
    .await;
    runner.done().await;
    stub.assert_no_violation();
}

pub async fn until_file(script: &Script, name: &str) {
    let path = script.path(name);
    let written = || std::fs::read_to_string(&path).is_ok_and(|text| text.ends_with('\n'));
    for _ in 0..3000 {
        if written() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("{} is never written", path.display());
}
