//! From resamples to an interval.
//!
//! All values here are logarithms of times, so that a ratio is a difference and a geometric
//! mean is a mean. Which interval is taken depends on how many units (machines, or tasks where
//! there is one machine) the highest level has:
//!
//! * none to vary (one task): the plain percentiles of the resampled medians;
//! * 2 to 9: three machines can be drawn in ten ways only, so percentiles cannot reach the
//!   tails. The standard error of the resamples is used, corrected by n/(n - 1), with
//!   Student's t of n - 1 degrees of freedom (Welch's for a ratio of two types);
//! * 10 and more: bias-corrected and accelerated percentiles (Efron, 1987), at the level that
//!   Student's t asks for (the expanded percentiles of Hesterberg, 2015). The acceleration is
//!   that of the jackknife over the units, which for a mean is known in closed form.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::order::{mean, quantile, sorted, variance};

/// Below this many units percentiles are not trusted.
const FEW: usize = 10;

/// What an interval covers; nothing wider may be claimed from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Spread {
    /// One process on one machine: how well its own median is known, and nothing else.
    WithinProcess,
    /// Several processes on one machine. It says nothing of another machine of the type.
    WithinMachine {
        /// How many.
        tasks: usize,
    },
    /// Several machines: what to expect of the type.
    AcrossMachines {
        /// How many.
        instances: usize,
    },
}

/// How an interval was made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Method {
    /// Percentiles of the resamples.
    Percentile,
    /// Standard error of the resamples with Student's t.
    Student {
        /// Its degrees of freedom.
        degrees: f64,
    },
    /// Bias-corrected and accelerated percentiles.
    Bca,
}

/// An interval with its confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Share of such intervals that hold the truth, e.g. 0.95.
    pub confidence: f64,
    /// How it was made.
    pub method: Method,
}

/// A value, how sure it is, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Seconds, or a ratio.
    pub value: f64,
    /// Absent if there is too little to make one from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// What the interval covers.
    pub spread: Spread,
}

/// A logarithm with its resamples, and the units it was averaged from: one group of them for
/// one type, two for a ratio of types.
#[derive(Debug, Clone)]
pub(super) struct Sampled {
    pub(super) point: f64,
    pub(super) groups: Vec<Vec<f64>>,
    pub(super) replicates: Vec<f64>,
    pub(super) spread: Spread,
    /// Whether the lowest level has enough times for percentiles.
    pub(super) enough: bool,
}

impl Sampled {
    /// Value and interval, back from logarithms.
    pub(super) fn estimate(&self, confidence: f64) -> Estimate {
        let interval = self.interval(confidence).map(|interval| Interval {
            low: interval.low.exp(),
            high: interval.high.exp(),
            ..interval
        });
        Estimate { value: self.point.exp(), interval, spread: self.spread }
    }

    /// This minus another that was resampled together with it (the same machines and tasks).
    pub(super) fn minus_paired(&self, other: &Self) -> Self {
        self.combine(other, |groups, others| {
            groups.iter().zip(others).map(|(a, b)| difference(a, b)).collect()
        })
    }

    /// This minus another that was resampled on its own.
    pub(super) fn minus_independent(&self, other: &Self) -> Self {
        self.combine(other, |groups, others| {
            let negated = others.iter().map(|group| group.iter().map(|unit| -unit).collect());
            groups.iter().cloned().chain(negated).collect()
        })
    }

    fn combine(
        &self,
        other: &Self,
        groups: impl Fn(&[Vec<f64>], &[Vec<f64>]) -> Vec<Vec<f64>>,
    ) -> Self {
        Self {
            point: self.point - other.point,
            groups: groups(&self.groups, &other.groups),
            replicates: difference(&self.replicates, &other.replicates),
            spread: weaker(self.spread, other.spread),
            enough: self.enough && other.enough,
        }
    }

    /// The mean of several that were resampled together; `None` of none.
    pub(super) fn mean(all: &[&Self]) -> Option<Self> {
        let first = all.first()?;
        let column = |pick: &dyn Fn(&Self) -> &[f64]| -> Vec<f64> {
            (0..pick(first).len()).map(|i| mean(all.iter().map(|one| pick(one)[i]))).collect()
        };
        Some(Self {
            point: mean(all.iter().map(|one| one.point)),
            groups: (0..first.groups.len()).map(|g| column(&|one| &one.groups[g])).collect(),
            replicates: column(&|one| &one.replicates),
            spread: all.iter().map(|one| one.spread).fold(first.spread, weaker),
            // One benchmark with few times moves the mean little, and its own resamples are wide.
            enough: 2 * all.iter().filter(|one| one.enough).count() >= all.len(),
        })
    }

