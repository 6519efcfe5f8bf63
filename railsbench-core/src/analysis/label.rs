//! One instance type: its benchmarks, their geometric mean, and its variants against each other.

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use serde::{Deserialize, Serialize};

use super::flags::{self, Flag};
use super::interval::{Estimate, Sampled, Spread};
use super::order::{median, quantile, sorted};
use super::resample::{Generator, Levels, MedianDraw};
use super::steady::{SteadyState, steady_state};
use super::{Settings, TaskSamples};
use crate::id::MachineId;

/// Fewest independent times that the percentiles of a median can be taken from: of 5, all lie
/// on one side of it too often.
const FEWEST: usize = 6;

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
    /// Lower and upper quartile of all steady times, in seconds.
    pub quartiles: (f64, f64),
    /// Task by task.
    pub tasks: Vec<TaskSeries>,
    /// What is odd about it.
    pub flags: Vec<Flag>,
}

/// Geometric mean of the times of a variant's benchmarks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GeometricMean {
    /// Variant.
    pub variant: String,
    /// Seconds per iteration.
    pub time: Estimate,
    /// The benchmarks in it: those that every task has.
    pub benchmarks: Vec<String>,
}

/// One variant against the slowest-known one, on the same machines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpeedUp {
    /// Variant.
    pub variant: String,
    /// Compared with which.
    pub over: String,
    /// Benchmark; absent for the geometric mean of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benchmark: Option<String>,
    /// Speed relative to it: 1.5 is 50 % faster. Both ran in every task, so the difference of
    /// machines cancels out.
    pub speed: Estimate,
}

/// One instance type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelAnalysis {
    /// Alias or instance type.
    pub label: String,
    /// How many machines it ran on.
    pub machines: usize,
    /// How many tasks it ran.
    pub tasks: usize,
    /// Its benchmarks by variant, then benchmark.
    pub series: Vec<Series>,
    /// Over the benchmarks, by variant.
    pub geometric_means: Vec<GeometricMean>,
    /// Of its variants over the first of them.
    pub speed_ups: Vec<SpeedUp>,
}

/// Variant and benchmark.
pub(super) type Key = (String, String);

/// Resamples of one type, for comparing it with others.
pub(super) struct LabelSamples {
    /// Those that every task has; all drawn together.
    pub(super) complete: BTreeMap<Key, Sampled>,
}

/// A series before its resampling.
struct Prepared {
    /// By task: what to draw from; absent where the task lacks the benchmark.
    draws: Vec<Option<MedianDraw>>,
    medians: Vec<f64>,
}

impl Prepared {
    fn mask(&self) -> Vec<bool> {
        self.draws.iter().map(Option::is_some).collect()
    }
}

/// Analyses the tasks of one type. `stream` sets its random numbers apart from other types'.
pub(super) fn analyse(
    label: &str,
    tasks: &[&TaskSamples],
    stream: u64,
    settings: &Settings,
) -> (LabelAnalysis, LabelSamples) {
    let keys: BTreeSet<Key> = tasks
        .iter()
        .flat_map(|task| &task.variants)
        .flat_map(|(variant, benchmarks)| {
            benchmarks.keys().map(|benchmark| (variant.clone(), benchmark.clone()))
        })
        .collect();
    let mut series = Vec::new();
    let mut prepared: BTreeMap<Key, Prepared> = BTreeMap::new();
    for key in keys {
        let (part, one) = prepare(tasks, &key);
        if !part.is_empty() {
            series.push((key.clone(), part));
            prepared.insert(key, one);
        }
    }
    let mut sampled: BTreeMap<Key, Sampled> = BTreeMap::new();
    let masks: BTreeSet<Vec<bool>> = prepared.values().map(Prepared::mask).collect();
    for mask in masks {
        let group: Vec<(&Key, &Prepared)> =
            prepared.iter().filter(|(_, one)| one.mask() == mask).collect();
        let levels = Levels::new(
            (0..tasks.len()).filter(|&task| mask[task]).map(|task| (task, &tasks[task].machine)),
        );
        let mut rng = Generator::seed_from_u64(settings.seed ^ stream.rotate_left(32));
        sampled.extend(resample(&levels, &group, settings.resamples, &mut rng));
    }
    let machines: BTreeSet<&MachineId> = tasks.iter().map(|task| &task.machine).collect();
    let series = series
        .into_iter()
        .filter_map(|(key, parts)| {
            let time = sampled.get(&key)?.estimate(settings.confidence);
            Some(describe(tasks, key, time, parts))
        })
        .collect();
    let complete: BTreeMap<Key, Sampled> = sampled
        .into_iter()
        .filter(|(key, _)| prepared[key].draws.iter().all(Option::is_some))
        .collect();
    let analysis = LabelAnalysis {
        label: label.to_owned(),
        machines: machines.len(),
        tasks: tasks.len(),
        series,
        geometric_means: geometric_means(&complete, settings.confidence),
        speed_ups: speed_ups(&complete, settings.confidence),
    };
    (analysis, LabelSamples { complete })
}

/// Steady state and median of each task that has the benchmark.
fn prepare(tasks: &[&TaskSamples], key: &Key) -> (Vec<TaskSeries>, Prepared) {
    let mut parts = Vec::new();
    let mut prepared = Prepared { draws: Vec::new(), medians: Vec::new() };
    for task in tasks {
        let times = task.times(key);
        if times.is_empty() {
            prepared.draws.push(None);
            prepared.medians.push(f64::NAN);
            continue;
        }
        let steady = steady_state(times);
        let used = &times[steady.start()..];
        let draw = MedianDraw::new(used);
        let median = median(used);
        parts.push(TaskSeries {
            number: task.number,
            machine: task.machine.clone(),
            times: times.len(),
            effective_times: draw.size(),
            steady,
            median,
        });
        prepared.draws.push(Some(draw));
        prepared.medians.push(median.ln());
    }
    (parts, prepared)
}

