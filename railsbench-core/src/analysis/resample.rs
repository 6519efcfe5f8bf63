//! Drawing from the levels: machine → task → iteration.
//!
//! Drawing thousands of iterations thousands of times is slow and needless, as only the median
//! of each draw is used. The k-th smallest of m uniform numbers has the Beta(k, m + 1 - k)
//! distribution, so one Beta number says where in the sorted times the median of a draw of m
//! lies: the same distribution, exactly, at a cost that does not depend on m.

use std::collections::BTreeMap;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt};
use rand_distr::{Beta, Distribution as _};

use super::order::{median, sorted};
use crate::id::MachineId;

/// The generator of every simulation here: named, so that a seed gives the same figures in
/// every release.
pub(super) type Generator = Xoshiro256PlusPlus;

/// Neighbouring iterations are looked at for similarity up to this distance.
const FARTHEST: usize = 500;

/// How many independent times these are worth for their median. Neighbours that resemble each
/// other (a slow second, a shared collection) say less than as many independent ones; whether
/// each lies above the median is a series of yes and no whose autocorrelation gives the factor.
/// It is summed over its initial positive pairs (Geyer, 1992), up to the first pair that
/// independent times could have by chance.
pub(super) fn effective_size(times: &[f64]) -> usize {
    let middle = median(times);
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
#[derive(Debug, Clone)]
pub(super) struct MedianDraw {
    sorted: Vec<f64>,
    /// Size of each resample.
    size: usize,
    /// Where its lower middle lies; absent if the resample has one value.
    middle: Option<Beta<f64>>,
}

impl MedianDraw {
    /// For steady times in the order they were taken; not empty.
    pub(super) fn new(times: &[f64]) -> Self {
        let size = effective_size(times);
        let rank = size.div_ceil(2) as f64;
        let middle = if size > 1 { Beta::new(rank, size as f64 + 1.0 - rank).ok() } else { None };
        Self { sorted: sorted(times), size, middle }
    }

    /// How many independent times the draw has.
    pub(super) fn size(&self) -> usize {
        self.size
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
#[derive(Debug, Clone)]
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

    /// Draws machines, and tasks of each, with replacement. A level with one unit is kept as
    /// it is: what cannot vary in the data does not vary in the draw.
    pub(super) fn draw(&self, rng: &mut impl Rng) -> Vec<Vec<usize>> {
        let count = self.machines.len();
        (0..count)
            .map(|_| {
                let tasks = &self.machines[rng.random_range(0..count)];
                tasks.iter().map(|_| tasks[rng.random_range(0..tasks.len())]).collect()
            })
            .collect()
    }

    /// The mean over machines of the mean over tasks of a value of each task: every machine
    /// counts the same, however many tasks it ran.
    pub(super) fn mean(levels: &[Vec<usize>], mut value: impl FnMut(usize) -> f64) -> f64 {
        let machines =
            levels.iter().map(|tasks| super::order::mean(tasks.iter().map(|&task| value(task))));
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

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// The one-number draw and the plain one have the same distribution.
    #[test]
    fn the_short_way_draws_what_the_long_way_draws() {
        let mut rng = Generator::seed_from_u64(7);
        for count in [5usize, 8] {
            let times: Vec<f64> =
                (0..count).map(|i| [3.0, 1.0, 7.0, 2.0, 9.0, 5.0, 8.0, 4.0][i]).collect();
            let draw = MedianDraw::new(&times);
            assert_eq!(draw.size(), count);
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
        let size = effective_size(&independent);
        assert!((1800..=2000).contains(&size), "{size}");
        // Every time taken ten times over is worth the tenth part.
        let repeated: Vec<f64> = independent.iter().take(200).flat_map(|&t| [t; 10]).collect();
        let size = effective_size(&repeated);
        assert!((120..=320).contains(&size), "{size}");
        assert_eq!(effective_size(&[1.0; 50]), 50);
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
        let mean = Levels::mean(all.machines(), value);
        assert!((mean - f64::midpoint(5.0 / 3.0, 1.0)).abs() < 1e-12);
    }
}
