//! Who may call what: every call of the document, with every kind of token.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::document::CALLS;
use crate::support::{Bench, OPERATOR};

/// What each kind of caller gets: `401`, `403`, or `ok` for anything that the call itself
/// decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Anyone, without a token.
    Open,
    /// Operators and readers.
    Read,
    /// Operators only.
    Operate,
    /// Operators and the runners of the run.
    RunOwn,
    /// Operators and the runners of any run.
    RunAny,
    /// Everyone with a token.
    Any,
}

fn access(method: &str, path: &str) -> Option<Access> {
    Some(match (method, path) {
        (
            "get",
            "/health"
            | "/up"
            | "/ready"
            | "/openapi.json"
            | "/login"
            | "/assets/dashboard.js"
            | "/assets/dashboard.css"
            | "/artifacts/{key}",
        )
        | ("post", "/login" | "/logout")
        | ("put", "/artifacts/{key}") => Access::Open,
        ("get", "/runs" | "/connectivity/upload/{id}") => Access::Any,
        (
            "get",
            "/"
            | "/alerts"
            | "/metrics"
            | "/dashboard/runs/{id}"
            | "/runs/{id}"
            | "/runs/{id}/events"
            | "/runs/{id}/results"
            | "/runs/{id}/results.tar.gz"
            | "/runs/{id}/tasks"
            | "/tasks/{id}/log",
        ) => Access::Read,
        ("get" | "post", "/tokens")
        | ("delete", "/tokens/{name}")
        | ("post", "/runs" | "/login-links" | "/runs/{id}/stop" | "/runs/{id}/token") => {
            Access::Operate
        }
        ("get", "/runner/{target}") | ("post", "/connectivity/upload") => Access::RunAny,
        (
            "post",
            "/runs/{id}/tasks/claim"
            | "/tasks/{id}/complete"
            | "/tasks/{id}/fail"
            | "/tasks/{id}/heartbeat"
            | "/tasks/{id}/release"
            | "/tasks/{id}/uploads",
        ) => Access::RunOwn,
        _ => return None,
    })
}

