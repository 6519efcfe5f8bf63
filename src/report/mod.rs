//! The report of a run: what was measured, what it says, and how sure that is.
//!
//! [`Inputs::load`] reads the results folder of a run, [`Report::build`] makes the report of it
//! (pure: the same inputs give the same report), and [`write()`] leaves it as `report.html` for
//! people and `report.json` for programs. [`summary_rows`] is the table that a terminal shows.
//! The statistics themselves are in [`railsbench_core::analysis`].

mod build;
mod format;
mod headline;
mod html;
mod load;
mod model;
mod plots;
mod summary;
mod thin;

#[cfg(test)]
mod tests;

use std::io::Write as _;
use std::path::{Path, PathBuf};

pub use load::{Inputs, TaskResult, Unreadable};
pub use model::{
    ComparisonReport, Failure, LabelReport, Oddity, PriceRange, Report, RunFacts, SettingsUsed,
    TaskReport, VariantValue,
};
pub use summary::{SummaryRow, summary_rows};

/// The run as it ended: a serialised [`railsbench_core::protocol::RunView`].
pub const RUN_JSON: &str = "run.json";
/// The report for people.
pub const REPORT_HTML: &str = "report.html";
/// The report for programs.
pub const REPORT_JSON: &str = "report.json";

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file could not be read.
    #[error("{path} cannot be read: {source}; name the results folder of one run", path = path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `run.json` is not what was written there.
    #[error("{path} is not the record of a run: {problem}; fetch the results of the run again", path = path.display())]
    Run {
        /// Which file.
        path: PathBuf,
        /// What the parser says.
        problem: String,
    },
    /// No task has left figures.
    #[error("run {run_id} has no figures: {why}; see the task folders for the end of each output")]
    NoFigures {
        /// The run.
        run_id: railsbench_core::id::RunId,
        /// How its tasks ended, in words.
        why: String,
    },
    /// The page could not be drawn.
    #[error("report.html cannot be drawn: {0}; please report this together with report.json")]
    Draw(String),
    /// A file could not be written.
    #[error("{path} cannot be written: {source}; check the folder's permissions and free space", path = path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Where a report was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFiles {
    /// The report for people.
    pub html: PathBuf,
    /// The report for programs.
    pub json: PathBuf,
}

/// Writes `report.html` and `report.json` into a folder, each whole or not at all.
///
/// # Errors
/// [`ReportError::Draw`] or [`ReportError::Write`].
pub fn write(report: &Report, folder: &Path) -> Result<ReportFiles, ReportError> {
    let files = ReportFiles { html: folder.join(REPORT_HTML), json: folder.join(REPORT_JSON) };
    let mut json = serde_json::to_string_pretty(report)
        .map_err(|error| ReportError::Draw(error.to_string()))?;
    json.push('\n');
    write_whole(&files.json, folder, json.as_bytes())?;
    write_whole(&files.html, folder, html::render(report)?.as_bytes())?;
    Ok(files)
}

fn write_whole(path: &Path, folder: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let failed = |source| ReportError::Write { path: path.to_owned(), source };
    let mut builder = tempfile::Builder::new();
    // A report is for sharing; a temporary file alone would be for its owner only.
    #[cfg(unix)]
    let builder = builder
        .permissions(<std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644));
    let mut file = builder.prefix(".report-").tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
