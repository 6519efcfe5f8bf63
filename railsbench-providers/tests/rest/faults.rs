//! Refusals, silence and throttling.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use railsbench_core::provider::ProviderError;
use railsbench_providers::rest::{
    CachedTokens, Dialect, Failure, IssuedToken, PlainDialect, Refusal, RestClient, RetryPolicy,
    TokenIssuer, Verdict,
};
use serde_json::Value;

use crate::cloud::{Cloud, Reply, quick, reply};

#[tokio::test]
async fn a_cloud_that_stumbles_is_asked_again() {
    let unwell = [503, 500, 429].map(|status| reply(status, ""));
    let cloud = Cloud::start(unwell).await;
    let answer = cloud.client().put("making it", &["a"]).send().await.unwrap();
    assert_eq!((answer.status, answer.attempts), (200, 4));
}

#[tokio::test]
async fn patience_ends() {
    let cloud = Cloud::start(std::iter::repeat_n(reply(503, ""), 9)).await;
    let error = cloud.client().put("making it", &["a"]).send().await.unwrap_err();
    assert_eq!((error.status(), error.attempts), (Some(503), 4));
    assert!(error.may_have_happened());
    assert_eq!(cloud.asked().len(), 4);
}

#[tokio::test]
async fn a_refusal_is_not_asked_again_and_says_what_the_cloud_said() {
    let cloud = Cloud::start([reply(409, r#"{"error": {"code": "Taken", "message": "in use"}}"#)]);
    let cloud = cloud.await;
    let error = cloud.client().put("making it", &["a"]).send().await.unwrap_err();
    assert_eq!((error.status(), error.code()), (Some(409), Some("Taken")));
    assert!(!error.may_have_happened());
    assert_eq!(
        ProviderError::from(error).to_string(),
        "cloud: making it failed: in use (Taken, status 409)"
    );
    assert_eq!(cloud.asked().len(), 1);
}

#[tokio::test]
async fn a_cloud_that_wants_to_be_left_alone_for_long_is() {
    let busy = Reply { headers: vec![("retry-after", "3600".to_owned())], ..reply(429, "{}") };
    let cloud = Cloud::start([busy]).await;
    let error = cloud.client().get("looking", &["a"]).send().await.unwrap_err();
    let error = ProviderError::from(error);
    assert_eq!(error.to_string(), "cloud limits the rate of requests; try again in 3600 s");
    assert_eq!(cloud.asked().len(), 1);
}

#[tokio::test]
async fn a_call_without_an_answer_is_made_again() {
    let cloud = Cloud::start([Reply { hangs: true, ..Reply::default() }]).await;
    let patience = RetryPolicy { attempt_timeout: Duration::from_millis(200), ..quick() };
    let answer = cloud.client().with_retry(patience).post("making it", &["a"]).send().await;
    assert_eq!(answer.unwrap().attempts, 2);
    assert_eq!(cloud.asked().len(), 2, "the cloud has heard both");
}

#[tokio::test]
async fn a_refusal_after_silence_may_mean_that_it_has_happened() {
    let hangs = Reply { hangs: true, ..Reply::default() };
    let cloud = Cloud::start([hangs, reply(409, "{}")]).await;
    let patience = RetryPolicy { attempt_timeout: Duration::from_millis(200), ..quick() };
    let error = cloud.client().with_retry(patience).post("making it", &["a"]).send().await;
    assert!(error.unwrap_err().may_have_happened());
}

#[tokio::test]
async fn where_nobody_listens_the_cause_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let provider = "cloud".parse().unwrap();
    let client = RestClient::new(provider, &url.parse().unwrap(), Arc::new(PlainDialect)).unwrap();
    let error = client.with_retry(quick()).get("looking", &["a"]).send().await.unwrap_err();
    assert_eq!(error.attempts, 4);
    assert!(error.to_string().contains("refused"), "{error}");
}

struct Numbered(AtomicU32);

#[async_trait]
impl TokenIssuer for Numbered {
    async fn issue(&self) -> Result<IssuedToken, ProviderError> {
        let number = self.0.fetch_add(1, Ordering::SeqCst);
        Ok(IssuedToken {
            token: format!("number-{number}").into(),
            valid_for: Duration::from_hours(1),
        })
    }
}

#[tokio::test]
async fn a_token_that_ends_early_is_renewed_once() {
    let refused = reply(401, r#"{"message": "expired"}"#);
    let cloud = Cloud::start([refused.clone(), reply(200, "{}"), refused.clone(), refused]).await;
    let client =
        cloud.client().with_tokens(Arc::new(CachedTokens::new(Numbered(AtomicU32::new(0)))));
    client.get("looking", &["a"]).send().await.unwrap();
    let error = client.get("looking", &["a"]).send().await.unwrap_err();
    let tokens: Vec<_> =
        cloud.asked().iter().map(|it| it.headers["authorization"].clone()).collect();
    let expected = [0, 1, 1, 2].map(|number| format!("Bearer number-{number}"));
    assert_eq!(tokens, expected);
    assert!(matches!(ProviderError::from(error), ProviderError::Credentials { .. }));
}

struct Refusing;

#[async_trait]
impl TokenIssuer for Refusing {
    async fn issue(&self) -> Result<IssuedToken, ProviderError> {
        Err(ProviderError::Credentials {
            provider: "cloud".parse().unwrap(),
            problem: "there are none".to_owned(),
            fix: "log in".to_owned(),
        })
    }
}

#[tokio::test]
async fn without_a_token_no_call_is_made() {
    let cloud = Cloud::start([]).await;
    let client = cloud.client().with_tokens(Arc::new(CachedTokens::new(Refusing)));
    let error = client.get("looking", &["a"]).send().await.unwrap_err();
    assert!(matches!(error.failure, Failure::Unmade(_)));
    assert_eq!(ProviderError::from(error).to_string(), "cloud: there are none; log in");
    assert!(cloud.asked().is_empty());
}

/// A cloud that has its own words: 403 for too many calls, 409 for no room.
struct OwnWords;

impl Dialect for OwnWords {
    fn read(&self, body: &Value) -> (String, String) {
        PlainDialect.read(body)
    }

    fn judge(&self, refusal: &Refusal) -> Verdict {
        if refusal.code == "no_room" { Verdict::Capacity } else { PlainDialect.judge(refusal) }
    }

    fn is_passing(&self, refusal: &Refusal) -> bool {
        refusal.code == "too_fast" || PlainDialect.is_passing(refusal)
    }
}

#[tokio::test]
async fn a_cloud_may_have_its_own_words() {
    let replies = [
        reply(403, r#"{"id": "too_fast", "message": "slowly"}"#),
        reply(409, r#"{"id": "no_room", "message": "full"}"#),
    ];
    let cloud = Cloud::start(replies).await;
    let provider = "cloud".parse().unwrap();
    let client =
        RestClient::new(provider, &cloud.url.parse().unwrap(), Arc::new(OwnWords)).unwrap();
    let error = client.with_retry(quick()).post("making m1", &["a"]).send().await.unwrap_err();
    assert_eq!(error.attempts, 2);
    assert!(matches!(ProviderError::from(error), ProviderError::Capacity { .. }));
}
