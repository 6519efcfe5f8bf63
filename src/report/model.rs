//! The report as data: what `report.json` holds.
//!
//! Times are seconds per iteration, shares are fractions of 1, money is dollars. Fields may be
//! added; when one changes its meaning or goes, [`Report::format`] grows by one.

use jiff::Timestamp;
use railsbench_core::analysis::{Comparison, Flag, LabelAnalysis, Value};
use railsbench_core::id::{InstanceType, MachineId, ProviderName, RunId};
use railsbench_core::money::Usd;
use railsbench_core::protocol::{RunStatus, TaskStatus};
use railsbench_core::provider::Price;
use railsbench_core::results::Metadata;
use serde::Serialize;

use super::thin::SeriesPlot;

/// The current [`Report::format`].
pub(super) const FORMAT: u32 = 1;

/// The report of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Version of this shape.
    pub format: u32,
    /// What was run.
    pub run: RunFacts,
    /// What it says, in sentences, the most important first.
    pub headline: Vec<String>,
    /// How the figures were made.
    pub settings: SettingsUsed,
    /// Each instance type, in the order of the configuration.
    pub labels: Vec<LabelReport>,
    /// Every other type against the baseline.
    pub comparisons: Vec<ComparisonReport>,
    /// What the types with a price give for the money, and which of them nothing beats.
    pub values: Vec<Value>,
    /// What is odd about the figures, and what may have disturbed the machines.
    pub oddities: Vec<Oddity>,
    /// Tasks that gave no figures, and why.
    pub failures: Vec<Failure>,
    /// Where the figures come from, task by task.
    pub tasks: Vec<TaskReport>,
    /// Samples for the plots, thinned.
    #[serde(skip)]
    pub(super) plots: Vec<SeriesPlot>,
}

/// What was run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunFacts {
    /// The run.
    pub id: RunId,
    /// How it ended.
    pub status: RunStatus,
    /// `system` or a version, as configured.
    pub ruby_version: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its last task ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Whether it was a short run, too short for a verdict.
    pub quick: bool,
    /// Whether the figures are made up.
    pub mock: bool,
    /// Its configuration, to run it again.
    pub config: serde_json::Value,
}

/// How the figures were made; the same samples and settings give the same report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SettingsUsed {
    /// Confidence of every interval.
    pub confidence: f64,
    /// How many bootstrap resamples.
    pub resamples: usize,
    /// Start of their random numbers.
    pub seed: u64,
    /// The largest difference in speed that does not matter, as a share.
    pub negligible: f64,
}

/// One instance type.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelReport {
    /// Its provider.
    pub provider: ProviderName,
    /// Its instance type.
    pub instance_type: InstanceType,
    /// Its figures.
    #[serde(flatten)]
    pub analysis: LabelAnalysis,
    /// Its price, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// What its speed costs, by variant.
    pub values: Vec<VariantValue>,
}

/// What one variant gives for the money.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantValue {
    /// Variant.
    pub variant: String,
    /// Whole-machine throughput of the web server benchmark: median over its tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<f64>,
    /// What a million of those requests cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_per_million_requests: Option<Usd>,
    /// What a million iterations of the average benchmark (the geometric mean) cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_per_million_iterations: Option<PriceRange>,
}

/// An amount with the range that the measurement's interval gives it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PriceRange {
    /// Most likely.
    pub likely: Usd,
    /// At the lower end; absent if there is no interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<Usd>,
    /// At the upper end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<Usd>,
}

/// A comparison and its verdict in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparisonReport {
    /// The figures.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// The verdict in words.
    pub sentence: String,
}

/// Something odd about figures or machines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Oddity {
    /// What it is about: a benchmark of a type, or a task.
    pub about: String,
    /// In words.
    pub sentence: String,
    /// For programs; absent if only the runner's words are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<Flag>,
}

/// A task without figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Failure {
    /// Its folder name: label and number.
    pub task: String,
    /// How it ended.
    pub status: TaskStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// Why, as far as is known.
    pub reason: String,
}

/// Where one task's figures come from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskReport {
    /// Its folder name: label and number.
    pub folder: String,
    /// Its label.
    pub label: String,
    /// The machine that the statistics count it to.
    pub counted_as: MachineId,
    /// What each variant's Ruby says of itself.
    pub rubies: Vec<(String, String)>,
    /// All that the runner told.
    pub metadata: Metadata,
}
