//! Several servers serve one run. Any of them may die, and the database too.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use futures::StreamExt;
use railsbench_core::lifecycle::Replay;
use railsbench_core::protocol::EventRecord;
use railsbench_emulators::moto::Moto;
use railsbench_emulators::postgres::Cluster;
use railsbench_server::store::PostgresConfig;
use railsbench_server::{ArtifactsConfig, DatabaseConfig, Server, ServerConfig};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::balancer::Balancer;
use crate::program::{KEY, program, start};

const TASKS: u64 = 6;
const RUNNERS: usize = 3;

/// Far longer than anything here takes: it ends a test that would hang.
const PATIENCE: Duration = Duration::from_mins(3);

fn client() -> Client {
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap()
}

/// A process that does not outlive its test.
struct Guarded(Child);

impl Guarded {
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server of several, as a process on a port of its own.
struct Replica {
    process: Guarded,
    port: u16,
    flags: Vec<String>,
    environment: Vec<(&'static str, String)>,
    folder: TempDir,
}

impl Replica {
    fn start(
        public_url: &str,
        port: u16,
        more: &[String],
        environment: &[(&'static str, String)],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = format!("127.0.0.1:{port}");
        let own = ["--listen", &listen, "--public-url", public_url, "--heartbeat-seconds", "1"];
        let flags: Vec<String> =
            own.iter().map(ToString::to_string).chain(more.iter().cloned()).collect();
        let process = Self::spawn(&folder, &flags, environment);
        Self { process, port, flags, environment: environment.to_vec(), folder }
    }

    fn spawn(
        folder: &TempDir,
        flags: &[String],
        environment: &[(&'static str, String)],
    ) -> Guarded {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let mut command = program(folder, &flags);
        command.envs(environment.iter().cloned()).stderr(Stdio::null());
        Guarded(start(command).0)
    }

    fn restart(&mut self) {
        self.process = Self::spawn(&self.folder, &self.flags, &self.environment);
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Where cargo built the runner: two folders above this test.
fn runner_program() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().unwrap().parent().unwrap().join("railsbench-runner");
    assert!(path.is_file(), "build the runner first: cargo build -p railsbench-runner");
    path
}

fn runner(url: &str, token: &str, name: &str, folder: &Path) -> Guarded {
    let command = Command::new(runner_program())
        .env("ORCHESTRATOR_URL", url)
        .env("API_KEY", token)
        .env("RUN_ID", "shared")
        .env("PROVIDER", "local")
        .env("INSTANCE_TYPE", "host")
        .env("RUNNER_ID", name)
        .env("RAILSBENCH_WORKDIR", folder.join(name))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Guarded(command.unwrap())
}

/// Asks until there is an answer of this status: servers and the database come and go.
async fn ask(http: &Client, method: Method, url: &str, body: Option<&Value>, wanted: u16) -> Value {
    let begun = Instant::now();
    loop {
        let mut request = http.request(method.clone(), url).bearer_auth(KEY);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = match request.send().await {
            Ok(answer) if answer.status().as_u16() == wanted => match answer.json().await {
                Ok(body) => return body,
                Err(error) => error.to_string(),
            },
            Ok(answer) => format!("{answer:?}"),
            Err(error) => error.to_string(),
        };
        assert!(begun.elapsed() < PATIENCE, "{url} never gave {wanted}: {answer}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// Follows a run's events through whatever answers, and comes back with the number of the last
/// one whenever the stream breaks off. Ends with the run.
async fn follow(http: Client, url: String) -> Vec<EventRecord> {
    let mut seen: Vec<EventRecord> = Vec::new();
    loop {
        let last = seen.last().map_or(0, |record| record.seq);
        let request = http.get(&url).bearer_auth(KEY).header("last-event-id", last.to_string());
        if let Ok(answer) = request.send().await {
            if answer.status() == StatusCode::NO_CONTENT {
                return seen;
            }
            let mut text = String::new();
            let mut chunks = answer.bytes_stream();
            while let Some(Ok(chunk)) = chunks.next().await {
                text.push_str(std::str::from_utf8(&chunk).unwrap());
                while let Some(end) = text.find("\n\n") {
                    let message: String = text.drain(..end + 2).collect();
                    let data = message.lines().find_map(|line| line.strip_prefix("data: "));
                    seen.extend(
                        data.map(|data| serde_json::from_str::<EventRecord>(data).unwrap()),
                    );
                }
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// A run from its start to its end, while servers and the database die.
async fn a_run_survives(more: &[String], more_environment: &[(&'static str, String)]) {
    let mut cluster = Cluster::start();
    let database = ("RAILSBENCH_DATABASE_URL", cluster.create_database("bench"));
    let environment = [&[database], more_environment].concat();
    let ports = [free_port(), free_port(), free_port()];
    let balancer = Balancer::before(ports.to_vec()).await;
    let mut replicas: Vec<Replica> =
        ports.iter().map(|port| Replica::start(&balancer.url, *port, more, &environment)).collect();
    let http = client();
    let run_url = format!("{}/runs/shared", balancer.url);
    let config = json!({"run_id": "shared", "ruby_version": "system", "mock": true,
        "local": ["host"], "runs_per_instance_type": TASKS});
    let made =
        ask(&http, Method::POST, &format!("{}/runs", balancer.url), Some(&config), 201).await;
    let token = made["run_token"].as_str().unwrap();
    let events =
        AbortOnDropHandle::new(tokio::spawn(follow(http.clone(), format!("{run_url}/events"))));
    let folder = tempfile::tempdir().unwrap();
    let runners: Vec<Guarded> = (0..RUNNERS)
        .map(|number| runner(&balancer.url, token, &format!("runner-{number}"), folder.path()))
        .collect();

    let completed = async |at_least: u64| {
        let begun = Instant::now();
        loop {
            let run = ask(&http, Method::GET, &run_url, None, 200).await;
            if run["task_counts"]["completed"].as_u64().unwrap() >= at_least {
                return run;
            }
            assert!(begun.elapsed() < PATIENCE, "the run goes on no more: {run:#}");
            sleep(Duration::from_millis(50)).await;
        }
    };
    ask(&http, Method::GET, &format!("{run_url}/tasks?status=running"), None, 200).await;
    replicas[0].process.kill();
    completed(1).await;
    replicas[1].process.kill();
    replicas[0].restart();
    completed(2).await;
    cluster.kill();
    sleep(Duration::from_millis(300)).await;
    cluster.resume();
    completed(3).await;
    replicas[2].process.kill();
    replicas[1].restart();
    let run = completed(TASKS).await;

    assert_eq!(run["status"], "completed", "{run:#}");
    for task in run["tasks"].as_array().unwrap() {
        assert_eq!(task["attempt"], 1, "no attempt was lost: {task:#}");
    }
    let mut replay = Replay::default();
    let events = events.await.unwrap();
    for event in &events {
        // Says so if one comes twice, is left out, or comes in another order.
        replay.push(event).unwrap();
    }
    assert_eq!(u64::from(replay.run.counts.completed), TASKS);
    for mut runner in runners {
        let ended = tokio::task::spawn_blocking(move || runner.0.wait().unwrap()).await.unwrap();
        assert_eq!(ended.code(), Some(0), "a runner has nothing left to do");
    }
    // What one server took in, another gives out.
    for replica in &replicas[..2] {
        let own = format!("http://127.0.0.1:{}", replica.port);
        let results = format!("{own}/runs/shared/results");
        let results = ask(&http, Method::GET, &results, None, 200).await;
        let tasks = results["tasks"].as_array().unwrap();
        assert_eq!(tasks.len() as u64, TASKS);
        for task in tasks {
            let file = &task["artifacts"][0];
            let url = file["url"].as_str().unwrap().replace(&balancer.url, &own);
            let archive = http.get(url).send().await.unwrap().bytes().await.unwrap();
            assert_eq!(Some(archive.len() as u64), file["size"].as_u64(), "{file:#}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_on_a_shared_folder_survives_servers_and_database() {
    let results = tempfile::tempdir().unwrap();
    let folder = results.path().join("results").display().to_string();
    a_run_survives(&["--artifacts-dir".to_owned(), folder], &[]).await;
}

#[cfg(feature = "s3")]
#[tokio::test(flavor = "multi_thread")]
async fn a_run_on_s3_survives_servers_and_database() {
    let moto = Moto::start().await;
    let bucket = moto.url.join("shared-results").unwrap();
    assert!(client().put(bucket).send().await.unwrap().status().is_success());
    let flags = [
        "--s3-bucket",
        "shared-results",
        "--s3-region",
        "us-east-1",
        "--s3-path-style",
        "true",
        "--s3-endpoint",
        moto.url.as_str(),
    ];
    let flags: Vec<String> = flags.iter().map(ToString::to_string).collect();
    let keys = [
        ("AWS_ACCESS_KEY_ID", "key-id".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
    ];
    a_run_survives(&flags, &keys).await;
}

/// A tar.gz that is a result.
fn good_archive() -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append_data(&mut header, "metadata.json", &b"{}"[..]).unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_may_go_to_another_server() {
    let http = client();
    let cluster = Cluster::start();
    let url = cluster.create_database("bench");
    let (results, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut servers = Vec::new();
    for name in ["a", "b", "c"] {
        let mut config = ServerConfig::new("127.0.0.1:0".parse().unwrap(), data.path().join(name));
        config.api_key = Some(KEY.into());
        config.database = DatabaseConfig::Postgres(PostgresConfig::new(url.as_str().into()));
        config.artifacts = ArtifactsConfig::Folder(results.path().to_owned());
        servers.push(Server::start(config).await.unwrap());
    }
    let at = |number: usize, path: &str| {
        format!("{}{path}", servers[number].url().as_str().trim_end_matches('/'))
    };
    let call = async |number: usize, path: &str, token: &str, body: Value, status: u16| -> Value {
        let request = http.post(at(number, path)).bearer_auth(token).json(&body);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{path}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    };
    let config = json!({"run_id": "r", "ruby_version": "system", "mock": true, "local": ["host"]});
    let made = call(0, "/runs", KEY, config, 201).await;
    let token = made["run_token"].as_str().unwrap();
    let claim = json!({"provider": "local", "instance_type": "host", "runner_id": "x"});
    let claimed = call(1, "/runs/r/tasks/claim", token, claim, 200).await;
    let task = format!("/tasks/{}", claimed["task_id"].as_str().unwrap());
    let beat = json!({"heartbeat_status": "running", "runner_id": "x", "attempt": 1});
    call(2, &format!("{task}/heartbeat"), token, beat, 200).await;
    // Signed by the second, used at the first.
    let signed = claimed["upload_url"].as_str().unwrap();
    let elsewhere = signed.replace(&at(1, ""), &at(0, ""));
    assert_ne!(signed, elsewhere);
    let put = http.put(elsewhere).body(good_archive()).send().await.unwrap();
    assert!(put.status().is_success(), "{put:?}");
    call(2, &format!("{task}/complete"), token, json!({"runner_id": "x"}), 200).await;

    let link = call(0, "/login-links", KEY, json!({}), 201).await;
    let link = link["url"].as_str().unwrap().replace(&at(0, ""), &at(1, ""));
    let page = http.get(&link).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let cookie = page.headers()["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let seen = http.get(at(2, "/runs/r")).header("cookie", cookie).send().await.unwrap();
    assert_eq!(seen.json::<Value>().await.unwrap()["status"], "completed");
    let again = http.get(link.replace(&at(1, ""), &at(2, ""))).send().await.unwrap();
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED, "a link is good once, anywhere");
    for server in servers {
        server.shutdown().await.unwrap();
    }
}
