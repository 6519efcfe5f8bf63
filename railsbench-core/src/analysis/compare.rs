//! Two instance types compared, and what may be said of it.

use serde::{Deserialize, Serialize};

use super::interval::{Estimate, Interval, Spread};

/// Verdict on a speed relative to the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// All of the interval is above 1.
    Faster,
    /// All of it is below 1.
    Slower,
    /// It holds 1 and stays so close to it that a difference would not matter.
    NoDifference {
        /// No difference is larger than this share.
        limit: f64,
    },
    /// It is too wide.
    TooUncertain,
    /// One of the two ran on one instance only, so how much instances differ is unknown.
    OneInstance,
}

impl Verdict {
    /// Judges a speed ratio; differences up to `negligible` (e.g. 0.03) do not matter.
    pub fn of(speed: &Estimate, negligible: f64) -> Self {
        let (Spread::AcrossMachines { .. }, Some(Interval { low, high, .. })) =
            (speed.spread, speed.interval)
        else {
            return Self::OneInstance;
        };
        let limit = (high - 1.0).max(1.0 - low);
        if low > 1.0 {
            Self::Faster
        } else if high < 1.0 {
            Self::Slower
        } else if limit <= negligible {
            Self::NoDifference { limit }
        } else {
            Self::TooUncertain
        }
    }
}

/// One speed relative to the baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Speed {
    /// Speed relative to the baseline, with 1.12 being 12 % faster: the baseline's time divided
    /// by this one's.
    pub speed: Estimate,
    /// What may be said of it.
    #[serde(flatten)]
    pub verdict: Verdict,
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
    /// Geometric mean of the speeds of the benchmarks that both have in every task.
    pub overall: Speed,
    /// Benchmark and speed, for each of those.
    pub benchmarks: Vec<(String, Speed)>,
}

impl Comparison {
    /// The verdict on the whole, in words.
    pub fn sentence(&self) -> String {
        self.overall.sentence(&self.label, &self.baseline)
    }
}

impl Speed {
    /// The verdict in words, for two named types.
    pub fn sentence(&self, label: &str, baseline: &str) -> String {
        let value = self.speed.value;
        let (word, size) =
            if value >= 1.0 { ("faster", value - 1.0) } else { ("slower", 1.0 - value) };
        let interval = self.speed.interval.map(interval_words).unwrap_or_default();
        match self.verdict {
            Verdict::Faster | Verdict::Slower => {
                format!("{label} is {} {word} than {baseline}{interval}", percent(size))
            }
            Verdict::NoDifference { limit } => format!(
                "no difference larger than {} between {label} and {baseline}",
                percent(limit)
            ),
            Verdict::TooUncertain => format!(
                "can't tell whether {label} or {baseline} is faster{interval}: \
                 more instances needed"
            ),
            Verdict::OneInstance => format!(
                "can't tell which type is faster: {label} measured {} {word} than {baseline}, \
                 but at least 2 instances of each are needed to know how much instances differ",
                percent(size)
            ),
        }
    }
}

/// ` (95 % CI 9 % to 15 %)`; negative is slower.
fn interval_words(interval: Interval) -> String {
    format!(
        " ({} CI {} to {})",
        percent(interval.confidence),
        percent(interval.low - 1.0),
        percent(interval.high - 1.0)
    )
}

/// A share as a percentage of two significant digits, and none after the point from 10 on.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits = match percent.abs() {
        size if size >= 9.95 => 0,
        size if size >= 0.095 => 1,
        _ => 2,
    };
    let text = format!("{percent:.digits$}");
    let text = if digits > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    let text = if text == "-0" { "0" } else { text };
    format!("{} %", text.replace('-', "−"))
}

#[cfg(test)]
mod tests {
    use super::super::interval::Method;
    use super::*;

    fn speed(value: f64, low: f64, high: f64, instances: usize) -> Speed {
        let spread = if instances == 1 {
            Spread::WithinMachine { tasks: 3 }
        } else {
            Spread::AcrossMachines { instances }
        };
        let interval = Some(Interval { low, high, confidence: 0.95, method: Method::Bca });
        let speed = Estimate { value, interval, spread };
        Speed { speed, verdict: Verdict::of(&speed, 0.03) }
    }

    #[test]
    fn verdicts_say_what_the_interval_allows() {
        let cases = [
            (speed(1.12, 1.09, 1.15, 5), "a is 12 % faster than b (95 % CI 9 % to 15 %)"),
            (speed(0.8, 0.7, 0.9, 5), "a is 20 % slower than b (95 % CI −30 % to −10 %)"),
            (speed(1.0, 0.98, 1.025, 5), "no difference larger than 2.5 % between a and b"),
            (
                speed(1.05, 0.95, 1.15, 5),
                "can't tell whether a or b is faster (95 % CI −5 % to 15 %): more instances needed",
            ),
            (
                speed(1.12, 1.09, 1.15, 1),
                "can't tell which type is faster: a measured 12 % faster than b, but at least 2 \
                 instances of each are needed to know how much instances differ",
            ),
        ];
        for (speed, expected) in cases {
            assert_eq!(speed.sentence("a", "b"), expected);
        }
    }

    #[test]
    fn percentages_are_short() {
        let cases = [
            (0.0, "0 %"),
            (0.12, "12 %"),
            (0.0999, "10 %"),
            (0.0123, "1.2 %"),
            (0.000_5, "0.05 %"),
            (-0.034, "−3.4 %"),
            (1.5, "150 %"),
            (-0.000_000_1, "0 %"),
        ];
        for (share, expected) in cases {
            assert_eq!(percent(share), expected);
        }
    }
}