/// Draws machines and tasks once per resample for all series together, so that what a machine
/// does to one benchmark it does to all.
fn resample(
    levels: &Levels,
    group: &[(&Key, &Prepared)],
    resamples: usize,
    rng: &mut Generator,
) -> Vec<(Key, Sampled)> {
    let spread = match (levels.machines().len(), levels.task_count()) {
        (1, 1) => Spread::WithinProcess,
        (1, tasks) => Spread::WithinMachine { tasks },
        (instances, _) => Spread::AcrossMachines { instances },
    };
    let mut all: Vec<(Key, Sampled)> = group
        .iter()
        .map(|(key, one)| {
            let median = |task: usize| one.medians[task];
            let sampled = Sampled {
                point: Levels::mean(levels.machines(), median),
                groups: vec![levels.units(median)],
                replicates: Vec::with_capacity(resamples),
                spread,
                enough: one.draws.iter().flatten().all(|draw| draw.size() >= FEWEST),
            };
            ((*key).clone(), sampled)
        })
        .collect();
    for _ in 0..resamples {
        let drawn = levels.draw(rng);
        for ((_, one), (_, sampled)) in group.iter().zip(&mut all) {
            let replicate = Levels::mean(&drawn, |task| {
                one.draws[task].as_ref().map_or(f64::NAN, |draw| draw.draw(rng).ln())
            });
            sampled.replicates.push(replicate);
        }
    }
    all
}

fn describe(tasks: &[&TaskSamples], key: Key, time: Estimate, parts: Vec<TaskSeries>) -> Series {
    let steady: Vec<&[f64]> = tasks
        .iter()
        .map(|task| task.times(&key))
        .filter(|times| !times.is_empty())
        .zip(&parts)
        .map(|(times, part)| &times[part.steady.start()..])
        .collect();
    let all = sorted(&steady.concat());
    let mut found = Vec::new();
    let unsteady =
        parts.iter().filter(|part| matches!(part.steady, SteadyState::NotReached { .. })).count();
    if unsteady > 0 {
        found.push(Flag::NoSteadyState { tasks: unsteady });
    }
    let few = parts.iter().filter(|part| part.steady == SteadyState::TooFew);
    if let Some(times) = few.map(|part| part.times).min() {
        found.push(Flag::FewTimes { times });
    }
    found.extend(flags::worst(steady.iter().flat_map(|times| flags::of_times(times))));
    let mut machines: BTreeMap<&MachineId, Vec<f64>> = BTreeMap::new();
    for part in &parts {
        machines.entry(&part.machine).or_default().push(part.median.ln());
    }
    let machines: Vec<(MachineId, f64)> = machines
        .into_iter()
        .map(|(machine, values)| (machine.clone(), super::order::mean(values)))
        .collect();
    found.extend(flags::of_machines(&machines));
    let (variant, benchmark) = key;
    let quartiles = (quantile(&all, 0.25), quantile(&all, 0.75));
    Series { variant, benchmark, time, quartiles, tasks: parts, flags: found }
}

fn variants(complete: &BTreeMap<Key, Sampled>) -> BTreeSet<&String> {
    complete.keys().map(|(variant, _)| variant).collect()
}

fn geometric_means(complete: &BTreeMap<Key, Sampled>, confidence: f64) -> Vec<GeometricMean> {
    let of_variant = |variant: &String| {
        let members: Vec<(&Key, &Sampled)> =
            complete.iter().filter(|((other, _), _)| other == variant).collect();
        let samples: Vec<&Sampled> = members.iter().map(|(_, sampled)| *sampled).collect();
        Some(GeometricMean {
            variant: variant.clone(),
            time: Sampled::mean(&samples)?.estimate(confidence),
            benchmarks: members.iter().map(|((_, benchmark), _)| benchmark.clone()).collect(),
        })
    };
    variants(complete).into_iter().filter_map(of_variant).collect()
}

/// Every variant over the first by name: `yjit` over `interp`.
fn speed_ups(complete: &BTreeMap<Key, Sampled>, confidence: f64) -> Vec<SpeedUp> {
    let variants = variants(complete);
    let Some(over) = variants.first() else { return Vec::new() };
    let mut found = Vec::new();
    for variant in variants.iter().skip(1) {
        let mut all = Vec::new();
        for ((_, benchmark), slow) in complete.iter().filter(|((name, _), _)| name == *over) {
            let Some(fast) = complete.get(&((*variant).clone(), benchmark.clone())) else {
                continue;
            };
            all.push((benchmark.clone(), slow.minus_paired(fast)));
        }
        let samples: Vec<&Sampled> = all.iter().map(|(_, sampled)| sampled).collect();
        let mean = Sampled::mean(&samples).map(|mean| (None, mean));
        let each = all.iter().map(|(benchmark, one)| (Some(benchmark.clone()), one.clone()));
        found.extend(mean.into_iter().chain(each).map(|(benchmark, sampled)| SpeedUp {
            variant: (*variant).clone(),
            over: (*over).clone(),
            benchmark,
            speed: sampled.estimate(confidence),
        }));
    }
    found
}
