//! Where a series of times becomes steady, if it does.
//!
//! The series is cut into at most 60 blocks of neighbours, each represented by its median, so
//! that single pauses do not count. Pettitt's rank test (1979) tells whether the level of
//! the blocks changes; if so, and if it also matters in size, what lies before is dropped and the
//! rest is looked at again. If less than half of the series would be left, there is no steady
//! state: that is a result, and is reported as one.

use serde::{Deserialize, Serialize};

use super::order::median;

/// Fewest times that a change can be looked for in.
const FEWEST: usize = 20;
/// Most blocks.
const BLOCKS: usize = 60;
/// A change is one only if chance makes it in fewer than this share of steady series …
const SIGNIFICANCE: f64 = 0.01;
/// … and if it moves the median by more than this share.
const TOLERANCE: f64 = 0.02;

/// What was found about a series of measured times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "found", rename_all = "snake_case")]
pub enum SteadyState {
    /// Steady from this time on, counted from 0; the statistics use these.
    Steady {
        /// First steady time.
        start: usize,
    },
    /// The level still changes in the second half. The statistics use that half, and every one
    /// who shows them must say so.
    NotReached {
        /// First time of the second half.
        start: usize,
    },
    /// Too few times to tell; the statistics use all of them.
    TooFew,
}

impl SteadyState {
    /// The first time that the statistics use.
    pub fn start(self) -> usize {
        match self {
            Self::Steady { start } | Self::NotReached { start } => start,
            Self::TooFew => 0,
        }
    }
}

/// Finds the steady state of times in the order they were taken.
pub fn steady_state(times: &[f64]) -> SteadyState {
    if times.len() < FEWEST {
        return SteadyState::TooFew;
    }
    let size = times.len().div_ceil(BLOCKS);
    let blocks: Vec<f64> = times.chunks(size).map(median).collect();
    let mut start = 0;
    while let Some(change) = level_change(&blocks[start..]) {
        start += change;
        if start > blocks.len() / 2 {
            return SteadyState::NotReached { start: times.len() / 2 };
        }
    }
    SteadyState::Steady { start: start * size }
}

/// Pettitt's test: the chance that blocks without a change of level look as if they had one.
pub(super) fn chance_of_no_change(blocks: &[f64]) -> f64 {
    let count = blocks.len() as f64;
    let mut statistic = 0i64;
    let mut most = 0i64;
    for &block in blocks {
        // U(t) = U(t-1) + Σ_j sign(x_t - x_j), Pettitt's recursion.
        statistic += blocks
            .iter()
            .map(|&other| i64::from(block > other) - i64::from(block < other))
            .sum::<i64>();
        most = most.max(statistic.abs());
    }
    let chance = 2.0 * (-6.0 * (most as f64).powi(2) / (count.powi(3) + count.powi(2))).exp();
    chance.min(1.0)
}

/// The most likely change of level, if there is one that counts: the number of blocks before it.
fn level_change(blocks: &[f64]) -> Option<usize> {
    if chance_of_no_change(blocks) >= SIGNIFICANCE {
        return None;
    }
    // Ranks show that there is a change but not exactly where: that is the cut that leaves the
    // least distance from the medians of both sides.
    let distance = |part: &[f64]| {
        let middle = median(part);
        part.iter().map(|block| (block - middle).abs()).sum::<f64>()
    };
    let left = |place: &usize| distance(&blocks[..*place]) + distance(&blocks[*place..]);
    let place = (1..blocks.len()).min_by(|a, b| left(a).total_cmp(&left(b)))?;
    let (before, after) = (median(&blocks[..place]), median(&blocks[place..]));
    ((after / before - 1.0).abs() > TOLERANCE).then_some(place)
}

#[cfg(test)]
mod tests {
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Times around `level(i)` with uniform noise of ±`noise`.
    fn series(seed: u64, count: usize, noise: f64, level: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        (0..count).map(|i| level(i) * (1.0 + noise * rng.random_range(-1.0..1.0))).collect()
    }

    #[test]
    fn level_series_are_steady_from_the_start() {
        let found = (0..200)
            .filter(|&seed| {
                let times = series(seed, 500, 0.1, |_| 1.0);
                steady_state(&times) == SteadyState::Steady { start: 0 }
            })
            .count();
        assert!(found >= 196, "{found} of 200");
    }

    #[test]
    fn a_slow_start_is_cut_off_near_its_end() {
        for seed in 0..20 {
            let times = series(seed, 600, 0.05, |i| if i < 150 { 1.5 } else { 1.0 });
            let SteadyState::Steady { start } = steady_state(&times) else { panic!("seed {seed}") };
            assert!((140..=170).contains(&start), "seed {seed}: {start}");
        }
    }

    #[test]
    fn a_late_change_or_a_drift_is_no_steady_state() {
        for seed in 0..20 {
            let late = series(seed, 600, 0.05, |i| if i < 480 { 1.0 } else { 1.3 });
            let drift = series(seed, 600, 0.02, |i| 1.0 + i as f64 / 600.0);
            for times in [late, drift] {
                assert_eq!(steady_state(&times), SteadyState::NotReached { start: 300 });
            }
        }
    }

    #[test]
    fn single_pauses_and_tiny_changes_do_not_count() {
        let pauses = series(1, 600, 0.05, |i| if i % 50 == 0 { 20.0 } else { 1.0 });
        let tiny = series(2, 5000, 0.001, |i| if i < 1000 { 1.01 } else { 1.0 });
        for times in [pauses, tiny, vec![1.0; 100]] {
            assert_eq!(steady_state(&times), SteadyState::Steady { start: 0 });
        }
    }

    #[test]
    fn few_times_say_nothing() {
        assert_eq!(steady_state(&[]), SteadyState::TooFew);
        assert_eq!(steady_state(&[1.0; 19]), SteadyState::TooFew);
    }
}
