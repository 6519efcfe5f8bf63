//! What runners say: heartbeats carry it, and operators and readers read it.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Bench, OPERATOR};

/// A claimed task, and the token of its runner.
async fn task(bench: &Bench) -> (String, String) {
    let runner = bench.run("r", 1).await;
    let claimed = bench.claim("r", &runner, "a").await;
    (claimed["task_id"].as_str().unwrap().to_owned(), runner)
}

async fn log(bench: &Bench, task: &str, query: &str) -> Value {
    bench.get(&format!("/tasks/{task}/log{query}")).await.expect(StatusCode::OK)
}

#[tokio::test]
async fn heartbeats_bring_the_log_and_say_it_once() {
    let bench = Bench::start().await;
    let (task, runner) = task(&bench).await;
    let path = format!("/tasks/{task}/heartbeat");
    let beat = |offset: u64, text: &str| {
        json!({"heartbeat_status": "boot", "runner_id": "a", "attempt": 1,
            "log": text, "log_offset": offset})
    };
    // The second is the first sent again, with more.
    for body in [beat(0, "one\n"), beat(0, "one\ntwo\u{1b}[0m\n")] {
        bench.post(&path, &runner, &body).await.expect(StatusCode::OK);
    }
    let form = [
        ("heartbeat_status", "boot"),
        ("runner_id", "a"),
        ("log", "three\n"),
        ("log_offset", "12"),
    ];
    let sent = bench.request(reqwest::Method::POST, &path, &runner).form(&form).send().await;
    assert_eq!(sent.unwrap().status(), StatusCode::OK);
    let parts = json!([
        {"attempt": 1, "offset": 0, "text": "one\n"},
        {"attempt": 1, "offset": 4, "text": "two [0m\n"},
        {"attempt": 1, "offset": 12, "text": "three\n"},
    ]);
    assert_eq!(log(&bench, &task, "").await["parts"], parts);
    let later = log(&bench, &task, "?attempt=1&offset=6").await;
    assert_eq!(later["parts"][0], json!({"attempt": 1, "offset": 6, "text": "o [0m\n"}));
    assert_eq!(later["parts"][1], parts[2]);
    assert_eq!(log(&bench, &task, "?attempt=1&offset=18").await["parts"], json!([]));
    assert_eq!(log(&bench, &task, "?attempt=2").await["parts"], json!([]));
    let unknown = "/tasks/01ARZ3NDEKTSV4RRFFQ69G5FAV/log";
    bench.get(unknown).await.problem(404);
}

#[tokio::test]
async fn a_log_that_cannot_be_placed_is_refused_and_changes_nothing() {
    let bench = Bench::start().await;
    let (task, runner) = task(&bench).await;
    let path = format!("/tasks/{task}/heartbeat");
    let beat = |log: &str, offset: Value| json!({"heartbeat_status": "running", "runner_id": "a", "log": log, "log_offset": offset});
    for (body, field) in [
        (beat("x", Value::Null), "log_offset"),
        (beat("x", json!(-1)), "log_offset"),
        (beat("x", json!(u64::MAX)), "log_offset"),
        (beat(&"x".repeat(17_000), json!(0)), "log"),
    ] {
        let problem = bench.post(&path, &runner, &body).await.problem(422);
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let lost = json!({"heartbeat_status": "running", "runner_id": "a", "attempt": 9,
        "log": "x", "log_offset": 0});
    bench.post(&path, &runner, &lost).await.problem(409);
    assert_eq!(log(&bench, &task, "").await["parts"], json!([]));
    let run = bench.get("/runs/r").await.expect(StatusCode::OK);
    assert_eq!(run["tasks"][0]["status"], "claimed");
    bench.post("/runs/r/stop", OPERATOR, &json!({})).await.expect(StatusCode::OK);
}
