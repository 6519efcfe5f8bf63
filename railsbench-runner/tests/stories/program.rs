//! The program itself: environment, signals, exit codes.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use railsbench_core::protocol::TaskSpec;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::stub::{RUN, Stub, TOKEN, World};
use crate::world::{RUNNER, assert_gone, task};

fn program() -> Command {
    let mut command = Command::new(RUNNER);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

fn start(stub: &Stub, workdir: &TempDir) -> Child {
    program()
        .arg("--verbose")
        .env("ORCHESTRATOR_URL", stub.url())
        .env("API_KEY", TOKEN)
        .env("RUN_ID", RUN)
        .env("PROVIDER", "local")
        .env("INSTANCE_TYPE", "host")
        .env("RAILSBENCH_WORKDIR", workdir.path())
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .spawn()
        .unwrap()
}

fn mock(number: u32, quick: bool) -> TaskSpec {
    let mut task = task(number);
    task.mock = true;
    task.workload.quick = quick;
    task
}

/// Waits for the program's end: its exit code and what it said.
async fn ended(child: Child) -> (Option<i32>, String) {
    let output = tokio::time::timeout(Duration::from_mins(1), child.wait_with_output());
    let output = output.await.expect("the program ends").unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("s3cret"), "{said}");
    (output.status.code(), said)
}

#[tokio::test]
async fn runs_tasks_until_done() {
    let stub = Stub::start(World::with_tasks([mock(1, true), mock(2, true)]));
    let workdir = tempfile::tempdir().unwrap();
    let (code, said) = ended(start(&stub, &workdir)).await;
    assert_eq!(code, Some(0), "{said}");
    stub.assert_no_violation();
    assert_eq!(stub.world().results.len(), 2);
    assert_eq!(fs::read_dir(workdir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn names_every_variable_that_is_missing() {
    let (code, said) = ended(program().spawn().unwrap()).await;
    assert_eq!(code, Some(2));
    for variable in ["ORCHESTRATOR_URL", "API_KEY", "RUN_ID", "PROVIDER", "INSTANCE_TYPE"] {
        assert!(said.contains(&format!("{variable}: it is not set")), "{said}");
    }
}

#[tokio::test]
async fn a_wrong_token_has_an_exit_code_of_its_own() {
    let world = World::default().fault("claim", [crate::stub::Fault::Status(401)]);
    let stub = Stub::start(world);
    let (code, said) = ended(start(&stub, &tempfile::tempdir().unwrap())).await;
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("check API_KEY"), "{said}");
}

/// Process numbers of a program's children.
fn children(process: u32) -> Vec<String> {
    let path = format!("/proc/{process}/task/{process}/children");
    fs::read_to_string(path).unwrap().split_whitespace().map(str::to_owned).collect()
}

async fn interrupted(signal: Signal) -> (Option<i32>, String, Stub) {
    let stub = Stub::start(World::with_tasks([mock(1, false)]));
    let workdir = tempfile::tempdir().unwrap();
    let child = start(&stub, &workdir);
    let process = child.id().unwrap();
    stub.until("the workload runs", World::is_running).await;
    let workload = children(process);
    assert_eq!(workload.len(), 1, "{workload:?}");
    kill(Pid::from_raw(i32::try_from(process).unwrap()), signal).unwrap();
    let (code, said) = ended(child).await;
    assert_gone(&workload[0]);
    stub.assert_no_violation();
    (code, said, stub)
}

#[tokio::test]
async fn sigterm_gives_the_task_back_and_leaves_no_process() {
    let (code, said, stub) = interrupted(Signal::SIGTERM).await;
    assert_eq!(code, Some(143), "{said}");
    assert_eq!(stub.names(), ["claim", "release"]);
}

#[tokio::test]
async fn sigint_does_the_same() {
    let (code, said, stub) = interrupted(Signal::SIGINT).await;
    assert_eq!(code, Some(130), "{said}");
    assert_eq!(stub.names(), ["claim", "release"]);
}

#[tokio::test]
async fn killed_it_takes_the_workload_with_it() {
    let stub = Stub::start(World::with_tasks([mock(1, false)]));
    let workdir = tempfile::tempdir().unwrap();
    let mut child = start(&stub, &workdir);
    stub.until("the workload runs", World::is_running).await;
    let workload = children(child.id().unwrap());
    child.kill().await.unwrap();
    for _ in 0..500 {
        if !std::path::Path::new(&format!("/proc/{}", workload[0])).exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_gone(&workload[0]);
}
