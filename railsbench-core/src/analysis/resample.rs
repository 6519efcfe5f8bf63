//! Drawing from the levels: machine → task → iteration.
//!
//! What is drawn is the highest level that has more than one unit, each unit with all that is
//! below it: machines, or tasks of the only machine, or iterations of the only task. Drawing
//! the lower levels once more would count them twice, as each unit's mean has their noise in
//! it (A. Davison, D. Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8).
//!
//! Drawing thousands of iterations thousands of times is slow and needless, as only the median
//! of each draw is used. The k-th smallest of m uniform numbers has the Beta(k, m + 1 - k)
//! distribution, so one Beta number says where in the sorted times the median of a draw of m
//! lies: the same distribution, exactly, at a cost that does not depend on m.

use std::collections::BTreeMap;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt};
use rand_distr::{Beta, Distribution as _};

use super::interval::Spread;
use crate::id::MachineId;

/// The generator of every simulation here: named, so that a seed gives the same figures in
/// every release.
pub(super) type Generator = Xoshiro256PlusPlus;

/// The start of the random numbers of one type: the run's, and its label's own (FNV-1a), so
/// that neither the other types nor their order have a part in its figures.
pub(super) fn stream(seed: u64, label: &str) -> u64 {
    label.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Neighbouring iterations are looked at for similarity up to this distance.
const FARTHEST: usize = 500;

/// How many independent times these are worth for their median `middle`. Neighbours that resemble each
/// other (a slow second, a shared collection) say less than as many independent ones; whether
/// each lies above the median is a series of yes and no whose autocorrelation gives the factor.
/// It is summed over its initial positive pairs (Geyer, 1992), up to the first pair that
/// independent times could have by chance.
pub(super) fn effective_size(times: &[f64], middle: f64) -> usize {
    let sides: Vec<f64> = times
        .iter()
        .map(|&time| f64::from(i8::from(time > middle) - i8::from(time < middle)))
        .collect();
    let count = sides.len();
    let centre = sides.iter().sum::<f64>() / count as f64;
    let total: f64 = sides.iter().map(|side| (side - centre).powi(2)).sum();
    if total <= 0.0 {
        return count;
    }
    let correlation = |lag: usize| {
        let pairs = sides.iter().zip(&sides[lag..]);
        pairs.map(|(a, b)| (a - centre) * (b - centre)).sum::<f64>() / total
    };
    let farthest = (count / 3).min(FARTHEST);
    let chance = 2.0 * (2.0 / count as f64).sqrt();
    let mut sum = 0.0;
    for lag in (1..farthest).step_by(2) {
        let pair = correlation(lag) + correlation(lag + 1);
        if pair <= chance {
            break;
        }
        sum += pair;
    }
    // In range: the divisor is at least 1.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let size = (count as f64 / (1.0 + 2.0 * sum)).round() as usize;
    size.clamp(1, count.max(1))
}

/// Draws medians of resamples of one task's steady times.
pub(super) struct MedianDraw<'a> {
    sorted: &'a [f64],
    /// Size of each resample.
    size: usize,
    /// Where its lower middle lies; absent if the resample has one value.
    middle: Option<Beta<f64>>,
}

impl<'a> MedianDraw<'a> {
    /// For sorted times, not empty, that are worth `size` independent ones.
    pub(super) fn new(sorted: &'a [f64], size: usize) -> Self {
        let rank = size.div_ceil(2) as f64;
        let middle = if size > 1 { Beta::new(rank, size as f64 + 1.0 - rank).ok() } else { None };
        Self { sorted, size, middle }
    }

    /// The median of one resample.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> f64 {
        let place = match &self.middle {
            Some(beta) => beta.sample(rng),
            None => rng.random(),
        };
        let low = self.at(place);
        if self.size % 2 == 1 {
            return low;
        }
        // The next of an even number is the least of the size/2 uniform numbers above `place`.
        let least = 1.0 - rng.random::<f64>().powf(2.0 / self.size as f64);
        f64::midpoint(low, self.at(place + (1.0 - place) * least))
    }

    fn at(&self, place: f64) -> f64 {
        // In range: place is at least 0, and the index is limited.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let index = (place * self.sorted.len() as f64) as usize;
        self.sorted[index.min(self.sorted.len() - 1)]
    }
}

/// Which of some tasks ran on which machine.
#[derive(Debug)]
pub(super) struct Levels {
    /// Indices of tasks, by machine.
    machines: Vec<Vec<usize>>,
}

