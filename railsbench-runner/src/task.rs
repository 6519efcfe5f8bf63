//! One task from its assignment to its end: run the workload, deliver what it left, and stop at
//! once when the orchestrator or the machine wants it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use railsbench_core::protocol::{Lease, Phase, ReleaseRequest, TaskSpec, TaskStatus, UploadUrls};
use railsbench_core::results::OUTPUT_TXT;
use tokio_util::sync::CancellationToken;

use crate::client::{Client, ClientError};
use crate::delivery::{Delivery, Failure, TaskEnd, report_failure};
use crate::heartbeat::{Heartbeats, Verdict};
use crate::log::{Log, Printed};
use crate::machine::Machine;
use crate::metadata::{Observation, metadata_json};
use crate::retry::Patience;
use crate::telemetry::Sample;
use crate::workload::{Job, JobSpec, Progress, Workload, WorkloadError};

/// When the runner is to end, a finished result has this long to get through.
const DELIVERY_GRACE: Duration = Duration::from_secs(5);
/// When the runner is to end, the orchestrator has this long to take the task back.
const RELEASE_PATIENCE: Duration = Duration::from_secs(4);

/// A claimed task.
pub(crate) struct Assignment {
    pub(crate) task: TaskSpec,
    pub(crate) urls: UploadUrls,
    pub(crate) lease: Lease,
}

/// What is needed to run a task.
pub(crate) struct TaskRun<'a> {
    pub(crate) client: &'a Arc<Client>,
    pub(crate) machine: &'a Machine,
    /// The folder below which the machine's files are, `/`.
    pub(crate) root: &'a Path,
    pub(crate) log: &'a Log,
    pub(crate) workload: Result<&'a dyn Workload, WorkloadError>,
    /// A workload of this runner has just ended.
    pub(crate) own_load: bool,
    pub(crate) workdir: &'a Path,
    pub(crate) shutdown: &'a CancellationToken,
}

