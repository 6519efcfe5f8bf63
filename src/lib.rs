//! Which machine, on which cloud, runs my Rails app fastest per dollar, and how sure are we?
//!
//! This is the facade over the railsbench crates. [`Campaign`] does the main job as one
//! embeddable object: plan → run → provision → watch → collect → tear down → report, as a stream
//! of [`CampaignEvent`]s that the command line only draws.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use railsbench::Campaign;
//! use railsbench::config::RunConfig;
//!
//! let config = RunConfig::parse(r#"{"ruby_version": "system", "local": ["host"], "mock": true}"#)?;
//! let outcome = Campaign::new(config).run().await?;
//! println!("{:?} completed", outcome.run.summary.task_counts.completed);
//! # Ok(())
//! # }
//! ```

mod campaign;
mod checkup;
pub mod client;
pub mod collect;
pub mod cost;
pub mod orchestrator;
pub mod report;
mod state_dir;
mod sweep;

pub use railsbench_core as core;
pub use railsbench_core::{analysis, config, id, lifecycle, money, protocol, provider, results};
pub use railsbench_providers as providers;
pub use railsbench_server as server;

pub use campaign::runners::own_runner;
pub use campaign::{
    Campaign, CampaignError, CampaignEvent, CampaignPlan, ErrorClass, Outcome, ProviderPreflight,
    RunningCampaign, Stage,
};
pub use checkup::{Checkup, Examined};
pub use orchestrator::OrchestratorChoice;
pub use railsbench_server::{RunnerFiles, RunnerFilesError};
pub use state_dir::{Endpoint, StateDir, StateError};
pub use sweep::{Cleared, Findings, Found, Reach, Sweep, SweepError};
