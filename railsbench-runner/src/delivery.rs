//! Bringing what a workload left to the orchestrator: a result or, failing that, a failure.

use std::io;
use std::time::Duration;

use railsbench_core::protocol::{
    CompleteRequest, FailRequest, Lease, Phase, TaskSpec, UploadUrls, UploadsRequest,
};

use crate::archive::Archive;
use crate::client::{Client, ClientError};
use crate::heartbeat::Updates;
use crate::retry::Patience;
use crate::upload::{Kind, UploadError, Uploader};
use crate::workload::{Job, WorkloadError};

/// An error archive is worth this long.
const ERROR_UPLOAD_PATIENCE: Duration = Duration::from_mins(1);

/// How a task ended for this runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskEnd {
    /// Its result is with the orchestrator.
    Completed,
    /// Its failure is.
    Failed,
    /// It is no longer this runner's.
    Dropped,
    /// It was given back because the runner ends.
    Released,
}

/// A failure to be reported.
pub(crate) struct Failure {
    error_type: &'static str,
    message: String,
    retryable: bool,
}

impl Failure {
    pub(crate) fn of_runner(error_type: &'static str, error: impl std::fmt::Display) -> Self {
        Self { error_type, message: error.to_string(), retryable: true }
    }
}

impl From<&WorkloadError> for Failure {
    fn from(error: &WorkloadError) -> Self {
        Self {
            error_type: error.error_type(),
            message: error.to_string(),
            retryable: error.is_retryable(),
        }
    }
}

async fn pack(job: &Job, kind: Kind, metadata: &[u8]) -> io::Result<Archive> {
    let (job, metadata) = (job.clone(), metadata.to_vec());
    tokio::task::spawn_blocking(move || Archive::pack(&job, kind.file_name(), &metadata))
        .await
        .map_err(io::Error::other)?
}

/// Tells the orchestrator that the attempt failed, for as long as it takes.
pub(crate) async fn report_failure(
    client: &Client,
    task: &TaskSpec,
    lease: &Lease,
    failure: Failure,
    error_key: Option<String>,
) -> Result<TaskEnd, ClientError> {
    tracing::error!("{}: {}", failure.error_type, failure.message);
    let request = FailRequest {
        runner_id: Some(lease.runner_id.clone()),
        attempt: Some(lease.attempt),
        error_type: failure.error_type.to_owned(),
        error_message: failure.message,
        retryable: Some(failure.retryable),
        s3_error_key: error_key,
    };
    match Patience::LONG.persist(|| client.fail(&task.id, &request)).await {
        Ok(_) => Ok(TaskEnd::Failed),
        Err(error) => dropped(error),
    }
}

/// What a final error of a task's call means: the token is worthless, or only the task is lost.
fn dropped(error: ClientError) -> Result<TaskEnd, ClientError> {
    match error {
        ClientError::Unauthorized { .. } => Err(error),
        error => {
            tracing::warn!("{error}");
            Ok(TaskEnd::Dropped)
        }
    }
}

/// Brings what a workload left to the orchestrator.
pub(crate) struct Delivery<'a> {
    client: &'a Client,
    task: &'a TaskSpec,
    lease: &'a Lease,
    job: &'a Job,
    uploader: Uploader<'a>,
}

impl<'a> Delivery<'a> {
    /// Begins with the URLs of the claim.
    pub(crate) fn new(
        client: &'a Client,
        task: &'a TaskSpec,
        lease: &'a Lease,
        job: &'a Job,
        urls: UploadUrls,
    ) -> Self {
        let caller = UploadsRequest {
            runner_id: Some(lease.runner_id.clone()),
            attempt: Some(lease.attempt),
        };
        Self { client, task, lease, job, uploader: Uploader::new(client, &task.id, caller, urls) }
    }

    /// Delivers a result; the inner error is a failure that is still to be reported.
    pub(crate) async fn result(
        &mut self,
        metadata: &[u8],
        updates: &Updates,
    ) -> Result<Result<TaskEnd, Failure>, ClientError> {
        let archive = match pack(self.job, Kind::Result, metadata).await {
            Ok(archive) => archive,
            Err(error) => return Ok(Err(Failure::of_runner("runner_error", error))),
        };
        let mut uploaded_again = false;
        loop {
            let key = match self.uploader.upload(Kind::Result, &archive).await {
                Ok(key) => key,
                Err(error @ UploadError::TooLarge { .. }) => {
                    return Ok(Err(Failure {
                        error_type: "workload_result_too_large",
                        message: error.to_string(),
                        retryable: false,
                    }));
                }
                Err(UploadError::Call(error)) if is_lost(&error) => return dropped(error).map(Ok),
                Err(UploadError::Call(error)) => {
                    return Ok(Err(Failure::of_runner("upload_failed", error)));
                }
            };
            updates.change(|status| status.phase = Phase::Finished);
            let request = CompleteRequest {
                runner_id: Some(self.lease.runner_id.clone()),
                attempt: Some(self.lease.attempt),
                s3_result_key: Some(key),
                sha256: Some(archive.sha256.clone()),
                size: Some(archive.size),
            };
            let complete = || self.client.complete(&self.task.id, &request);
            match Patience::LONG.persist(complete).await {
                Ok(_) => {
                    tracing::info!(bytes = archive.size, "delivered");
                    return Ok(Ok(TaskEnd::Completed));
                }
                Err(error) if error.rejected_status() == Some(422) => {
                    if uploaded_again {
                        return Ok(Err(Failure::of_runner("result_rejected", error)));
                    }
                    tracing::warn!("{error}; uploading again");
                    uploaded_again = true;
                }
                Err(error) => return dropped(error).map(Ok),
            }
        }
    }

    /// Delivers a failure, with an error archive if that is easy to bring.
    pub(crate) async fn failure(
        &mut self,
        metadata: &[u8],
        failure: Failure,
    ) -> Result<TaskEnd, ClientError> {
        let upload = async {
            let archive =
                pack(self.job, Kind::Error, metadata).await.map_err(|error| error.to_string())?;
            self.uploader.upload(Kind::Error, &archive).await.map_err(|error| error.to_string())
        };
        let key = match tokio::time::timeout(ERROR_UPLOAD_PATIENCE, upload).await {
            Ok(Ok(key)) => Some(key),
            Ok(Err(error)) => {
                tracing::warn!("no error archive: {error}");
                None
            }
            Err(_) => {
                tracing::warn!("no error archive: the artifact store did not take it in time");
                None
            }
        };
        report_failure(self.client, self.task, self.lease, failure, key).await
    }
}

/// Whether the task, or all tasks, are out of this runner's reach.
fn is_lost(error: &ClientError) -> bool {
    matches!(error, ClientError::Unauthorized { .. } | ClientError::LeaseLost { .. })
}
