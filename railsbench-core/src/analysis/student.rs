//! How well a mean of few units is known: squared standard errors, and Student's t.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::order::variance;

/// More degrees of freedom make no difference that could be shown.
const MOST_DEGREES: f64 = 1e5;

/// A squared standard error, and with how many degrees of freedom it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Uncertainty {
    pub(super) variance: f64,
    pub(super) degrees: f64,
}

impl Uncertainty {
    /// Of the mean of at least two independent units.
    pub(super) fn of_mean(units: &[f64]) -> Self {
        let count = units.len() as f64;
        Self { variance: variance(units) / count, degrees: count - 1.0 }
    }

    /// Of a sum or difference of independent values: variances add up, and the degrees of
    /// freedom are Satterthwaite's (1946), which for two means are Welch's. `None` of none.
    pub(super) fn sum(parts: &[Self]) -> Option<Self> {
        let fewest = parts.iter().map(|part| part.degrees).reduce(f64::min)?;
        let variance: f64 = parts.iter().map(|part| part.variance).sum();
        if variance <= 0.0 {
            return Some(Self { variance: 0.0, degrees: fewest });
        }
        // As shares of the whole, so that tiny variances do not vanish when they are squared.
        let weighted: f64 =
            parts.iter().map(|part| (part.variance / variance).powi(2) / part.degrees).sum();
        Some(Self { variance, degrees: 1.0 / weighted })
    }

    /// The standard error.
    pub(super) fn error(self) -> f64 {
        self.variance.sqrt()
    }

    /// Half the width of the interval of this confidence, above 0 and below 1.
    pub(super) fn half_width(self, confidence: f64) -> Option<f64> {
        Some(t_upper(self.degrees, (1.0 - confidence) / 2.0)? * self.error())
    }

    /// The chance of a value at least this far from the truth, on either side.
    pub(super) fn chance(self, distance: f64) -> f64 {
        let distance = distance.abs();
        if distance <= 0.0 {
            return 1.0;
        }
        two_sided(self.degrees, distance / self.error())
    }
}

fn student(degrees: f64) -> Option<StudentsT> {
    StudentsT::new(0.0, 1.0, degrees.min(MOST_DEGREES)).ok()
}

/// The point that Student's t exceeds with chance `tail`, above 0 and at most one half.
pub(super) fn t_upper(degrees: f64, tail: f64) -> Option<f64> {
    if !(tail > 0.0 && tail <= 0.5) {
        return None;
    }
    Some(-student(degrees)?.inverse_cdf(tail))
}

/// The chance that Student's t is at least `t` (not negative) away from 0, on either side.
pub(super) fn two_sided(degrees: f64, t: f64) -> f64 {
    if !t.is_finite() {
        return 0.0;
    }
    student(degrees).map_or(1.0, |student| (2.0 * student.cdf(-t)).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_types_have_welchs_degrees_of_freedom() {
        // Variances 1 and 4 over n = 3: parts 1/3 and 4/3; (5/3)² / ((1/9 + 16/9) / 2) = 2.941.
        let parts = [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]].map(|units| Uncertainty::of_mean(&units));
        let sum = Uncertainty::sum(&parts).unwrap();
        assert!((sum.degrees - 2.941_176_470_588).abs() < 1e-9, "{sum:?}");
        assert!((sum.variance - 5.0 / 3.0).abs() < 1e-12, "{sum:?}");
    }

    #[test]
    fn what_never_varied_is_known_exactly() {
        let parts = [[2.0, 2.0].as_slice(), &[1.0, 1.0, 1.0]].map(Uncertainty::of_mean);
        let sum = Uncertainty::sum(&parts).unwrap();
        assert_eq!(sum, Uncertainty { variance: 0.0, degrees: 1.0 });
        assert_eq!(sum.half_width(0.95), Some(0.0));
        assert!(sum.chance(1e-9) <= 0.0 && sum.chance(0.0) >= 1.0);
        assert_eq!(Uncertainty::sum(&[]), None);
    }

    #[test]
    fn confidences_that_are_none_give_nothing() {
        let one = Uncertainty { variance: 1.0, degrees: 4.0 };
        for confidence in [1.0, -0.5, 2.0, f64::NAN] {
            assert_eq!(one.half_width(confidence), None, "{confidence}");
        }
    }
}