    fn interval(&self, confidence: f64) -> Option<Interval> {
        let varying: Vec<&[f64]> =
            self.groups.iter().map(Vec::as_slice).filter(|group| group.len() > 1).collect();
        let make = |low, high, method| Some(Interval { low, high, confidence, method });
        let Some(fewest) = varying.iter().map(|group| group.len()).min() else {
            let replicates = sorted(&self.replicates);
            let tail = (1.0 - confidence) / 2.0;
            let (low, high) = (quantile(&replicates, tail), quantile(&replicates, 1.0 - tail));
            return if self.enough { make(low, high, Method::Percentile) } else { None };
        };
        let (degrees, correction) = student(&varying, fewest);
        let reach =
            StudentsT::new(0.0, 1.0, degrees).ok()?.inverse_cdf(f64::midpoint(1.0, confidence));
        let reach = reach * correction;
        if fewest < FEW {
            let half = reach * variance(&self.replicates).sqrt();
            return make(self.point - half, self.point + half, Method::Student { degrees });
        }
        let (low, high) = self.accelerated(&varying, reach)?;
        make(low, high, Method::Bca)
    }

    /// Ends of the accelerated interval that reaches `reach` standard errors to both sides.
    fn accelerated(&self, groups: &[&[f64]], reach: f64) -> Option<(f64, f64)> {
        let normal = Normal::new(0.0, 1.0).ok()?;
        let replicates = sorted(&self.replicates);
        let count = replicates.len() as f64;
        let below = replicates.partition_point(|&value| value < self.point) as f64;
        let equal = replicates.partition_point(|&value| value <= self.point) as f64 - below;
        let share = ((below + equal / 2.0) / count).clamp(0.5 / count, 1.0 - 0.5 / count);
        let bias = normal.inverse_cdf(share);
        let moment = |power: i32| -> f64 {
            let group = |units: &&[f64]| {
                let centre = mean(units.iter().copied());
                let sum: f64 = units.iter().map(|unit| (unit - centre).powi(power)).sum();
                sum / (units.len() as f64).powi(power)
            };
            groups.iter().map(group).sum()
        };
        let scale = moment(2).powf(1.5);
        let acceleration = if scale > 0.0 { moment(3) / (6.0 * scale) } else { 0.0 };
        let end = |z: f64| {
            let moved = bias + z;
            let stretched = bias + moved / (1.0 - acceleration * moved).max(0.1);
            quantile(&replicates, normal.cdf(stretched))
        };
        Some((end(-reach), end(reach)))
    }
}

