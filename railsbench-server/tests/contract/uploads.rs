//! Uploads to the server's own artifact store, and the connectivity probe.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use crate::support::{Bench, good_archive, sha256};

#[tokio::test]
async fn an_expired_upload_url_is_replaced_by_a_fresh_one() {
    let bench = Bench::start().await;
    let token = bench.run("u", 1).await;
    let claimed = bench.claim("u", &token, "a").await;
    let task = claimed["task_id"].as_str().unwrap();
    let old = claimed["upload_url"].as_str().unwrap();
    // Benchmarks take longer than any URL lasts; heartbeats keep the lease meanwhile.
    for _ in 0..40 {
        bench.clock.advance(Duration::from_mins(2));
        bench.heartbeat(task, &token, "a").await.expect(StatusCode::OK);
    }
    let refused = bench.put(old, good_archive()).await.problem(403);
    assert_eq!(refused["error"], "bad_signature");
    let path = format!("/tasks/{task}/uploads");
    let fresh = bench.post(&path, &token, &json!({"runner_id": "a", "attempt": 1})).await;
    let fresh = fresh.expect(StatusCode::OK);
    assert_eq!(fresh["result_key"], claimed["presigned_urls"]["result_key"]);
    let url = fresh["result_upload_url"].as_str().unwrap();
    bench.put(url, good_archive()).await.expect(StatusCode::OK);
    bench.complete(task, &token, "a").await.expect(StatusCode::OK);
    bench.post(&path, &token, &json!({"runner_id": "a"})).await.problem(409);
}

#[tokio::test]
async fn an_upload_larger_than_its_url_allows_is_refused() {
    let bench = Bench::start_with(|config| config.max_upload_bytes = 10_000).await;
    let token = bench.run("u", 1).await;
    let claimed = bench.claim("u", &token, "a").await;
    assert_eq!(claimed["presigned_urls"]["max_bytes"], 10_000);
    let url = claimed["upload_url"].as_str().unwrap();
    bench.put(url, vec![7; 10_001]).await.problem(413);
    // Without a length the server finds out as the bytes come.
    let chunks = (0..20).map(|_| Ok::<_, std::io::Error>(vec![7_u8; 1000]));
    let body = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
    let response = bench.http.put(url).body(body).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let task = claimed["task_id"].as_str().unwrap();
    bench.complete(task, &token, "a").await.problem(422);
}

#[tokio::test]
async fn a_url_is_good_for_its_key_and_its_method_only() {
    let bench = Bench::start().await;
    let token = bench.run("u", 1).await;
    let claimed = bench.claim("u", &token, "a").await;
    let url = claimed["upload_url"].as_str().unwrap();
    let elsewhere = url.replace("result.tar.gz", "error.tar.gz");
    assert_ne!(url, elsewhere);
    bench.put(&elsewhere, good_archive()).await.problem(403);
    let read = bench.http.get(url).send().await.unwrap();
    assert_eq!(read.status(), StatusCode::FORBIDDEN);
    let bare = url.split('?').next().unwrap();
    bench.put(bare, good_archive()).await.problem(403);
    bench.put(&bare.replace("/runs/", "/runs/../"), good_archive()).await;
    let outside = bench.url("/artifacts/..%2f..%2fsigning.key");
    let read = bench.http.get(outside).send().await.unwrap();
    assert!(read.status().is_client_error());
}

#[tokio::test]
async fn what_a_task_completed_with_is_not_replaced() {
    let bench = Bench::start().await;
    let token = bench.run("u", 1).await;
    let claimed = bench.claim("u", &token, "a").await;
    let url = claimed["upload_url"].as_str().unwrap();
    bench.put(url, b"first try, broken".to_vec()).await.expect(StatusCode::OK);
    bench.put(url, good_archive()).await.expect(StatusCode::OK);
    bench.complete(claimed["task_id"].as_str().unwrap(), &token, "a").await.expect(StatusCode::OK);
    let refused = bench.put(url, b"something else".to_vec()).await.problem(409);
    assert_eq!(refused["error"], "already_accepted");
    let results = bench.get("/runs/u/results").await.expect(StatusCode::OK);
    let download = results["tasks"][0]["artifacts"][0]["url"].as_str().unwrap();
    let bytes = bench.http.get(download).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(bytes, good_archive());
}

#[tokio::test]
async fn a_connectivity_probe_is_seen_to_arrive() {
    let bench = Bench::start().await;
    let token = bench.run("u", 1).await;
    let offer = bench.post("/connectivity/upload", &token, &json!({})).await;
    let offer = offer.expect(StatusCode::CREATED);
    let path = format!("/connectivity/upload/{}", offer["id"].as_str().unwrap());
    let before = bench.get(&path).await.expect(StatusCode::OK);
    assert_eq!(before["arrived"], false);
    bench.put(offer["upload_url"].as_str().unwrap(), b"ping".to_vec()).await.expect(StatusCode::OK);
    let after = bench.get(&path).await.expect(StatusCode::OK);
    assert_eq!(after["arrived"], true);
    assert_eq!(after["size"], 4);
    assert_eq!(after["sha256"], sha256(b"ping"));
    let large = vec![0; 100_000];
    bench.put(offer["upload_url"].as_str().unwrap(), large).await.problem(413);
    bench.get("/connectivity/upload/..%2fx").await.problem(404);
}
