//! The table that a terminal shows at the end of a run.

use railsbench_core::analysis::SteadyState;

use super::format;
use super::model::Report;

/// One row: a benchmark of one type in one variant, or their geometric mean. Cells are ready to
/// be shown; empty where there is nothing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryRow {
    /// Alias or instance type.
    pub label: String,
    /// Variant.
    pub variant: String,
    /// Benchmark, or `geometric mean`.
    pub benchmark: String,
    /// Median time per iteration, e.g. `1.21 ms`.
    pub median: String,
    /// Its interval, e.g. `1.19–1.24 ms`.
    pub interval: String,
    /// What the interval covers, e.g. `5 machines`.
    pub covers: String,
    /// How many times were measured.
    pub times: String,
    /// Speed over the first variant, e.g. `1.42×`.
    pub speed_up: String,
    /// What is odd, in a word or two.
    pub note: String,
    /// Whether this is a geometric mean, to be set apart.
    pub is_mean: bool,
}

/// The rows of the summary table: by type, by variant, the geometric mean last.
pub fn summary_rows(report: &Report) -> Vec<SummaryRow> {
    let mut rows = Vec::new();
    for label in &report.labels {
        let analysis = &label.analysis;
        let speed_up = |variant: &str, benchmark: Option<&str>| {
            let found = analysis
                .speed_ups
                .iter()
                .find(|one| one.variant == variant && one.benchmark.as_deref() == benchmark);
            found.map_or_else(String::new, |one| format::ratio(one.speed.value))
        };
        for mean in &analysis.geometric_means {
            let series = analysis.series.iter().filter(|one| one.variant == mean.variant);
            rows.extend(series.map(|one| {
                let unsteady = one
                    .tasks
                    .iter()
                    .any(|task| matches!(task.steady, SteadyState::NotReached { .. }));
                SummaryRow {
                    label: analysis.label.clone(),
                    variant: one.variant.clone(),
                    benchmark: one.benchmark.clone(),
                    median: format::seconds(one.time.value),
                    interval: format::seconds_interval(&one.time),
                    covers: format::spread(one.time.spread),
                    times: format::count(one.tasks.iter().map(|task| task.times).sum()),
                    speed_up: speed_up(&one.variant, Some(&one.benchmark)),
                    note: if unsteady { "no steady state".to_owned() } else { String::new() },
                    is_mean: false,
                }
            }));
            rows.push(SummaryRow {
                label: analysis.label.clone(),
                variant: mean.variant.clone(),
                benchmark: "geometric mean".to_owned(),
                median: format::seconds(mean.time.value),
                interval: format::seconds_interval(&mean.time),
                covers: format::spread(mean.time.spread),
                times: String::new(),
                speed_up: speed_up(&mean.variant, None),
                note: String::new(),
                is_mean: true,
            });
        }
    }
    rows
}
