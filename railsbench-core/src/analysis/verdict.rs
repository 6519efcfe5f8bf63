//! What may be said of ratios, of one or of many at once.

use serde::{Deserialize, Serialize};

use super::Settings;
use super::holm;
use super::interval::{Estimate, Interval, Spread};
use super::plan::{detectable, fewest, with_instances};
use super::sampled::Sampled;

/// Verdict on a ratio to the baseline, such as a speed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// All of the interval is above 1, and that is no chance find among many comparisons.
    Faster,
    /// All of it is below 1, likewise.
    Slower,
    /// It stays so close to 1 that a difference would not matter.
    NoDifference {
        /// No difference is larger than this share.
        limit: f64,
    },
    /// It does not hold 1, but among so many comparisons such a find is to be expected.
    PerhapsChance {
        /// How many were made.
        comparisons: usize,
    },
    /// It holds 1 and is too wide.
    TooUncertain {
        /// About how many instances of each type would tell; absent if no sensible number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instances_needed: Option<usize>,
    },
    /// One of the two ran on one instance only, so how much instances differ is unknown.
    OneInstance,
}

/// How strong the evidence for a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The chance of a difference at least this large between types that are equal.
    pub p_value: f64,
    /// The same, adjusted by Holm's method for how many comparisons were made.
    pub adjusted_p_value: f64,
    /// The smallest true difference that would have been found four times out of five, as a
    /// share, with as many comparisons.
    pub detectable: f64,
}

/// A ratio with what may be said of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Judged {
    pub(super) estimate: Estimate,
    pub(super) evidence: Option<Evidence>,
    pub(super) verdict: Verdict,
}

/// Judges ratios that are read together. `slack` is by how much each may be off besides what
/// was measured, as a logarithm to both sides: for prices that are known within a range.
pub(super) fn judge(family: &[(&Sampled, f64)], settings: &Settings) -> Vec<Judged> {
    let estimates: Vec<Estimate> =
        family.iter().map(|(ratio, slack)| estimate(ratio, *slack, settings)).collect();
    let chances: Vec<Option<f64>> = family
        .iter()
        .zip(&estimates)
        .map(|((ratio, slack), estimate)| chance(ratio, *slack, estimate))
        .collect();
    let known: Vec<f64> = chances.iter().copied().flatten().collect();
    let comparisons = known.len();
    let mut adjusted = holm::adjusted(&known).into_iter();
    // The strictest level that Holm's method asks for.
    let confidence = 1.0 - (1.0 - settings.confidence) / comparisons.max(1) as f64;
    let mut judged = Vec::with_capacity(family.len());
    for (((ratio, slack), estimate), chance) in family.iter().zip(estimates).zip(chances) {
        let evidence = chance.and_then(|p_value| {
            Some(Evidence {
                p_value,
                adjusted_p_value: adjusted.next()?,
                detectable: (detectable(ratio.uncertainty()?, confidence)? + slack)
                    .min(700.0)
                    .exp_m1(),
            })
        });
        let verdict = verdict(&estimate, evidence, comparisons, settings, || {
            instances_needed(ratio, *slack, confidence, settings.negligible)
        });
        judged.push(Judged { estimate, evidence, verdict });
    }
    judged
}

fn estimate(ratio: &Sampled, slack: f64, settings: &Settings) -> Estimate {
    let widened = |interval: Interval| {
        Interval { low: interval.low - slack, high: interval.high + slack, ..interval }.exp()
    };
    let interval = ratio.interval(settings.confidence).map(widened);
    Estimate { interval, ..ratio.estimate(settings.confidence) }
}

/// The chance of such a ratio where there is no difference; `None` where nothing can be said of
/// the types.
fn chance(ratio: &Sampled, slack: f64, estimate: &Estimate) -> Option<f64> {
    let (Spread::AcrossMachines { .. }, Some(interval)) = (estimate.spread, estimate.interval)
    else {
        return None;
    };
    // Of all that the slack allows, the likeliest: none if it reaches over no difference.
    let truth = ratio.point.clamp(-slack, slack);
    let chance = ratio.chance(truth)?;
    // Interval and chance are two views of the same thing, but of resamples both are rough in
    // the last digit; the interval, which is shown, decides.
    let level = 1.0 - interval.confidence;
    Some(if excludes_one(interval) { chance.min(level) } else { chance })
}

fn excludes_one(interval: Interval) -> bool {
    interval.low > 1.0 || interval.high < 1.0
}

fn verdict(
    estimate: &Estimate,
    evidence: Option<Evidence>,
    comparisons: usize,
    settings: &Settings,
    instances_needed: impl FnOnce() -> Option<usize>,
) -> Verdict {
    let (Some(evidence), Some(interval)) = (evidence, estimate.interval) else {
        return Verdict::OneInstance;
    };
    // Rounding must not undo what a single comparison's interval says.
    let level = (1.0 - settings.confidence) * (1.0 + 1e-9);
    if excludes_one(interval) && evidence.adjusted_p_value <= level {
        return if interval.low > 1.0 { Verdict::Faster } else { Verdict::Slower };
    }
    let limit = (interval.high - 1.0).max(1.0 - interval.low);
    if limit <= settings.negligible {
        return Verdict::NoDifference { limit };
    }
    if excludes_one(interval) {
        return Verdict::PerhapsChance { comparisons };
    }
    Verdict::TooUncertain { instances_needed: instances_needed() }
}

