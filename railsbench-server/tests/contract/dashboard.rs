//! The dashboard, as a browser asks for it.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::access::reader_token;
use crate::support::{Answer, Bench, OPERATOR};

async fn page(bench: &Bench, path: &str, cookie: Option<&str>) -> Answer {
    let mut request = bench.http.get(bench.url(path));
    if let Some(cookie) = cookie {
        request = request.header("cookie", format!("railsbench_session={cookie}"));
    }
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_login_link_works_once() {
    let bench = Bench::start().await;
    let link = bench.post("/login-links", OPERATOR, &json!({})).await.expect(StatusCode::CREATED);
    let url = link["url"].as_str().unwrap();
    // A look at the link from outside does not use it up.
    bench.http.head(url).send().await.unwrap();
    let first = Answer::of(bench.http.get(url).send().await.unwrap()).await;
    assert_eq!(first.status, StatusCode::OK);
    let cookie = first.headers["set-cookie"].to_str().unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "this server speaks plain HTTP: {cookie}");
    let second = Answer::of(bench.http.get(url).send().await.unwrap()).await;
    assert_eq!(second.status, StatusCode::UNAUTHORIZED);
    assert!(!second.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn a_login_link_expires() {
    let bench = Bench::start().await;
    let link = bench.post("/login-links", OPERATOR, &json!({})).await.expect(StatusCode::CREATED);
    bench.clock.advance(std::time::Duration::from_mins(16));
    let late = bench.http.get(link["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(late.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_logs_in_by_the_form_and_out_again() {
    let bench = Bench::start().await;
    let token = bench.run("r", 1).await;
    let login =
        |token: String| bench.http.post(bench.url("/login")).form(&[("token", token)]).send();
    for bad in ["wrong".to_owned(), token] {
        let refused = login(bad).await.unwrap();
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert!(!refused.headers().contains_key("set-cookie"));
    }
    let entered = login(OPERATOR.to_owned()).await.unwrap();
    let cookie = entered.headers()["set-cookie"].to_str().unwrap().to_owned();
    let session = cookie.split(';').next().unwrap().split_once('=').unwrap().1;
    assert_ne!(session, OPERATOR);
    assert_eq!(page(&bench, "/", Some(session)).await.status, StatusCode::OK);
    let out = bench.http.post(bench.url("/logout"));
    let out = out.header("cookie", format!("railsbench_session={session}")).send().await.unwrap();
    assert!(out.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(page(&bench, "/", Some(session)).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn pages_show_runs_and_tasks_to_those_who_are_logged_in() {
    let bench = Bench::start().await;
    let token = bench.run("my-run", 2).await;
    let claimed = bench.claim("my-run", &token, "a").await;
    let path = format!("/tasks/{}/heartbeat", claimed["task_id"].as_str().unwrap());
    let beat = json!({
        "heartbeat_status": "running", "progress_pct": 0, "current_benchmark": "puma_http",
        "message": "<script>alert(1)</script>",
    });
    bench.post(&path, &token, &beat).await.expect(StatusCode::OK);

    let stranger = page(&bench, "/dashboard/runs/my-run", None).await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    assert!(stranger.text.contains("name=\"token\"") && !stranger.text.contains("puma_http"));

    let reader = reader_token(&bench).await;
    let home = page(&bench, "/", Some(&reader)).await;
    assert_eq!(home.status, StatusCode::OK);
    assert!(home.text.contains("href=\"/dashboard/runs/my-run\""), "{}", home.text);
    let run = page(&bench, "/dashboard/runs/my-run", Some(&reader)).await;
    assert_eq!(run.status, StatusCode::OK);
    for text in
        ["host-1", "host-2", "puma_http", "value=\"0\"", "data-events=\"/runs/my-run/events\""]
    {
        assert!(run.text.contains(text), "{text} in {}", run.text);
    }
    assert!(!run.text.contains("<script>alert"), "{}", run.text);
    assert!(run.text.contains("&lt;script&gt;alert(1)"), "{}", run.text);
    let policy = run.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    for inline in ["<script>", "style=", " onclick"] {
        assert!(!run.text.contains(inline), "{inline} in {}", run.text);
    }
    let list = page(&bench, "/?cursor=", Some(&reader)).await;
    assert_eq!(list.status, StatusCode::OK);
    page(&bench, "/dashboard/runs/nobody", Some(&reader)).await.problem(404);
}

#[tokio::test]
async fn an_empty_dashboard_says_how_to_begin() {
    let bench = Bench::start().await;
    let home = bench.request(Method::GET, "/", OPERATOR).send().await.unwrap();
    assert!(home.text().await.unwrap().contains("railsbench run"));
}

#[tokio::test]
async fn the_script_knows_every_event() {
    let bench = Bench::start().await;
    let script = page(&bench, "/assets/dashboard.js", None).await;
    assert!(script.headers["content-type"].to_str().unwrap().starts_with("text/javascript"));
    let document = bench.get("/openapi.json").await.expect(StatusCode::OK);
    let kinds = document["components"]["schemas"]["EventKind"]["oneOf"].as_array().unwrap().clone();
    assert_eq!(kinds.len(), 10);
    for kind in kinds {
        let text = kind.to_string();
        let name = text.split("\"enum\":[\"").nth(1).and_then(|rest| rest.split('"').next());
        let name = name.unwrap_or_else(|| panic!("{text}"));
        assert!(script.text.contains(&format!("\"{name}\"")), "{name}");
    }
    let style = page(&bench, "/assets/dashboard.css", None).await;
    assert!(style.headers["content-type"].to_str().unwrap().starts_with("text/css"));
}
