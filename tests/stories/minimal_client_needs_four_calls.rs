//! A client that reads three fields, names no ids and sends forms can do all the work there is.

use secrecy::ExposeSecret;

use crate::support::{ServerProcess, archive, assert_completed, ended_run, mock_config, run_id};

#[tokio::test]
async fn forms_and_no_ids_are_enough() {
    let folder = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(folder.path(), &[]);
    let created = server.client.create_run(&mock_config(1), &run_id("minimal")).await.unwrap();
    let token = created.run_token.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |path: String, form: &[(&str, &str)]| {
        let url = server.client.url().join(&path).unwrap();
        let request = http.post(url).bearer_auth(token.expose_secret()).form(form);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}: {}", response.text().await.unwrap());
        response.json::<serde_json::Value>().await.unwrap()
    };

    let claim = [("provider", "local"), ("instance_type", "host")];
    let task = post("/runs/minimal/tasks/claim".to_owned(), &claim).await;
    assert_eq!(task["status"], "assigned");
    assert_eq!(task["run_number"], 1);
    let id = task["task_id"].as_str().unwrap();

    let heartbeat = post(format!("/tasks/{id}/heartbeat"), &[("status", "running")]).await;
    assert_eq!(heartbeat["message"], "Heartbeat received");

    let body = archive(&[("./metadata.json", b"{}"), ("output.txt", b"done")]);
    let put = http.put(task["upload_url"].as_str().unwrap()).body(body).send().await.unwrap();
    assert!(put.status().is_success(), "{}", put.status());
    post(format!("/tasks/{id}/complete"), &[]).await;

    assert_completed(&ended_run(&server.client, &run_id("minimal")).await, 1);
    let next = post("/runs/minimal/tasks/claim".to_owned(), &claim).await;
    assert_eq!(next["status"], "done");
}
