//! Getting a task: patience with a server that is not there, and none with one that says no.

use std::time::Duration;

use railsbench_runner::agent::{AgentError, Ending};

use crate::stub::{Fault, Stub, World};
use crate::world::{GOOD, Running, Script, task};

#[tokio::test]
async fn a_task_is_run_delivered_and_followed_by_the_next_until_done() {
    let script = Script::new(&format!(
        r#"{GOOD}
        cp "$RAILSBENCH_SPEC" "$SHARED/spec"
        env > "$SHARED/environment"
        ulimit -c > "$SHARED/core-limit"
        echo to-stdout
        echo to-stderr >&2
        printf '{{"benchmark": "b", "variant": "interp", "done": 1, "total": 2}}\n' > "$RAILSBENCH_PROGRESS"
        "#
    ));
    let stub = Stub::start(World::with_tasks([task(1), task(2)]));
    Running::start(&stub, vec![script.workload()]).done().await;

    stub.assert_no_violation();
    let once = ["claim", "put result", "complete"];
    assert_eq!(stub.names(), [once.as_slice(), &once, &["claim"]].concat());
    let spec: serde_json::Value = serde_json::from_str(&script.read("spec")).unwrap();
    assert_eq!(spec["task_id"], task(2).id.as_str());
    assert_eq!(spec["seed"], "local/host/2");
    assert_eq!(spec["benchmarks"], serde_json::json!([]));
    assert_eq!(script.read("core-limit").trim(), "0");
    let environment = script.read("environment");
    assert!(!environment.contains("API_KEY") && !environment.contains("ORCHESTRATOR_URL"));

    let world = stub.world();
    let files = &world.results[0];
    let text = |name: &str| String::from_utf8(files[name].clone()).unwrap();
    assert_eq!(text("output.txt"), "to-stdout\nto-stderr\n");
    assert!(text("output.json").contains("raw_data"));
    assert!(text("output.csv").starts_with("variant"));
    let metadata =
        railsbench_core::results::Metadata::parse(text("metadata.json").as_bytes()).unwrap();
    assert_eq!(metadata.task_id, task(1).id);
    assert_eq!(metadata.run, 1);
    assert_eq!(metadata.attempt.map(|attempt| attempt.0), Some(1));
    assert!(metadata.start_time < metadata.end_time);
    assert!(metadata.checksum.is_some() && metadata.machine.is_some(), "{metadata:?}");
    assert!(metadata.kernel.is_some() && metadata.memory_bytes.is_some(), "{metadata:?}");
}

#[tokio::test]
async fn a_server_that_appears_late_is_waited_for() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let script = Script::new(GOOD);
    // Connections are accepted and dropped, until three have come.
    let refuse = tokio::task::spawn_blocking(move || {
        for _ in 0..3 {
            drop(listener.accept().unwrap());
        }
        listener
    });
    let config = crate::world::config(&format!("http://{address}/base"));
    let runner = Running::start_with(config, vec![script.workload()]);
    let listener = refuse.await.unwrap();
    let stub = Stub::start_on(listener, World::with_tasks([task(1)]));
    runner.done().await;
    stub.assert_no_violation();
    assert_eq!(stub.names(), ["claim", "put result", "complete", "claim"]);
}

#[tokio::test]
async fn a_lost_claim_answer_strands_no_task() {
    let script = Script::new(GOOD);
    let world = World::with_tasks([task(1)]).fault("claim", [Fault::LoseAnswer]);
    let stub = Stub::start(world);
    Running::start(&stub, vec![script.workload()]).done().await;
    stub.assert_no_violation();
    assert_eq!(stub.names(), ["claim", "claim", "put result", "complete", "claim"]);
    let claims = stub.bodies("claim");
    assert_eq!(claims[0]["runner_id"], claims[1]["runner_id"]);
}

#[tokio::test]
async fn told_to_wait_it_asks_again() {
    let stub = Stub::start(World { waits: 2, ..World::default() });
    Running::start(&stub, Vec::new()).done().await;
    stub.assert_no_violation();
    assert_eq!(stub.names(), ["claim", "claim", "claim"]);
}

#[tokio::test]
async fn garbage_and_outages_are_weather() {
    let script = Script::new(GOOD);
    let garbage = [
        Fault::Garbage("<html>It works!</html>"),
        Fault::Garbage(""),
        Fault::Garbage("{\"status\":\"assigned\"}"),
        Fault::Status(500),
        Fault::Status(429),
    ];
    let world = World::with_tasks([task(1)])
        .fault("claim", garbage)
        .fault("heartbeat", [Fault::Garbage("null"), Fault::Status(422), Fault::Status(503)])
        .fault("complete", [Fault::Garbage("[]"), Fault::Status(502)]);
    let stub = Stub::start(world);
    Running::start(&stub, vec![script.workload()]).done().await;
    stub.assert_no_violation();
    assert_eq!(stub.world().results.len(), 1);
}

#[tokio::test]
async fn a_refused_claim_ends_the_runner() {
    for status in [401, 403, 404, 422] {
        let stub = Stub::start(World::default().fault("claim", [Fault::Status(status)]));
        let error = Running::start(&stub, Vec::new()).end().await.unwrap_err();
        assert!(matches!(error, AgentError::Refused(_)), "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
        assert_eq!(stub.names(), ["claim"]);
    }
}

#[tokio::test]
async fn a_redirect_is_refused_with_the_right_address() {
    let redirect = Fault::Redirect("https://bench.example.com/base/runs?secret=1");
    let stub = Stub::start(World::default().fault("claim", [redirect]));
    let error = Running::start(&stub, Vec::new()).end().await.unwrap_err();
    let expected = "refused with 308: it redirects to https://bench.example.com; use that";
    assert!(error.to_string().contains(expected), "{error}");
}

#[tokio::test]
async fn https_is_spoken_and_a_server_that_does_not_is_weather() {
    let stub = Stub::start(World::default());
    let mut config = crate::world::config(&stub.url().replace("http:", "https:"));
    config.max_lifetime = Some(Duration::from_secs(1));
    let end = Running::start_with(config, Vec::new()).end().await;
    assert_eq!(end.unwrap(), Ending::LifetimeOver);
    assert_eq!(stub.names(), Vec::<&str>::new());
}
