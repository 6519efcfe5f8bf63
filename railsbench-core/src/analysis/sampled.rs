//! From units and resamples to an interval.
//!
//! All values here are logarithms of times, so that a ratio is a difference and a geometric
//! mean is a mean. A value is made of one group of units for one type, and of two for a ratio
//! of types. The units are the means of machines, or of tasks where there is one machine: what
//! lies below a unit has left its mark on the unit's mean already, and must not be counted a
//! second time. Which interval is taken depends on how many units the groups have:
//!
//! * one task, so no units: the plain percentiles of the resampled medians;
//! * fewer than [`MANY`] in a group: the standard error of the mean of units with Student's t
//!   (Welch's for a ratio of two types). That standard error is what a bootstrap over units
//!   would come to with infinitely many resamples, without its factor (n - 1)/n;
//! * [`MANY`] and more: bias-corrected and accelerated percentiles of a bootstrap over units,
//!   at the level that Student's t asks for (the expanded percentiles of Hesterberg, 2015), and
//!   at each end what reaches further, that or Student's t. Percentiles follow skewed machines
//!   and come out too narrow where single ones are far off; Student's t is the other way round.

use super::bca::Accelerated;
use super::interval::{Estimate, Interval, Method, Spread, exp};
use super::order::{mean, quantile, sorted, variance};
use super::student::{Uncertainty, t_upper, two_sided};

/// From this many units on, resamples tell more than Student's t.
pub(super) const MANY: usize = 10;

/// Fewest independent times that the percentiles of a median can be taken from: of 5, all lie
/// on one side of it too often.
const FEWEST: usize = 6;

/// The units of one type, and the resamples of their mean.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// Empty if there is one task.
    pub(super) units: Vec<f64>,
    /// Empty where Student's t needs none.
    pub(super) replicates: Vec<f64>,
    /// How many independent times the only task has; counts if there are no units.
    pub(super) times: usize,
}

impl Group {
    fn uncertainty(&self) -> Option<Uncertainty> {
        if self.units.len() > 1 {
            return Some(Uncertainty::of_mean(&self.units));
        }
        let enough = self.times >= FEWEST && self.replicates.len() > 1;
        enough.then(|| Uncertainty {
            variance: variance(&self.replicates),
            degrees: self.times as f64 - 1.0,
        })
    }

    fn negated(&self) -> Self {
        let negated = |values: &[f64]| values.iter().map(|value| -value).collect();
        Self { units: negated(&self.units), replicates: negated(&self.replicates), ..*self }
    }
}

/// A logarithm, and the groups it was made of.
#[derive(Debug, Clone)]
pub(super) struct Sampled {
    pub(super) point: f64,
    pub(super) groups: Vec<Group>,
    pub(super) spread: Spread,
}

impl Sampled {
    /// Value and interval, back from logarithms.
    pub(super) fn estimate(&self, confidence: f64) -> Estimate {
        Estimate {
            value: exp(self.point),
            interval: self.interval(confidence).map(Interval::exp),
            spread: self.spread,
        }
    }

    /// The squared standard error, where there is enough to tell.
    pub(super) fn uncertainty(&self) -> Option<Uncertainty> {
        let parts: Option<Vec<Uncertainty>> = self.groups.iter().map(Group::uncertainty).collect();
        Uncertainty::sum(&parts?)
    }

    /// The variance of one unit of each group; `None` if a group has no units.
    pub(super) fn unit_variances(&self) -> Option<Vec<f64>> {
        let of = |group: &Group| (group.units.len() > 1).then(|| variance(&group.units));
        self.groups.iter().map(of).collect()
    }

    /// This minus another that was measured on the same machines and tasks.
    pub(super) fn minus_paired(&self, other: &Self) -> Self {
        let groups = self.groups.iter().zip(&other.groups).map(|(one, other)| Group {
            units: difference(&one.units, &other.units),
            replicates: difference(&one.replicates, &other.replicates),
            times: one.times.min(other.times),
        });
        Self {
            point: self.point - other.point,
            groups: groups.collect(),
            spread: self.spread.weaker(other.spread),
        }
    }

    /// This minus another that was measured elsewhere.
    pub(super) fn minus_independent(&self, other: &Self) -> Self {
        let negated = other.groups.iter().map(Group::negated);
        Self {
            point: self.point - other.point,
            groups: self.groups.iter().cloned().chain(negated).collect(),
            spread: self.spread.weaker(other.spread),
        }
    }

    /// Moved by a constant.
    pub(super) fn shifted(mut self, by: f64) -> Self {
        self.point += by;
        if let Some(group) = self.groups.first_mut() {
            group.units.iter_mut().chain(&mut group.replicates).for_each(|value| *value += by);
        }
        self
    }

