//! The end of a server: what is under way is finished, what waits is let go.

use std::time::Duration;

use futures::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Answer, Bench, OPERATOR, good_archive};

#[tokio::test]
async fn streams_and_waiting_claims_end_at_once() {
    let bench = Bench::start().await;
    let token = bench.run("d", 1).await;
    bench.claim("d", &token, "a").await;
    let events =
        bench.request(Method::GET, "/runs/d/events", OPERATOR).send().await.unwrap().bytes_stream();
    let body = json!({
        "provider": "local", "instance_type": "host", "runner_id": "b", "wait_seconds": 30,
    });
    let claim = bench.request(Method::POST, "/runs/d/tasks/claim", &token).json(&body).send();
    let claim = tokio::spawn(claim);
    loop {
        if bench.get("/metrics").await.text.contains("railsbench_requests_in_flight 2") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bench.server.shutdown().await.unwrap();
    let waited = Answer::of(claim.await.unwrap().unwrap()).await.expect(StatusCode::OK);
    assert_eq!(waited["status"], "wait");
    // The stream ends cleanly, so a client resumes rather than reports an error.
    let chunks: Vec<_> = events.collect().await;
    assert!(chunks.into_iter().all(|chunk| chunk.is_ok()));
}

#[tokio::test]
async fn an_upload_under_way_is_finished() {
    let bench = Bench::start().await;
    let token = bench.run("d", 1).await;
    let claimed = bench.claim("d", &token, "a").await;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    let body = reqwest::Body::wrap_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
    let url = claimed["upload_url"].as_str().unwrap();
    let upload = tokio::spawn(bench.http.put(url).body(body).send());
    let mut bytes = good_archive();
    let rest = bytes.split_off(10);
    sender.send(Ok(bytes)).await.unwrap();
    loop {
        if bench.get("/metrics").await.text.contains("railsbench_requests_in_flight 2") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // A connection that is open already gets to see that the server drains.
    let shutdown = tokio::spawn(bench.server.shutdown());
    tokio::task::yield_now().await;
    sender.send(Ok(rest)).await.unwrap();
    drop(sender);
    assert_eq!(upload.await.unwrap().unwrap().status(), StatusCode::OK);
    shutdown.await.unwrap().unwrap();
}

#[tokio::test]
async fn new_requests_are_sent_away_while_one_is_under_way() {
    let bench = Bench::start().await;
    let token = bench.run("d", 1).await;
    let claimed = bench.claim("d", &token, "a").await;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    let body = reqwest::Body::wrap_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
    let upload =
        tokio::spawn(bench.http.put(claimed["upload_url"].as_str().unwrap()).body(body).send());
    let (health, runs) = (bench.url("/health"), bench.url("/runs"));
    loop {
        if bench.get("/metrics").await.text.contains("railsbench_requests_in_flight 2") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let http = bench.http.clone();
    let shutdown = tokio::spawn(bench.server.shutdown());
    let refused = loop {
        let answer = http.get(&runs).bearer_auth(OPERATOR).send().await.unwrap();
        if answer.status() != StatusCode::OK {
            break answer;
        }
    };
    assert!(refused.headers().contains_key("retry-after"));
    let refused = Answer::of(refused).await.problem(503);
    assert_eq!(refused["error"], "draining");
    assert_eq!(http.get(&health).send().await.unwrap().status(), StatusCode::OK);
    drop(sender);
    assert_eq!(upload.await.unwrap().unwrap().status(), StatusCode::OK);
    shutdown.await.unwrap().unwrap();
    assert!(http.get(&health).send().await.is_err());
}
