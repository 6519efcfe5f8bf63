//! A client that uses everything: ids, attempts, hashes, fresh URLs, results.

use std::io::Read;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Bench, OPERATOR, good_archive, sha256};

#[tokio::test]
async fn a_task_from_claim_to_downloaded_result() {
    let bench = Bench::start().await;
    let token = bench.run("full", 1).await;
    let body = json!({
        "provider": "local", "instance_type": "host", "runner_id": "runner-a",
        "runner": {"boot_seconds": 12.5, "vcpus": 4, "arch": "x86_64", "colour": "blue"},
        "unheard_of": true,
    });
    let claimed = bench.post("/runs/full/tasks/claim", &token, &body).await.expect(StatusCode::OK);
    let task = claimed["task"]["id"].as_str().unwrap().to_owned();
    assert_eq!(claimed["task_id"], task.as_str());
    assert_eq!(claimed["task"]["mock"], true);
    assert_eq!(claimed["lease"]["attempt"], 1);
    assert_eq!(claimed["lease"]["runner_id"], "runner-a");
    assert_eq!(claimed["upload_url"], claimed["presigned_urls"]["result_upload_url"]);

    // The answer was lost: the same runner gets the same task and attempt.
    let again = bench.claim("full", &token, "runner-a").await;
    assert_eq!(again["task_id"], task.as_str());
    assert_eq!(again["lease"]["attempt"], 1);
    // Another one waits.
    let other = bench.claim("full", &token, "runner-b").await;
    assert_eq!(other["status"], "wait");
    assert!(other["retry_after_seconds"].as_u64().unwrap() >= 1);

    let bytes = good_archive();
    let url = claimed["presigned_urls"]["result_upload_url"].as_str().unwrap();
    bench.put(url, bytes.clone()).await.expect(StatusCode::OK);
    let complete = json!({
        "runner_id": "runner-a", "attempt": 1, "size": bytes.len(), "sha256": sha256(&bytes),
        "s3_result_key": claimed["presigned_urls"]["result_key"],
    });
    let path = format!("/tasks/{task}/complete");
    for _ in 0..2 {
        bench.post(&path, &token, &complete).await.expect(StatusCode::OK);
    }
    assert_eq!(bench.claim("full", &token, "runner-b").await["status"], "done");

    let results = bench.get("/runs/full/results").await.expect(StatusCode::OK);
    let file = &results["tasks"][0]["artifacts"][0];
    assert_eq!(file["name"], "result.tar.gz");
    assert_eq!(file["size"], bytes.len());
    assert_eq!(file["sha256"], sha256(&bytes));
    // The URL is the permission: no token is sent.
    let download = bench.http.get(file["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(download.headers()["content-length"], bytes.len().to_string().as_str());
    assert_eq!(download.bytes().await.unwrap(), bytes);
}

#[tokio::test]
async fn all_results_in_one_archive_as_they_were_uploaded() {
    let bench = Bench::start().await;
    let token = bench.run("many", 3).await;
    for runner in ["a", "b", "c"] {
        bench.work("many", &token, runner).await;
    }
    let response = bench
        .request(Method::GET, "/runs/many/results.tar.gz", OPERATOR)
        .send()
        .await
        .unwrap()
        .error_for_status()
        .unwrap();
    assert_eq!(response.headers()["content-type"], "application/gzip");
    let bytes = response.bytes().await.unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
    let mut found = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        assert_eq!(sha256(&bytes), sha256(&good_archive()));
        found.push(path);
    }
    let expected: Vec<String> = (1..=3).map(|n| format!("many/host-{n}/result.tar.gz")).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_run_without_results_gives_an_empty_archive() {
    let bench = Bench::start().await;
    bench.run("none", 1).await;
    let response =
        bench.request(Method::GET, "/runs/none/results.tar.gz", OPERATOR).send().await.unwrap();
    let bytes = response.bytes().await.unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bytes[..]));
    assert_eq!(archive.entries().unwrap().count(), 0);
}

#[tokio::test]
async fn the_error_archive_of_a_failed_task_is_a_result_too() {
    let bench = Bench::start().await;
    let token = bench.run("bad", 1).await;
    let claimed = bench.claim("bad", &token, "a").await;
    let task = claimed["task_id"].as_str().unwrap();
    let url = claimed["presigned_urls"]["error_upload_url"].as_str().unwrap();
    bench.put(url, b"whatever went wrong".to_vec()).await.expect(StatusCode::OK);
    let failure = json!({
        "runner_id": "a", "error_type": "workload_failed", "error_message": "boom",
        "s3_error_key": claimed["presigned_urls"]["error_key"],
    });
    bench.post(&format!("/tasks/{task}/fail"), &token, &failure).await.expect(StatusCode::OK);
    let results = bench.get("/runs/bad/results").await.expect(StatusCode::OK);
    let file = &results["tasks"][0]["artifacts"][0];
    assert_eq!(results["tasks"][0]["status"], "failed");
    assert_eq!(file["name"], "error.tar.gz");
    assert_eq!(file["sha256"], sha256(b"whatever went wrong"));
}