    /// The mean of several that were measured on the same machines and tasks; `None` of none.
    pub(super) fn mean(all: &[&Self]) -> Option<Self> {
        let first = all.first()?;
        let column = |pick: &dyn Fn(&Self) -> &[f64]| -> Vec<f64> {
            (0..pick(first).len()).map(|i| mean(all.iter().map(|one| pick(one)[i]))).collect()
        };
        let group = |g: usize| Group {
            units: column(&|one| &one.groups[g].units),
            replicates: column(&|one| &one.groups[g].replicates),
            // One benchmark with few times moves the mean little, and its resamples are wide.
            times: middle(all.iter().map(|one| one.groups[g].times).collect()),
        };
        Some(Self {
            point: mean(all.iter().map(|one| one.point)),
            groups: (0..first.groups.len()).map(group).collect(),
            spread: all.iter().map(|one| one.spread).fold(first.spread, Spread::weaker),
        })
    }

    /// The interval, in logarithms.
    pub(super) fn interval(&self, confidence: f64) -> Option<Interval> {
        if !(confidence > 0.0 && confidence < 1.0) {
            return None;
        }
        let make = |low, high, method| Some(Interval { low, high, confidence, method });
        let tail = (1.0 - confidence) / 2.0;
        let fewest = self.groups.iter().map(|group| group.units.len()).min()?;
        let uncertainty = self.uncertainty()?;
        if self.groups.iter().all(|group| group.units.is_empty()) {
            let replicates = sorted(&self.replicates());
            let (low, high) = (quantile(&replicates, tail), quantile(&replicates, 1.0 - tail));
            return make(low, high, Method::Percentile);
        }
        let half = uncertainty.half_width(confidence)?;
        let (low, high) = (self.point - half, self.point + half);
        if fewest >= MANY
            && let Some(accelerated) = self.accelerated()
        {
            let reach = t_upper(uncertainty.degrees, tail)? * self.expansion();
            let (lower, higher) = accelerated.interval(reach);
            return make(low.min(lower), high.max(higher), Method::Bca);
        }
        make(low, high, Method::Student { degrees: uncertainty.degrees })
    }

    /// The chance of a value this far from `truth`, were it the truth; by the same method as
    /// the interval, so that the interval of confidence 1 - chance ends at `truth`.
    pub(super) fn chance(&self, truth: f64) -> Option<f64> {
        let uncertainty = self.uncertainty()?;
        let chance = uncertainty.chance(self.point - truth);
        let fewest = self.groups.iter().map(|group| group.units.len()).min()?;
        if fewest >= MANY
            && let Some(accelerated) = self.accelerated()
        {
            let reach = accelerated.reach_to(truth).abs() / self.expansion();
            return Some(chance.max(two_sided(uncertainty.degrees, reach)));
        }
        Some(chance)
    }

    fn accelerated(&self) -> Option<Accelerated> {
        let units: Vec<&[f64]> = self.groups.iter().map(|group| group.units.as_slice()).collect();
        Accelerated::new(self.point, &self.replicates(), &units)
    }

    /// What the standard error of resamples is short of: resampling n units shows (n - 1)/n of
    /// their variance.
    fn expansion(&self) -> f64 {
        let part = |group: &Group| {
            let count = group.units.len() as f64;
            (variance(&group.units) / count, (count - 1.0) / count)
        };
        let parts: Vec<(f64, f64)> = self.groups.iter().map(part).collect();
        let total: f64 = parts.iter().map(|(variance, _)| variance).sum();
        let shown: f64 = parts.iter().map(|(variance, shown)| variance * shown).sum();
        if shown > 0.0 { (total / shown).sqrt() } else { 1.0 }
    }

