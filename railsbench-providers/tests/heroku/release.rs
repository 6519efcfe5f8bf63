//! The release, run for real: what is uploaded is unpacked, and its commands are started as the
//! dynos' are.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use railsbench_core::id::MachineId;
use railsbench_core::provider::{MachineState, Plan, Provider, RunnerFile, RunnerTarget};
use railsbench_emulators::heroku::{Emulator, sha256};
use railsbench_providers::heroku::HerokuProvider;

use crate::fixture::{TOKEN, provider, provision, request, scope};

/// How often to look for what must come.
const LOOKS: usize = 6000;
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Says what it was told, works until it is asked to end, and says so.
const RUNNER: &str = "#!/bin/sh\n\
    trap 'echo asked to end; exit 143' TERM\n\
    echo \"told: $ORCHESTRATOR_URL $RUN_ID $PROVIDER $INSTANCE_TYPE\"\n\
    echo \"time: $MAX_LIFETIME_SECONDS; ruby options: ${RUBYOPT-none}\"\n\
    echo \"gems: ${GEM_HOME-none}\"\n\
    while :; do sleep 0.02; done\n";

/// An orchestrator that hands out one file to whoever has the token.
struct Orchestrator {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Orchestrator {
    fn start(file: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/base/", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap();
                let line = head.lines().next().unwrap().to_owned();
                let allowed = head.contains(&format!("Authorization: Bearer {TOKEN}\r\n"));
                noted.lock().unwrap().push(line);
                let status = if allowed { "200 OK" } else { "401 Unauthorized" };
                write!(
                    stream,
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{file}",
                    file.len()
                )
                .unwrap();
            }
        });
        Self { url, asked }
    }
}

fn planned(provider: &HerokuProvider, orchestrator: &str, size: &str, sha256: String) -> Plan {
    let mut request = request("r1", size, 1);
    orchestrator.clone_into(&mut request.vars.orchestrator_url);
    request.vars.ruby_version = None;
    request.vars.runners = vec![RunnerFile { target: RunnerTarget::X86Musl, sha256 }];
    provider.plan(&request).unwrap()
}

async fn log_with(provider: &HerokuProvider, id: &MachineId, word: &str) -> String {
    let mut log = String::new();
    for _ in 0..LOOKS {
        log = provider.console_log(id).await.unwrap().unwrap_or_default();
        if log.contains(word) {
            return log;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    panic!("{word:?} does not come: {log}")
}

#[tokio::test]
async fn a_dyno_fetches_the_runner_tells_it_what_it_needs_and_becomes_it() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = Emulator::start_with_processes(folder.path()).await;
    let orchestrator = Orchestrator::start(RUNNER);
    let provider = provider(&emulator);
    let plan = planned(&provider, &orchestrator.url, "Standard-1X", sha256(RUNNER.as_bytes()));
    let deployment = provision(&provider, &plan).await.unwrap();
    let log = log_with(&provider, &deployment.machines[0].id, "gems:").await;
    let expected = format!("told: {} r1 heroku Standard-1X\n", orchestrator.url);
    assert!(log.contains(&expected), "{log}");
    assert!(log.contains("time: 3600; ruby options: none\ngems: none\n"), "{log}");
    assert_eq!(
        *orchestrator.asked.lock().unwrap(),
        ["GET /base/runner/x86_64-unknown-linux-musl HTTP/1.1"]
    );
    provider.status(&deployment).await.unwrap();
    assert_eq!(provider.status(&deployment).await.unwrap()[0].state, MachineState::Running);
    provider.teardown(&scope("r1")).await.unwrap();
    // The shell that started it may be gone before it has said so.
    let said = async || {
        for _ in 0..LOOKS {
            for entry in std::fs::read_dir(folder.path()).unwrap() {
                let path = entry.unwrap().path();
                let is_log = path.extension().is_some_and(|extension| extension == "log");
                if is_log && std::fs::read_to_string(path).unwrap().contains("asked to end") {
                    return true;
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        false
    };
    assert!(said().await, "SIGTERM reaches the runner");
    emulator.assert_no_mistakes();
}

#[tokio::test]
async fn a_runner_that_is_not_the_planned_one_is_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = Emulator::start_with_processes(folder.path()).await;
    let orchestrator = Orchestrator::start(RUNNER);
    let provider = provider(&emulator);
    let plan = planned(&provider, &orchestrator.url, "standard-1x", sha256(b"another"));
    let deployment = provision(&provider, &plan).await.unwrap();
    let log = log_with(&provider, &deployment.machines[0].id, "is not the one of the plan").await;
    assert!(!log.contains("told:"), "{log}");
    for _ in 0..LOOKS {
        let status = &provider.status(&deployment).await.unwrap()[0];
        if matches!(status.state, MachineState::Stopped { .. }) {
            assert_eq!(
                emulator.world().apps["railsbencher-runner-r1"].formation["standard-1x"].0,
                0
            );
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    panic!("the dyno does not end");
}

/// A dyno that Heroku starts again after the run's time does no more work, and its runner gets
/// only what is left of the time.
#[tokio::test]
async fn the_time_of_a_run_does_not_begin_anew_with_its_dynos() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = Emulator::start_with_processes(folder.path()).await;
    let orchestrator = Orchestrator::start(RUNNER);
    let provider = provider(&emulator);
    let plan = planned(&provider, &orchestrator.url, "standard-1x", sha256(RUNNER.as_bytes()));
    let deployment = provision(&provider, &plan).await.unwrap();
    let id = &deployment.machines[0].id;
    log_with(&provider, id, "gems:").await;
    for (left, word) in [(-5, "the time of run r1 is over"), (100, "gems:")] {
        {
            let mut world = emulator.world();
            let app = world.apps.get_mut("railsbencher-runner-r1").unwrap();
            let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(left);
            let expires = jiff::Timestamp::from_second(expires.as_second()).unwrap();
            app.vars.insert("RAILSBENCH_EXPIRES".to_owned(), expires.to_string());
            app.dynos.clear();
            let update = serde_json::json!({"updates": [
                {"type": "standard-1x", "quantity": 1, "dyno_size": {"name": "standard-1x"}}
            ]});
            for entry in std::fs::read_dir(folder.path()).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "1") {
                    std::fs::remove_dir_all(path).unwrap();
                }
            }
            world.scale("railsbencher-runner-r1", &update).unwrap();
        }
        let log = log_with(&provider, id, word).await;
        if left > 0 {
            let time = log.split("time: ").nth(1).unwrap().split(';').next().unwrap();
            assert!((1..=100).contains(&time.parse::<i64>().unwrap()), "{log}");
        }
    }
    provider.teardown(&scope("r1")).await.unwrap();
}
