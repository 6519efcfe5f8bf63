//! A server of its own for each test, and a client that knows no more than the contract.

use std::io::Write;
use std::sync::{Arc, Once};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use railsbench_server::clock::ManualClock;
use railsbench_server::{Parts, Server, ServerConfig};
use reqwest::{Method, Response, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The operator token of every test server.
pub const OPERATOR: &str = "operator-token-of-the-tests";

/// A server, its clock and a client.
pub struct Bench {
    pub server: Server,
    pub clock: Arc<ManualClock>,
    pub http: reqwest::Client,
    pub folder: TempDir,
}

pub fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider().install_default().unwrap();
        // What the server logs, with RUST_LOG set.
        tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .init();
    });
    reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap()
}

pub fn config(folder: &TempDir) -> ServerConfig {
    let mut config = ServerConfig::new("127.0.0.1:0".parse().unwrap(), folder.path());
    config.api_key = Some(SecretString::from(OPERATOR));
    config.reap_every = Duration::from_millis(20);
    config
}

impl Bench {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder);
        change(&mut config);
        let clock = Arc::new(ManualClock::new(Timestamp::now()));
        let parts = Parts { clock: clock.clone(), ..Parts::default() };
        let server = Server::start_with(config, parts).await.unwrap();
        Self { server, clock, http: client(), folder }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url().as_str().trim_end_matches('/'))
    }

    pub fn request(&self, method: Method, path: &str, token: &str) -> reqwest::RequestBuilder {
        self.http.request(method, self.url(path)).bearer_auth(token)
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path, OPERATOR).send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path, token).json(body).send().await.unwrap()).await
    }

    pub async fn form(&self, path: &str, token: &str, fields: &[(&str, &str)]) -> Answer {
        Answer::of(self.request(Method::POST, path, token).form(fields).send().await.unwrap()).await
    }

    /// Makes a mock run of `host` with so many tasks. Gives its token.
    pub async fn run(&self, id: &str, tasks: u32) -> String {
        let config = json!({
            "run_id": id, "ruby_version": "system", "mock": true, "local": ["host"],
            "runs_per_instance_type": tasks,
        });
        let made = self.post("/runs", OPERATOR, &config).await.expect(StatusCode::CREATED);
        made["run_token"].as_str().unwrap().to_owned()
    }

    pub async fn claim(&self, run: &str, token: &str, runner: &str) -> Value {
        let body = json!({"provider": "local", "instance_type": "host", "runner_id": runner});
        self.post(&format!("/runs/{run}/tasks/claim"), token, &body).await.expect(StatusCode::OK)
    }

    pub async fn heartbeat(&self, task: &str, token: &str, runner: &str) -> Answer {
        let body = json!({"heartbeat_status": "running", "runner_id": runner});
        self.post(&format!("/tasks/{task}/heartbeat"), token, &body).await
    }

    pub async fn complete(&self, task: &str, token: &str, runner: &str) -> Answer {
        let body = json!({"runner_id": runner});
        self.post(&format!("/tasks/{task}/complete"), token, &body).await
    }

    pub async fn put(&self, url: &str, bytes: Vec<u8>) -> Answer {
        Answer::of(self.http.put(url).body(bytes).send().await.unwrap()).await
    }

    /// Takes a task through upload and completion. Gives its id.
    pub async fn work(&self, run: &str, token: &str, runner: &str) -> String {
        let claimed = self.claim(run, token, runner).await;
        let task = claimed["task_id"].as_str().unwrap().to_owned();
        let url = claimed["upload_url"].as_str().unwrap();
        self.put(url, good_archive()).await.expect(StatusCode::OK);
        self.complete(&task, token, runner).await.expect(StatusCode::OK);
        task
    }
}

/// Status and body of an answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        let status = response.status();
        let headers = response.headers().clone();
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The body, of an answer that must have this status.
    #[track_caller]
    pub fn expect(self, status: StatusCode) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// The `error` of a problem, which must be whole and have this status.
    #[track_caller]
    pub fn problem(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        for field in ["type", "title", "detail", "error"] {
            assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
        problem
    }
}

/// A tar.gz of these files.
pub fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, name, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// What a well-behaved runner uploads.
pub fn good_archive() -> Vec<u8> {
    archive(&[("metadata.json", b"{}"), ("output.json", b"{}"), ("output.txt", b"hello\n")])
}

/// A gzip of these bytes.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// The SHA-256 of these bytes in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(bytes))
}
