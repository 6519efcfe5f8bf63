//! Workloads that misbehave.

use std::time::Duration;

use railsbench_runner::workload::Limits;
use serde_json::Value;

use crate::stub::{Fault, Stub, World};
use crate::world::{GOOD, Running, Script, task};

/// Runs one task that fails, and gives the call that says so.
async fn failure(script: &Script) -> (Stub, Value) {
    let stub = Stub::start(World::with_tasks([task(1)]));
    Running::start(&stub, vec![script.workload()]).done().await;
    stub.assert_no_violation();
    assert_eq!(stub.names(), ["claim", "put error", "fail", "claim"]);
    let fail = stub.bodies("fail")[0].clone();
    (stub, fail)
}

#[tokio::test]
async fn a_failure_tells_the_end_of_the_output() {
    let script = Script::new("echo what went wrong >&2; exit 3");
    let (stub, fail) = failure(&script).await;
    assert_eq!(fail["error_type"], "workload_failed");
    assert_eq!(fail["retryable"], false);
    let message = fail["error_message"].as_str().unwrap();
    assert!(message.contains("exit code 3") && message.ends_with("what went wrong"), "{message}");
    let world = stub.world();
    let files = &world.error_archives[0];
    assert_eq!(files["output.txt"], b"what went wrong\n");
    assert!(String::from_utf8_lossy(&files["metadata.json"]).contains("\"failed\""));
}

/// What the heartbeats have told of the log, each place of it once.
fn told(world: &World) -> String {
    let mut log = Vec::new();
    for beat in world.calls.iter().filter(|call| call.name == "heartbeat") {
        let Some(text) = beat.body["log"].as_str() else { continue };
        let place = usize::try_from(beat.body["log_offset"].as_u64().unwrap()).unwrap();
        assert!(place <= log.len(), "there is a gap before {text:?}");
        log.truncate(place);
        log.extend_from_slice(text.as_bytes());
    }
    String::from_utf8(log).unwrap()
}

#[tokio::test]
async fn what_a_workload_prints_is_told_while_it_runs() {
    let script = Script::new(&format!(
        r#"echo one; echo two >&2
        while [ ! -e "$SHARED/gate" ]; do sleep 0.02; done
        {GOOD}"#
    ));
    let mut world = World::with_tasks([task(1)]);
    // What was told without an answer is told again.
    world.faults.entry("heartbeat").or_default().extend([Fault::Status(503), Fault::LoseAnswer]);
    let stub = Stub::start(world);
    let running = Running::start(&stub, vec![script.workload()]);
    stub.until("the output is told", |world| told(world).contains("| two\n")).await;
    script.open_gate();
    running.done().await;
    stub.assert_no_violation();
    assert_eq!(told(&stub.world()), "| one\n| two\n");
}

#[tokio::test]
async fn exit_code_75_asks_for_another_attempt() {
    let (_, fail) = failure(&Script::new("exit 75")).await;
    assert_eq!(fail["error_type"], "temporary_failure");
    assert_eq!(fail["retryable"], true);
}

#[tokio::test]
async fn a_workload_that_hangs_is_stopped() {
    let script = Script::new(
        r#"echo $$ > "$SHARED/leader"
        sleep 1000 & echo $! > "$SHARED/child"
        echo waiting for nothing
        wait"#,
    )
    .with_time_limit(Duration::from_millis(500));
    let (_, fail) = failure(&script).await;
    assert_eq!(fail["error_type"], "workload_timeout");
    let message = fail["error_message"].as_str().unwrap();
    assert!(message.contains("0.5 s") && message.contains("waiting for nothing"), "{message}");
    script.assert_gone("leader");
    script.assert_gone("child");
}

#[tokio::test]
async fn a_workload_that_ignores_sigterm_is_killed() {
    let script = Script::new(
        r#"trap '' TERM
        echo $$ > "$SHARED/leader"
        while true; do sleep 0.1; done"#,
    )
    .with_time_limit(Duration::from_millis(300));
    let (_, fail) = failure(&script).await;
    assert_eq!(fail["error_type"], "workload_timeout");
    script.assert_gone("leader");
}

#[tokio::test]
async fn processes_that_are_left_behind_are_killed() {
    let script = Script::new(&format!(
        r#"{GOOD}
        sleep 1000 & echo $! > "$SHARED/child"
        setsid sh -c 'echo $$ > "$1/daemon"; exec sleep 1000' sh "$SHARED" &
        while [ ! -s "$SHARED/daemon" ]; do sleep 0.02; done"#
    ));
    let stub = Stub::start(World::with_tasks([task(1)]));
    Running::start(&stub, vec![script.workload()]).done().await;
    stub.assert_no_violation();
    assert_eq!(stub.world().results.len(), 1);
    script.assert_gone("child");
    script.assert_gone("daemon");
}

#[tokio::test]
async fn a_result_must_be_there_and_good() {
    for (commands, hint) in [
        ("true", "output.csv cannot be read"),
        ("echo > $RAILSBENCH_OUTPUT_DIR/output.csv", "output.json cannot be read"),
        (
            "cd $RAILSBENCH_OUTPUT_DIR; echo > output.csv; ln -s /etc/passwd output.json",
            "output.json is not a plain file",
        ),
        (
            "cd $RAILSBENCH_OUTPUT_DIR; echo > output.csv; echo '{\"raw_data\": {}}' > output.json",
            "raw_data: it is empty",
        ),
    ] {
        let (_, fail) = failure(&Script::new(commands)).await;
        assert_eq!(fail["error_type"], "workload_invalid_output", "{commands}");
        let message = fail["error_message"].as_str().unwrap();
        assert!(message.contains(hint), "{message}");
    }
}

#[tokio::test]
async fn output_without_end_is_cut_off() {
    let limits = Limits { file_bytes: 100_000, ..Limits::default() };
    let script = Script::new("exec cat /dev/zero").with_limits(limits);
    let (stub, fail) = failure(&script).await;
    let message = fail["error_message"].as_str().unwrap();
    assert!(message.contains("100000 bytes"), "{message}");
    assert_eq!(stub.world().error_archives[0]["output.txt"].len(), 100_000);
}

#[tokio::test]
async fn a_command_that_is_not_there_is_named() {
    let script = Script::new("");
    let manifest = r#"{"name": "script", "command": ["no-such-ruby", "x"], "benchmarks": []}"#;
    std::fs::write(script.path("workload.json"), manifest).unwrap();
    let (_, fail) = failure(&script).await;
    let message = fail["error_message"].as_str().unwrap();
    assert!(message.contains("127") && message.contains("no-such-ruby"), "{message}");
}

#[tokio::test]
async fn a_suite_that_the_runner_does_not_have_is_not_tried_again() {
    let stub = Stub::start(World::with_tasks([task(1)]));
    Running::start(&stub, Vec::new()).done().await;
    stub.assert_no_violation();
    let fail = &stub.bodies("fail")[0];
    assert_eq!(fail["error_type"], "workload_unknown");
    assert_eq!(fail["retryable"], false);
}