impl Levels {
    /// From the machine of each task, by the task's index; not empty.
    pub(super) fn new<'a>(tasks: impl Iterator<Item = (usize, &'a MachineId)>) -> Self {
        let mut machines: BTreeMap<&MachineId, Vec<usize>> = BTreeMap::new();
        for (index, machine) in tasks {
            machines.entry(machine).or_default().push(index);
        }
        Self { machines: machines.into_values().collect() }
    }

    pub(super) fn machines(&self) -> &[Vec<usize>] {
        &self.machines
    }

    pub(super) fn task_count(&self) -> usize {
        self.machines.iter().map(Vec::len).sum()
    }

    /// What a value of all these tasks covers.
    pub(super) fn spread(&self) -> Spread {
        match (self.machines.len(), self.task_count()) {
            (1, 1) => Spread::WithinProcess,
            (1, tasks) => Spread::WithinMachine { tasks },
            (instances, _) => Spread::AcrossMachines { instances },
        }
    }

    /// The mean over machines of the mean over tasks of a value of each task: every machine
    /// counts the same, however many tasks it ran.
    pub(super) fn mean(&self, value: impl Fn(usize) -> f64) -> f64 {
        let machines = self
            .machines
            .iter()
            .map(|tasks| super::order::mean(tasks.iter().map(|&task| value(task))));
        super::order::mean(machines)
    }

    /// The values of the highest level that has more than one unit: of machines, or else of
    /// tasks. Empty if there is one task.
    pub(super) fn units(&self, value: impl Fn(usize) -> f64) -> Vec<f64> {
        match self.machines.as_slice() {
            [tasks] if tasks.len() > 1 => tasks.iter().map(|&task| value(task)).collect(),
            [_] => Vec::new(),
            machines => machines
                .iter()
                .map(|tasks| super::order::mean(tasks.iter().map(|&task| value(task))))
                .collect(),
        }
    }
}

/// Draws units with replacement, `count` of `count`, and hands their indices on, so that one
/// draw serves all the values that were measured on the same units.
pub(super) fn draw_units(count: usize, rng: &mut impl Rng) -> Vec<usize> {
    (0..count).map(|_| rng.random_range(0..count)).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::super::order::{median, sorted};
    use super::*;

    /// The one-number draw and the plain one have the same distribution.
    #[test]
    fn the_short_way_draws_what_the_long_way_draws() {
        let mut rng = Generator::seed_from_u64(7);
        for count in [5usize, 8] {
            let times: Vec<f64> =
                (0..count).map(|i| [3.0, 1.0, 7.0, 2.0, 9.0, 5.0, 8.0, 4.0][i]).collect();
            let values = sorted(&times);
            let draw = MedianDraw::new(&values, count);
            let rounds = 40_000;
            let short = sorted(&(0..rounds).map(|_| draw.draw(&mut rng)).collect::<Vec<_>>());
            let long = sorted(
                &(0..rounds)
                    .map(|_| {
                        let drawn: Vec<f64> =
                            times.iter().map(|_| times[rng.random_range(0..count)]).collect();
                        median(&drawn)
                    })
                    .collect::<Vec<_>>(),
            );
            // The largest distance of the two distribution functions; 0.0136 is its 0.1 % point.
            let below = |values: &[f64], x: f64| values.partition_point(|&v| v <= x) as f64;
            let farthest = times
                .iter()
                .flat_map(|&a| times.iter().map(move |&b| f64::midpoint(a, b)))
                .map(|x| (below(&short, x) - below(&long, x)).abs() / f64::from(rounds))
                .fold(0.0, f64::max);
            assert!(farthest < 0.0136, "{count}: {farthest}");
        }
    }

    #[test]
    fn neighbours_that_resemble_each_other_count_less() {
        let mut rng = Generator::seed_from_u64(3);
        let independent: Vec<f64> = (0..2000).map(|_| rng.random::<f64>()).collect();
        let size = effective_size(&independent, 0.5);
        assert!((1800..=2000).contains(&size), "{size}");
        // Every time taken ten times over is worth the tenth part.
        let repeated: Vec<f64> = independent.iter().take(200).flat_map(|&t| [t; 10]).collect();
        let size = effective_size(&repeated, median(&repeated));
        assert!((120..=320).contains(&size), "{size}");
        assert_eq!(effective_size(&[1.0; 50], 1.0), 50);
    }

    #[test]
    fn units_are_of_the_highest_level_that_varies() {
        let (a, b) = (MachineId::new("a").unwrap(), MachineId::new("b").unwrap());
        let levels = |machines: &[&MachineId]| {
            Levels::new(machines.iter().enumerate().map(|(index, machine)| (index, *machine)))
        };
        let value = |task: usize| task as f64;
        assert_eq!(levels(&[&a, &b, &a]).units(value), [1.0, 1.0]);
        assert_eq!(levels(&[&a, &a]).units(value), [0.0, 1.0]);
        assert!(levels(&[&a]).units(value).is_empty());
        let all = levels(&[&a, &b, &a, &a]);
        // Machine a: (0 + 2 + 3) / 3; machine b: 1.
        let mean = all.mean(value);
        assert!((mean - f64::midpoint(5.0 / 3.0, 1.0)).abs() < 1e-12);
    }
}
