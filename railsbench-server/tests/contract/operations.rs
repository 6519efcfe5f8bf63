//! Health, readiness, numbers and alerts.

use std::time::Duration;

use reqwest::StatusCode;

use crate::support::Bench;

#[tokio::test]
async fn health_and_readiness_need_no_token() {
    let bench = Bench::start().await;
    for path in ["/health", "/up", "/ready"] {
        let answer = bench.http.get(bench.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert!(answer.headers().contains_key("x-request-id"));
    }
}

#[tokio::test]
async fn a_server_without_its_artifact_folder_is_alive_but_not_ready() {
    let bench = Bench::start().await;
    std::fs::remove_dir_all(bench.folder.path().join("artifacts")).unwrap();
    bench.get("/ready").await.problem(503);
    bench.get("/health").await.expect(StatusCode::OK);
    let alerts = bench.get("/alerts").await.expect(StatusCode::OK);
    assert_eq!(alerts["alerts"][0]["name"], "artifact_store_failing");
}

#[tokio::test]
async fn numbers_count_runs_tasks_requests_and_leases() {
    let bench = Bench::start().await;
    let token = bench.run("m", 2).await;
    bench.work("m", &token, "a").await;
    bench.claim("m", &token, "a").await;
    bench.clock.advance(Duration::from_secs(1000));
    loop {
        let text = bench.get("/metrics").await.text;
        if text.contains("railsbench_expired_leases_total 1") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let text = bench.get("/metrics").await.text;
    for line in [
        "railsbench_runs{status=\"running\"} 1",
        "railsbench_tasks{status=\"completed\"} 1",
        "railsbench_tasks{status=\"pending\"} 1",
        "railsbench_http_requests_total{method=\"POST\",route=\"/tasks/{id}/complete\",status=\"200\"} 1",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
    assert!(!text.contains(&token));
}

#[tokio::test]
async fn a_silent_task_fires_an_alert() {
    // A lease so long that the task is still held when it has been silent for five minutes.
    let bench = Bench::start_with(|config| config.policy.lease = Duration::from_hours(1)).await;
    let token = bench.run("q", 1).await;
    let claimed = bench.claim("q", &token, "a").await;
    let quiet = bench.get("/alerts").await.expect(StatusCode::OK);
    assert!(quiet["alerts"].as_array().unwrap().is_empty());
    bench.clock.advance(Duration::from_mins(6));
    let alerts = bench.get("/alerts").await.expect(StatusCode::OK);
    assert_eq!(alerts["alerts"][0]["name"], "task_silent");
    assert_eq!(alerts["alerts"][0]["task_id"], claimed["task_id"]);
    let task = claimed["task_id"].as_str().unwrap();
    bench.heartbeat(task, &token, "a").await.expect(StatusCode::OK);
    let quiet = bench.get("/alerts").await.expect(StatusCode::OK);
    assert!(quiet["alerts"].as_array().unwrap().is_empty());
}
