//! What calls look like to the cloud, and answers to the caller.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use railsbench_core::id::ProviderName;
use railsbench_core::provider::ProviderError;
use railsbench_providers::rest::{Failure, PlainDialect, RestClient};
use serde_json::json;

use crate::cloud::{Cloud, Reply, TOKEN, quick, reply};

#[tokio::test]
async fn a_call_is_put_together_as_it_was_asked_for() {
    let cloud = Cloud::start([reply(201, r#"{"id": 7}"#)]).await;
    let client = cloud.client().with_header("accept", "application/x").unwrap();
    let answer = client
        .post("making it", &["projects", "a/b?c#d", "zones"])
        .query("requestId", "x y&z")
        .header("x-extra", "1")
        .json(&json!({"name": "m1"}))
        .send()
        .await
        .unwrap();
    assert_eq!((answer.status, answer.attempts), (201, 1));
    assert_eq!(answer.body["id"], 7);
    let asked = &cloud.asked()[0];
    assert_eq!(asked.method, "POST");
    assert_eq!(asked.uri.path(), "/base/projects/a%2Fb%3Fc%23d/zones");
    assert_eq!(asked.uri.query(), Some("requestId=x+y%26z"));
    assert_eq!(asked.body, r#"{"name":"m1"}"#);
    assert_eq!(asked.headers["authorization"], format!("Bearer {TOKEN}"));
    assert_eq!(asked.headers["accept"], "application/x");
    assert_eq!(asked.headers["x-extra"], "1");
    assert_eq!(asked.headers["content-type"], "application/json");
}

#[tokio::test]
async fn an_empty_answer_and_a_form_are_fine() {
    let cloud = Cloud::start([reply(204, "")]).await;
    let answer = cloud.client().post("asking", &["token"]).form(&[("a", "b&c")]).send().await;
    assert!(answer.unwrap().body.is_null());
    assert_eq!(cloud.asked()[0].body, "a=b%26c");
    let answer = cloud.client().post("stopping", &["stop"]).send().await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(cloud.asked()[1].headers["content-length"], "0");
}

#[tokio::test]
async fn no_path_leads_out_of_the_base() {
    let cloud = Cloud::start([]).await;
    for path in [&["a", ".."][..], &["."], &["a", "", "b"]] {
        let error = cloud.client().delete("removing it", path).send().await.unwrap_err();
        assert!(matches!(error.failure, Failure::Unmade(_)), "{error}");
        assert!(!error.may_have_happened());
    }
    assert!(cloud.asked().is_empty());
}

#[tokio::test]
async fn tokens_go_nowhere_else() {
    let elsewhere = Cloud::start([]).await;
    let away = Reply { headers: vec![("location", elsewhere.url.clone())], ..reply(307, "") };
    let cloud = Cloud::start([away]).await;
    let error = cloud.client().get("looking", &["a"]).send().await.unwrap_err();
    assert_eq!(error.status(), Some(307));
    let error = cloud.client().follow("reading on", &elsewhere.url).send().await.unwrap_err();
    assert!(error.to_string().contains("is not http://127.0.0.1"), "{error}");
    let same = format!("{}next?page=2", cloud.url);
    assert!(cloud.client().follow("reading on", &same).send().await.is_ok());
    assert_eq!(cloud.asked()[1].uri.query(), Some("page=2"));
    assert!(elsewhere.asked().is_empty());
}

#[test]
fn tokens_are_not_sent_in_the_clear() {
    let provider = ProviderName::new("cloud").unwrap();
    for (url, good) in [
        ("https://api.example.com/", true),
        ("http://127.0.0.1:1/", true),
        ("http://[::1]:1/", true),
        ("http://localhost:1/", true),
        ("http://api.example.com/", false),
        ("http://127.0.0.1.example.com/", false),
        ("https://user:secret@api.example.com/", false),
        ("file:///tmp", false),
        ("mailto:a@example.com", false),
    ] {
        let made = RestClient::new(provider.clone(), &url.parse().unwrap(), Arc::new(PlainDialect));
        assert_eq!(made.is_ok(), good, "{url}");
    }
}

#[tokio::test]
async fn only_so_many_calls_are_made_at_once() {
    let cloud = Cloud::start([]).await;
    let client = cloud.client().with_calls_at_once(3);
    let calls: Vec<_> = (0..30)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.get("looking", &["a"]).send().await.map(drop) })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(cloud.asked().len(), 30);
    assert!(cloud.shared.busiest.load(Ordering::SeqCst) <= 3);
}

#[tokio::test]
async fn an_answer_that_is_no_json_or_of_another_form_is_an_error() {
    let cloud = Cloud::start([reply(200, "<html>"), reply(200, "[1]")]).await;
    let error = cloud.client().get("looking", &["a"]).send().await.unwrap_err();
    assert!(error.to_string().contains("looking failed: the answer is not understood"), "{error}");
    let error = cloud.client().get("looking", &["a"]).send_for::<String>().await.unwrap_err();
    assert!(matches!(error.failure, Failure::Unreadable(_)), "{error}");
    assert_eq!(cloud.asked().len(), 2, "what is not understood is not asked again");
}

#[tokio::test]
async fn the_token_is_in_no_error_and_no_debug_text() {
    let cloud = Cloud::start([reply(400, r#"{"message": "no"}"#)]).await;
    let client = cloud.client();
    let error = client.get("looking", &["a"]).send().await.unwrap_err();
    let shown = format!("{client:?} {error:?} {error}");
    assert!(!shown.contains(TOKEN), "{shown}");
    let gone = client.with_retry(quick());
    drop(cloud);
    let error =
        ProviderError::from(gone.get("looking", &["a"]).send().await.err().unwrap_or(error));
    assert!(!error.to_string().contains(TOKEN));
}
