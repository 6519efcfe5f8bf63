//! One instance type: its benchmarks, their geometric mean, and its variants against each other.

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use serde::{Deserialize, Serialize};

use super::components::{self, Components, TaskNoise};
use super::interval::Estimate;
use super::order::mean;
use super::resample::{Generator, Levels, draw_units, stream};
use super::sampled::{Group, MANY, Sampled};
use super::series::{Prepared, Series};
use super::usable::Task;
use super::{Key, Settings};
use crate::id::MachineId;

/// Geometric mean of the times of a variant's benchmarks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GeometricMean {
    /// Variant.
    pub variant: String,
    /// Seconds per iteration.
    pub time: Estimate,
    /// Whose the noise is; with [`super::plan`], how much to repeat.
    pub components: Components,
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

/// Resamples of one type, for comparing it with others.
pub(super) struct LabelSamples {
    /// Those that every task has; all drawn together.
    pub(super) complete: BTreeMap<Key, Sampled>,
}

/// Analyses the tasks of one type.
pub(super) fn analyse(
    label: &str,
    tasks: &[Task<'_>],
    settings: &Settings,
) -> (LabelAnalysis, LabelSamples) {
    let keys: BTreeSet<&Key> = tasks.iter().flat_map(|task| task.times.keys()).collect();
    let prepared: BTreeMap<Key, Prepared> =
        keys.into_iter().map(|key| (key.clone(), Prepared::new(tasks, key))).collect();
    let mut sampled: BTreeMap<Key, Sampled> = BTreeMap::new();
    let mut components: BTreeMap<Key, Components> = BTreeMap::new();
    let masks: BTreeSet<Vec<bool>> = prepared.values().map(Prepared::mask).collect();
    for mask in masks {
        let group: Vec<(&Key, &Prepared)> =
            prepared.iter().filter(|(_, one)| one.mask() == mask).collect();
        let levels = levels(tasks, |task| mask[task]);
        let mut rng = Generator::seed_from_u64(stream(settings.seed, label));
        sampled.extend(resample(&levels, &group, settings.resamples, &mut rng));
        components.extend(group.iter().map(|(key, one)| {
            ((*key).clone(), components::estimate(&levels, |t| one.value(t), |t| one.noise(t)))
        }));
    }
    let series = prepared
        .iter()
        .filter_map(|(key, one)| {
            let time = sampled.get(key)?.estimate(settings.confidence);
            Some(one.describe(key, time, *components.get(key)?))
        })
        .collect();
    let complete: BTreeMap<Key, Sampled> =
        sampled.into_iter().filter(|(key, _)| prepared[key].is_complete()).collect();
    let machines: BTreeSet<&MachineId> = tasks.iter().map(|task| task.machine).collect();
    let all = levels(tasks, |_| true);
    let analysis = LabelAnalysis {
        label: label.to_owned(),
        machines: machines.len(),
        tasks: tasks.len(),
        series,
        geometric_means: geometric_means(&complete, &prepared, &all, settings.confidence),
        speed_ups: speed_ups(&complete, settings.confidence),
    };
    (analysis, LabelSamples { complete })
}

fn levels(tasks: &[Task<'_>], wanted: impl Fn(usize) -> bool) -> Levels {
    let tasks = tasks.iter().enumerate().filter(|(place, _)| wanted(*place));
    Levels::new(tasks.map(|(place, task)| (place, task.machine)))
}

/// Draws units once per resample for all series together, so that what a machine does to one
/// benchmark it does to all.
fn resample(
    levels: &Levels,
    group: &[(&Key, &Prepared)],
    resamples: usize,
    rng: &mut Generator,
) -> Vec<(Key, Sampled)> {
    let mut all: Vec<(Key, Sampled)> = group
        .iter()
        .map(|(key, one)| {
            let value = |task: usize| one.value(task);
            let units = levels.units(value);
            let times = one.fewest_times();
            let sampled = Sampled {
                point: levels.mean(value),
                groups: vec![Group { units, replicates: Vec::new(), times }],
                spread: levels.spread(),
            };
            ((*key).clone(), sampled)
        })
        .collect();
    let count = all.first().map_or(0, |(_, first)| first.groups[0].units.len());
    if count == 0 {
        for ((_, one), (_, sampled)) in group.iter().zip(&mut all) {
            sampled.groups[0].replicates = one.resampled_medians(resamples, rng);
        }
    } else if count >= MANY {
        for _ in 0..resamples {
            let drawn = draw_units(count, rng);
            for (_, sampled) in &mut all {
                let Group { units, replicates, .. } = &mut sampled.groups[0];
                replicates.push(mean(drawn.iter().map(|&unit| units[unit])));
            }
        }
    }
    all
}

fn variants(complete: &BTreeMap<Key, Sampled>) -> BTreeSet<&String> {
    complete.keys().map(|(variant, _)| variant).collect()
}

fn geometric_means(
    complete: &BTreeMap<Key, Sampled>,
    prepared: &BTreeMap<Key, Prepared>,
    levels: &Levels,
    confidence: f64,
) -> Vec<GeometricMean> {
    let of_variant = |variant: &String| {
        let members: Vec<(&Key, &Sampled)> =
            complete.iter().filter(|((other, _), _)| other == variant).collect();
        let samples: Vec<&Sampled> = members.iter().map(|(_, sampled)| *sampled).collect();
        let parts: Vec<&Prepared> = members.iter().map(|(key, _)| &prepared[*key]).collect();
        let value = |task: usize| mean(parts.iter().map(|part| part.value(task)));
        let noise = |task: usize| TaskNoise::of_mean(parts.iter().map(|part| part.noise(task)));
        Some(GeometricMean {
            variant: variant.clone(),
            time: Sampled::mean(&samples)?.estimate(confidence),
            components: components::estimate(levels, value, noise),
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
