//! One benchmark in one variant on one instance type, task by task.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Key;
use super::components::{Components, TaskNoise};
use super::flags::{self, Flag};
use super::interval::Estimate;
use super::order::{deviation, mean, quantile, sorted};
use super::resample::{Generator, MedianDraw, effective_size};
use super::steady::{SteadyState, steady_state};
use super::usable::Task;
use crate::id::MachineId;

/// The standard error of a median of n normal values is this times σ/√n: √(π/2).
const MEDIAN_ERROR: f64 = 1.253_314_137_315_5;

/// One task's part of a series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskSeries {
    /// 1-based number of the task among those of its type.
    pub number: u32,
    /// Where it ran.
    pub machine: MachineId,
    /// How many times were measured.
    pub times: usize,
    /// How many independent times the steady ones are worth.
    pub effective_times: usize,
    /// Where they are steady.
    pub steady: SteadyState,
    /// Median of the steady times, in seconds.
    pub median: f64,
}

/// One benchmark in one variant on one instance type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Variant.
    pub variant: String,
    /// Benchmark.
    pub benchmark: String,
    /// Seconds per iteration: the median of each task's steady times, and the geometric mean of
    /// those over tasks and machines.
    pub time: Estimate,
    /// Whose the noise is.
    pub components: Components,
    /// Lower and upper quartile of all steady times, in seconds.
    pub quartiles: (f64, f64),
    /// Task by task.
    pub tasks: Vec<TaskSeries>,
    /// What is odd about it.
    pub flags: Vec<Flag>,
}

/// A series task by task, as it is before anything is drawn.
pub(super) struct Prepared {
    /// Absent where the task lacks the benchmark.
    parts: Vec<Option<Part>>,
}

struct Part {
    series: TaskSeries,
    /// The steady times.
    sorted: Vec<f64>,
    /// Logarithm of their median.
    value: f64,
    noise: TaskNoise,
    flags: Vec<Flag>,
}

impl Part {
    /// For times that are not empty.
    fn new(task: &Task<'_>, times: &[f64]) -> Self {
        let steady = steady_state(times);
        let used = &times[steady.start()..];
        let sorted = sorted(used);
        let median = quantile(&sorted, 0.5);
        let deviation = deviation(used, median);
        let size = effective_size(used, median);
        let error = (MEDIAN_ERROR * deviation / median).powi(2) / size as f64;
        Self {
            series: TaskSeries {
                number: task.number,
                machine: task.machine.clone(),
                times: times.len(),
                effective_times: size,
                steady,
                median,
            },
            value: median.ln(),
            noise: TaskNoise { error, times: used.len() as f64 },
            flags: flags::of_times(used, &sorted, deviation),
            sorted,
        }
    }
}

impl Prepared {
    pub(super) fn new(tasks: &[Task<'_>], key: &Key) -> Self {
        let part = |task: &Task<'_>| Some(Part::new(task, task.times.get(key)?));
        Self { parts: tasks.iter().map(part).collect() }
    }

    /// Which tasks have the benchmark.
    pub(super) fn mask(&self) -> Vec<bool> {
        self.parts.iter().map(Option::is_some).collect()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.parts.iter().all(Option::is_some)
    }

    /// Logarithm of the median of a task; NaN if it lacks the benchmark.
    pub(super) fn value(&self, task: usize) -> f64 {
        self.parts[task].as_ref().map_or(f64::NAN, |part| part.value)
    }

    pub(super) fn noise(&self, task: usize) -> TaskNoise {
        let unknown = TaskNoise { error: f64::NAN, times: f64::NAN };
        self.parts[task].as_ref().map_or(unknown, |part| part.noise)
    }

    /// How many independent times the task with the fewest has.
    pub(super) fn fewest_times(&self) -> usize {
        let sizes = self.parts.iter().flatten().map(|part| part.series.effective_times);
        sizes.min().unwrap_or(0)
    }

    /// Logarithms of resampled medians of the only task.
    pub(super) fn resampled_medians(&self, resamples: usize, rng: &mut Generator) -> Vec<f64> {
        let Some(part) = self.parts.iter().flatten().next() else { return Vec::new() };
        let draw = MedianDraw::new(&part.sorted, part.series.effective_times);
        (0..resamples).map(|_| draw.draw(rng).ln()).collect()
    }

    pub(super) fn describe(
        &self,
        (variant, benchmark): &Key,
        time: Estimate,
        components: Components,
    ) -> Series {
        let parts = || self.parts.iter().flatten();
        let all = sorted(&parts().flat_map(|part| part.sorted.iter().copied()).collect::<Vec<_>>());
        Series {
            variant: variant.clone(),
            benchmark: benchmark.clone(),
            time,
            components,
            quartiles: (quantile(&all, 0.25), quantile(&all, 0.75)),
            tasks: parts().map(|part| part.series.clone()).collect(),
            flags: self.flags(),
        }
    }

    fn flags(&self) -> Vec<Flag> {
        let parts = || self.parts.iter().flatten();
        let mut found = Vec::new();
        let unsteady = parts()
            .filter(|part| matches!(part.series.steady, SteadyState::NotReached { .. }))
            .count();
        if unsteady > 0 {
            found.push(Flag::NoSteadyState { tasks: unsteady });
        }
        let few = parts().filter(|part| part.series.steady == SteadyState::TooFew);
        if let Some(times) = few.map(|part| part.series.times).min() {
            found.push(Flag::FewTimes { times });
        }
        found.extend(flags::worst(parts().flat_map(|part| part.flags.clone())));
        let mut machines: BTreeMap<&MachineId, Vec<f64>> = BTreeMap::new();
        for part in parts() {
            machines.entry(&part.series.machine).or_default().push(part.value);
        }
        let machines: Vec<(MachineId, f64)> =
            machines.into_iter().map(|(machine, values)| (machine.clone(), mean(values))).collect();
        found.extend(flags::of_machines(&machines));
        found
    }
}
