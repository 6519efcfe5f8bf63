//! Uploads and downloads: signed URLs, finished results, the connectivity probe.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::runs::TaskStatus;
use crate::id::{Alias, InstanceType, ProviderName, RunId, TaskId};

/// Where to PUT the archives of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UploadUrls {
    /// Signed URL for `result.tar.gz`.
    pub result_upload_url: String,
    /// Signed URL for `error.tar.gz`.
    pub error_upload_url: String,
    /// Key of the result, to be named at complete.
    pub result_key: String,
    /// Key of the error archive, to be named at fail.
    pub error_key: String,
    /// When both URLs end; ask for fresh ones at `POST /tasks/{id}/uploads`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: Timestamp,
    /// Largest upload accepted, in bytes.
    pub max_bytes: u64,
}

/// One stored file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ArtifactFile {
    /// File name, e.g. `result.tar.gz`.
    pub name: String,
    /// Size in bytes.
    pub size: u64,
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Signed URL to GET it from.
    pub url: String,
}

/// A task with its stored files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FinishedTask {
    /// The task.
    pub id: TaskId,
    /// Its provider.
    pub provider: ProviderName,
    /// Its instance type.
    pub instance_type: InstanceType,
    /// The operator's name for the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Alias>,
    /// 1-based number among the tasks of this instance type.
    pub run_number: u32,
    /// How it ended.
    pub status: TaskStatus,
    /// Result archive of a completed task, error archive of a failed one.
    pub artifacts: Vec<ArtifactFile>,
}

/// `GET /runs/{id}/results`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunResults {
    /// The run.
    pub run_id: RunId,
    /// Its ended tasks that left files.
    pub tasks: Vec<FinishedTask>,
}

/// `POST /connectivity/upload`: a place to put a tiny probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConnectivityUpload {
    /// Name of the probe, for `GET /connectivity/upload/{id}`.
    pub id: String,
    /// Signed URL to PUT at most `max_bytes` to.
    pub upload_url: String,
    /// Largest probe accepted, in bytes.
    pub max_bytes: u64,
}

/// `GET /connectivity/upload/{id}`: whether the probe arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ConnectivityProbe {
    /// Name of the probe.
    pub id: String,
    /// Whether it is there.
    pub arrived: bool,
    /// Its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its SHA-256, to compare with what was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}
