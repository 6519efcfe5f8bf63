//! The calls of a runner: claim, heartbeat, uploads, complete, fail, release.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::artifacts::UploadUrls;
use crate::config::WorkloadConfig;
use crate::id::{Alias, Attempt, InstanceType, ProviderName, RunnerId, TaskId};

/// Where an attempt stands; phases only move forward within an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Phase {
    /// The machine starts.
    Boot,
    /// Ruby and the workload are being made ready.
    Provision,
    /// Benchmarks run.
    Running,
    /// The result is on its way to the artifact store.
    Uploading,
    /// Everything is done but the word to the server.
    Finished,
    /// The attempt has failed.
    Error,
}

impl Phase {
    /// All phases, in order.
    pub const ALL: [Self; 6] =
        [Self::Boot, Self::Provision, Self::Running, Self::Uploading, Self::Finished, Self::Error];

    /// The phase as on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Provision => "provision",
            Self::Running => "running",
            Self::Uploading => "uploading",
            Self::Finished => "finished",
            Self::Error => "error",
        }
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a runner tells of the machine it runs on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunnerFacts {
    /// Seconds from machine start to this claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_seconds: Option<f64>,
    /// Virtual CPUs that the runner may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vcpus: Option<u32>,
    /// Memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Architecture, e.g. `x86_64`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// Runner image, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Version of the runner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// `POST /runs/{id}/tasks/claim`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClaimRequest {
    /// Provider of the machine.
    pub provider: ProviderName,
    /// Its instance type.
    pub instance_type: InstanceType,
    /// The runner's own name; the server makes one if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_id: Option<RunnerId>,
    /// Facts about the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<RunnerFacts>,
    /// Hold the answer for up to so many seconds (at most 30) if there is nothing to do yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u32>,
}

/// What a claimed task asks of its runner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskSpec {
    /// The task.
    pub id: TaskId,
    /// Its provider.
    pub provider: ProviderName,
    /// Its instance type.
    pub instance_type: InstanceType,
    /// The operator's name for the type.
    #[serde(rename = "instance_type_alias", default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Alias>,
    /// 1-based number among the tasks of this instance type.
    pub run_number: u32,
    /// `system` or a version.
    pub ruby_version: String,
    /// Run the mock suite.
    pub mock: bool,
    /// What to run.
    pub workload: WorkloadConfig,
}

/// A runner's right to a task, for a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Lease {
    /// Who holds it.
    pub runner_id: RunnerId,
    /// Fencing number: calls with an older one are refused.
    pub attempt: Attempt,
    /// Without a heartbeat until then the task goes to another runner.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: Timestamp,
    /// How many seconds to leave between heartbeats.
    pub heartbeat_seconds: u32,
}

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ClaimAnswer {
    /// A task to run.
    Assigned {
        /// The task's id, for clients that read nothing else.
        task_id: TaskId,
        /// Where to PUT the result, likewise.
        upload_url: String,
        /// The task's number, likewise.
        run_number: u32,
        /// The task.
        task: Box<TaskSpec>,
        /// Where to PUT results and error archives.
        presigned_urls: Box<UploadUrls>,
        /// The right to it.
        lease: Lease,
    },
    /// All tasks are held by others and one may come back: ask again.
    Wait {
        /// Ask again after so many seconds.
        retry_after_seconds: u32,
        /// Who was told so.
        runner_id: RunnerId,
    },
    /// Nothing is left for this runner: it exits.
    Done,
}

/// `POST /tasks/{id}/heartbeat`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeartbeatRequest {
    /// Where the attempt stands; `status` is accepted as another name.
    #[serde(alias = "status")]
    pub heartbeat_status: Phase,
    /// Who sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_id: Option<RunnerId>,
    /// Of which attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// What runs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_benchmark: Option<String>,
    /// How much of the workload is done, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_pct: Option<f64>,
    /// Anything worth saying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// State of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<Telemetry>,
    /// What the runner has said since, at most 16 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Where `log` begins in all that the runner has said, in bytes: what comes twice is kept once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_offset: Option<u64>,
}

/// What could spoil the figures, seen now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Telemetry {
    /// Share of CPU time that the hypervisor gave to others, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steal_percent: Option<f64>,
    /// One-minute load average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load1: Option<f64>,
    /// Bytes of swap in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap_used_bytes: Option<u64>,
    /// Bytes of memory that are available.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_available_bytes: Option<u64>,
}

/// What the runner is to do with its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Directive {
    /// Go on.
    Continue,
    /// Stop the workload.
    Stop,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HeartbeatAnswer {
    /// `Heartbeat received`.
    pub message: String,
    /// The renewed lease; absent when the task has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// What to do.
    pub directive: Directive,
}

/// `POST /tasks/{id}/uploads`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UploadsRequest {
    /// Who asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner_id: Option<RunnerId>,
    /// For which attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
}

/// `POST /tasks/{id}/complete`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CompleteRequest {
    /// Who completes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner_id: Option<RunnerId>,
    /// Which attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// Key of the uploaded result, as given in `presigned_urls.result_key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_result_key: Option<String>,
    /// SHA-256 of the upload, 64 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Its size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// `POST /tasks/{id}/fail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FailRequest {
    /// Who failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_id: Option<RunnerId>,
    /// Which attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// A short name; those that start with `workload` are not retried unless `retryable` says so.
    pub error_type: String,
    /// What went wrong.
    pub error_message: String,
    /// Whether another attempt may do better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retryable: Option<bool>,
    /// Key of the uploaded error archive, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3_error_key: Option<String>,
}

impl FailRequest {
    /// Whether the task may be tried again: as said, or by the kind of error. A workload that
    /// fails on one machine fails on the next; infrastructure may not.
    pub fn is_retryable(&self) -> bool {
        self.retryable.unwrap_or_else(|| !self.error_type.starts_with("workload"))
    }
}

/// `POST /tasks/{id}/release`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReleaseRequest {
    /// Who gives the task back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner_id: Option<RunnerId>,
    /// Which attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// Why, e.g. `SIGTERM`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The answer to complete, fail, release and stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Acknowledged {
    /// What the server did.
    pub message: String,
}
