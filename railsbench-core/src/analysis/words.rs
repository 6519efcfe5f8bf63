//! Verdicts in words.

use super::compare::Speed;
use super::interval::{Estimate, Interval};
use super::value::Worth;
use super::verdict::Verdict;

impl Speed {
    /// The verdict in words, for two named types.
    pub fn sentence(&self, label: &str, baseline: &str) -> String {
        let words = Words {
            is: "is",
            more: "faster",
            less: "slower",
            which: "which type is faster",
            between: "",
        };
        words.sentence(&self.speed, self.verdict, label, baseline)
    }
}

impl Worth {
    /// The verdict in words, for two named types.
    pub fn sentence(&self, label: &str, baseline: &str) -> String {
        let words = Words {
            is: "gives",
            more: "more for the money",
            less: "less for the money",
            which: "which type gives more for the money",
            between: " in value",
        };
        words.sentence(&self.worth, self.verdict, label, baseline)
    }
}

/// How one speaks of a kind of ratio.
struct Words {
    is: &'static str,
    more: &'static str,
    less: &'static str,
    which: &'static str,
    between: &'static str,
}

impl Words {
    fn sentence(&self, ratio: &Estimate, verdict: Verdict, label: &str, baseline: &str) -> String {
        let Self { is, more, less, which, between } = self;
        let (word, size) =
            if ratio.value >= 1.0 { (more, ratio.value - 1.0) } else { (less, 1.0 - ratio.value) };
        let size = percent(size);
        let interval = ratio.interval.map(interval_words).unwrap_or_default();
        match verdict {
            Verdict::Faster | Verdict::Slower => {
                format!("{label} {is} {size} {word} than {baseline}{interval}")
            }
            Verdict::NoDifference { limit } => format!(
                "no difference{between} larger than {} between {label} and {baseline}",
                percent(limit)
            ),
            Verdict::PerhapsChance { comparisons } => format!(
                "can't tell whether {label} or {baseline} {is} {more}: {label} measured {size} \
                 {word}{interval}, but among {comparisons} comparisons one like this is to be \
                 expected by chance"
            ),
            Verdict::TooUncertain { instances_needed } => format!(
                "can't tell whether {label} or {baseline} {is} {more}{interval}: {}",
                match instances_needed {
                    Some(needed) => format!("about {needed} instances of each would tell"),
                    None => "no sensible number of instances would tell".to_owned(),
                }
            ),
            Verdict::OneInstance => format!(
                "can't tell {which}: {label} measured {size} {word} than {baseline}, but at \
                 least 2 instances of each are needed to know how much instances differ"
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
    use super::super::interval::{Method, Spread};
    use super::*;

    fn speed(value: f64, low: f64, high: f64, verdict: Verdict) -> Speed {
        let spread = Spread::AcrossMachines { instances: 5 };
        let interval = Some(Interval { low, high, confidence: 0.95, method: Method::Bca });
        Speed { speed: Estimate { value, interval, spread }, evidence: None, verdict }
    }

    #[test]
    fn each_verdict_is_a_sentence() {
        let uncertain = |instances_needed| Verdict::TooUncertain { instances_needed };
        let cases = [
            (
                speed(1.12, 1.09, 1.15, Verdict::Faster),
                "a is 12 % faster than b (95 % CI 9 % to 15 %)",
            ),
            (
                speed(0.8, 0.7, 0.9, Verdict::Slower),
                "a is 20 % slower than b (95 % CI −30 % to −10 %)",
            ),
            (
                speed(1.0, 0.98, 1.025, Verdict::NoDifference { limit: 0.025 }),
                "no difference larger than 2.5 % between a and b",
            ),
            (
                speed(1.04, 1.01, 1.07, Verdict::PerhapsChance { comparisons: 20 }),
                "can't tell whether a or b is faster: a measured 4 % faster (95 % CI 1 % to 7 %), \
                 but among 20 comparisons one like this is to be expected by chance",
            ),
            (
                speed(1.05, 0.95, 1.15, uncertain(Some(12))),
                "can't tell whether a or b is faster (95 % CI −5 % to 15 %): about 12 instances \
                 of each would tell",
            ),
            (
                speed(1.05, 0.5, 2.1, uncertain(None)),
                "can't tell whether a or b is faster (95 % CI −50 % to 110 %): no sensible \
                 number of instances would tell",
            ),
            (
                speed(1.12, 1.09, 1.15, Verdict::OneInstance),
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
