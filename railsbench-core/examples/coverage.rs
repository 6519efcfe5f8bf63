//! Simulates campaigns whose truth is known and counts how often the analysis is right: the
//! tables in `docs/methodology.md`.
//!
//! ```text
//! cargo run --release -p railsbench-core --example coverage -- 2000
//! ```
//!
//! The number is how many campaigns are simulated for each cell (default 200).

use std::collections::BTreeMap;

use railsbench_core::analysis::{Settings, TaskSamples, Verdict, analyse};
use railsbench_core::id::MachineId;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// True time, in seconds.
const TRUTH: f64 = 0.02;

/// How machines, tasks and iterations differ: standard deviations of logarithms.
struct Lottery {
    name: &'static str,
    machine: f64,
    task: f64,
    iteration: f64,
    /// Share of machines that are 20 % slower than the rest.
    slow: f64,
}

const LOTTERIES: [Lottery; 3] = [
    Lottery {
        name: "machines differ by 5 %",
        machine: 0.05,
        task: 0.02,
        iteration: 0.05,
        slow: 0.0,
    },
    Lottery { name: "machines are alike", machine: 0.0, task: 0.02, iteration: 0.05, slow: 0.0 },
    Lottery {
        name: "every fifth is 20 % slower",
        machine: 0.02,
        task: 0.02,
        iteration: 0.05,
        slow: 0.2,
    },
];

impl Lottery {
    /// The geometric mean that a type with so many machines would show in the long run.
    fn truth(&self) -> f64 {
        TRUTH * (1.2f64.ln() * self.slow).exp()
    }

    fn tasks(
        &self,
        label: &str,
        machines: usize,
        speed: f64,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Vec<TaskSamples> {
        let mut all = Vec::new();
        for machine in 0..machines {
            let slow = if rng.random::<f64>() < self.slow { 1.2f64.ln() } else { 0.0 };
            let of_machine = slow + self.machine * normal(rng);
            for _ in 0..2 {
                let of_task = of_machine + self.task * normal(rng);
                let times = (0..30)
                    .map(|_| TRUTH / speed * (of_task + self.iteration * normal(rng)).exp())
                    .collect();
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
}

fn normal(rng: &mut Xoshiro256PlusPlus) -> f64 {
    StandardNormal.sample(rng)
}

/// Share of simulated campaigns for which `holds`, in percent.
fn share(rounds: u64, holds: impl Fn(&mut Xoshiro256PlusPlus, &Settings) -> bool) -> f64 {
    let held = (0..rounds).filter(|&round| {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(round);
        let seed = rng.random();
        holds(&mut rng, &Settings { resamples: 500, ..Settings::new(seed) })
    });
    100.0 * held.count() as f64 / rounds as f64
}

fn claims(lottery: &Lottery, machines: usize, speed: f64, rounds: u64, wanted: &[Verdict]) -> f64 {
    share(rounds, |rng, settings| {
        let mut tasks = lottery.tasks("a", machines, 1.0, rng);
        tasks.extend(lottery.tasks("b", machines, speed, rng));
        wanted.contains(&analyse(&tasks, settings).comparisons[0].overall.verdict)
    })
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(200);
    let machines = [2, 3, 5, 10, 30];
    let header = machines.map(|count| format!("{count} |")).join(" ");
    println!("{rounds} campaigns per cell, 2 tasks per machine, 30 times per task\n");
    println!("| 95 % intervals that hold the truth, % | {header}\n|---|---|---|---|---|---|");
    for lottery in &LOTTERIES {
        let cells = machines.map(|count| {
            let held = share(rounds, |rng, settings| {
                let analysis = analyse(&lottery.tasks("a", count, 1.0, rng), settings);
                analysis.labels[0].series[0].time.interval.is_some_and(|interval| {
                    (interval.low..=interval.high).contains(&lottery.truth())
                })
            });
            format!("{held:.1} |")
        });
        println!("| {} | {}", lottery.name, cells.join(" "));
    }
    let differ = [Verdict::Faster, Verdict::Slower];
    println!("\n| equal types called different, % | {header}\n|---|---|---|---|---|---|");
    for lottery in &LOTTERIES {
        let cells =
            machines.map(|count| format!("{:.1} |", claims(lottery, count, 1.0, rounds, &differ)));
        println!("| {} | {}", lottery.name, cells.join(" "));
    }
    println!("\n| 10 % faster types called faster, % | {header}\n|---|---|---|---|---|---|");
    for lottery in &LOTTERIES {
        let cells = machines.map(|count| {
            format!("{:.1} |", claims(lottery, count, 1.1, rounds, &[Verdict::Faster]))
        });
        println!("| {} | {}", lottery.name, cells.join(" "));
    }
}
