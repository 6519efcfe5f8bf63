//! Leases that run out, and runners that come late.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Bench, good_archive};

const LONG: Duration = Duration::from_secs(1000);

#[tokio::test]
async fn a_late_completion_counts_if_no_newer_attempt_has_started() {
    let bench = Bench::start().await;
    let token = bench.run("late", 1).await;
    let claimed = bench.claim("late", &token, "a").await;
    let task = claimed["task_id"].as_str().unwrap();
    bench.put(claimed["upload_url"].as_str().unwrap(), good_archive()).await.expect(StatusCode::OK);
    bench.clock.advance(LONG);
    until_status(&bench, "late", "pending").await;
    bench.complete(task, &token, "a").await.expect(StatusCode::OK);
    let run = bench.get("/runs/late").await.expect(StatusCode::OK);
    assert_eq!(run["status"], "completed");
}

#[tokio::test]
async fn a_late_completion_is_refused_if_a_newer_attempt_has_started() {
    let bench = Bench::start().await;
    let token = bench.run("lost", 1).await;
    let old = bench.claim("lost", &token, "a").await;
    let task = old["task_id"].as_str().unwrap();
    bench.put(old["upload_url"].as_str().unwrap(), good_archive()).await.expect(StatusCode::OK);
    bench.clock.advance(LONG);
    let new = bench.claim("lost", &token, "b").await;
    assert_eq!(new["lease"]["attempt"], 2);

    let complete = json!({"runner_id": "a", "attempt": 1});
    let path = format!("/tasks/{task}/complete");
    let refused = bench.post(&path, &token, &complete).await.problem(409);
    assert_eq!(refused["error"], "lease_lost");
    let refused = bench.heartbeat(task, &token, "a").await.problem(409);
    assert_eq!(refused["error"], "lease_lost");
    let results = bench.get("/runs/lost/results").await.expect(StatusCode::OK);
    assert!(results["tasks"].as_array().unwrap().is_empty());

    bench.put(new["upload_url"].as_str().unwrap(), good_archive()).await.expect(StatusCode::OK);
    bench.complete(task, &token, "b").await.expect(StatusCode::OK);
    let results = bench.get("/runs/lost/results").await.expect(StatusCode::OK);
    assert_eq!(results["tasks"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_stranger_is_not_a_latecomer() {
    let bench = Bench::start().await;
    let token = bench.run("x", 1).await;
    let claimed = bench.claim("x", &token, "a").await;
    let task = claimed["task_id"].as_str().unwrap();
    let refused = bench.heartbeat(task, &token, "stranger").await.problem(403);
    assert_eq!(refused["error"], "Invalid runner_id");
}

#[tokio::test]
async fn the_reaper_ends_runs_whose_runners_are_gone() {
    let bench = Bench::start().await;
    let token = bench.run("gone", 1).await;
    for attempt in 1..=3 {
        let claimed = bench.claim("gone", &token, &format!("runner-{attempt}")).await;
        assert_eq!(claimed["lease"]["attempt"], attempt);
        bench.clock.advance(LONG);
        until_status(&bench, "gone", if attempt < 3 { "pending" } else { "failed" }).await;
    }
    let run = bench.get("/runs/gone").await.expect(StatusCode::OK);
    assert_eq!(run["status"], "failed");
    assert_eq!(run["tasks"][0]["failures"], 3);
}

#[tokio::test]
async fn an_error_heartbeat_ends_the_attempt() {
    let bench = Bench::start().await;
    let token = bench.run("e", 1).await;
    let claimed = bench.claim("e", &token, "a").await;
    let task = claimed["task_id"].as_str().unwrap();
    let beat = json!({"heartbeat_status": "error", "runner_id": "a", "message": "disk full"});
    let heard = bench.post(&format!("/tasks/{task}/heartbeat"), &token, &beat).await;
    let heard = heard.expect(StatusCode::OK);
    assert_eq!(heard["directive"], "stop");
    assert_eq!(heard.get("lease"), None);
    let run = bench.get("/runs/e").await.expect(StatusCode::OK);
    assert_eq!(run["tasks"][0]["status"], "pending");
    assert_eq!(run["tasks"][0]["failures"], 1);
}

/// Waits until the first task of a run has this status, which the reaper brings about.
async fn until_status(bench: &Bench, run: &str, status: &str) {
    loop {
        let view = bench.get(&format!("/runs/{run}")).await.expect(StatusCode::OK);
        if view["tasks"][0]["status"] == status {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
