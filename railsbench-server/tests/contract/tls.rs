//! Https: who gets a connection, and what becomes of it when the certificate changes.

use std::io::Read;
use std::time::Duration;

use futures::StreamExt;
use railsbench_server::{ServerConfig, TlsConfig};
use reqwest::{Method, StatusCode, Version};
use serde_json::json;
use tempfile::TempDir;

use crate::authority::{Authority, innermost};
use crate::support::{Answer, Bench, OPERATOR, good_archive};

fn files(folder: &TempDir) -> TlsConfig {
    TlsConfig::Files {
        certificate: folder.path().join("cert.pem"),
        key: folder.path().join("key.pem"),
    }
}

/// A server with a certificate for loopback, and a client that trusts its CA.
async fn bench(authority: &Authority, certificates: &TempDir) -> Bench {
    authority.issue(&["localhost", "127.0.0.1"]).write(certificates.path());
    let change = |config: &mut ServerConfig| {
        config.tls = Some(files(certificates));
        config.tls_look_every = Duration::from_millis(20);
    };
    let mut bench = Bench::start_with(change).await;
    bench.http = authority.client().build().unwrap();
    bench
}

#[tokio::test]
async fn whoever_trusts_the_ca_is_served_by_http_1_and_2() {
    let authority = Authority::new("ours");
    let certificates = tempfile::tempdir().unwrap();
    let bench = bench(&authority, &certificates).await;
    assert_eq!(bench.server.url().scheme(), "https");
    assert!(bench.server.ca_certificate().is_none());
    let token = bench.run("t", 1).await;
    bench.work("t", &token, "a").await;
    let url = bench.url("/health");
    let answer = bench.http.get(&url).send().await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
    let old = authority.client().http1_only().build().unwrap();
    assert_eq!(old.get(&url).send().await.unwrap().version(), Version::HTTP_11);
    bench.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn other_cas_other_names_and_plain_http_get_no_answer() {
    let authority = Authority::new("ours");
    let certificates = tempfile::tempdir().unwrap();
    let bench = bench(&authority, &certificates).await;
    // Of the same name, but with another key.
    let other = Authority::new("ours").client().build().unwrap();
    let error = other.get(bench.url("/health")).send().await.unwrap_err();
    assert!(innermost(&error).starts_with("invalid peer certificate"), "{}", innermost(&error));

    let port = bench.server.address().port();
    let elsewhere =
        authority.client().resolve("bench.example.org", bench.server.address()).build().unwrap();
    let url = format!("https://bench.example.org:{port}/health");
    let error = innermost(&elsewhere.get(url).send().await.unwrap_err());
    assert!(error.contains("not valid for name \"bench.example.org\""), "{error}");

    let plain = bench.http.get(format!("http://127.0.0.1:{port}/health")).send().await;
    assert!(plain.unwrap_err().is_request());
    assert_eq!(bench.get("/health").await.status, StatusCode::OK);
    bench.server.shutdown().await.unwrap();
}

/// Asks until new connections are made with a certificate of this CA.
async fn until_served_by(authority: &Authority, url: &str) {
    let served = async {
        loop {
            let fresh = authority.client().build().unwrap();
            if fresh.get(url).send().await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), served).await.expect("the new certificate");
}

#[tokio::test]
async fn a_new_certificate_takes_nothing_from_connections_that_are_there() {
    let (before, after) = (Authority::new("before"), Authority::new("after"));
    let certificates = tempfile::tempdir().unwrap();
    let bench = bench(&before, &certificates).await;
    let token = bench.run("t", 1).await;
    let claimed = bench.claim("t", &token, "a").await;
    let events = bench.request(Method::GET, "/runs/t/events", OPERATOR).send().await.unwrap();
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    let body = reqwest::Body::wrap_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
    let upload =
        tokio::spawn(bench.http.put(claimed["upload_url"].as_str().unwrap()).body(body).send());
    let mut bytes = good_archive();
    let rest = bytes.split_off(10);
    sender.send(Ok(bytes)).await.unwrap();

    let issued = after.issue(&["127.0.0.1"]);
    // Half of a pair is no certificate: the old one stays.
    issued.write_certificate(certificates.path());
    assert!(bench.server.reload_certificate().is_err());
    let still = before.client().build().unwrap();
    assert_eq!(still.get(bench.url("/health")).send().await.unwrap().status(), StatusCode::OK);
    issued.write(certificates.path());
    until_served_by(&after, &bench.url("/health")).await;
    let refused = before.client().build().unwrap().get(bench.url("/health")).send().await;
    assert!(innermost(&refused.unwrap_err()).contains("UnknownIssuer"));

    sender.send(Ok(rest)).await.unwrap();
    drop(sender);
    assert_eq!(upload.await.unwrap().unwrap().status(), StatusCode::OK);
    let task = claimed["task_id"].as_str().unwrap();
    bench.complete(task, &token, "a").await.expect(StatusCode::OK);
    let text: Vec<_> = events.bytes_stream().map(Result::unwrap).collect().await;
    assert!(String::from_utf8_lossy(&text.concat()).contains("task_completed"));
    bench.server.shutdown().await.unwrap();
}

#[tokio::test]
async fn streams_and_waiting_claims_end_with_the_server() {
    let authority = Authority::new("ours");
    let certificates = tempfile::tempdir().unwrap();
    let bench = bench(&authority, &certificates).await;
    let token = bench.run("d", 1).await;
    bench.claim("d", &token, "a").await;
    let events =
        bench.request(Method::GET, "/runs/d/events", OPERATOR).send().await.unwrap().bytes_stream();
    let body = json!({
        "provider": "local", "instance_type": "host", "runner_id": "b", "wait_seconds": 30,
    });
    let claim = bench.request(Method::POST, "/runs/d/tasks/claim", &token).json(&body).send();
    let claim = tokio::spawn(claim);
    while !bench.get("/metrics").await.text.contains("railsbench_requests_in_flight 2") {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bench.server.shutdown().await.unwrap();
    let waited = Answer::of(claim.await.unwrap().unwrap()).await.expect(StatusCode::OK);
    assert_eq!(waited["status"], "wait");
    let chunks: Vec<_> = events.collect().await;
    assert!(chunks.into_iter().all(|chunk| chunk.is_ok()));
}

#[tokio::test]
async fn clients_that_say_nothing_keep_nobody_waiting() {
    let authority = Authority::new("ours");
    let certificates = tempfile::tempdir().unwrap();
    let bench = bench(&authority, &certificates).await;
    let silent: Vec<_> =
        (0..64).map(|_| std::net::TcpStream::connect(bench.server.address()).unwrap()).collect();
    assert_eq!(bench.get("/health").await.status, StatusCode::OK);
    // They do not keep the server from ending, either.
    bench.server.shutdown().await.unwrap();
    for mut client in silent {
        let mut rest = Vec::new();
        // Cut off: the end of the stream or a reset.
        let _ = client.read_to_end(&mut rest);
    }
}
