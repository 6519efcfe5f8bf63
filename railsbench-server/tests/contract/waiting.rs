//! Claims that wait for work.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::Bench;

async fn waiting_claim(bench: &Bench, token: &str, runner: &str) -> Value {
    let body = json!({
        "provider": "local", "instance_type": "host", "runner_id": runner, "wait_seconds": 30,
    });
    bench.post("/runs/w/tasks/claim", token, &body).await.expect(StatusCode::OK)
}

/// Waits until the server has a claim under way besides the caller's own request.
async fn until_someone_waits(bench: &Bench) {
    loop {
        let numbers = bench.get("/metrics").await.text;
        if numbers.contains("railsbench_requests_in_flight 2") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_waiting_claim_wakes_when_a_task_comes_back() {
    let bench = Bench::start().await;
    let token = bench.run("w", 1).await;
    let claimed = bench.claim("w", &token, "a").await;
    let task = claimed["task_id"].as_str().unwrap();
    let release = async {
        until_someone_waits(&bench).await;
        let body = json!({"runner_id": "a"});
        bench.post(&format!("/tasks/{task}/release"), &token, &body).await.expect(StatusCode::OK)
    };
    let (woken, _) = tokio::join!(waiting_claim(&bench, &token, "b"), release);
    assert_eq!(woken["status"], "assigned");
    assert_eq!(woken["task_id"], task);
}

#[tokio::test]
async fn a_waiting_claim_ends_when_nothing_can_come_back() {
    let bench = Bench::start().await;
    let token = bench.run("w", 1).await;
    let claimed = bench.claim("w", &token, "a").await;
    let task = claimed["task_id"].as_str().unwrap();
    let fail = async {
        until_someone_waits(&bench).await;
        let body = json!({
            "runner_id": "a", "error_type": "workload", "error_message": "no", "retryable": false,
        });
        bench.post(&format!("/tasks/{task}/fail"), &token, &body).await.expect(StatusCode::OK)
    };
    let (woken, _) = tokio::join!(waiting_claim(&bench, &token, "b"), fail);
    assert_eq!(woken["status"], "done");
}

#[tokio::test]
async fn a_waiting_claim_takes_over_an_expired_lease() {
    let bench = Bench::start().await;
    let token = bench.run("w", 1).await;
    bench.claim("w", &token, "a").await;
    let expire = async {
        until_someone_waits(&bench).await;
        bench.clock.advance(Duration::from_secs(1000));
    };
    let (woken, ()) = tokio::join!(waiting_claim(&bench, &token, "b"), expire);
    assert_eq!(woken["lease"]["attempt"], 2);
}

#[tokio::test]
async fn only_so_many_spares_wait() {
    let bench = Bench::start().await;
    let token = bench.run("w", 1).await;
    bench.claim("w", &token, "a").await;
    assert_eq!(bench.claim("w", &token, "b").await["status"], "wait");
    assert_eq!(bench.claim("w", &token, "c").await["status"], "done");
    // The first spare keeps its place.
    assert_eq!(bench.claim("w", &token, "b").await["status"], "wait");
}
