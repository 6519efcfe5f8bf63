//! From samples to a verdict: which instance type is faster, and how sure are we.
//!
//! [`analyse`] takes the measured times of tasks and gives, per instance type, the time of
//! every benchmark with an interval, geometric means, the gain of YJIT, comparisons with a
//! baseline type, and what is odd. It is pure: the same samples and seed give the same figures.
//!
//! Samples come in levels: instance → task → iteration. A cloud instance is a draw from a
//! lottery, so only the spread between instances says what to expect of the type, and every
//! interval carries a [`Spread`] that says what it covers. Methods, sources and the measured
//! coverage are in `docs/methodology.md`.

mod bca;
mod compare;
mod components;
mod flags;
mod holm;
mod interval;
mod label;
mod order;
pub mod plan;
mod resample;
mod sampled;
mod series;
mod steady;
mod student;
mod usable;
mod value;
mod verdict;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::id::MachineId;
use label::LabelSamples;

pub use compare::{Comparison, Speed};
pub use components::Components;
pub use flags::Flag;
pub use interval::{Estimate, Interval, Method, Spread};
pub use label::{GeometricMean, LabelAnalysis, SpeedUp};
pub use order::{median, quantile, sorted};
pub use series::{Series, TaskSeries};
pub use steady::{SteadyState, steady_state};
pub use usable::LeftOut;
pub use value::{HourlyPrice, TypeValue, Value, Worth};
pub use verdict::{Evidence, Verdict};

/// Variant and benchmark.
type Key = (String, String);

/// The measured times of one task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSamples {
    /// Alias or instance type; tasks of one label are compared as one type.
    pub label: String,
    /// Where it ran. Tasks that name the same machine count as one draw of the lottery.
    pub machine: MachineId,
    /// 1-based number among the tasks of the label.
    pub number: u32,
    /// Variant to benchmark to measured times (without warm-up), in seconds, in the order they
    /// were taken. [`crate::results::Output`] ensures that all are finite and positive; series
    /// with others are left out.
    pub variants: BTreeMap<String, BTreeMap<String, Vec<f64>>>,
}

/// How to analyse.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Start of the random numbers.
    pub seed: u64,
    /// How many resamples; below a thousand the ends of intervals are rough.
    pub resamples: usize,
    /// Confidence of every interval, above 0 and below 1.
    pub confidence: f64,
    /// The largest difference in speed that does not matter, as a share.
    pub negligible: f64,
    /// The label that others are compared with; the first if absent.
    pub baseline: Option<String>,
    /// What an hour of each label costs, where that is known and not nothing.
    pub prices: BTreeMap<String, HourlyPrice>,
}

impl Settings {
    /// 2000 resamples, 95 % confidence, differences up to 3 % negligible, no prices.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            resamples: 2000,
            confidence: 0.95,
            negligible: 0.03,
            baseline: None,
            prices: BTreeMap::new(),
        }
    }
}

/// What the samples say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Each instance type, in the order of its first task.
    pub labels: Vec<LabelAnalysis>,
    /// Every other type against the baseline, by variant.
    pub comparisons: Vec<Comparison>,
    /// What the types with a price give for the money, by variant.
    pub values: Vec<Value>,
    /// Series that could not be used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// Analyses the tasks of a run.
pub fn analyse(tasks: &[TaskSamples], settings: &Settings) -> Analysis {
    let (by_label, left_out) = usable::sort_out(tasks);
    // Each type has random numbers of its own, so the threads do not matter to the figures.
    let (labels, samples): (Vec<LabelAnalysis>, Vec<LabelSamples>) =
        by_label.par_iter().map(|(label, tasks)| label::analyse(label, tasks, settings)).unzip();
    let samples: Vec<(&str, &LabelSamples)> =
        labels.iter().map(|one| one.label.as_str()).zip(&samples).collect();
    let wanted = settings.baseline.as_deref();
    let baseline = samples.iter().position(|(label, _)| Some(*label) == wanted).unwrap_or(0);
    Analysis {
        comparisons: compare::with_baseline(&samples, baseline, settings),
        values: value::by_variant(&samples, baseline, settings),
        labels,
        left_out,
    }
}