impl TaskRun<'_> {
    /// Runs the task to its end.
    ///
    /// # Errors
    /// A [`ClientError`] only if the orchestrator wants nothing more of this runner.
    pub(crate) async fn run(self, assignment: Assignment) -> Result<TaskEnd, ClientError> {
        let Assignment { task, urls, lease } = assignment;
        let spec = JobSpec::of(&task, self.machine.vcpus.unwrap_or(1));
        let folder = self.workdir.join(format!("{}-{}", task.id, lease.attempt));
        let mut heartbeats = Heartbeats::start(
            self.client.clone(),
            task.id.clone(),
            lease.clone(),
            self.root.to_owned(),
            self.log.clone(),
            Printed::to(folder.join(OUTPUT_TXT)),
        );
        let job = match Job::create(folder.clone(), spec) {
            Ok(job) => job,
            Err(error) => {
                let failure = Failure::of_runner(
                    "runner_error",
                    format!("cannot make the folder {}: {error}", folder.display()),
                );
                let report = report_failure(self.client, &task, &lease, failure, None);
                return self.unless_stopped(&task, &lease, &mut heartbeats, report).await;
            }
        };
        let end = self.run_in(&job, &task, urls, &lease, &mut heartbeats).await;
        if let Err(error) = job.remove() {
            tracing::warn!("cannot remove {}: {error}", folder.display());
        }
        end
    }

    async fn run_in(
        &self,
        job: &Job,
        task: &TaskSpec,
        urls: UploadUrls,
        lease: &Lease,
        heartbeats: &mut Heartbeats,
    ) -> Result<TaskEnd, ClientError> {
        let mut observation = Observation::begin(self.sample(), self.own_load);
        let run = match &self.workload {
            Ok(workload) => self.watch(*workload, job, heartbeats).await,
            Err(error) => Ok(Err(error.into())),
        };
        observation.end(self.sample());
        let outcome = match run {
            Ok(outcome) => outcome,
            Err(interruption) => return self.give_up(task, lease, interruption).await,
        };

        let updates = heartbeats.updates();
        updates.change(|status| {
            status.phase = Phase::Uploading;
            status.current_benchmark = None;
            status.message = None;
            status.progress_pct = outcome.is_ok().then_some(100.0);
        });
        let mut delivery = Delivery::new(self.client, task, lease, job, urls);
        let metadata = |status, checksum| {
            metadata_json(task, lease, self.machine, &observation, status, checksum)
        };
        let work = async {
            let failure = match outcome {
                Ok(checksum) => {
                    let metadata = metadata(TaskStatus::Completed, Some(checksum));
                    match delivery.result(&metadata, &updates).await? {
                        Ok(end) => return Ok(end),
                        Err(failure) => failure,
                    }
                }
                Err(failure) => failure,
            };
            delivery.failure(&metadata(TaskStatus::Failed, None), failure).await
        };
        self.unless_stopped(task, lease, heartbeats, work).await
    }

    fn sample(&self) -> Sample {
        Sample::take(self.root).with_throttling(self.root)
    }

    /// Runs the workload until it ends or is not to go on.
    async fn watch(
        &self,
        workload: &dyn Workload,
        job: &Job,
        heartbeats: &mut Heartbeats,
    ) -> Result<Result<String, Failure>, Interruption> {
        let updates = heartbeats.updates();
        let report = |progress: Progress| match progress {
            Progress::Started => updates.change(|status| status.phase = Phase::Running),
            Progress::Benchmark { name, percent } => {
                tracing::info!(percent, "{name}");
                updates.change(|status| {
                    status.current_benchmark = Some(name);
                    status.progress_pct = percent.or(status.progress_pct);
                    status.message = None;
                });
            }
            Progress::Message(message) => {
                tracing::info!("{message}");
                updates.change(|status| status.message = Some(message));
            }
        };
        let stop = CancellationToken::new();
        let run = workload.run(job, &report, &stop);
        tokio::pin!(run);
        let interruption = tokio::select! {
            biased;
            ended = &mut run => return Ok(match ended {
                Ok(()) => check_output(job).await,
                Err(error) => Err((&error).into()),
            }),
            verdict = heartbeats.verdict() => Interruption::Verdict(verdict),
            () = self.shutdown.cancelled() => Interruption::Shutdown,
        };
        stop.cancel();
        // However it ends now: nobody wants its result.
        let _ = run.await;
        Err(interruption)
    }

    /// Waits for `work`, which brings a result or a failure home, but not past an order to stop
    /// or, with some grace, the runner's own end.
    ///
    /// A lost lease is no reason to give up here: a result that comes late is welcome while no
    /// other runner has begun, and the answer to the call itself says whether it is. Nor is an
    /// order to stop while the last call is under way: it may be the echo of its success.
    async fn unless_stopped(
        &self,
        task: &TaskSpec,
        lease: &Lease,
        heartbeats: &mut Heartbeats,
        work: impl Future<Output = Result<TaskEnd, ClientError>>,
    ) -> Result<TaskEnd, ClientError> {
        let shutdown = async {
            self.shutdown.cancelled().await;
            tokio::time::sleep(DELIVERY_GRACE).await;
        };
        tokio::pin!(work, shutdown);
        let mut judged = false;
        let interruption = loop {
            tokio::select! {
                biased;
                end = &mut work => return end,
                verdict = heartbeats.verdict(), if !judged => match verdict {
                    Verdict::Lost(error) => {
                        tracing::warn!("{error}; trying to deliver all the same");
                        judged = true;
                    }
                    Verdict::Stop if heartbeats.phase() == Phase::Finished => judged = true,
                    verdict => break Interruption::Verdict(verdict),
                },
                () = &mut shutdown => break Interruption::Shutdown,
            }
        };
        self.give_up(task, lease, interruption).await
    }

    async fn give_up(
        &self,
        task: &TaskSpec,
        lease: &Lease,
        interruption: Interruption,
    ) -> Result<TaskEnd, ClientError> {
        match interruption {
            Interruption::Verdict(Verdict::Stop) => {
                tracing::info!("stopped by the orchestrator");
                Ok(TaskEnd::Dropped)
            }
            Interruption::Verdict(Verdict::Lost(error)) => {
                tracing::warn!("the task is no longer this runner's: {error}");
                Ok(TaskEnd::Dropped)
            }
            Interruption::Verdict(Verdict::Refused(error)) => Err(error),
            Interruption::Shutdown => {
                let request = ReleaseRequest {
                    runner_id: Some(lease.runner_id.clone()),
                    attempt: Some(lease.attempt),
                    reason: Some("the runner was told to end".to_owned()),
                };
                let release = || self.client.release(&task.id, &request);
                match tokio::time::timeout(RELEASE_PATIENCE, Patience::LONG.persist(release)).await
                {
                    Ok(Ok(_)) => tracing::info!("the task was given back"),
                    Ok(Err(error)) => tracing::warn!("the task cannot be given back: {error}"),
                    Err(_) => tracing::warn!(
                        "the task cannot be given back in time: it returns when its lease ends"
                    ),
                }
                Ok(TaskEnd::Released)
            }
        }
    }
}

/// Why a task is given up.
enum Interruption {
    Verdict(Verdict),
    Shutdown,
}

async fn check_output(job: &Job) -> Result<String, Failure> {
    let job = job.clone();
    match tokio::task::spawn_blocking(move || job.check_output()).await {
        Ok(checked) => checked.map_err(|error| (&error).into()),
        Err(error) => Err(Failure::of_runner("runner_error", error)),
    }
}
