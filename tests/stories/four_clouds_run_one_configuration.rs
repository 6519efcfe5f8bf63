//! One configuration with AWS, Azure, Google Cloud and Heroku, and the command line as an
//! operator would start it: each emulated machine starts the runner with what its user data told
//! it, which claims tasks from a real orchestrator and finishes them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use railsbench_emulators::{azure, gcp};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Cli, FourClouds, ServerProcess};

const CONFIG: &str = r#"{
    "ruby_version": "system", "mock": true, "workload": {"quick": true},
    "aws": [{"instance_type": "c5.large", "alias": "on-aws"}],
    "azure": [{"instance_type": "Standard_D4s_v5", "alias": "on-azure"}],
    "gcp": [{"instance_type": "e2-micro", "alias": "on-gcp"}],
    "heroku": [{"instance_type": "standard-1x", "alias": "on-heroku"}],
    "runs_per_instance_type": 2
}"#;

const CLOUDS: [&str; 4] = ["aws", "azure", "gcp", "heroku"];

struct World {
    folder: TempDir,
    clouds: FourClouds,
    server: ServerProcess,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clouds = FourClouds::start(&folder.path().join("clouds")).await;
        let runners = clouds.runners().display().to_string();
        let server = ServerProcess::start(&folder.path().join("server"), &["--runners", &runners]);
        std::fs::write(folder.path().join("clouds.json"), CONFIG).unwrap();
        Self { folder, clouds, server }
    }

    /// The command line with these clouds and this orchestrator, in a folder.
    fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Cli::new(folder).command(arguments);
        self.clouds.point(&mut command);
        self.server.point(&mut command);
        command
    }

    /// `railsbench run` with one JSON object per event.
    fn run(&self, id: &str) -> Command {
        let arguments = ["run", "clouds.json", "--run-id", id, "--yes", "--json"];
        self.command(self.folder.path(), &arguments)
    }

    fn read(&self, name: &str) -> Value {
        let path = self.folder.path().join(name);
        let bytes = std::fs::read(&path);
        let bytes = bytes.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Each cloud whose tasks have results and figures in the report.
    fn reported(&self, id: &str) -> Vec<String> {
        let report = self.read(&format!("results/{id}/report.json"));
        let labels = report["labels"].as_array().unwrap();
        let with_figures = labels.iter().filter(|label| label["tasks"].as_u64() == Some(2));
        with_figures.map(|label| label["provider"].as_str().unwrap().to_owned()).collect()
    }
}

/// Waits for a command without keeping the emulators of this process from answering it.
async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

fn events(output: &Output) -> Vec<Value> {
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn assert_exit(output: &Output, code: i32) {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stdout}\n{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_of_four_clouds_do_their_tasks_and_are_gone() {
    let world = World::new().await;
    let output = output(world.run("four")).await;
    assert_exit(&output, 0);
    assert_eq!(world.clouds.started(), [1; 4], "one machine of each cloud was enough");
    for cloud in CLOUDS {
        for number in 1..=2 {
            let folder = format!("results/four/on-{cloud}-{number}");
            let metadata = world.read(&format!("{folder}/metadata.json"));
            assert_eq!(metadata["provider"], cloud, "{metadata}");
            assert!(world.read(&format!("{folder}/output.json")).is_object());
        }
    }
    assert_eq!(world.reported("four"), CLOUDS);
    world.clouds.assert_clean().await;
}

/// What one cloud cannot do leaves the others alone: their tasks are done, and it is said whose
/// are not.
#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_without_room_or_quota_leaves_the_others_alone() {
    let world = World::new().await;
    let full = gcp::Wrong::Refused {
        status: 403,
        reason: "quotaExceeded",
        message: "Quota 'CPUS' exceeded. Limit: 0.0 in region us-central1.",
        retry_after: None,
    };
    world.clouds.gcp.fault(gcp::Fault {
        method: "instances.insert",
        path: "",
        times: u32::MAX,
        wrong: full,
    });
    let no_room = azure::Answer::error(409, "ZonalAllocationFailed", "There is no room.");
    world.clouds.azure.fails(azure::Fault::refuse("PUT", "virtualMachines/*", no_room).times(99));
    let output = output(world.run("partly")).await;
    assert_exit(&output, 1);
    let events = events(&output);
    let warnings: Vec<&str> = events.iter().filter_map(|event| event["message"].as_str()).collect();
    for (cloud, word) in [("gcp", "Quota 'CPUS' exceeded"), ("azure", "There is no room")] {
        let told = warnings.iter().any(|said| said.contains(cloud) && said.contains(word));
        assert!(told, "nothing of {cloud} in {warnings:?}");
    }
    let finished = events.last().unwrap();
    assert_eq!(finished["exit_code"], 1, "{finished}");
    assert_eq!(finished["task_counts"]["completed"], 4, "{finished}");
    assert_eq!(world.clouds.started(), [1, 0, 0, 1]);
    assert_eq!(world.reported("partly"), ["aws", "heroku"]);
    world.clouds.assert_clean().await;
}

/// What can be known before is told before anything is made, in any cloud.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_not_start_machines_is_told_before_anything_is_made() {
    let world = World::new().await;
    world.clouds.heroku.world().verified = false;
    let output = output(world.run("never")).await;
    assert_exit(&output, 3);
    let failure = events(&output).pop().unwrap();
    let detail = failure["detail"].as_str().unwrap();
    assert!(detail.contains("heroku") && detail.contains("verif"), "{detail}");
    assert_eq!(world.clouds.started(), [0; 4]);
    world.clouds.assert_clean().await;
}

/// The command line dies in mid-run, and with it all that it knew: another one, that has never
/// heard of the run, finds everything by its tags and names.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_command_line_leaves_is_removed_from_nothing() {
    let world = World::new().await;
    let mut run = world.run("orphans").stdout(Stdio::piped()).spawn().unwrap();
    let stdout = BufReader::new(run.stdout.take().unwrap());
    let provisioned = tokio::task::spawn_blocking(move || {
        let events = stdout.lines().map(|line| serde_json::from_str::<Value>(&line.unwrap()));
        let is_provisioned = |event: &Value| event["event"] == "provisioned";
        let count = events.map(Result::unwrap).filter(is_provisioned).take(CLOUDS.len()).count();
        run.kill().unwrap();
        run.wait().unwrap();
        count
    });
    assert_eq!(provisioned.await.unwrap(), CLOUDS.len());
    let left = world.clouds.everything().await;
    for cloud in CLOUDS {
        assert!(left.iter().any(|id| id.starts_with(&format!("{cloud}: "))), "{cloud} in {left:?}");
    }

    let elsewhere = tempfile::tempdir().unwrap();
    let teardown = ["teardown", "orphans", "--yes", "--json"];
    let output = output(world.command(elsewhere.path(), &teardown)).await;
    assert_exit(&output, 0);
    let removed = events(&output).pop().unwrap();
    for cloud in CLOUDS {
        assert!(removed.to_string().contains(cloud), "{removed}");
    }
    world.clouds.assert_clean().await;
}