/// The status that must be; `None` if the call itself decides.
fn wanted(access: Access, caller: &str) -> Option<u16> {
    let needs_token = access != Access::Open;
    match caller {
        "nobody" | "garbage" | "basic" | "expired" | "login code" => needs_token.then_some(401),
        "operator" => None,
        "reader" => {
            matches!(access, Access::Operate | Access::RunOwn | Access::RunAny).then_some(403)
        }
        "runner" => matches!(access, Access::Operate | Access::Read).then_some(403),
        "other runner" => {
            matches!(access, Access::Operate | Access::Read | Access::RunOwn).then_some(403)
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn every_call_with_every_kind_of_token() {
    let bench = Bench::start().await;
    let expired = bench.run("old", 1).await;
    bench.clock.advance(Duration::from_hours(31 * 24));
    let runner = bench.run("mine", 1).await;
    let other = bench.run("other", 1).await;
    let claimed = bench.claim("mine", &runner, "a").await;
    let task = claimed["task_id"].as_str().unwrap();
    let reader = reader_token(&bench).await;
    let code = login_code(&bench).await;
    let callers = [
        ("nobody", None),
        ("garbage", Some("Bearer not-a-token".to_owned())),
        ("basic", Some("Basic b3BlcmF0b3I6eA==".to_owned())),
        ("expired", Some(format!("Bearer {expired}"))),
        ("login code", Some(format!("Bearer {code}"))),
        ("reader", Some(format!("Bearer {reader}"))),
        ("runner", Some(format!("Bearer {runner}"))),
        ("other runner", Some(format!("Bearer {other}"))),
        ("operator", Some(format!("Bearer {OPERATOR}"))),
    ];
    for (method, path) in CALLS {
        let access = access(method, path)
            .unwrap_or_else(|| panic!("{method} {path} is new: say here who may call it"));
        let id = if path.starts_with("/tasks") { task } else { "mine" };
        let url = path.replace("{id}", id).replace("{key}", "runs/x").replace("{name}", "nobody");
        for (caller, header) in &callers {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let mut request = bench.http.request(method.clone(), bench.url(&url));
            if let Some(header) = header {
                request = request.header("authorization", header);
            }
            if method == Method::POST {
                // Wrong on purpose: who may not call learns nothing of what is wrong, and who
                // may changes nothing.
                request = request.header("content-type", "application/json").body("nonsense");
            }
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            let what = format!("{method} {path} as {caller}");
            match wanted(access, caller) {
                Some(wanted) => assert_eq!(status, wanted, "{what}"),
                None if path == "/artifacts/{key}" => assert_eq!(status, 403, "{what}"),
                None => assert!(status != 401 && status != 403 && status < 500, "{what}: {status}"),
            }
            if status == 401 && path != "/" && !path.starts_with("/dashboard") {
                assert!(answer.headers().contains_key("www-authenticate"), "{what}");
                assert_eq!(answer.headers()["content-type"], "application/problem+json", "{what}");
            }
        }
    }
}

#[tokio::test]
async fn the_token_of_a_run_sees_that_run_only() {
    let bench = Bench::start().await;
    let mine = bench.run("mine", 1).await;
    bench.run("other", 1).await;
    let list = bench.request(Method::GET, "/runs", &mine).send().await.unwrap();
    let list: serde_json::Value = list.json().await.unwrap();
    assert_eq!(list["runs"].as_array().unwrap().len(), 1);
    assert_eq!(list["runs"][0]["run_id"], "mine");
}

#[tokio::test]
async fn a_run_can_have_another_token() {
    let bench = Bench::start().await;
    bench.run("mine", 1).await;
    let made = bench.post("/runs/mine/token", OPERATOR, &json!({})).await;
    let made = made.expect(StatusCode::CREATED);
    let claimed = bench.claim("mine", made["run_token"].as_str().unwrap(), "a").await;
    assert_eq!(claimed["status"], "assigned");
    bench.post("/runs/nobody/token", OPERATOR, &json!({})).await.problem(404);
}

#[tokio::test]
async fn a_cookie_is_good_for_looking_only() {
    let bench = Bench::start().await;
    bench.run("mine", 1).await;
    let reader = reader_token(&bench).await;
    let with = |method: Method, path: &str, token: &str| {
        bench
            .http
            .request(method, bench.url(path))
            .header("cookie", format!("railsbench_session={token}"))
            .send()
    };
    assert_eq!(with(Method::GET, "/runs/mine", &reader).await.unwrap().status(), StatusCode::OK);
    let stop = with(Method::POST, "/runs/mine/stop", &reader).await.unwrap();
    assert_eq!(stop.status(), StatusCode::UNAUTHORIZED);
    // Not even an operator's token works from a cookie, which comes along unasked.
    let operator = with(Method::GET, "/runs/mine", OPERATOR).await.unwrap();
    assert_eq!(operator.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn tokens_are_not_stored_as_they_are() {
    let bench = Bench::start().await;
    let token = bench.run("mine", 1).await;
    let mut files = vec![bench.folder.path().to_owned()];
    let mut looked = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        looked += bytes.len();
        for secret in [token.as_bytes(), OPERATOR.as_bytes()] {
            let found = bytes.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "a token is in {}", path.display());
        }
    }
    assert!(looked > 10_000, "the store must be among what was looked at");
}

async fn login_code(bench: &Bench) -> String {
    let link = bench.post("/login-links", OPERATOR, &json!({})).await.expect(StatusCode::CREATED);
    link["url"].as_str().unwrap().split_once("code=").unwrap().1.to_owned()
}

/// A reader token, as a browser gets it.
pub async fn reader_token(bench: &Bench) -> String {
    let code = login_code(bench).await;
    let page = bench.http.get(bench.url(&format!("/login?code={code}"))).send().await.unwrap();
    let cookie = page.headers()["set-cookie"].to_str().unwrap().to_owned();
    cookie.split(';').next().unwrap().split_once('=').unwrap().1.to_owned()
}
