//! What is told of a figure: its value, its interval, and what the interval covers.

use serde::{Deserialize, Serialize};

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

impl Spread {
    /// What can be said of a value made of two: no more than of the weaker.
    pub(super) fn weaker(self, other: Self) -> Self {
        match (self, other) {
            (Self::WithinMachine { tasks: a }, Self::WithinMachine { tasks: b }) => {
                Self::WithinMachine { tasks: a.min(b) }
            }
            (Self::AcrossMachines { instances: a }, Self::AcrossMachines { instances: b }) => {
                Self::AcrossMachines { instances: a.min(b) }
            }
            _ => self.min(other),
        }
    }
}

/// How an interval was made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Method {
    /// Percentiles of the resamples.
    Percentile,
    /// Standard error of the mean of units with Student's t.
    Student {
        /// Its degrees of freedom.
        degrees: f64,
    },
    /// Bias-corrected and accelerated percentiles of the resamples, or Student's t at an end
    /// where that reaches further.
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

impl Interval {
    /// Back from logarithms.
    pub(super) fn exp(self) -> Self {
        Self { low: exp(self.low), high: exp(self.high), ..self }
    }
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

/// Back from a logarithm, within what a number can hold: two machines that have nothing in
/// common make an interval without practical end, and it must still be a number.
pub(super) fn exp(logarithm: f64) -> f64 {
    logarithm.clamp(-700.0, 700.0).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_claims_no_more_than_its_weaker_side() {
        let across = Spread::AcrossMachines { instances: 5 };
        let tasks = Spread::WithinMachine { tasks: 9 };
        assert_eq!(across.weaker(tasks), tasks);
        assert_eq!(Spread::WithinProcess.weaker(across), Spread::WithinProcess);
        let fewer = Spread::AcrossMachines { instances: 3 };
        assert_eq!(across.weaker(fewer), fewer);
    }
}
