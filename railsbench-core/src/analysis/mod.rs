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

mod compare;
mod flags;
mod interval;
mod label;
mod order;
mod resample;
mod steady;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::MachineId;
use interval::Sampled;
use label::{Key, LabelSamples};

pub use compare::{Comparison, Speed, Verdict};
pub use flags::Flag;
pub use interval::{Estimate, Interval, Method, Spread};
pub use label::{GeometricMean, LabelAnalysis, Series, SpeedUp, TaskSeries};
pub use order::{median, quantile, sorted};
pub use steady::{SteadyState, steady_state};

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
    /// were taken. All must be finite and positive, as [`crate::results::Output`] ensures.
    pub variants: BTreeMap<String, BTreeMap<String, Vec<f64>>>,
}

impl TaskSamples {
    fn times(&self, (variant, benchmark): &Key) -> &[f64] {
        self.variants.get(variant).and_then(|all| all.get(benchmark)).map_or(&[], Vec::as_slice)
    }
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
}

impl Settings {
    /// 2000 resamples, 95 % confidence, differences up to 3 % negligible.
    pub fn new(seed: u64) -> Self {
        Self { seed, resamples: 2000, confidence: 0.95, negligible: 0.03, baseline: None }
    }
}

/// What the samples say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Each instance type, in the order of its first task.
    pub labels: Vec<LabelAnalysis>,
    /// Every other type against the baseline, by variant.
    pub comparisons: Vec<Comparison>,
}

/// Analyses the tasks of a run.
pub fn analyse(tasks: &[TaskSamples], settings: &Settings) -> Analysis {
    let mut by_label: Vec<(&str, Vec<&TaskSamples>)> = Vec::new();
    for task in tasks {
        match by_label.iter_mut().find(|(label, _)| *label == task.label) {
            Some((_, tasks)) => tasks.push(task),
            None => by_label.push((&task.label, vec![task])),
        }
    }
    let (labels, samples): (Vec<LabelAnalysis>, Vec<LabelSamples>) = by_label
        .iter()
        .zip(1..)
        .map(|((label, tasks), stream)| label::analyse(label, tasks, stream, settings))
        .unzip();
    let wanted = settings.baseline.as_deref();
    let baseline = labels.iter().position(|one| Some(one.label.as_str()) == wanted).unwrap_or(0);
    let others = (0..labels.len()).filter(|&other| other != baseline);
    let comparisons = others
        .flat_map(|other| {
            compare(
                (&labels[other].label, &samples[other]),
                (&labels[baseline].label, &samples[baseline]),
                settings,
            )
        })
        .collect();
    Analysis { labels, comparisons }
}

/// One type against the baseline, in each variant that both have.
fn compare(
    (label, samples): (&str, &LabelSamples),
    (baseline, base): (&str, &LabelSamples),
    settings: &Settings,
) -> Vec<Comparison> {
    let judge = |sampled: &Sampled| {
        let speed = sampled.estimate(settings.confidence);
        Speed { speed, verdict: Verdict::of(&speed, settings.negligible) }
    };
    let mut by_variant: BTreeMap<&str, Vec<(&str, Sampled)>> = BTreeMap::new();
    for (key, one) in &samples.complete {
        if let Some(other) = base.complete.get(key) {
            let (variant, benchmark) = key;
            by_variant.entry(variant).or_default().push((benchmark, other.minus_independent(one)));
        }
    }
    by_variant
        .into_iter()
        .filter_map(|(variant, speeds)| {
            let all: Vec<&Sampled> = speeds.iter().map(|(_, sampled)| sampled).collect();
            Some(Comparison {
                label: label.to_owned(),
                baseline: baseline.to_owned(),
                variant: variant.to_owned(),
                overall: judge(&Sampled::mean(&all)?),
                benchmarks: speeds
                    .iter()
                    .map(|(benchmark, sampled)| ((*benchmark).to_owned(), judge(sampled)))
                    .collect(),
            })
        })
        .collect()
}
