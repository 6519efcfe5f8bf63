//! Tokens by name.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Bench, OPERATOR};

async fn create(bench: &Bench, body: Value) -> Value {
    bench.post("/tokens", OPERATOR, &body).await.expect(StatusCode::CREATED)
}

async fn names(bench: &Bench) -> Vec<String> {
    let list = bench.request(Method::GET, "/tokens", OPERATOR).send().await.unwrap();
    assert_eq!(list.status(), StatusCode::OK);
    let list: Value = list.json().await.unwrap();
    let tokens = list["tokens"].as_array().unwrap();
    tokens.iter().map(|token| token["name"].as_str().unwrap().to_owned()).collect()
}

async fn status(bench: &Bench, method: Method, path: &str, token: &str) -> StatusCode {
    bench.request(method, path, token).send().await.unwrap().status()
}

#[tokio::test]
async fn a_token_works_until_it_is_revoked() {
    let bench = Bench::start().await;
    let made = create(&bench, json!({"name": "ada@example.com", "scope": "operator"})).await;
    let token = made["secret"].as_str().unwrap();
    assert_eq!((&made["name"], &made["scope"]), (&"ada@example.com".into(), &"operator".into()));
    assert_eq!(status(&bench, Method::GET, "/tokens", token).await, StatusCode::OK);
    assert_eq!(names(&bench).await, ["ada@example.com"]);
    let list = bench.request(Method::GET, "/tokens", OPERATOR).send().await.unwrap();
    assert!(!list.text().await.unwrap().contains(token), "it is shown once");
    let path = "/tokens/ada@example.com";
    assert_eq!(status(&bench, Method::DELETE, path, OPERATOR).await, StatusCode::NO_CONTENT);
    assert_eq!(status(&bench, Method::GET, "/runs", token).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&bench, Method::DELETE, path, OPERATOR).await, StatusCode::NOT_FOUND);
    assert!(names(&bench).await.is_empty());
}

#[tokio::test]
async fn a_reader_looks_only() {
    let bench = Bench::start().await;
    let made = create(&bench, json!({"name": "wall", "scope": "reader"})).await;
    let token = made["secret"].as_str().unwrap();
    assert_eq!(status(&bench, Method::GET, "/runs", token).await, StatusCode::OK);
    assert_eq!(status(&bench, Method::GET, "/tokens", token).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_token_ends_by_itself_and_its_name_is_free_again() {
    let bench = Bench::start().await;
    let wanted = json!({"name": "ci", "scope": "operator", "valid_seconds": 60});
    let first = create(&bench, wanted.clone()).await;
    let problem = bench.post("/tokens", OPERATOR, &wanted).await.problem(409);
    assert_eq!(problem["error"], "token_name_taken");
    bench.clock.advance(Duration::from_mins(1));
    let token = first["secret"].as_str().unwrap();
    assert_eq!(status(&bench, Method::GET, "/runs", token).await, StatusCode::UNAUTHORIZED);
    assert!(names(&bench).await.is_empty());
    create(&bench, wanted).await;
    assert_eq!(names(&bench).await, ["ci"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said() {
    let bench = Bench::start().await;
    for (body, field) in [
        (json!({"name": "-", "scope": "operator"}), "name"),
        (json!({"name": "a", "scope": "admin"}), "scope"),
        (json!({"name": "a", "scope": "reader", "days": 1}), "days"),
        (json!({"scope": "reader"}), "name"),
        (json!([]), ""),
    ] {
        let problem = bench.post("/tokens", OPERATOR, &body).await.problem(422);
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    assert_eq!(
        status(&bench, Method::DELETE, "/tokens/a%2Fb", OPERATOR).await,
        StatusCode::NOT_FOUND
    );
}
