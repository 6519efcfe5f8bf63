//! Instance types compared with a baseline, in speed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Settings;
use super::interval::Estimate;
use super::label::LabelSamples;
use super::sampled::Sampled;
use super::verdict::{Evidence, Judged, Verdict, judge};

/// One speed relative to the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// Speed relative to the baseline, with 1.12 being 12 % faster: the baseline's time divided
    /// by this one's.
    pub speed: Estimate,
    /// How strong the evidence for a difference is; absent if one of them ran on one instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// What may be said of it.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl From<Judged> for Speed {
    fn from(judged: Judged) -> Self {
        let Judged { estimate: speed, evidence, verdict } = judged;
        Self { speed, evidence, verdict }
    }
}

/// An instance type compared with the baseline, in one variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Which type.
    pub label: String,
    /// Compared with which.
    pub baseline: String,
    /// In which variant.
    pub variant: String,
    /// Geometric mean of the speeds of the benchmarks that both have in every task. Its verdict
    /// allows for the number of all such comparisons of a run.
    pub overall: Speed,
    /// Benchmark and speed, for each of those. Their verdicts allow for the number of benchmarks.
    pub benchmarks: Vec<(String, Speed)>,
}

impl Comparison {
    /// The verdict on the whole, in words.
    pub fn sentence(&self) -> String {
        self.overall.sentence(&self.label, &self.baseline)
    }
}

/// A comparison before its verdicts.
struct Pair<'a> {
    label: &'a str,
    variant: &'a str,
    overall: Sampled,
    benchmarks: Vec<(&'a str, Sampled)>,
}

/// Every type against the one at `baseline`, in each variant that both have.
pub(super) fn with_baseline(
    labels: &[(&str, &LabelSamples)],
    baseline: usize,
    settings: &Settings,
) -> Vec<Comparison> {
    let Some(&(name, base)) = labels.get(baseline) else { return Vec::new() };
    let others = labels.iter().enumerate().filter(|(place, _)| *place != baseline);
    let pairs: Vec<Pair<'_>> =
        others.flat_map(|(_, (label, samples))| pairs(label, samples, base)).collect();
    let family: Vec<(&Sampled, f64)> = pairs.iter().map(|pair| (&pair.overall, 0.0)).collect();
    let overall = judge(&family, settings);
    pairs
        .iter()
        .zip(overall)
        .map(|(pair, overall)| {
            let family: Vec<(&Sampled, f64)> =
                pair.benchmarks.iter().map(|(_, sampled)| (sampled, 0.0)).collect();
            let names = pair.benchmarks.iter().map(|(benchmark, _)| (*benchmark).to_owned());
            let speeds = judge(&family, settings).into_iter().map(Speed::from);
            Comparison {
                label: pair.label.to_owned(),
                baseline: name.to_owned(),
                variant: pair.variant.to_owned(),
                overall: overall.into(),
                benchmarks: names.zip(speeds).collect(),
            }
        })
        .collect()
}

fn pairs<'a>(label: &'a str, samples: &'a LabelSamples, base: &LabelSamples) -> Vec<Pair<'a>> {
    let mut by_variant: BTreeMap<&str, Vec<(&str, Sampled)>> = BTreeMap::new();
    for (key, one) in &samples.complete {
        if let Some(other) = base.complete.get(key) {
            let (variant, benchmark) = key;
            by_variant.entry(variant).or_default().push((benchmark, other.minus_independent(one)));
        }
    }
    let pair = |(variant, benchmarks): (&'a str, Vec<(&'a str, Sampled)>)| {
        let all: Vec<&Sampled> = benchmarks.iter().map(|(_, sampled)| sampled).collect();
        Some(Pair { label, variant, overall: Sampled::mean(&all)?, benchmarks })
    };
    by_variant.into_iter().filter_map(pair).collect()
}
