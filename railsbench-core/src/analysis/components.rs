//! How much of the noise is whose: the machines', the tasks' or the iterations'.

use serde::{Deserialize, Serialize};

use super::order::{mean, variance};
use super::resample::Levels;

/// What each level adds of its own, as a standard deviation of the logarithm: 0.05 is about
/// 5 %. A level that was not repeated is unknown, and what it adds is then part of the level
/// above.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Components {
    /// Between machines of the type; absent if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<f64>,
    /// Between tasks on one machine; absent if no machine ran two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<f64>,
    /// Of one iteration, as far as it moves the median of many: neighbours that resemble each
    /// other make it larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iteration: Option<f64>,
}

/// What is known of one task's figure.
#[derive(Debug, Clone, Copy)]
pub(super) struct TaskNoise {
    /// Squared standard error of the logarithm of its median.
    pub(super) error: f64,
    /// How many steady times that median is of.
    pub(super) times: f64,
}

impl TaskNoise {
    /// Of the mean over several benchmarks of one task.
    pub(super) fn of_mean(parts: impl Iterator<Item = Self> + Clone) -> Self {
        let count = parts.clone().count() as f64;
        Self {
            error: mean(parts.clone().map(|part| part.error)) / count,
            times: mean(parts.map(|part| part.times)),
        }
    }
}

/// The components by the method of moments, for any numbers of tasks per machine: the mean
/// squares are set equal to what is expected of them, and what would be negative is 0
/// (S. Searle, G. Casella, C. McCulloch, "Variance Components", 1992, chapter 3).
pub(super) fn estimate(
    levels: &Levels,
    value: impl Fn(usize) -> f64,
    noise: impl Fn(usize) -> TaskNoise,
) -> Components {
    let machines = levels.machines();
    let tasks = || machines.iter().flatten().copied();
    let of_times = mean(tasks().map(|task| noise(task).error));
    let iteration = mean(tasks().map(|task| noise(task).error * noise(task).times));
    let (mut within, mut degrees) = (0.0, 0usize);
    for tasks in machines.iter().filter(|tasks| tasks.len() > 1) {
        let values: Vec<f64> = tasks.iter().map(|&task| value(task)).collect();
        within += variance(&values) * (values.len() - 1) as f64;
        degrees += values.len() - 1;
    }
    let within = (degrees > 0).then(|| within / degrees as f64);
    let means: Vec<f64> =
        machines.iter().map(|tasks| mean(tasks.iter().map(|&task| value(task)))).collect();
    let between = (means.len() > 1).then(|| {
        let of_tasks = mean(machines.iter().map(|tasks| 1.0 / tasks.len() as f64));
        variance(&means) - within.map_or(0.0, |within| within * of_tasks)
    });
    let deviation = |variance: f64| variance.max(0.0).sqrt();
    Components {
        machine: between.map(deviation),
        task: within.map(|within| deviation(within - of_times)),
        iteration: iteration.is_finite().then(|| deviation(iteration)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::MachineId;

    fn levels(machines: &[usize]) -> Levels {
        let names: Vec<MachineId> = machines
            .iter()
            .enumerate()
            .flat_map(|(machine, tasks)| {
                vec![MachineId::new(format!("m{machine}")).unwrap(); *tasks]
            })
            .collect();
        Levels::new(names.iter().enumerate())
    }

    const QUIET: TaskNoise = TaskNoise { error: 0.0, times: 1.0 };

    /// Machines at 0 and 4, their tasks 1 to either side. Within: (2 + 2)/2 = 2; between:
    /// 8 - 2/2 = 7.
    #[test]
    fn two_machines_of_two_tasks_by_hand() {
        let values = [-1.0, 1.0, 3.0, 5.0];
        let noise = TaskNoise { error: 0.5, times: 40.0 };
        let found = estimate(&levels(&[2, 2]), |task| values[task], |_| noise);
        assert!((found.machine.unwrap().powi(2) - 7.0).abs() < 1e-12, "{found:?}");
        assert!((found.task.unwrap().powi(2) - 1.5).abs() < 1e-12, "{found:?}");
        assert!((found.iteration.unwrap().powi(2) - 20.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn what_was_not_repeated_is_unknown() {
        let values = [1.0, 2.0];
        let value = |task: usize| values[task];
        let machines = estimate(&levels(&[1, 1]), value, |_| QUIET);
        assert_eq!((machines.task, machines.machine), (None, Some(0.5f64.sqrt())));
        let tasks = estimate(&levels(&[2]), value, |_| QUIET);
        assert_eq!((tasks.task, tasks.machine), (Some(0.5f64.sqrt()), None));
    }

    /// Tasks that differ more than the machines' means: nothing is left for the machines.
    #[test]
    fn no_level_takes_away() {
        let values = [-1.0, 1.0, -1.0, 1.0];
        let found = estimate(&levels(&[2, 2]), |task| values[task], |_| QUIET);
        assert_eq!(found.machine, Some(0.0));
    }
}
