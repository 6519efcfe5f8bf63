//! The times that can be analysed, and those that cannot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Key, TaskSamples};
use crate::id::MachineId;

/// Times that an iteration can take, in seconds: from a picosecond to thirty thousand years.
/// Nothing that was ever measured lies outside, and inside no sum can overflow.
const POSSIBLE: std::ops::RangeInclusive<f64> = 1e-12..=1e12;

/// A series that was left out, as if the task lacked the benchmark: one of its times is not a
/// number that an iteration can take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Alias or instance type.
    pub label: String,
    /// 1-based number of the task among those of its type.
    pub number: u32,
    /// Variant.
    pub variant: String,
    /// Benchmark.
    pub benchmark: String,
}

/// What one task measured, as far as it can be used.
pub(super) struct Task<'a> {
    pub(super) number: u32,
    pub(super) machine: &'a MachineId,
    /// Never empty.
    pub(super) times: BTreeMap<Key, &'a [f64]>,
}

/// Tasks by label, in the order of their first, and what was left out.
pub(super) fn sort_out(tasks: &[TaskSamples]) -> (Vec<(&str, Vec<Task<'_>>)>, Vec<LeftOut>) {
    let mut by_label: Vec<(&str, Vec<Task<'_>>)> = Vec::new();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut left_out = Vec::new();
    for task in tasks {
        let place = *places.entry(&task.label).or_insert(by_label.len());
        if place == by_label.len() {
            by_label.push((&task.label, Vec::new()));
        }
        by_label[place].1.push(usable(task, &mut left_out));
    }
    (by_label, left_out)
}

fn usable<'a>(task: &'a TaskSamples, left_out: &mut Vec<LeftOut>) -> Task<'a> {
    let mut times = BTreeMap::new();
    for (variant, benchmarks) in &task.variants {
        for (benchmark, all) in benchmarks.iter().filter(|(_, all)| !all.is_empty()) {
            if all.iter().all(|time| POSSIBLE.contains(time)) {
                times.insert((variant.clone(), benchmark.clone()), all.as_slice());
            } else {
                left_out.push(LeftOut {
                    label: task.label.clone(),
                    number: task.number,
                    variant: variant.clone(),
                    benchmark: benchmark.clone(),
                });
            }
        }
    }
    Task { number: task.number, machine: &task.machine, times }
}