#[tokio::test]
async fn runs_are_made_once_and_listed_newest_first() {
    let bench = Bench::start().await;
    let config = json!({"run_id": "one", "ruby_version": "system", "local": ["host"]});
    let made = bench.post("/runs", OPERATOR, &config).await.expect(StatusCode::CREATED);
    assert!(made["run_token"].is_string());
    assert_eq!(made["results_url"], bench.url("/runs/one/results"));
    let same = bench.post("/runs", OPERATOR, &config).await.expect(StatusCode::OK);
    assert_eq!(same["run_id"], "one");
    assert_eq!(same.get("run_token"), None);
    let other = json!({"run_id": "one", "ruby_version": "3.3.0", "local": ["host"]});
    let refused = bench.post("/runs", OPERATOR, &other).await.problem(409);
    assert_eq!(refused["error"], "different_config");

    let unnamed = json!({"ruby_version": "system", "local": ["host"]});
    let mut ids = vec!["one".to_owned()];
    for _ in 0..3 {
        bench.clock.advance(std::time::Duration::from_secs(1));
        let made = bench.post("/runs", OPERATOR, &unnamed).await.expect(StatusCode::CREATED);
        let id = made["run_id"].as_str().unwrap().to_owned();
        assert_eq!(id.len(), 10);
        ids.push(id);
    }
    ids.reverse();
    let mut seen = Vec::new();
    let mut path = "/runs?limit=3".to_owned();
    loop {
        let page = bench.get(&path).await.expect(StatusCode::OK);
        let runs = page["runs"].as_array().unwrap();
        seen.extend(runs.iter().map(|run| run["run_id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/runs?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, ids);
}

#[tokio::test]
async fn tasks_are_filtered_and_paged() {
    let bench = Bench::start().await;
    let token = bench.run("p", 5).await;
    bench.work("p", &token, "a").await;
    let pending = bench.get("/runs/p/tasks?status=pending&limit=3").await.expect(StatusCode::OK);
    assert_eq!(pending["tasks"].as_array().unwrap().len(), 3);
    let cursor = pending["next_cursor"].as_str().unwrap();
    let rest = bench.get(&format!("/runs/p/tasks?status=pending&limit=3&cursor={cursor}")).await;
    let rest = rest.expect(StatusCode::OK);
    assert_eq!(rest["tasks"].as_array().unwrap().len(), 1);
    assert_eq!(rest.get("next_cursor"), None);
    let none = bench.get("/runs/p/tasks?provider=aws").await.expect(StatusCode::OK);
    assert!(none["tasks"].as_array().unwrap().is_empty());
    bench.get("/runs/unknown/tasks").await.problem(404);
}

#[tokio::test]
async fn stopping_cancels_pending_tasks_and_tells_runners() {
    let bench = Bench::start().await;
    let token = bench.run("s", 2).await;
    let claimed = bench.claim("s", &token, "a").await;
    let task = claimed["task_id"].as_str().unwrap();
    for _ in 0..2 {
        let stopped = bench.post("/runs/s/stop", OPERATOR, &json!({})).await.expect(StatusCode::OK);
        assert_eq!(stopped["stop_requested"], true);
        assert_eq!(stopped["task_counts"]["cancelled"], 1);
    }
    let heard = bench.heartbeat(task, &token, "a").await.expect(StatusCode::OK);
    assert_eq!(heard["directive"], "stop");
    let run = bench.get("/runs/s").await.expect(StatusCode::OK);
    assert_eq!(run["status"], "cancelled");
    let late = bench.heartbeat(task, &token, "a").await.expect(StatusCode::OK);
    assert_eq!(late["directive"], "stop");
}

#[tokio::test]
async fn a_released_task_goes_to_the_next_runner_unharmed() {
    let bench = Bench::start().await;
    let token = bench.run("rel", 1).await;
    let claimed = bench.claim("rel", &token, "a").await;
    let task = claimed["task_id"].as_str().unwrap();
    let release = json!({"runner_id": "a", "reason": "SIGTERM"});
    let path = format!("/tasks/{task}/release");
    for _ in 0..2 {
        bench.post(&path, &token, &release).await.expect(StatusCode::OK);
    }
    let next = bench.claim("rel", &token, "b").await;
    assert_eq!(next["task_id"], task);
    assert_eq!(next["lease"]["attempt"], 2);
    let view = bench.get("/runs/rel").await.expect(StatusCode::OK);
    assert_eq!(view["tasks"][0]["failures"], 0);
}
