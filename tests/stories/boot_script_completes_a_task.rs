//! The start-up script of a VM cloud, run from its first line to its last: it fetches the runner
//! from a real orchestrator, checks it, starts it, and ends the machine when the work is done.

use std::process::Output;
use std::time::Duration;

use railsbench::client::OperatorClient;
use railsbench::config::RunConfig;
use railsbench::id::{InstanceType, ProviderName};
use railsbench::provider::{Arch, RunnerFile, UserData, UserDataVars};
use railsbench::providers::testing::StandInMachine;
use railsbench::providers::vm::StartupScript;
use railsbench::server::{Server, ServerConfig};
use tempfile::TempDir;

use crate::support::{assert_completed, program, run_id};

#[cfg(target_arch = "x86_64")]
const ARCH: Arch = Arch::X86_64;
#[cfg(target_arch = "aarch64")]
const ARCH: Arch = Arch::Aarch64;

/// An orchestrator that hands out the runner of this build, with a run of one mock task.
struct World {
    folder: TempDir,
    server: Server,
    client: OperatorClient,
    vars: UserDataVars,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config =
            ServerConfig::new("127.0.0.1:0".parse().unwrap(), folder.path().join("server"));
        config.runners.add(&program("railsbench-runner")).unwrap().unwrap();
        let runners = config.runners.measure().unwrap();
        let server = Server::start(config).await.unwrap();
        let client = OperatorClient::new(server.url().clone(), server.api_key().clone()).unwrap();
        let config = r#"{"ruby_version":"system","aws":["c5.large"],"mock":true}"#;
        let id = run_id("boots");
        let made = client.create_run(&RunConfig::parse(config).unwrap(), &id).await.unwrap();
        let vars = UserDataVars {
            orchestrator_url: server.url().to_string(),
            api_key: made.run_token.unwrap(),
            run_id: id,
            provider: ProviderName::new("aws").unwrap(),
            instance_type: InstanceType::new("c5.large").unwrap(),
            ruby_version: None,
            max_lifetime: Duration::from_mins(10),
            allow_install: false,
            runner: None,
            runners,
            runner_image: None,
            ca_certificate: None,
        };
        Self { folder, server, client, vars }
    }

    fn machine(&self) -> StandInMachine {
        let folder = self.folder.path().join("machine");
        std::fs::create_dir(&folder).unwrap();
        StandInMachine::new(&folder).unwrap()
    }
}

fn script(vars: &UserDataVars) -> UserData {
    let template = "#!/bin/sh\n{{> vm-head}}\nend_machine() {\n  shutdown -h now\n}\n{{> vm-main}}";
    let provider = ProviderName::new("aws").unwrap();
    StartupScript::new(provider, template, 16_384).unwrap().render(vars, ARCH).unwrap()
}

async fn boot(machine: &StandInMachine, data: &UserData) -> Output {
    let mut command = machine.boot(data).unwrap();
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_boots_works_and_ends() {
    let world = World::new().await;
    let machine = world.machine();
    let output = boot(&machine, &script(&world.vars)).await;
    assert!(output.status.success(), "{}", said(&output));
    assert_completed(&world.client.run(&world.vars.run_id).await.unwrap(), 1);
    assert!(machine.has_ended());
    assert!(said(&output).contains("the runner ended with status 0"), "{}", said(&output));
    let fetched = std::fs::read(machine.path("state/runner")).unwrap();
    assert!(fetched == std::fs::read(program("railsbench-runner")).unwrap());
    world.server.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_runner_was_replaced_meanwhile_runs_nothing() {
    let mut world = World::new().await;
    let sha256 = "0".repeat(64);
    let planned = world.vars.runners[0].target;
    world.vars.runners = vec![RunnerFile { target: planned, sha256 }];
    let machine = world.machine();
    // It would wait before it tries again.
    machine.stand_in("sleep", "").unwrap();
    let output = boot(&machine, &script(&world.vars)).await;
    assert!(!output.status.success());
    assert!(said(&output).contains("refusing to run"), "{}", said(&output));
    assert!(machine.has_ended());
    let run = world.client.run(&world.vars.run_id).await.unwrap();
    assert_eq!(run.summary.task_counts.pending, 1, "{run:#?}");
    world.server.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_with_a_wrong_token_gets_no_runner() {
    let mut world = World::new().await;
    world.vars.api_key = "of another run".to_owned().into();
    let machine = world.machine();
    machine.stand_in("sleep", "").unwrap();
    let output = boot(&machine, &script(&world.vars)).await;
    assert!(said(&output).contains("401"), "{}", said(&output));
    assert!(!machine.path("state/runner").exists());
    assert!(machine.has_ended());
    world.server.shutdown().await.unwrap();
}
