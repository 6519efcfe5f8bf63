//! Campaigns whose truth is known: machines, tasks and iterations that differ as they do in
//! clouds.

use std::collections::BTreeMap;

use railsbench_core::analysis::TaskSamples;
use railsbench_core::id::MachineId;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Gamma, StandardNormal, StudentT};

/// Time of an iteration on a machine of the average speed, in seconds.
pub const SECONDS: f64 = 0.02;
/// Measured iterations in a task.
const ITERATIONS: usize = 40;

/// How machines of a type differ, in logarithms.
#[derive(Debug, Clone, Copy)]
pub enum Machines {
    /// Normal, with this standard deviation.
    Normal(f64),
    /// Student's t with 3 degrees of freedom, times this: now and then one is far off.
    HeavyTails(f64),
    /// A gamma distribution of shape 4 around its mean, with this standard deviation: slow ones
    /// are further off than fast ones.
    Skewed(f64),
    /// This share of them is slower by this factor; otherwise normal.
    TwoKinds(f64, f64, f64),
}

/// How iterations of a task differ, in logarithms.
#[derive(Debug, Clone, Copy)]
pub enum Iterations {
    /// Independent and normal, with this standard deviation.
    Independent(f64),
    /// The same, and one in 20 takes three times as long.
    Pauses(f64),
    /// Each resembles the one before, with this standard deviation and correlation.
    Resembling(f64, f64),
    /// Independent, but some of the first third are 30 % slower: a warm-up that was not marked.
    SlowStart(f64),
}

/// A way in which measurements differ.
#[derive(Debug, Clone, Copy)]
pub struct Noise {
    /// In words.
    pub name: &'static str,
    /// Between machines.
    pub machines: Machines,
    /// Between tasks on a machine: a standard deviation.
    pub task: f64,
    /// Within a task.
    pub iterations: Iterations,
    /// Tasks on each machine, from and to.
    pub tasks: (usize, usize),
}

const USUAL: Noise = Noise {
    name: "machines differ by 5 %",
    machines: Machines::Normal(0.05),
    task: 0.02,
    iterations: Iterations::Independent(0.05),
    tasks: (2, 2),
};

/// All of them; the last two are kinds of machines.
pub const ALL: [Noise; 9] = [
    USUAL,
    Noise { name: "machines are alike", machines: Machines::Normal(0.0), ..USUAL },
    Noise {
        name: "heavy tails, and pauses",
        machines: Machines::HeavyTails(0.03),
        iterations: Iterations::Pauses(0.05),
        ..USUAL
    },
    Noise { name: "skewed towards slow", machines: Machines::Skewed(0.05), ..USUAL },
    Noise {
        name: "iterations resemble their neighbours",
        machines: Machines::Normal(0.02),
        iterations: Iterations::Resembling(0.1, 0.9),
        ..USUAL
    },
    Noise {
        name: "noisy tasks, 1 to 3 of them",
        machines: Machines::Normal(0.02),
        task: 0.06,
        tasks: (1, 3),
        ..USUAL
    },
    Noise { name: "slow starts", iterations: Iterations::SlowStart(0.05), ..USUAL },
    Noise {
        name: "every second is 10 % slower",
        machines: Machines::TwoKinds(0.5, 1.1, 0.02),
        ..USUAL
    },
    Noise {
        name: "every fifth is 20 % slower",
        machines: Machines::TwoKinds(0.2, 1.2, 0.02),
        ..USUAL
    },
];

impl Noise {
    /// The geometric mean that a type would show with machines without number.
    pub fn truth(&self) -> f64 {
        let machines = match self.machines {
            Machines::TwoKinds(share, factor, _) => share * factor.ln(),
            _ => 0.0,
        };
        let iterations = match self.iterations {
            // With one in 20 far above, the median is the normal quantile at 0.5/0.95.
            Iterations::Pauses(deviation) => 0.066_011_8 * deviation,
            _ => 0.0,
        };
        SECONDS * (machines + iterations).exp()
    }

    /// Tasks of one type that is `speed` times as fast.
    pub fn tasks(
        &self,
        label: &str,
        machines: usize,
        speed: f64,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Vec<TaskSamples> {
        let mut all = Vec::new();
        for machine in 0..machines {
            let of_machine = self.machine(rng) - speed.ln();
            for _ in 0..rng.random_range(self.tasks.0..=self.tasks.1) {
                let of_task = of_machine + self.task * normal(rng);
                let times = self.times(rng);
                let times = times.iter().map(|time| SECONDS * (of_task + time).exp()).collect();
                let benchmarks = BTreeMap::from([("one".to_owned(), times)]);
                all.push(TaskSamples {
                    label: label.to_owned(),
                    machine: MachineId::new(format!("{label}-{machine}"))
                        .expect("it is graphic ASCII"),
                    number: u32::try_from(all.len() + 1).unwrap_or(u32::MAX),
                    variants: BTreeMap::from([("interp".to_owned(), benchmarks)]),
                });
            }
        }
        all
    }

    fn machine(&self, rng: &mut Xoshiro256PlusPlus) -> f64 {
        match self.machines {
            Machines::Normal(deviation) => deviation * normal(rng),
            Machines::HeavyTails(scale) => {
                scale * StudentT::new(3.0).expect("it is positive").sample(rng)
            }
            Machines::Skewed(deviation) => {
                let gamma = Gamma::new(4.0, 0.5).expect("both are positive");
                deviation * (gamma.sample(rng) - 2.0)
            }
            Machines::TwoKinds(share, factor, deviation) => {
                let slow = if rng.random::<f64>() < share { factor.ln() } else { 0.0 };
                slow + deviation * normal(rng)
            }
        }
    }

    fn times(&self, rng: &mut Xoshiro256PlusPlus) -> Vec<f64> {
        let mut last = normal(rng);
        let start = rng.random_range(0..=ITERATIONS / 3);
        let mut time = |i: usize| match self.iterations {
            Iterations::Independent(deviation) => deviation * normal(rng),
            Iterations::Pauses(deviation) => {
                let pause = if rng.random::<f64>() < 0.05 { 3f64.ln() } else { 0.0 };
                pause + deviation * normal(rng)
            }
            Iterations::Resembling(deviation, correlation) => {
                last = correlation * last + (1.0 - correlation.powi(2)).sqrt() * normal(rng);
                deviation * last
            }
            Iterations::SlowStart(deviation) => {
                let slow = if i < start { 1.3f64.ln() } else { 0.0 };
                slow + deviation * normal(rng)
            }
        };
        (0..ITERATIONS).map(&mut time).collect()
    }
}

/// Random numbers of one simulated campaign.
pub fn generator(round: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(round)
}

fn normal(rng: &mut Xoshiro256PlusPlus) -> f64 {
    StandardNormal.sample(rng)
}
