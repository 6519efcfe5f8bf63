//! A provider, what it is asked for, and what can be seen of the daemon beside it.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::ContainerInspectResponse;
use futures::StreamExt;
use railsbench_core::id::RunId;
use railsbench_core::provider::{
    Deployment, Plan, Provider, ProviderError, ProvisionRequest, Scope, UserDataVars,
};
use railsbench_providers::docker::DockerProvider;
use railsbench_providers::{MemoryJournal, testing};

/// The run token.
pub const TOKEN: &str = "rbr_the-token-of-the-run";

/// An image with the real runner, which calls an orchestrator that is nowhere until it is ended.
pub const IMAGE: &str = "railsbench-test-runner:latest";

/// The one who may start machines: there are CPUs for few, whoever runs these tests.
pub struct Turn(#[expect(dead_code, reason = "the lock goes with the file")] File);

impl Turn {
    /// Waits for it.
    pub async fn take() -> Self {
        let path = std::env::temp_dir().join("railsbench-docker-tests.lock");
        let file = File::create(path).unwrap();
        let file = tokio::task::spawn_blocking(move || {
            file.lock().unwrap();
            file
        });
        Self(file.await.unwrap())
    }
}

/// Each call is a new one that remembers nothing, as in another process.
pub fn provider() -> DockerProvider {
    DockerProvider::from_environment()
}

/// A run that no one else has.
pub fn new_run() -> RunId {
    RunId::new(format!("Test.{}", ulid::Ulid::generate())).unwrap()
}

pub fn request(run_id: &RunId, instance_type: &str, count: u32) -> ProvisionRequest {
    let vars = UserDataVars {
        // RFC 6761: there is no such host.
        orchestrator_url: "https://bench.invalid/".to_owned(),
        run_id: run_id.clone(),
        api_key: TOKEN.to_owned().into(),
        runner_image: Some(IMAGE.parse().unwrap()),
        max_lifetime: Duration::from_mins(10),
        runners: Vec::new(),
        ..testing::vars("docker", instance_type)
    };
    ProvisionRequest { label: "small".to_owned(), ..testing::request(vars, count) }
}

pub fn plan(run_id: &RunId, count: u32) -> Plan {
    provider().plan(&request(run_id, "1c1g", count)).unwrap()
}

pub async fn provision(plan: &Plan) -> Result<Deployment, ProviderError> {
    provider().provision(plan, Arc::new(MemoryJournal::default())).await
}

/// Tears a run down from nothing, and looks that nothing is left. Gives how much there was.
pub async fn teardown(run_id: &RunId) -> usize {
    let removed = provider().teardown(&Scope::run(run_id.clone())).await.unwrap().removed.len();
    let left = left(run_id).await;
    assert!(left.is_empty(), "left: {left:?}");
    removed
}

/// A connection that the provider knows nothing of.
pub async fn docker() -> Docker {
    Docker::connect_with_defaults().unwrap().negotiate_version().await.unwrap_or_else(|error| {
        panic!("these tests need a Docker daemon ({error}); bin/test docker starts one")
    })
}

/// Names of everything that has the run's label or name, found without the provider.
pub async fn left(run_id: &RunId) -> Vec<String> {
    let docker = docker().await;
    let options =
        bollard::query_parameters::ListContainersOptions { all: true, ..Default::default() };
    let mut names = Vec::new();
    for container in docker.list_containers(Some(options)).await.unwrap() {
        let labels = container.labels.unwrap_or_default();
        if labels.values().any(|value| value == run_id.as_str()) {
            names.extend(container.names.unwrap_or_default());
        }
    }
    for network in docker.list_networks(None).await.unwrap() {
        let labels = network.labels.unwrap_or_default();
        if labels.values().any(|value| value == run_id.as_str()) {
            names.extend(network.name);
        }
    }
    names
}

pub async fn inspect(name: &str) -> ContainerInspectResponse {
    docker().await.inspect_container(name, None).await.unwrap()
}

/// What a script prints that runs in a container beside its runner.
pub async fn inside(name: &str, script: &str) -> String {
    let docker = docker().await;
    let options = CreateExecOptions {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()]),
        ..CreateExecOptions::default()
    };
    let exec = docker.create_exec(name, options).await.unwrap();
    let StartExecResults::Attached { mut output, .. } =
        docker.start_exec(&exec.id, None).await.unwrap()
    else {
        panic!("it is attached")
    };
    let mut said = String::new();
    while let Some(part) = output.next().await {
        said.push_str(&part.unwrap().to_string());
    }
    said
}
