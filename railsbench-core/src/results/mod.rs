//! The files that a task leaves: `output.json`, `output.csv`, `metadata.json`, and their names.
//!
//! Here outside bytes become typed values, once: an [`Output`] that exists holds only finite,
//! positive times under names that are safe to show and to file by. What the figures mean is
//! for [`crate::analysis`]; where the files lie is for their callers.

mod error;
mod metadata;
mod output;

pub use error::ResultError;
pub use metadata::{MAX_METADATA_BYTES, Metadata};
pub use output::{
    Benchmarks, MAX_BENCHMARKS, MAX_OUTPUT_BYTES, MAX_SECONDS, MAX_TIMES, MAX_VARIANTS, Output,
    Samples,
};

/// What the workload wrote to standard output and error, as it was.
pub const OUTPUT_TXT: &str = "output.txt";
/// The figures: an [`Output`].
pub const OUTPUT_JSON: &str = "output.json";
/// The times of [`OUTPUT_JSON`], one a line.
pub const OUTPUT_CSV: &str = "output.csv";
/// Where and how they were taken: a [`Metadata`].
pub const METADATA_JSON: &str = "metadata.json";

/// The folder of one task in the results of a run: `<alias or instance type>-<run number>`.
pub fn folder_name(label: &str, run_number: u32) -> String {
    format!("{label}-{run_number}")
}
