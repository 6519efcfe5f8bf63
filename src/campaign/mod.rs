//! The main job as one object: plan, run, provision, watch, tear down, collect, report.
//!
//! A [`Campaign`] is what was asked for; [`Campaign::start`] turns it into a
//! [`RunningCampaign`], which tells what happens and can be interrupted. An interrupted campaign
//! tears down what it started and keeps what was finished; starting it again with the same run
//! id and configuration takes it up where it was left.

mod error;
mod estimate;
mod event;
mod fleet;
mod journey;
mod leftovers;
mod limit;
mod plan;
pub(crate) mod runners;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use railsbench_core::config::RunConfig;
use railsbench_core::id::RunId;
use railsbench_core::protocol::RunView;
use railsbench_core::provider::{Provider, RunnerFile};
use railsbench_providers::Registry;
use railsbench_server::RunnerFiles;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::orchestrator::{LOOPBACK, OrchestratorChoice};
use crate::report::Report;

pub use error::{CampaignError, ErrorClass};
pub use event::{CampaignEvent, Stage};
pub use plan::{CampaignPlan, ProviderPreflight};

/// A run that is to be carried out.
#[derive(Clone)]
pub struct Campaign {
    config: RunConfig,
    run_id: RunId,
    orchestrator: OrchestratorChoice,
    /// Where the embedded orchestrator listens.
    embedded_address: IpAddr,
    state_dir: PathBuf,
    results_dir: PathBuf,
    runner: Option<PathBuf>,
    runners: RunnerFiles,
    remote_runners: Option<Vec<RunnerFile>>,
    more_providers: Vec<Arc<dyn Provider>>,
    allow_install: bool,
    allow_unpriced: bool,
}

impl Campaign {
    /// A campaign with a run id of its own, an embedded orchestrator, its state in
    /// `.railsbench` and its results in `results`, both in the working directory.
    pub fn new(config: RunConfig) -> Self {
        Self {
            config,
            run_id: RunId::from_random(rand::random()),
            orchestrator: OrchestratorChoice::Embedded,
            embedded_address: LOOPBACK,
            state_dir: PathBuf::from(".railsbench"),
            results_dir: PathBuf::from("results"),
            runner: None,
            runners: RunnerFiles::none(),
            remote_runners: None,
            more_providers: Vec::new(),
            allow_install: false,
            allow_unpriced: false,
        }
    }

    /// Names the run. A run that exists under this id is taken up if its configuration is the
    /// same, and refused otherwise.
    #[must_use]
    pub fn with_run_id(mut self, run_id: RunId) -> Self {
        self.run_id = run_id;
        self
    }

    /// Chooses the orchestrator.
    #[must_use]
    pub fn with_orchestrator(mut self, orchestrator: OrchestratorChoice) -> Self {
        self.orchestrator = orchestrator;
        self
    }

    /// Puts what must outlive this process elsewhere.
    #[must_use]
    pub fn with_state_dir(mut self, state_dir: PathBuf) -> Self {
        self.state_dir = state_dir;
        self
    }

    /// Puts the results elsewhere: they go to `results_dir/<run id>/`.
    #[must_use]
    pub fn with_results_dir(mut self, results_dir: PathBuf) -> Self {
        self.results_dir = results_dir;
        self
    }

    /// Names the runner's executable; otherwise `railsbench-runner` is taken from beside this
    /// program, or from `PATH`.
    #[must_use]
    pub fn with_runner(mut self, runner: PathBuf) -> Self {
        self.runner = Some(runner);
        self
    }

    /// Names runners for machines to fetch from the embedded orchestrator, besides the one above:
    /// machines of another architecture than this host's need one.
    #[must_use]
    pub fn with_runners(mut self, runners: RunnerFiles) -> Self {
        self.runners = runners;
        self
    }

    /// Adds a provider, or replaces the one of the same name.
    #[must_use]
    pub fn with_provider(mut self, provider: Arc<dyn Provider>) -> Self {
        self.more_providers.push(provider);
        self
    }

    /// Whether missing software may be installed.
    #[must_use]
    pub fn allow_install(mut self, allow: bool) -> Self {
        self.allow_install = allow;
        self
    }

    /// Whether machines without a known price may be started though the cost is limited. They are
    /// left out of the sum.
    #[must_use]
    pub fn allow_unpriced(mut self, allow: bool) -> Self {
        self.allow_unpriced = allow;
        self
    }

    /// The run's id.
    pub fn run_id(&self) -> &RunId {
        &self.run_id
    }

    /// The providers of this campaign.
    pub fn registry(&self) -> Registry {
        let mut registry = Registry::standard(&self.absolute_state_dir());
        for provider in &self.more_providers {
            registry.register(provider.clone());
        }
        registry
    }

    /// Starts it. Nothing is lost if the events are not read: they wait.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(self) -> RunningCampaign {
        let (sender, events) = mpsc::unbounded_channel();
        let interrupt = CancellationToken::new();
        let driver = tokio::spawn(journey::travel(self, sender, interrupt.clone()));
        RunningCampaign { events, interrupt, driver }
    }

    /// Carries it through without telling what happens.
    ///
    /// # Errors
    /// [`CampaignError`].
    pub async fn run(self) -> Result<Outcome, CampaignError> {
        self.start().finish().await
    }

    /// Machines keep their own working directory, so paths that they are given are absolute.
    fn absolute_state_dir(&self) -> PathBuf {
        std::path::absolute(&self.state_dir).unwrap_or_else(|_| self.state_dir.clone())
    }

    /// Where the runner's executable is, or would be.
    fn runner_path(&self) -> PathBuf {
        if let Some(runner) = &self.runner {
            return std::path::absolute(runner).unwrap_or_else(|_| runner.clone());
        }
        runners::own_runner()
    }
}

/// A campaign that has begun.
pub struct RunningCampaign {
    events: mpsc::UnboundedReceiver<CampaignEvent>,
    interrupt: CancellationToken,
    driver: JoinHandle<Result<Outcome, CampaignError>>,
}

impl RunningCampaign {
    /// The next thing that happens; `None` once all is over.
    pub async fn next_event(&mut self) -> Option<CampaignEvent> {
        self.events.recv().await
    }

    /// Cancel it to interrupt the campaign: runners give their tasks back, machines are torn
    /// down, what was finished is kept and reported.
    pub fn interrupter(&self) -> CancellationToken {
        self.interrupt.clone()
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// [`CampaignError`].
    pub async fn finish(mut self) -> Result<Outcome, CampaignError> {
        while self.events.recv().await.is_some() {}
        self.driver.await.unwrap_or_else(|error| Err(CampaignError::BrokeOff(error.to_string())))
    }
}

/// How a campaign ended.
#[derive(Debug)]
pub struct Outcome {
    /// The run at the end.
    pub run: RunView,
    /// Where its files are.
    pub results_dir: PathBuf,
    /// The report, if any task completed.
    pub report: Option<Report>,
    /// The report for browsers.
    pub report_html: Option<PathBuf>,
    /// The report for programs.
    pub report_json: Option<PathBuf>,
    /// Whether it was interrupted.
    pub interrupted: bool,
}

impl Outcome {
    /// Whether every task completed.
    pub fn all_completed(&self) -> bool {
        let counts = &self.run.summary.task_counts;
        counts.completed == counts.total
    }
}
