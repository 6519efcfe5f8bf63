//! The analysis of a large campaign: 100 instance types × 5 machines × 12 benchmarks × 500
//! iterations, three million times.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use railsbench_core::analysis::{HourlyPrice, Settings, TaskSamples, analyse};
use railsbench_core::id::MachineId;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

const TYPES: usize = 100;
const MACHINES: u32 = 5;
const BENCHMARKS: usize = 12;
const ITERATIONS: usize = 500;

fn campaign() -> Vec<TaskSamples> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut tasks = Vec::new();
    for place in 0..TYPES {
        let seconds = rng.random_range(0.005..0.05);
        for number in 1..=MACHINES {
            let of_machine: f64 = StandardNormal.sample(&mut rng);
            let benchmarks: BTreeMap<String, Vec<f64>> = (0..BENCHMARKS)
                .map(|benchmark| {
                    let time = |_| {
                        let noise: f64 = StandardNormal.sample(&mut rng);
                        seconds * (0.03 * of_machine + 0.05 * noise).exp()
                    };
                    (format!("benchmark {benchmark}"), (0..ITERATIONS).map(time).collect())
                })
                .collect();
            tasks.push(TaskSamples {
                label: format!("type{place}"),
                machine: MachineId::new(format!("{place}-{number}")).expect("it is graphic ASCII"),
                number,
                variants: BTreeMap::from([("yjit".to_owned(), benchmarks)]),
            });
        }
    }
    tasks
}

fn large_campaign(criterion: &mut Criterion) {
    let tasks = campaign();
    let priced = |place: usize| (format!("type{place}"), HourlyPrice::exact(0.1 + place as f64));
    let settings = Settings { prices: (0..TYPES).map(priced).collect(), ..Settings::new(1) };
    let mut group = criterion.benchmark_group("analysis");
    group.sample_size(10);
    group.bench_function("100 types × 5 machines × 12 benchmarks × 500 times", |bencher| {
        bencher.iter(|| analyse(black_box(&tasks), &settings));
    });
    group.finish();
}

criterion_group!(benches, large_campaign);
criterion_main!(benches);
