//! The benchmark suites that railsbench knows by name, and how long they are expected to take.
//!
//! The suites themselves are folders that the runner carries; this table is what a
//! configuration is checked against before anything is started. A test of the runner asserts
//! that both agree.

use std::time::Duration;

/// One benchmark of a suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Benchmark {
    /// Name in configurations, results and reports.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
}

/// A named set of benchmarks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suite {
    /// Name in configurations.
    pub name: &'static str,
    /// Its benchmarks, in running order.
    pub benchmarks: &'static [Benchmark],
    /// Whether it needs Ruby on the machine.
    pub needs_ruby: bool,
    /// Start, warm-up and measured time per benchmark and variant when the configuration says
    /// nothing; as taken on two idle CPUs.
    full: Duration,
    quick: Duration,
}

const fn benchmark(name: &'static str, about: &'static str) -> Benchmark {
    Benchmark { name, about }
}

/// Real Rails code: what `workload.suite` is when the configuration says nothing.
pub const RAILS: Suite = Suite {
    name: "rails",
    benchmarks: &[
        benchmark(
            "rails_request_json",
            "JSON index and show through the full middleware stack, on SQLite",
        ),
        benchmark("rails_request_html", "ERB views with layouts, partials, helpers and I18n"),
        benchmark(
            "rails_write",
            "create, update and destroy with validations, callbacks and transactions",
        ),
        benchmark("activerecord_query", "preloading, joins, aggregates and large result sets"),
        benchmark("template_render", "ERB and helpers alone"),
        benchmark("json_serialize", "serialising records to JSON"),
        benchmark("regex_route", "recognising paths in a large route set"),
        benchmark("crypto_cookie", "encrypted cookies and sessions"),
        benchmark("gc_pressure", "an allocation-heavy request, with garbage collector statistics"),
        benchmark("boot", "cold start of the application, a process per iteration"),
        benchmark(
            "puma_http",
            "Puma with a worker per vCPU under a closed-loop load: the whole machine",
        ),
    ],
    needs_ruby: true,
    full: Duration::from_millis(16_500),
    quick: Duration::from_secs(3),
};

/// Two seconds of made-up, repeatable figures, to try the machinery.
pub const MOCK: Suite = Suite {
    name: "mock",
    benchmarks: &[
        benchmark("mock_request", "made-up figures around 20 ms"),
        benchmark("mock_query", "made-up figures around 5 ms"),
    ],
    needs_ruby: false,
    full: Duration::from_millis(500),
    quick: Duration::from_millis(500),
};

/// All suites.
pub const SUITES: &[Suite] = &[RAILS, MOCK];

/// How many variants of each benchmark are run: interpreter and YJIT.
const VARIANTS: u32 = 2;

/// Warm-up as a share of the measured time, when `min_seconds` is configured.
const WARMUP_SHARE: f64 = 0.5;

/// What starting a benchmark's process takes, beside measuring.
const START: Duration = Duration::from_millis(1_500);

impl Suite {
    /// The suite of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        SUITES.iter().find(|suite| suite.name == name)
    }

    /// How long one task is expected to take: `benchmarks` of them (0 = all), in each variant.
    pub fn expected_duration(
        &self,
        benchmarks: usize,
        quick: bool,
        min_seconds: Option<f64>,
    ) -> Duration {
        let count = if benchmarks == 0 { self.benchmarks.len() } else { benchmarks };
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let usual = if quick { self.quick } else { self.full };
        let each = match min_seconds {
            Some(seconds) if self.needs_ruby => {
                Duration::try_from_secs_f64(seconds * (1.0 + WARMUP_SHARE)).unwrap_or(usual) + START
            }
            _ => usual,
        };
        each.saturating_mul(count.saturating_mul(VARIANTS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_run_takes_longer_than_a_quick_one() {
        let full = RAILS.expected_duration(0, false, None);
        let quick = RAILS.expected_duration(0, true, None);
        assert!(full > quick, "{full:?} {quick:?}");
        assert!(RAILS.expected_duration(1, false, None) < full);
        assert!(RAILS.expected_duration(0, false, Some(60.0)) > full);
    }
}
