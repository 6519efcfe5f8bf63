//! What a campaign tells while it goes on.

use std::path::PathBuf;

use railsbench_core::id::{MachineId, ProviderName};
use railsbench_core::protocol::{EventRecord, RunView};
use railsbench_core::provider::{Deployment, Resource};
use serde::Serialize;
use url::Url;

/// Where a campaign stands. Stages only move forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It looks whether the plan can be carried out.
    Checking,
    /// It connects to the orchestrator and makes the run.
    Starting,
    /// It starts machines.
    Provisioning,
    /// Runners work.
    Running,
    /// It removes what it started.
    TearingDown,
    /// It fetches results.
    Collecting,
    /// It writes the report.
    Reporting,
}

/// One thing that happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum CampaignEvent {
    /// A stage begins.
    Stage {
        /// Which.
        stage: Stage,
    },
    /// The run exists.
    RunReady {
        /// The run.
        run: Box<RunView>,
        /// Base URL of its orchestrator.
        url: Url,
    },
    /// Machines were started.
    Provisioned {
        /// They.
        deployment: Deployment,
    },
    /// Something happened to the run or one of its tasks.
    Lifecycle {
        /// What.
        record: Box<EventRecord>,
    },
    /// A machine has ended by itself.
    MachineEnded {
        /// Where.
        provider: ProviderName,
        /// Which.
        machine: MachineId,
        /// How, as far as known.
        reason: String,
        /// The last lines it printed, if work was left to do.
        #[serde(skip_serializing_if = "Option::is_none")]
        console: Option<String>,
    },
    /// Something was removed.
    Removed {
        /// Where.
        provider: ProviderName,
        /// What.
        resources: Vec<Resource>,
    },
    /// What other runs had left, and whose time was over, was removed.
    Swept {
        /// Where.
        provider: ProviderName,
        /// What.
        resources: Vec<Resource>,
    },
    /// A task's files are on disk.
    Collected {
        /// Their folder.
        folder: PathBuf,
    },
    /// The report is written.
    Reported {
        /// For browsers.
        html: PathBuf,
        /// For programs.
        json: PathBuf,
    },
    /// Something went wrong that does not end the campaign.
    Warning {
        /// What, and what to do about it.
        message: String,
    },
}
