//! Requests that are wrong, and what the answers say.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Answer, Bench, OPERATOR};

#[tokio::test]
async fn a_wrong_configuration_names_every_wrong_field() {
    let bench = Bench::start().await;
    let body = json!({"ruby_version": "3.3.0", "awz": ["c7g.medium"], "max_attempts": 0});
    let refused = bench.post("/runs", OPERATOR, &body).await.problem(422);
    let errors = refused["errors"].as_array().unwrap();
    assert!(
        errors
            .iter()
            .any(|error| error["field"] == "awz" && error["fix"].as_str().unwrap().contains("aws")),
        "{refused}"
    );
    assert!(errors.iter().any(|error| error["field"] == "max_attempts"), "{refused}");
    let list = bench.get("/runs").await.expect(StatusCode::OK);
    assert!(list["runs"].as_array().unwrap().is_empty());
}

async fn raw(bench: &Bench, path: &str, kind: Option<&str>, body: &str) -> Answer {
    let mut request = bench.request(Method::POST, path, OPERATOR).body(body.to_owned());
    if let Some(kind) = kind {
        request = request.header("content-type", kind);
    }
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn bodies_that_cannot_be_read() {
    let bench = Bench::start().await;
    let token = bench.run("v", 1).await;
    let claimed = bench.claim("v", &token, "a").await;
    let task = format!("/tasks/{}", claimed["task_id"].as_str().unwrap());
    let json = Some("application/json");
    let form = Some("application/x-www-form-urlencoded");
    let large =
        format!("{{\"heartbeat_status\":\"boot\",\"message\":\"{}\"}}", "x".repeat(2 << 20));
    for (path, kind, body, status) in [
        ("/runs".to_owned(), json, "{", 400),
        ("/runs".to_owned(), json, "[]", 422),
        ("/runs/v/tasks/claim".to_owned(), json, "{\"provider\":", 400),
        ("/runs/v/tasks/claim".to_owned(), json, "[]", 422),
        ("/runs/v/tasks/claim".to_owned(), json, "", 422),
        ("/runs/v/tasks/claim".to_owned(), None, "provider=local&instance_type=host", 415),
        ("/runs/v/tasks/claim".to_owned(), Some("text/plain"), "provider=local", 415),
        ("/runs/v/tasks/claim".to_owned(), form, "provider=LOCAL&instance_type=host", 422),
        (format!("{task}/heartbeat"), form, "progress_pct=3", 422),
        (format!("{task}/heartbeat"), form, "status=boot&progress_pct=lots", 422),
        (format!("{task}/heartbeat"), form, "status=boot&progress_pct=NaN", 422),
        (format!("{task}/heartbeat"), json, &large, 413),
        (format!("{task}/fail"), json, "{}", 422),
        (format!("{task}/complete"), Some("multipart/form-data"), "x", 415),
    ] {
        let problem = raw(&bench, &path, kind, body).await.problem(status);
        if status == 422 && path != "/runs" {
            assert!(!problem["errors"].as_array().unwrap().is_empty(), "{problem}");
        }
    }
}

#[tokio::test]
async fn heartbeats_out_of_range_change_nothing() {
    let bench = Bench::start().await;
    let token = bench.run("v", 1).await;
    let claimed = bench.claim("v", &token, "a").await;
    let path = format!("/tasks/{}/heartbeat", claimed["task_id"].as_str().unwrap());
    let wrong = bench.post(&path, &token, &json!({"heartbeat_status": "sleeping"})).await;
    let wrong = wrong.problem(422);
    for phase in ["boot", "provision", "running", "uploading", "finished", "error"] {
        assert!(wrong["detail"].as_str().unwrap().contains(phase), "{wrong}");
    }
    for progress in [json!(-1), json!(100.1), json!(1e300)] {
        let body = json!({"heartbeat_status": "running", "progress_pct": progress});
        let wrong = bench.post(&path, &token, &body).await.problem(422);
        assert_eq!(wrong["errors"][0]["field"], "progress_pct");
    }
    let view = bench.get("/runs/v").await.expect(StatusCode::OK);
    assert_eq!(view["tasks"][0]["status"], "claimed");
    for edge in [0, 100] {
        let body = json!({"status": "running", "progress_pct": edge});
        bench.post(&path, &token, &body).await.expect(StatusCode::OK);
    }
}

#[tokio::test]
async fn queries_out_of_range() {
    let bench = Bench::start().await;
    bench.run("v", 1).await;
    for (path, status) in [
        ("/runs?limit=0", 422),
        ("/runs?limit=1001", 422),
        ("/runs?limit=many", 400),
        ("/runs?cursor=nonsense", 422),
        ("/runs/v/tasks?status=asleep", 422),
        ("/runs/v/tasks?provider=A%20B", 422),
        ("/runs/v/tasks?cursor=x", 422),
        ("/runs/v/events?after=x", 400),
        ("/runs/nobody", 404),
        ("/runs/a%2Fb", 404),
        ("/tasks/nothing/heartbeat", 405),
        ("/nowhere", 404),
    ] {
        bench.get(path).await.problem(status);
    }
    bench.get("/runs?limit=&cursor=").await.expect(StatusCode::OK);
    let body = json!({"provider": "local", "instance_type": "host", "wait_seconds": 31});
    let refused = bench.post("/runs/v/tasks/claim", OPERATOR, &body).await.problem(422);
    assert_eq!(refused["errors"][0]["field"], "wait_seconds");
    let unknown = json!({"provider": "local", "instance_type": "host"});
    bench.post("/runs/nobody/tasks/claim", OPERATOR, &unknown).await.problem(404);
}

#[tokio::test]
async fn a_wrong_method_is_told_what_is_right() {
    let bench = Bench::start().await;
    let answer =
        Answer::of(bench.request(Method::DELETE, "/runs", OPERATOR).send().await.unwrap()).await;
    let allow = answer.headers["allow"].to_str().unwrap().to_owned();
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
    answer.problem(405);
}

#[tokio::test]
async fn a_task_of_no_one_is_not_found() {
    let bench = Bench::start().await;
    let nobody: Value = json!({"heartbeat_status": "boot"});
    for id in ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "x"] {
        bench.post(&format!("/tasks/{id}/heartbeat"), OPERATOR, &nobody).await.problem(404);
    }
}
