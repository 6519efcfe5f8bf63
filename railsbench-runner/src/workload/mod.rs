//! Workloads: what a task runs, and the seam behind which it runs.
//!
//! A [`Workload`] is given a [`Job`] with a folder of its own and leaves `output.txt`,
//! `output.json` and `output.csv` there. The one that ships, [`FolderWorkload`], starts a command
//! as `docs/workload.md` describes. Nothing here knows of the orchestrator.

mod embedded;
mod error;
mod folder;
mod group;
mod job;
mod launch;
mod mock;
mod progress;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

pub use embedded::embedded_suites;
pub use error::WorkloadError;
pub use folder::{FolderWorkload, Limits, Manifest};
pub use job::{Job, JobSpec};
pub use launch::{Launch, LaunchError};
pub use mock::{MockError, run_mock};
pub use progress::Progress;

/// Something that can be measured.
#[async_trait]
pub trait Workload: Send + Sync {
    /// The suite's name, as run configurations have it.
    fn name(&self) -> &str;

    /// Runs it to its end and leaves the files of `job`; `progress` is called as it goes.
    ///
    /// When `stop` is cancelled, ends with [`WorkloadError::Stopped`]. However it ends, and also
    /// if the future is dropped, no process that it started lives on.
    ///
    /// # Errors
    /// [`WorkloadError`] saying what went wrong and whose fault it is.
    async fn run(
        &self,
        job: &Job,
        progress: &(dyn Fn(Progress) + Send + Sync),
        stop: &CancellationToken,
    ) -> Result<(), WorkloadError>;
}
