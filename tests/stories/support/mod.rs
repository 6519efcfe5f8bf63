//! Processes and calls that the stories share.

mod archive;
pub mod boot;
#[cfg(feature = "clouds")]
mod clouds;
mod processes;

pub use archive::archive;
#[cfg(feature = "clouds")]
pub use clouds::FourClouds;
pub use processes::{Cli, RunnerProcess, ServerProcess, program};

use std::time::{Duration, Instant};

use railsbench::client::OperatorClient;
use railsbench::config::RunConfig;
use railsbench::id::RunId;
use railsbench::protocol::{RunStatus, RunView};

/// Far longer than anything here takes: it ends a test that would hang, and asserts nothing.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// A run of `tasks` mock tasks on the host.
pub fn mock_config(tasks: u32) -> RunConfig {
    RunConfig::parse(&format!(
        r#"{{"ruby_version":"system","local":["host"],"mock":true,"runs_per_instance_type":{tasks}}}"#
    ))
    .unwrap()
}

pub fn run_id(text: &str) -> RunId {
    RunId::new(text).unwrap()
}

/// Asks for the run until it is as wanted.
pub async fn run_when(
    client: &OperatorClient,
    id: &RunId,
    what: &str,
    wanted: impl Fn(&RunView) -> bool,
) -> RunView {
    let begun = Instant::now();
    loop {
        let run = client.run(id).await.unwrap();
        if wanted(&run) {
            return run;
        }
        assert!(begun.elapsed() < PATIENCE, "never came: {what}; the run is {run:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until the run has ended.
pub async fn ended_run(client: &OperatorClient, id: &RunId) -> RunView {
    run_when(client, id, "the end of the run", |run| run.summary.status.is_ended()).await
}

pub fn assert_completed(run: &RunView, tasks: u32) {
    assert_eq!(run.summary.status, RunStatus::Completed, "{run:#?}");
    assert_eq!(run.summary.task_counts.completed, tasks, "{run:#?}");
}
