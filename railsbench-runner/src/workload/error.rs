//! How a workload can fail, and what that says of another attempt.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a workload left no result.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// This runner carries no such suite.
    #[error("this runner has no suite {suite:?}; it has {known}: use a runner of the same version")]
    Unknown {
        /// The suite that was asked for.
        suite: String,
        /// Those that are there.
        known: String,
    },
    /// `workload.json` cannot be used.
    #[error("{path}: {problem}; write it as docs/workload.md describes")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The machine does not let the workload be started.
    #[error("the workload cannot be run: {action} {path}: {source}")]
    Machine {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It ended with a failure.
    #[error("the workload {how}{}", end_of(.tail))]
    Failed {
        /// How it ended, e.g. `ended with exit code 1`.
        how: String,
        /// The end of `output.txt`.
        tail: String,
    },
    /// It says that another machine or moment may do better.
    #[error("the workload could not run here and now (exit code 75){}", end_of(.tail))]
    Temporary {
        /// The end of `output.txt`.
        tail: String,
    },
    /// It took longer than it may.
    #[error("the workload had not ended after {} s and was stopped{}", .limit.as_secs_f64(), end_of(.tail))]
    Timeout {
        /// How long it was given.
        limit: Duration,
        /// The end of `output.txt`.
        tail: String,
    },
    /// It ended well but left no usable figures.
    #[error("the workload left no usable result: {problem}{}", end_of(.tail))]
    Output {
        /// What is wrong.
        problem: String,
        /// The end of `output.txt`.
        tail: String,
    },
    /// It was stopped, as asked.
    #[error("the workload was stopped")]
    Stopped,
}

impl WorkloadError {
    /// The short name that is reported. Those that start with `workload` speak of the workload,
    /// which would fail elsewhere too.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "workload_unknown",
            Self::Manifest { .. } => "workload_invalid",
            Self::Failed { .. } => "workload_failed",
            Self::Timeout { .. } => "workload_timeout",
            Self::Output { .. } => "workload_invalid_output",
            Self::Temporary { .. } => "temporary_failure",
            Self::Machine { .. } | Self::Stopped => "runner_error",
        }
    }

    /// Whether another attempt may do better.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Temporary { .. } | Self::Machine { .. } | Self::Stopped)
    }

    pub(crate) fn machine(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Machine { action, path: path.to_owned(), source }
    }
}

fn end_of(tail: &str) -> String {
    if tail.is_empty() { String::new() } else { format!("; output.txt ends with:\n{tail}") }
}
