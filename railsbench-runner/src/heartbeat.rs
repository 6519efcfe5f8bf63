//! Signs of life: a task of its own that tells the orchestrator where an attempt stands, and
//! hears from it whether to go on.
//!
//! A change of phase is told at once, other news after a short pause, and silence is broken at
//! the interval that the lease asks for. Never are two heartbeats under way.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use railsbench_core::id::TaskId;
use railsbench_core::protocol::{Directive, HeartbeatRequest, Lease, MAX_LOG_TEXT, Phase};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::client::{Client, ClientError};
use crate::log::{Log, Printed};
use crate::retry::Patience;
use crate::telemetry::Sample;

/// Least pause between a heartbeat and one that tells news other than a phase.
const NEWS_PAUSE: Duration = Duration::from_secs(2);

/// Where an attempt stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Status {
    pub(crate) phase: Phase,
    pub(crate) current_benchmark: Option<String>,
    pub(crate) progress_pct: Option<f64>,
    pub(crate) message: Option<String>,
}

/// Why an attempt is not to go on.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The orchestrator wants it stopped.
    Stop,
    /// It belongs to another runner by now.
    Lost(ClientError),
    /// The token is no longer good for anything.
    Refused(ClientError),
}

/// The heartbeats of one attempt; they end when this is dropped.
pub(crate) struct Heartbeats {
    status: watch::Sender<Status>,
    verdict: oneshot::Receiver<Verdict>,
    task: JoinHandle<()>,
}

impl Heartbeats {
    /// Begins with a heartbeat at once.
    pub(crate) fn start(
        client: Arc<Client>,
        task_id: TaskId,
        lease: Lease,
        root: PathBuf,
        log: Log,
        printed: Printed,
    ) -> Self {
        let status = Status {
            phase: Phase::Provision,
            current_benchmark: None,
            progress_pct: None,
            message: None,
        };
        let (status, receiver) = watch::channel(status);
        let (sender, verdict) = oneshot::channel();
        let before = Sample::take(&root);
        let beat = Beat { client, task_id, lease, status: receiver, before, root, log, printed };
        let task = tokio::spawn(async move {
            // The receiver is gone if the attempt has ended in the meantime.
            let _ = sender.send(beat.until_verdict().await);
        });
        Self { status, verdict, task }
    }

    /// A handle by which to change what is told.
    pub(crate) fn updates(&self) -> Updates {
        Updates(self.status.clone())
    }

    /// The phase that is told.
    pub(crate) fn phase(&self) -> Phase {
        self.status.borrow().phase
    }

    /// Waits until the attempt is not to go on. Comes true once, and must not be asked again
    /// after that.
    pub(crate) async fn verdict(&mut self) -> Verdict {
        match (&mut self.verdict).await {
            Ok(verdict) => verdict,
            // The task has panicked: without heartbeats the attempt can still complete.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Heartbeats {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Changes what the heartbeats of an attempt tell.
#[derive(Clone)]
pub(crate) struct Updates(watch::Sender<Status>);

impl Updates {
    /// Makes a change; one that changes nothing is no news.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Status)) {
        self.0.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            *status != before
        });
    }
}

struct Beat {
    client: Arc<Client>,
    task_id: TaskId,
    lease: Lease,
    status: watch::Receiver<Status>,
    before: Sample,
    root: PathBuf,
    log: Log,
    printed: Printed,
}

impl Beat {
    async fn until_verdict(mut self) -> Verdict {
        loop {
            let interval = Duration::from_secs(self.lease.heartbeat_seconds.max(1).into());
            let mut told = Phase::Provision;
            let mut log_told = 0;
            let (client, task_id) = (self.client.clone(), self.task_id.clone());
            let answer = Patience::within(interval)
                .persist(|| {
                    // Made anew for each try: what is told is what is true then.
                    let request = self.request();
                    told = request.heartbeat_status;
                    if let (Some(offset), Some(text)) = (request.log_offset, &request.log) {
                        log_told = offset + text.len() as u64;
                    }
                    let (client, task_id) = (&client, &task_id);
                    async move { client.heartbeat(task_id, &request).await }
                })
                .await;
            match answer {
                Ok(answer) if answer.directive == Directive::Stop => return Verdict::Stop,
                Ok(answer) => {
                    self.log.told(log_told);
                    if let Some(lease) = answer.lease {
                        self.lease.heartbeat_seconds = lease.heartbeat_seconds;
                    }
                }
                Err(error @ ClientError::Unauthorized { .. }) => return Verdict::Refused(error),
                Err(error @ ClientError::LeaseLost { .. }) => return Verdict::Lost(error),
                Err(error) if matches!(error.rejected_status(), Some(403 | 404)) => {
                    return Verdict::Lost(error);
                }
                // Whatever the orchestrator dislikes, it is no reason to stop measuring.
                Err(error) => tracing::warn!("{error}"),
            }
            self.pause(told, interval).await;
        }
    }

    fn request(&mut self) -> HeartbeatRequest {
        let now = Sample::take(&self.root);
        let telemetry = now.telemetry(&self.before);
        self.before = now;
        self.printed.say_to(&self.log);
        let (log_offset, log) = self.log.news(MAX_LOG_TEXT).unzip();
        let status = self.status.borrow_and_update().clone();
        HeartbeatRequest {
            heartbeat_status: status.phase,
            runner_id: Some(self.lease.runner_id.clone()),
            attempt: Some(self.lease.attempt),
            current_benchmark: status.current_benchmark,
            progress_pct: status.progress_pct,
            message: status.message,
            telemetry: Some(telemetry),
            log,
            log_offset,
        }
    }

    /// Waits until there is something to tell, or the interval is over.
    async fn pause(&mut self, told: Phase, interval: Duration) {
        let sent = Instant::now();
        let mut next = sent + interval;
        loop {
            if self.status.borrow().phase != told {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(next) => return,
                changed = self.status.changed() => match changed {
                    Ok(()) => next = next.min(sent + NEWS_PAUSE),
                    // The attempt is over, and this task is about to be aborted.
                    Err(_) => return tokio::time::sleep_until(next).await,
                },
            }
        }
    }
}