/// How many instances of each type would tell: either that the measured difference is one (four
/// times out of five, if it is the true one), or that there is none that matters.
fn instances_needed(
    ratio: &Sampled,
    slack: f64,
    confidence: f64,
    negligible: f64,
) -> Option<usize> {
    let variances = ratio.unit_variances()?;
    let size = ratio.point.abs();
    let differs = fewest(|instances| {
        with_instances(&variances, instances)
            .and_then(|uncertainty| detectable(uncertainty, confidence))
            .is_some_and(|least| least + slack <= size)
    });
    let same = fewest(|instances| {
        with_instances(&variances, instances)
            .and_then(|uncertainty| uncertainty.half_width(confidence))
            .is_some_and(|half| size + half + slack <= negligible.ln_1p())
    });
    let now = ratio.groups.iter().map(|group| group.units.len()).min()?;
    // Fewer may seem to do where the measurement was unlucky; it did not, so one more it is.
    [differs, same].into_iter().flatten().min().map(|needed| needed.max(now + 1))
}

#[cfg(test)]
mod tests {
    use super::super::order::mean;
    use super::super::sampled::Group;
    use super::*;

    fn ratio(units: &[f64], others: &[f64]) -> Sampled {
        let of = |units: &[f64]| Sampled {
            point: mean(units.iter().copied()),
            groups: vec![Group { units: units.to_vec(), replicates: Vec::new(), times: 0 }],
            spread: Spread::AcrossMachines { instances: units.len() },
        };
        of(units).minus_independent(&of(others))
    }

    fn alone(ratio: &Sampled) -> Judged {
        judge(&[(ratio, 0.0)], &Settings::new(1))[0]
    }

    const QUIET: [f64; 4] = [-0.01, 0.01, -0.01, 0.01];

    #[test]
    fn verdicts_say_what_the_interval_allows() {
        let shifted = |by: f64| QUIET.map(|unit| unit + by);
        assert_eq!(alone(&ratio(&shifted(0.1), &QUIET)).verdict, Verdict::Faster);
        assert_eq!(alone(&ratio(&shifted(-0.1), &QUIET)).verdict, Verdict::Slower);
        let same = alone(&ratio(&shifted(0.001), &QUIET));
        assert!(matches!(same.verdict, Verdict::NoDifference { limit } if limit < 0.03));
        let unclear = alone(&ratio(&shifted(0.015), &QUIET));
        let Verdict::TooUncertain { instances_needed: Some(needed) } = unclear.verdict else {
            panic!("{unclear:?}")
        };
        assert!((5..20).contains(&needed), "{needed}");
    }

    /// One in 20 is found by chance, so with 20 comparisons it takes more.
    #[test]
    fn among_many_a_find_may_be_chance() {
        let find = ratio(&QUIET.map(|unit| unit + 0.025), &QUIET);
        assert_eq!(alone(&find).verdict, Verdict::Faster);
        let nothing = ratio(&QUIET, &QUIET);
        let mut family = vec![(&nothing, 0.0); 19];
        family.push((&find, 0.0));
        let judged = judge(&family, &Settings::new(1));
        assert_eq!(judged[19].verdict, Verdict::PerhapsChance { comparisons: 20 });
        let evidence = judged[19].evidence.unwrap();
        assert!((evidence.adjusted_p_value - 20.0 * evidence.p_value).abs() < 1e-12);
        let harder = alone(&find).evidence.unwrap();
        assert!(evidence.detectable > harder.detectable, "{evidence:?} {harder:?}");
    }

    /// A price that may be 30 % off hides a value 10 % better.
    #[test]
    fn slack_widens_the_interval_and_weakens_the_evidence() {
        let better = ratio(&QUIET.map(|unit| unit + 0.1), &QUIET);
        let sure = alone(&better);
        let vague = judge(&[(&better, 0.3)], &Settings::new(1))[0];
        assert!(matches!(vague.verdict, Verdict::TooUncertain { .. }), "{vague:?}");
        assert!(vague.evidence.unwrap().p_value >= 1.0);
        let (sure, vague) = (sure.estimate.interval.unwrap(), vague.estimate.interval.unwrap());
        assert!((vague.high / sure.high - 0.3f64.exp()).abs() < 1e-12);
        assert!((vague.low / sure.low - (-0.3f64).exp()).abs() < 1e-12);
    }

    #[test]
    fn nothing_is_said_of_one_instance() {
        let one = Sampled {
            spread: Spread::WithinMachine { tasks: 4 },
            ..ratio(&QUIET.map(|unit| unit + 1.0), &QUIET)
        };
        let judged = alone(&one);
        assert_eq!((judged.verdict, judged.evidence), (Verdict::OneInstance, None));
    }
}
