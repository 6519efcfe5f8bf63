//! The start-up script of a VM cloud, run from its first line to its last: it fetches the runner
//! from a real orchestrator, checks it, starts it, and ends the machine when the work is done.

use railsbench::client::OperatorClient;
use railsbench::provider::{RunnerFile, UserDataVars};
use railsbench::providers::testing::StandInMachine;
use railsbench::server::{Server, ServerConfig};
use tempfile::TempDir;

use crate::support::boot::{boot, machine, user_data_vars};
use crate::support::{assert_completed, program};

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
        let server = Server::start(config).await.unwrap();
        let client = OperatorClient::new(server.url().clone(), server.api_key().clone()).unwrap();
        let vars = user_data_vars(&client, "boots").await;
        Self { folder, server, client, vars }
    }

    fn machine(&self) -> StandInMachine {
        machine(self.folder.path(), "a")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_boots_works_and_ends() {
    let world = World::new().await;
    let machine = world.machine();
    let boot = boot(&machine, &world.vars).await;
    assert!(boot.succeeded, "{}", boot.said);
    assert_completed(&world.client.run(&world.vars.run_id).await.unwrap(), 1);
    assert!(machine.has_ended());
    assert!(boot.said.contains("the runner ended with status 0"), "{}", boot.said);
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
    let boot = boot(&machine, &world.vars).await;
    assert!(!boot.succeeded);
    assert!(boot.said.contains("refusing to run"), "{}", boot.said);
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
    let boot = boot(&machine, &world.vars).await;
    assert!(boot.said.contains("401"), "{}", boot.said);
    assert!(!machine.path("state/runner").exists());
    assert!(machine.has_ended());
    world.server.shutdown().await.unwrap();
}