    /// Resamples of the whole: the groups were drawn independently.
    fn replicates(&self) -> Vec<f64> {
        let fewest = self.groups.iter().map(|group| group.replicates.len()).min().unwrap_or(0);
        let one = |i: usize| self.groups.iter().map(|group| group.replicates[i]).sum();
        (0..fewest).map(one).collect()
    }
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// The upper middle one.
fn middle(mut counts: Vec<usize>) -> usize {
    counts.sort_unstable();
    counts.get(counts.len() / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(units: &[f64], replicates: Vec<f64>, times: usize) -> Sampled {
        let instances = units.len();
        Sampled {
            point: mean(units.iter().copied()),
            groups: vec![Group { units: units.to_vec(), replicates, times }],
            spread: Spread::AcrossMachines { instances },
        }
    }

    /// With three units the interval must be the textbook one, mean ± t s/√n: for 1, 2, 3 that
    /// is 2 ± 4.302653 × 1/√3 = 2 ± 2.484138.
    #[test]
    fn few_units_give_students_interval() {
        let interval = sampled(&[1.0, 2.0, 3.0], Vec::new(), 0).interval(0.95).unwrap();
        assert_eq!(interval.method, Method::Student { degrees: 2.0 });
        assert!((interval.high - 2.0 - 2.484_138).abs() < 1e-6, "{interval:?}");
        assert!((interval.high + interval.low - 4.0).abs() < 1e-9);
    }

    /// For symmetric resamples BCa is the percentile interval at the level that t asks for.
    #[test]
    fn many_units_give_expanded_percentiles() {
        let units: Vec<f64> = (0..21).map(|i| (f64::from(i) - 10.0) / 10.0).collect();
        let replicates: Vec<f64> = (-5000..=5000).map(|i| f64::from(i) / 1000.0).collect();
        let one = sampled(&units, replicates, 0);
        let interval = one.interval(0.95).unwrap();
        assert_eq!(interval.method, Method::Bca);
        // t(0.975; 20) = 2.085963, times √(21/20) = 2.137474; Φ of it is 0.983723, and the
        // uniform resamples from -5 to 5 have that quantile at 4.83723.
        assert!((interval.high - 4.837_23).abs() < 1e-3, "{interval:?}");
        assert!((interval.low + interval.high).abs() < 2e-3, "{interval:?}");
        // A truth at its end has the chance that the interval leaves out.
        let chance = one.chance(interval.high).unwrap();
        assert!((chance - 0.05).abs() < 1e-3, "{chance}");
    }

    /// Where resamples are narrow, Student's t has its say: 2.085963 × √(38.5/21) = 2.824405.
    #[test]
    fn many_units_never_give_less_than_student() {
        let units: Vec<f64> = (0..21).map(|i| f64::from(i) - 10.0).collect();
        let replicates: Vec<f64> = (-50..=50).map(|i| f64::from(i) / 1000.0).collect();
        let one = sampled(&units, replicates, 0);
        let interval = one.interval(0.95).unwrap();
        assert!((interval.high - 2.824_405).abs() < 1e-5, "{interval:?}");
        assert!((interval.low + interval.high).abs() < 1e-9, "{interval:?}");
        assert!((one.chance(interval.low).unwrap() - 0.05).abs() < 1e-9);
    }

    #[test]
    fn one_task_gives_percentiles_or_nothing() {
        let replicates: Vec<f64> = (0..=1000).map(|i| f64::from(i) / 1000.0).collect();
        let task = |times| Sampled {
            point: 0.5,
            spread: Spread::WithinProcess,
            ..sampled(&[], replicates.clone(), times)
        };
        let interval = task(6).interval(0.95).unwrap();
        assert_eq!(interval.method, Method::Percentile);
        assert!((interval.low - 0.025).abs() < 1e-9 && (interval.high - 0.975).abs() < 1e-9);
        assert_eq!(task(5).interval(0.95), None);
    }

    /// A type on several machines against one task: both errors count, and what is said of it
    /// is no more than of the one task.
    #[test]
    fn a_type_against_one_task_has_both_errors() {
        let replicates: Vec<f64> = (0..=1000).map(|i| f64::from(i) / 1000.0).collect();
        let task =
            Sampled { point: 0.5, spread: Spread::WithinProcess, ..sampled(&[], replicates, 101) };
        let ratio = sampled(&[1.0, 2.0, 3.0], Vec::new(), 0).minus_independent(&task);
        assert_eq!(ratio.spread, Spread::WithinProcess);
        // 1/3 of the machines, and a little over 1/12 of the uniform resamples.
        let uncertainty = ratio.uncertainty().unwrap();
        assert!((uncertainty.variance - 1.0 / 3.0 - 1.0 / 12.0).abs() < 1e-3, "{uncertainty:?}");
        assert!(uncertainty.degrees > 2.0 && uncertainty.degrees < 4.0, "{uncertainty:?}");
    }

    #[test]
    fn no_confidence_gives_no_interval() {
        let replicates: Vec<f64> = (0..40).map(f64::from).collect();
        let units: Vec<f64> = (0..12).map(f64::from).collect();
        for confidence in [0.0, 1.0, -1.0, 1.5, f64::NAN] {
            for one in [
                sampled(&units[..3], Vec::new(), 0),
                sampled(&units, replicates.clone(), 0),
                sampled(&[], replicates.clone(), 40),
            ] {
                assert_eq!(one.interval(confidence), None, "{confidence}");
            }
        }
    }
}
