//! How campaigns fail, and what kind of failure that is for who started them.

use railsbench_core::config::ConfigError;
use railsbench_core::id::{ProviderName, RunId};
use railsbench_core::money::Usd;
use railsbench_core::provider::{Check, Outcome, PlanError, ProviderError, RenderError};
use railsbench_server::{RunnerFilesError, ServerError};

use crate::client::ClientError;
use crate::collect::CollectError;
use crate::orchestrator::ConnectError;
use crate::report::ReportError;
use crate::state_dir::StateError;

/// What kind of failure it is: who has to put what right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// What was asked for.
    Config,
    /// The machine, the cloud, the network.
    Environment,
    /// Railsbench.
    Internal,
}

/// Why a campaign could not be carried through.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration names a provider that is not there.
    #[error("{provider}: this build of railsbench has no such provider; it has: {known}")]
    UnknownProvider {
        /// The provider.
        provider: ProviderName,
        /// Those that are there.
        known: String,
    },
    /// A provider cannot do what is asked.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// It could cost more than it may.
    #[error(
        "the run can cost up to {high} if every machine lives as long as it may (likely {likely}), more than the {max} allowed; the dearest: {dearest}; {fixes}"
    )]
    TooExpensive {
        /// What it is expected to cost.
        likely: Usd,
        /// What it costs if every machine lives as long as it may.
        high: Usd,
        /// What it may cost.
        max: Usd,
        /// The machines that can cost most, with how much.
        dearest: String,
        /// What would bring the cost below the limit.
        fixes: String,
    },
    /// It would cost nobody knows how much.
    #[error(
        "no price is known for {what}, so a limit of {max} cannot be kept; choose a type with a price, or give --allow-unpriced to leave it out of the sum"
    )]
    NoPrice {
        /// What has no known price.
        what: String,
        /// What the run may cost.
        max: Usd,
    },
    /// A runner for machines to fetch cannot be read.
    #[error(transparent)]
    Runners(#[from] RunnerFilesError),
    /// The run id is taken.
    #[error(
        "run {0} exists with a different configuration; choose another run id, or resume it as it was"
    )]
    DifferentConfig(RunId),
    /// Something has to be put right first.
    #[error("{}", failed_checks(.0))]
    NotReady(Vec<(ProviderName, Check)>),
    /// A provider could not do as asked.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// No machine could be started.
    #[error("no machine could be started: {0}")]
    NothingStarted(String),
    /// No orchestrator is to be had.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The state folder cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The orchestrator does not do as asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Results could not be fetched.
    #[error(transparent)]
    Collect(#[from] CollectError),
    /// The report could not be made.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The embedded orchestrator did not end in order.
    #[error("the embedded orchestrator did not end in order: {0}")]
    Shutdown(ServerError),
    /// The task that drives the campaign is gone.
    #[error("the campaign broke off: {0}")]
    BrokeOff(String),
}

impl CampaignError {
    /// Who has to put what right.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Plan(PlanError::Render(RenderError::Template(_))) | Self::BrokeOff(_) => {
                ErrorClass::Internal
            }
            Self::Config(_)
            | Self::UnknownProvider { .. }
            | Self::Plan(_)
            | Self::TooExpensive { .. }
            | Self::NoPrice { .. }
            | Self::DifferentConfig(_) => ErrorClass::Config,
            Self::Client(ClientError::Refused(problem)) if problem.status == 422 => {
                ErrorClass::Config
            }
            Self::Client(ClientError::Answer { .. }) | Self::Report(_) => ErrorClass::Internal,
            _ => ErrorClass::Environment,
        }
    }
}

fn failed_checks(checks: &[(ProviderName, Check)]) -> String {
    let lines: Vec<String> = checks
        .iter()
        .map(|(provider, check)| match &check.outcome {
            Outcome::Failed { problem, fix } => {
                format!("{provider}: {}: {problem}; {fix}", check.name)
            }
            Outcome::NeedsConsent { problem, command } => format!(
                "{provider}: {}: {problem}; run `{command}`, or allow railsbench to (--yes)",
                check.name
            ),
            Outcome::Passed { detail } => format!("{provider}: {}: {detail}", check.name),
        })
        .collect();
    lines.join("\n")
}
