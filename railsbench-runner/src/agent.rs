//! The runner's loop: claim a task, run it, claim the next, until there is none or time is up.
//!
//! It has no code path that depends on the provider's name, and it never polls: it sleeps until
//! an answer, a line, a signal or a heartbeat's time comes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use railsbench_core::protocol::{ClaimAnswer, ClaimRequest, TaskSpec};
use railsbench_core::workload::MOCK;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::client::{Client, ClientError};
use crate::config::{RAILSBENCH_WORKDIR, RunnerConfig};
use crate::delivery::TaskEnd;
use crate::log::Log;
use crate::machine::Machine;
use crate::retry::Patience;
use crate::task::{Assignment, TaskRun};
use crate::workload::{Workload, WorkloadError};

/// How long the orchestrator may hold the answer to a claim, in seconds.
const CLAIM_WAIT_SECONDS: u32 = 30;
/// A runner that is told to wait does so for no less and no longer than this.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(10);
/// Pause before the next claim after a task was dropped, so that a server that hands out the
/// same lost task again and again is not stormed.
const PAUSE_AFTER_DROP: Duration = Duration::from_secs(1);

/// Why a runner ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The orchestrator has nothing left for it.
    Done,
    /// It was told to end, and gave back its task.
    Stopped,
    /// Its lifetime was over, and it gave back its task.
    LifetimeOver,
}

/// Why a runner cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The orchestrator wants nothing of this runner.
    #[error("the orchestrator refuses this runner: {0}")]
    Refused(#[source] ClientError),
    /// It cannot even be called.
    #[error(transparent)]
    Setup(ClientError),
    /// There is no place for the files of tasks.
    #[error("cannot make the folder {path}: {source}; set {RAILSBENCH_WORKDIR} to another place")]
    Workdir {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl From<ClientError> for AgentError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Setup { .. } | ClientError::Ca { .. } => Self::Setup(error),
            error => Self::Refused(error),
        }
    }
}

/// A runner.
pub struct Agent {
    config: RunnerConfig,
    client: Arc<Client>,
    workloads: Vec<Arc<dyn Workload>>,
    root: PathBuf,
    log: Log,
}

impl Agent {
    /// A runner with these workloads. Nothing is connected yet.
    pub fn new(config: RunnerConfig, workloads: Vec<Arc<dyn Workload>>) -> Self {
        let client = Client::new(
            config.orchestrator_url.clone(),
            config.api_key.clone(),
            config.ca_certificate.clone(),
        );
        let root = PathBuf::from("/");
        Self { config, client: Arc::new(client), workloads, root, log: Log::default() }
    }

    /// The same with a log that it tells the orchestrator of; otherwise it tells only what its
    /// workloads print.
    #[must_use]
    pub fn with_log(self, log: Log) -> Self {
        Self { log, ..self }
    }

    /// Runs tasks until the orchestrator says `done`, `shutdown` is cancelled, or the lifetime
    /// is over. When it returns, no process of a workload is left.
    ///
    /// # Errors
    /// [`AgentError`] if there is no use in going on; everything else is waited out.
    pub async fn run(self, shutdown: CancellationToken) -> Result<Ending, AgentError> {
        let workdir = Workdir::create(self.config.workdir.as_deref())?;
        let stop = shutdown.child_token();
        let lifetime = async {
            match self.config.max_lifetime {
                Some(lifetime) => tokio::time::sleep(lifetime).await,
                None => std::future::pending().await,
            }
        };
        let tasks = self.tasks(workdir.path(), &stop);
        tokio::pin!(tasks, lifetime);
        let done = tokio::select! {
            done = &mut tasks => done,
            () = &mut lifetime => {
                tracing::info!("the lifetime of this runner is over");
                stop.cancel();
                tasks.await
            }
        };
        done.map(|()| {
            if shutdown.is_cancelled() {
                Ending::Stopped
            } else if stop.is_cancelled() {
                Ending::LifetimeOver
            } else {
                Ending::Done
            }
        })
    }

    /// Runs one task after the other until there is none or `stop` is cancelled.
    async fn tasks(&self, workdir: &Path, stop: &CancellationToken) -> Result<(), AgentError> {
        let machine = Machine::read(&self.root, self.config.image.clone());
        let mut own_load = false;
        while !stop.is_cancelled() {
            let answer = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                answer = self.claim(&machine) => answer.map_err(AgentError::from)?,
            };
            let pause = match answer {
                ClaimAnswer::Done => {
                    tracing::info!("nothing is left to do");
                    return Ok(());
                }
                ClaimAnswer::Wait { retry_after_seconds, .. } => {
                    Duration::from_secs(retry_after_seconds.into())
                        .clamp(SHORTEST_WAIT, LONGEST_WAIT)
                }
                ClaimAnswer::Assigned { task, presigned_urls, lease, .. } => {
                    let span = tracing::info_span!("task", id = %task.id, attempt = %lease.attempt);
                    let run = TaskRun {
                        client: &self.client,
                        machine: &machine,
                        root: &self.root,
                        log: &self.log,
                        workload: self.workload(&task),
                        own_load,
                        workdir,
                        shutdown: stop,
                    };
                    let assignment = Assignment { task: *task, urls: *presigned_urls, lease };
                    let end = run.run(assignment).instrument(span).await;
                    own_load = true;
                    match end.map_err(AgentError::from)? {
                        TaskEnd::Dropped => PAUSE_AFTER_DROP,
                        TaskEnd::Completed | TaskEnd::Failed | TaskEnd::Released => Duration::ZERO,
                    }
                }
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
        Ok(())
    }

    async fn claim(&self, machine: &Machine) -> Result<ClaimAnswer, ClientError> {
        let config = &self.config;
        Patience::LONG
            .persist(|| {
                let request = ClaimRequest {
                    provider: config.provider.clone(),
                    instance_type: config.instance_type.clone(),
                    runner_id: Some(config.runner_id.clone()),
                    runner: Some(machine.facts(&self.root)),
                    wait_seconds: Some(CLAIM_WAIT_SECONDS),
                };
                async move { self.client.claim(&config.run_id, &request).await }
            })
            .await
    }

    fn workload(&self, task: &TaskSpec) -> Result<&dyn Workload, WorkloadError> {
        let suite = if task.mock { MOCK.name } else { task.workload.suite.as_str() };
        tracing::info!(suite, run_number = task.run_number, "claimed");
        let found = self.workloads.iter().find(|workload| workload.name() == suite);
        found.map(AsRef::as_ref).ok_or_else(|| WorkloadError::Unknown {
            suite: suite.to_owned(),
            known: self.workloads.iter().map(|w| w.name()).collect::<Vec<_>>().join(", "),
        })
    }
}

/// Where the files of tasks lie: a temporary folder, removed at the end, or one that is kept.
enum Workdir {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Workdir {
    fn create(given: Option<&Path>) -> Result<Self, AgentError> {
        match given {
            Some(path) => std::fs::create_dir_all(path)
                // A workload is started in a folder of its own: a relative path would not find back.
                .and_then(|()| path.canonicalize())
                .map(Self::Kept)
                .map_err(|source| AgentError::Workdir { path: path.to_owned(), source }),
            None => tempfile::Builder::new()
                .prefix("railsbench-")
                .tempdir()
                .map(Self::Temporary)
                .map_err(|source| AgentError::Workdir { path: std::env::temp_dir(), source }),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }
}