/// Welch's degrees of freedom, and what the standard error of resamples is short of: resampling
/// n units shows (n - 1)/n of their variance.
fn student(groups: &[&[f64]], fewest: usize) -> (f64, f64) {
    let parts: Vec<(f64, f64)> = groups
        .iter()
        .map(|group| (variance(group) / group.len() as f64, group.len() as f64))
        .collect();
    let total: f64 = parts.iter().map(|(part, _)| part).sum();
    let fewest = fewest as f64;
    if total <= 0.0 {
        return (fewest - 1.0, (fewest / (fewest - 1.0)).sqrt());
    }
    let shown: f64 = parts.iter().map(|(part, n)| part * (n - 1.0) / n).sum();
    let degrees =
        total.powi(2) / parts.iter().map(|(part, n)| part.powi(2) / (n - 1.0)).sum::<f64>();
    (degrees.max(1.0), (total / shown).sqrt())
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// What can be said of a value made of two: no more than of the weaker.
fn weaker(a: Spread, b: Spread) -> Spread {
    match (a, b) {
        (Spread::WithinMachine { tasks: x }, Spread::WithinMachine { tasks: y }) => {
            Spread::WithinMachine { tasks: x.min(y) }
        }
        (Spread::AcrossMachines { instances: x }, Spread::AcrossMachines { instances: y }) => {
            Spread::AcrossMachines { instances: x.min(y) }
        }
        _ => a.min(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(units: &[f64], replicates: Vec<f64>) -> Sampled {
        Sampled {
            point: mean(units.iter().copied()),
            groups: vec![units.to_vec()],
            replicates,
            spread: Spread::AcrossMachines { instances: units.len() },
            enough: true,
        }
    }

    /// Every resample of three units with its exact weight: 27 of them.
    fn all_resamples(units: &[f64; 3]) -> Vec<f64> {
        let mut all = Vec::new();
        for a in units {
            for b in units {
                for c in units {
                    all.push((a + b + c) / 3.0);
                }
            }
        }
        all
    }

    /// With three units the interval must be the textbook one, mean ± t s/√n: for 1, 2, 3 that
    /// is 2 ± 4.302653 × 1/√3 = 2 ± 2.484138.
    #[test]
    fn few_units_give_students_interval() {
        let units = [1.0, 2.0, 3.0];
        let replicates = all_resamples(&units);
        // The variance of all resamples is known without dividing by 26.
        let weight = (26.0f64 / 27.0).sqrt();
        let interval = sampled(&units, replicates).interval(0.95).unwrap();
        assert_eq!(interval.method, Method::Student { degrees: 2.0 });
        assert!(((interval.high - 2.0) * weight - 2.484_138).abs() < 1e-5, "{interval:?}");
        assert!((interval.high + interval.low - 4.0).abs() < 1e-9);
    }

    /// For symmetric resamples BCa is the percentile interval at the level that t asks for.
    #[test]
    fn symmetric_resamples_give_plain_percentiles() {
        let units: Vec<f64> = (0..21).map(|i| f64::from(i) - 10.0).collect();
        let replicates: Vec<f64> = (-5000..=5000).map(|i| f64::from(i) / 1000.0).collect();
        let interval = sampled(&units, replicates).interval(0.95).unwrap();
        assert_eq!(interval.method, Method::Bca);
        // t(0.975; 20) = 2.085963, times √(21/20) = 2.137474; Φ of it is 0.983723, and the
        // uniform resamples from -5 to 5 have that quantile at 4.83723.
        assert!((interval.high - 4.837_23).abs() < 1e-3, "{interval:?}");
        assert!((interval.low + interval.high).abs() < 2e-3, "{interval:?}");
    }

    #[test]
    fn skewed_units_move_the_interval_towards_their_tail() {
        let units: Vec<f64> = (0..20).map(|i| f64::from(i).powi(3) / 1000.0).collect();
        let replicates: Vec<f64> =
            (-5000..=5000).map(|i| mean(units.iter().copied()) + f64::from(i) / 1000.0).collect();
        let one = sampled(&units, replicates);
        let interval = one.interval(0.95).unwrap();
        assert!(interval.high - one.point > one.point - interval.low + 0.05, "{interval:?}");
    }

    #[test]
    fn one_task_gives_percentiles_or_nothing() {
        let replicates: Vec<f64> = (0..=1000).map(|i| f64::from(i) / 1000.0).collect();
        let mut one = Sampled {
            spread: Spread::WithinProcess,
            groups: vec![vec![]],
            ..sampled(&[0.5], replicates)
        };
        let interval = one.interval(0.95).unwrap();
        assert_eq!(interval.method, Method::Percentile);
        assert!((interval.low - 0.025).abs() < 1e-9 && (interval.high - 0.975).abs() < 1e-9);
        one.enough = false;
        assert_eq!(one.interval(0.95), None);
    }

    #[test]
    fn two_types_have_welchs_degrees_of_freedom() {
        // Variances 1 and 4 over n = 3: parts 1/3 and 4/3; (5/3)² / ((1/9 + 16/9) / 2) = 2.941.
        let (degrees, correction) = student(&[&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]], 3);
        assert!((degrees - 2.941_176).abs() < 1e-5, "{degrees}");
        assert!((correction - 1.5f64.sqrt()).abs() < 1e-9);
        assert_eq!(student(&[&[1.0, 1.0]], 2), (1.0, 2.0f64.sqrt()));
    }

    #[test]
    fn a_ratio_claims_no_more_than_its_weaker_side() {
        let across = Spread::AcrossMachines { instances: 5 };
        assert_eq!(
            weaker(across, Spread::WithinMachine { tasks: 9 }),
            Spread::WithinMachine { tasks: 9 }
        );
        assert_eq!(weaker(Spread::WithinProcess, across), Spread::WithinProcess);
        assert_eq!(
            weaker(across, Spread::AcrossMachines { instances: 3 }),
            Spread::AcrossMachines { instances: 3 }
        );
    }
}
