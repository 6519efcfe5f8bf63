//! How often the analysis is right about campaigns whose truth is known.

use railsbench_core::analysis::{Analysis, Estimate, Settings, TaskSamples, Verdict, analyse};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use rayon::prelude::*;

use super::noise::{Noise, generator};

/// What to count.
#[derive(Debug, Clone, Copy)]
pub enum Question {
    /// Whether the interval of one type holds its true time.
    OneType,
    /// Whether the interval of the ratio to a type 10 % slower holds the true ratio.
    Ratio,
    /// Whether two equal types are called different.
    FalseClaim,
    /// Whether any of ten equal types is called different from an eleventh.
    AnyFalseClaim,
    /// Whether a type that is 10 % faster is called faster.
    Found,
}

const FASTER: f64 = 1.1;

impl Question {
    /// Share of `rounds` simulated campaigns with so many machines per type for which the
    /// answer is yes. The number of a campaign starts its random numbers.
    pub fn share(self, noise: &Noise, machines: usize, rounds: u64) -> f64 {
        let yes = (0..rounds)
            .into_par_iter()
            .filter(|&round| {
                let mut rng = generator(round);
                let settings = Settings { resamples: 1000, ..Settings::new(rng.random()) };
                self.answer(noise, machines, &settings, &mut rng)
            })
            .count();
        yes as f64 / rounds as f64
    }

    fn answer(
        self,
        noise: &Noise,
        machines: usize,
        settings: &Settings,
        rng: &mut Xoshiro256PlusPlus,
    ) -> bool {
        let types = |speeds: &[f64], rng: &mut Xoshiro256PlusPlus| -> Vec<TaskSamples> {
            let labelled = speeds.iter().zip(0..);
            labelled
                .flat_map(|(speed, i)| noise.tasks(&format!("t{i}"), machines, *speed, rng))
                .collect()
        };
        let speeds: &[f64] = match self {
            Self::OneType => &[1.0],
            Self::Ratio | Self::Found => &[1.0, FASTER],
            Self::FalseClaim => &[1.0; 2],
            Self::AnyFalseClaim => &[1.0; 11],
        };
        let analysis = analyse(&types(speeds, rng), settings);
        match self {
            Self::OneType => holds(&analysis.labels[0].series[0].time, noise.truth()),
            Self::Ratio => holds(&analysis.comparisons[0].overall.speed, FASTER),
            Self::Found => verdicts(&analysis).any(|verdict| verdict == Verdict::Faster),
            Self::FalseClaim | Self::AnyFalseClaim => verdicts(&analysis)
                .any(|verdict| matches!(verdict, Verdict::Faster | Verdict::Slower)),
        }
    }
}

fn verdicts(analysis: &Analysis) -> impl Iterator<Item = Verdict> {
    analysis.comparisons.iter().map(|one| one.overall.verdict)
}

fn holds(estimate: &Estimate, truth: f64) -> bool {
    estimate.interval.is_some_and(|interval| (interval.low..=interval.high).contains(&truth))
}
