//! The suites that the runner carries in its executable.

use std::path::Path;

use include_dir::{Dir, include_dir};

use super::{FolderWorkload, WorkloadError};

static MOCK: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/workloads/mock");
static RAILS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/workloads/rails");

/// All of them. `runner` is the runner's own executable, which starts them.
///
/// # Errors
/// [`WorkloadError::Manifest`] if a `workload.json` is not as it should be.
pub fn embedded_suites(runner: &Path) -> Result<Vec<FolderWorkload>, WorkloadError> {
    [&RAILS, &MOCK]
        .into_iter()
        .map(|folder| FolderWorkload::embedded(folder, runner.to_owned()))
        .collect()
}
