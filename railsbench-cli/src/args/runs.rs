//! Looking after runs that exist: `status`, `watch`, `logs`, `stop`, `results` and `report`.

use std::path::PathBuf;

use clap::Args;
use railsbench::id::RunId;

use super::places::{OrchestratorArgs, ResultsDirArgs};

/// `status`
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// Id of the run; all runs are listed without
    #[arg(value_name = "RUN")]
    pub run_id: Option<RunId>,
    /// Which orchestrator.
    #[command(flatten)]
    pub orchestrator: OrchestratorArgs,
}

/// `watch`
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// Id of the run
    #[arg(value_name = "RUN")]
    pub run_id: RunId,
    /// Which orchestrator.
    #[command(flatten)]
    pub orchestrator: OrchestratorArgs,
}

/// `logs`
#[derive(Debug, Clone, Args)]
pub struct LogsArgs {
    /// Id of the run
    #[arg(value_name = "RUN")]
    pub run_id: RunId,
    /// Only of this task, by its name in `status` or its id
    #[arg(value_name = "TASK")]
    pub task: Option<String>,
    /// Go on until the run has ended
    #[arg(short, long)]
    pub follow: bool,
    /// Which orchestrator.
    #[command(flatten)]
    pub orchestrator: OrchestratorArgs,
}

/// `stop`
#[derive(Debug, Clone, Args)]
pub struct StopArgs {
    /// Id of the run
    #[arg(value_name = "RUN")]
    pub run_id: RunId,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Which orchestrator.
    #[command(flatten)]
    pub orchestrator: OrchestratorArgs,
}

/// `results`
#[derive(Debug, Clone, Args)]
pub struct ResultsArgs {
    /// Id of the run
    #[arg(value_name = "RUN")]
    pub run_id: RunId,
    /// Folder that gets a folder per run
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub dir: PathBuf,
    /// Which orchestrator.
    #[command(flatten)]
    pub orchestrator: OrchestratorArgs,
}

/// `report`
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// Id of a run whose results are downloaded, or the folder that holds them
    #[arg(value_name = "RUN|DIR")]
    pub run: PathBuf,
    /// Where runs are looked for.
    #[command(flatten)]
    pub results: ResultsDirArgs,
}
