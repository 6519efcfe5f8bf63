//! Fewer points for the plots, without hiding what is odd.
//!
//! A time series keeps the least, middle and greatest time of every bucket of neighbours, so
//! each spike stays. A distribution keeps evenly spaced quantiles and both extremes.

use railsbench_core::analysis::{quantile, sorted};

/// Points of all time series of a report together, and bounds for each.
const SERIES_POINTS: usize = 30_000;
const SERIES_BOUNDS: (usize, usize) = (40, 200);
/// Dots of all distributions of a report together, and bounds for each.
const DOTS: usize = 4_000;
const DOT_BOUNDS: (usize, usize) = (20, 150);
/// Most tasks that are drawn of one series.
pub(super) const MOST_TASKS: usize = 12;

/// How many points may be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Budget {
    pub(super) points: usize,
    pub(super) dots: usize,
}

impl Budget {
    /// For a report of so many series and so many task series in all.
    pub(super) fn for_report(series: usize, task_series: usize) -> Self {
        Self {
            points: (SERIES_POINTS / task_series.max(1)).clamp(SERIES_BOUNDS.0, SERIES_BOUNDS.1),
            dots: (DOTS / series.max(1)).clamp(DOT_BOUNDS.0, DOT_BOUNDS.1),
        }
    }
}

/// What is drawn of one benchmark in one variant on one type.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SeriesPlot {
    pub(super) label: String,
    pub(super) variant: String,
    pub(super) benchmark: String,
    /// How many measured times there are.
    pub(super) times: usize,
    /// Steady times in order of size, thinned.
    pub(super) dots: Vec<f64>,
    /// 5 %, 25 %, 50 %, 75 % and 95 % of the steady times.
    pub(super) quantiles: [f64; 5],
    /// The first tasks.
    pub(super) tasks: Vec<TaskPlot>,
    /// How many tasks there are.
    pub(super) task_count: usize,
}

/// One task of a series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TaskPlot {
    /// In order. Warm-up has negative numbers, so that measuring starts at 0.
    pub(super) points: Vec<Point>,
    pub(super) warmup: usize,
    pub(super) times: usize,
    /// First steady time.
    pub(super) steady_from: usize,
}

/// One time, or a bucket of neighbours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// Number of the (middle) iteration.
    pub(super) iteration: i64,
    /// Shortest, in seconds.
    pub(super) least: f64,
    /// Median.
    pub(super) middle: f64,
    /// Longest.
    pub(super) greatest: f64,
}

impl TaskPlot {
    pub(super) fn new(warmup: &[f64], bench: &[f64], steady_from: usize, points: usize) -> Self {
        let size = (warmup.len() + bench.len()).div_ceil(points.max(1)).max(1);
        let offset = i64::try_from(warmup.len()).unwrap_or(0);
        let mut all = buckets(-offset, warmup, size);
        all.extend(buckets(0, bench, size));
        Self { points: all, warmup: warmup.len(), times: bench.len(), steady_from }
    }
}

/// Buckets of `size` neighbours, the first of them numbered `first`.
fn buckets(first: i64, times: &[f64], size: usize) -> Vec<Point> {
    let width = i64::try_from(size).unwrap_or(1);
    times
        .chunks(size)
        .zip(0i64..)
        .map(|(bucket, index)| {
            let values = sorted(bucket);
            Point {
                iteration: first + index * width + i64::try_from(bucket.len() / 2).unwrap_or(0),
                least: quantile(&values, 0.0),
                middle: quantile(&values, 0.5),
                greatest: quantile(&values, 1.0),
            }
        })
        .collect()
}

/// The steady times of a series for its distribution: dots and quantiles.
pub(super) fn distribution(steady: &[f64], limit: usize) -> (Vec<f64>, [f64; 5]) {
    let values = sorted(steady);
    let quantiles = [0.05, 0.25, 0.5, 0.75, 0.95].map(|p| quantile(&values, p));
    if values.len() <= limit {
        return (values, quantiles);
    }
    let last = values.len() - 1;
    let dots = (0..limit).map(|i| values[i * last / (limit - 1)]).collect();
    (dots, quantiles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_among_thousands_stays() {
        let mut times = vec![1.0; 5000];
        times[3333] = 9.0;
        let plot = TaskPlot::new(&[3.0, 2.0], &times, 0, 200);
        assert!((190..=210).contains(&plot.points.len()), "{}", plot.points.len());
        let spikes: Vec<&Point> = plot.points.iter().filter(|point| point.greatest > 8.0).collect();
        assert_eq!(spikes.len(), 1);
        assert!((spikes[0].middle - 1.0).abs() < 1e-12);
        assert!((spikes[0].iteration - 3333).abs() <= 26, "{spikes:?}");
        assert_eq!(plot.points[0].iteration, -1);
        assert!(plot.points.is_sorted_by_key(|point| point.iteration));
    }

    #[test]
    fn short_series_are_kept_whole() {
        let plot = TaskPlot::new(&[], &[1.0, 2.0], 0, 200);
        let kept: Vec<(i64, f64)> =
            plot.points.iter().map(|point| (point.iteration, point.middle)).collect();
        assert_eq!(kept, [(0, 1.0), (1, 2.0)]);
    }

    #[test]
    fn dots_keep_both_extremes() {
        let values: Vec<f64> = (0..5000).map(f64::from).collect();
        let (dots, quantiles) = distribution(&values, 100);
        assert_eq!(dots.len(), 100);
        assert!(dots.contains(&0.0) && dots.contains(&4999.0));
        assert!((quantiles[2] - 2499.5).abs() < 1e-9);
    }
}
