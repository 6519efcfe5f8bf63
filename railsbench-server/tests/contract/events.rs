//! The event stream of a run.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use railsbench_core::lifecycle::Replay;
use railsbench_core::protocol::EventRecord;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Bench, OPERATOR};

/// The messages of a stream, as (id, event, data).
fn messages(response: reqwest::Response) -> BoxStream<'static, (String, String, EventRecord)> {
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    let state = (response.bytes_stream().boxed(), String::new());
    futures::stream::unfold(state, |(mut bytes, mut text)| async move {
        loop {
            if let Some((message, rest)) = text.split_once("\n\n") {
                let field = |name: &str| {
                    message.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
                };
                let parsed = field("data: ").map(|data| {
                    let record = serde_json::from_str(&data).unwrap();
                    (field("id: ").unwrap(), field("event: ").unwrap(), record)
                });
                text = rest.to_owned();
                match parsed {
                    Some(message) => return Some((message, (bytes, text))),
                    None => continue,
                }
            }
            text.push_str(std::str::from_utf8(&bytes.next().await?.unwrap()).unwrap());
        }
    })
    .boxed()
}

async fn open(bench: &Bench, run: &str, last: Option<u64>) -> reqwest::Response {
    let mut request = bench.request(Method::GET, &format!("/runs/{run}/events"), OPERATOR);
    if let Some(last) = last {
        request = request.header("last-event-id", last.to_string());
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn the_stream_is_gapless_live_and_ends_with_the_run() {
    let bench = Bench::start().await;
    let token = bench.run("ev", 2).await;
    let stream = messages(open(&bench, "ev", None).await);
    let work = async {
        bench.work("ev", &token, "a").await;
        bench.work("ev", &token, "a").await;
    };
    let (seen, ()) = tokio::join!(stream.collect::<Vec<_>>(), work);
    let mut replay = Replay::default();
    for (id, name, record) in &seen {
        assert_eq!(id, &record.seq.to_string());
        assert_eq!(name, record.event.kind.name());
        replay.push(record).unwrap();
    }
    assert_eq!(seen.last().unwrap().1, "run_status_changed");
    let view = bench.get("/runs/ev").await.expect(StatusCode::OK);
    assert_eq!(serde_json::to_value(replay.run.counts).unwrap(), view["task_counts"]);
    assert_eq!(view["status"], "completed");
}

#[tokio::test]
async fn a_stream_resumes_after_the_last_event_seen() {
    let bench = Bench::start().await;
    let token = bench.run("ev", 1).await;
    let mut first = messages(open(&bench, "ev", None).await);
    let (_, _, record) = first.next().await.unwrap();
    assert_eq!(record.seq, 1);
    drop(first);
    bench.work("ev", &token, "a").await;
    let rest: Vec<u64> = messages(open(&bench, "ev", Some(1)).await)
        .map(|(_, _, record)| record.seq)
        .collect()
        .await;
    assert_eq!(rest, (2..=rest.len() as u64 + 1).collect::<Vec<_>>());
    let last = *rest.last().unwrap();
    // A browser comes back by itself unless it is told that there is no more.
    assert_eq!(open(&bench, "ev", Some(last)).await.status(), StatusCode::NO_CONTENT);
    let query = bench.get(&format!("/runs/ev/events?after={last}")).await;
    assert_eq!(query.status, StatusCode::NO_CONTENT);
    let tail: Vec<u64> = messages(open(&bench, "ev", Some(last - 1)).await)
        .map(|(_, _, record)| record.seq)
        .collect()
        .await;
    assert_eq!(tail, [last]);
}

#[tokio::test]
async fn more_events_than_a_batch_arrive_in_order() {
    let bench = Bench::start().await;
    let token = bench.run("ev", 600).await;
    let stop = bench.post("/runs/ev/stop", OPERATOR, &json!({})).await;
    stop.expect(StatusCode::OK);
    let seen: Vec<u64> =
        messages(open(&bench, "ev", None).await).map(|(_, _, record)| record.seq).collect().await;
    assert!(seen.len() > 1200, "{}", seen.len());
    assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());
    drop(token);
}

#[tokio::test]
async fn a_wrong_place_to_resume_is_refused() {
    let bench = Bench::start().await;
    bench.run("ev", 1).await;
    let request = bench
        .request(Method::GET, "/runs/ev/events", OPERATOR)
        .header("last-event-id", "yesterday")
        .timeout(Duration::from_secs(10));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    bench.get("/runs/nobody/events").await.problem(404);
}
