//! What a server refuses to start with, and what it keeps from one start to the next.

use std::time::Duration;

use railsbench_server::store::{MemoryStore, Store};
use railsbench_server::{Parts, Server, ServerError};
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};

use crate::support::{OPERATOR, client, config};

#[tokio::test]
async fn unsafe_or_useless_configurations_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut open = config(&folder);
    open.listen = "0.0.0.0:0".parse().unwrap();
    open.api_key = None;
    open.public_url = Some("https://bench.example.org".parse().unwrap());
    let error = Server::start(open.clone()).await.unwrap_err();
    assert!(matches!(error, ServerError::NoApiKey(_)), "{error}");
    assert!(error.to_string().contains("API_KEY"), "{error}");
    assert!(error.is_configuration());

    open.api_key = Some(SecretString::from(""));
    assert!(matches!(Server::start(open.clone()).await, Err(ServerError::BadApiKey(_))));
    open.api_key = Some(SecretString::from("two words"));
    let error = Server::start(open.clone()).await.unwrap_err();
    assert!(!error.to_string().contains("two words"), "{error}");

    open.api_key = Some(SecretString::from(OPERATOR));
    open.public_url = None;
    assert!(matches!(Server::start(open.clone()).await, Err(ServerError::NoPublicUrl(_))));
    open.public_url = Some("https://me:secret@bench.example.org".parse().unwrap());
    let error = Server::start(open).await.unwrap_err();
    assert!(matches!(error, ServerError::BadPublicUrl(_)) && !error.to_string().contains("secret"));

    let mut hasty = config(&folder);
    hasty.policy.lease = hasty.policy.heartbeat;
    assert!(matches!(Server::start(hasty).await, Err(ServerError::BadSetting { .. })));
}

#[tokio::test]
async fn two_servers_never_share_a_data_folder_or_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(config(&folder)).await.unwrap();
    let error = Server::start(config(&folder)).await.unwrap_err();
    assert!(matches!(error, ServerError::DataDirInUse(_)), "{error}");
    let other = tempfile::tempdir().unwrap();
    let mut same_address = config(&other);
    same_address.listen = first.address();
    let error = Server::start(same_address).await.unwrap_err();
    assert!(matches!(error, ServerError::Listen { .. }), "{error}");
    first.shutdown().await.unwrap();
    Server::start(config(&folder)).await.unwrap();
}

#[tokio::test]
async fn a_server_without_an_api_key_makes_one_and_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    config.api_key = None;
    let http = client();
    let mut keys = Vec::new();
    for _ in 0..2 {
        let server = Server::start(config.clone()).await.unwrap();
        let url = server.url().join("runs").unwrap();
        let key = server.api_key().expose_secret().to_owned();
        let answer = http.get(url.clone()).bearer_auth(&key).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(http.get(url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
        keys.push(key);
        server.shutdown().await.unwrap();
    }
    assert_eq!(keys[0], keys[1]);
    assert!(!format!("{config:?}").contains(&keys[0]));
}

#[tokio::test]
async fn runs_tokens_and_leases_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let http = client();
    let server = Server::start(config(&folder)).await.unwrap();
    let made: serde_json::Value = http
        .post(server.url().join("runs").unwrap())
        .bearer_auth(OPERATOR)
        .json(&serde_json::json!({"run_id": "r", "ruby_version": "system", "local": ["host"]}))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let token = made["run_token"].as_str().unwrap();
    let claim = serde_json::json!({"provider": "local", "instance_type": "host", "runner_id": "a"});
    let mut tasks = Vec::new();
    let mut server = Some(server);
    for _ in 0..2 {
        let running = match server.take() {
            Some(server) => server,
            None => Server::start(config(&folder)).await.unwrap(),
        };
        let claimed: serde_json::Value = http
            .post(running.url().join("runs/r/tasks/claim").unwrap())
            .bearer_auth(token)
            .json(&claim)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        tasks.push((claimed["task_id"].clone(), claimed["lease"]["attempt"].clone()));
        running.shutdown().await.unwrap();
    }
    assert_eq!(tasks[0], tasks[1]);
    assert_eq!(tasks[0].1, 1);
}

#[tokio::test]
async fn a_dropped_server_ends() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(config(&folder)).await.unwrap();
    let url = server.url().join("health").unwrap();
    drop(server);
    let http = client();
    let gone = async {
        while http.get(url.clone()).send().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
}

#[tokio::test]
async fn a_server_runs_on_parts_of_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(MemoryStore::new());
    let parts = Parts { store: Some(store.clone()), ..Parts::default() };
    let server = Server::start_with(config(&folder), parts).await.unwrap();
    let made = client()
        .post(server.url().join("runs").unwrap())
        .bearer_auth(OPERATOR)
        .json(&serde_json::json!({"run_id": "r", "ruby_version": "system", "local": ["host"]}))
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    let id = railsbench_core::id::RunId::new("r").unwrap();
    assert!(store.run(&id).await.unwrap().is_some());
    server.shutdown().await.unwrap();
}
