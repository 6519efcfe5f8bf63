//! Making runs: `plan`, `run` and `resume`.

use std::path::PathBuf;

use clap::Args;
use railsbench::id::RunId;

use super::costs::{MaxCostArgs, UnpricedArgs};
use super::places::{ConfigArgs, OrchestratorArgs, ResultsDirArgs, RunnersArgs};

/// How a campaign is carried out, whether new or resumed.
#[derive(Debug, Clone, Args)]
pub struct CampaignArgs {
    /// Which orchestrator.
    #[command(flatten)]
    pub orchestrator: OrchestratorArgs,
    /// Where results go.
    #[command(flatten)]
    pub results: ResultsDirArgs,
    /// The runner's executable [default: railsbench-runner beside this one]
    #[arg(long, value_name = "PATH")]
    pub runner: Option<PathBuf>,
    /// Runners for machines to fetch.
    #[command(flatten)]
    pub runners: RunnersArgs,
    /// What to do about machines without a price.
    #[command(flatten)]
    pub unpriced: UnpricedArgs,
    /// Install what is missing without asking
    #[arg(short, long)]
    pub yes: bool,
}

/// `plan`
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Plan the short run, whatever the configuration says
    #[arg(long)]
    pub quick: bool,
    /// How much it may cost.
    #[command(flatten)]
    pub max_cost: MaxCostArgs,
    /// What to do about machines without a price.
    #[command(flatten)]
    pub unpriced: UnpricedArgs,
    /// Show the start-up script of each machine too
    #[arg(long)]
    pub user_data: bool,
    /// Runners for machines to fetch.
    #[command(flatten)]
    pub runners: RunnersArgs,
    /// Which orchestrator the machines would call.
    #[command(flatten)]
    pub orchestrator: OrchestratorArgs,
}

/// `run`
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Which configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Id of the run [default: a generated one]; the same id and configuration resume it
    #[arg(long, value_name = "ID")]
    pub run_id: Option<RunId>,
    /// Make a short run, whatever the configuration says
    #[arg(long)]
    pub quick: bool,
    /// How much it may cost.
    #[command(flatten)]
    pub max_cost: MaxCostArgs,
    /// How it is carried out.
    #[command(flatten)]
    pub campaign: CampaignArgs,
}

/// `resume`
#[derive(Debug, Clone, Args)]
pub struct ResumeArgs {
    /// Id of the run
    #[arg(value_name = "RUN")]
    pub run_id: RunId,
    /// How it is carried out.
    #[command(flatten)]
    pub campaign: CampaignArgs,
}
