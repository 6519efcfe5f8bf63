//! The whole analysis against figures by hand and against simulated truth.

mod properties;
mod scipy;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution, Normal};

use super::*;

/// A lottery of machines with known truth: times are `seconds` × e^(machine + task + iteration).
struct Truth {
    seconds: f64,
    machine: f64,
    task: f64,
    iteration: f64,
}

impl Truth {
    fn tasks(
        &self,
        label: &str,
        machines: usize,
        tasks: usize,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Vec<TaskSamples> {
        let mut normal = |scale: f64| Normal::new(0.0, scale).unwrap().sample(rng);
        let mut all = Vec::new();
        for machine in 0..machines {
            let of_machine = normal(self.machine);
            for _ in 0..tasks {
                let of_task = normal(self.task);
                let times = (0..30)
                    .map(|_| self.seconds * (of_machine + of_task + normal(self.iteration)).exp())
                    .collect();
                all.push(task(
                    label,
                    &format!("{label}-{machine}"),
                    all.len(),
                    &[("interp", "one", times)],
                ));
            }
        }
        all
    }
}

fn task(
    label: &str,
    machine: &str,
    index: usize,
    series: &[(&str, &str, Vec<f64>)],
) -> TaskSamples {
    let mut variants: BTreeMap<String, BTreeMap<String, Vec<f64>>> = BTreeMap::new();
    for (variant, benchmark, times) in series {
        variants
            .entry((*variant).to_owned())
            .or_default()
            .insert((*benchmark).to_owned(), times.clone());
    }
    TaskSamples {
        label: label.to_owned(),
        machine: MachineId::new(machine).unwrap(),
        number: u32::try_from(index).unwrap() + 1,
        variants,
    }
}

fn close(a: f64, b: f64) {
    assert!((a / b - 1.0).abs() < 1e-9, "{a} is not {b}");
}

fn around(middle: f64) -> Vec<f64> {
    vec![middle * 0.9, middle, middle * 1.1]
}

#[test]
fn medians_geometric_means_and_speeds_by_hand() {
    let tasks = [
        task(
            "a",
            "m1",
            0,
            &[
                ("interp", "x", around(2.0)),
                ("interp", "y", around(8.0)),
                ("yjit", "x", around(1.0)),
                ("yjit", "y", around(2.0)),
            ],
        ),
        task(
            "a",
            "m2",
            1,
            &[
                ("interp", "x", around(8.0)),
                ("interp", "y", around(2.0)),
                ("yjit", "x", around(4.0)),
                ("yjit", "y", around(0.5)),
            ],
        ),
        task("b", "m3", 0, &[("interp", "x", around(1.0)), ("interp", "y", around(1.0))]),
    ];
    let analysis = analyse(&tasks, &Settings::new(1));
    let a = &analysis.labels[0];
    assert_eq!((a.label.as_str(), a.machines, a.tasks), ("a", 2, 2));
    // Over two machines: √(2 × 8) = 4 for both benchmarks, so 4 over both.
    close(a.series[0].time.value, 4.0);
    close(a.geometric_means[0].time.value, 4.0);
    assert_eq!(a.series[0].time.spread, Spread::AcrossMachines { instances: 2 });
    // YJIT: twice on x, four times on y, √8 over both.
    let speeds: Vec<f64> = a.speed_ups.iter().map(|one| one.speed.value).collect();
    close(speeds[0], 8f64.sqrt());
    close(speeds[1], 2.0);
    close(speeds[2], 4.0);
    assert_eq!(a.speed_ups[0].benchmark, None);
    let comparison = &analysis.comparisons[0];
    assert_eq!((comparison.label.as_str(), comparison.baseline.as_str()), ("b", "a"));
    close(comparison.overall.speed.value, 4.0);
    assert_eq!(comparison.overall.verdict, Verdict::OneInstance);
    assert_eq!(analysis.comparisons.len(), 1);
}

#[test]
fn one_machine_never_speaks_for_its_type() {
    let times = || (0..100).map(|i| 1.0 + 0.01 * f64::from(i * 37 % 11)).collect::<Vec<_>>();
    let one = |label: &str, factor: f64| {
        task(label, "m", 0, &[("interp", "x", times().iter().map(|t| t * factor).collect())])
    };
    let analysis = analyse(&[one("a", 1.0), one("b", 3.0)], &Settings::new(1));
    assert_eq!(analysis.labels[0].series[0].time.spread, Spread::WithinProcess);
    assert!(analysis.labels[0].series[0].time.interval.is_some());
    assert_eq!(analysis.comparisons[0].overall.verdict, Verdict::OneInstance);
    let twice = analyse(&[one("a", 1.0), one("a", 1.01)], &Settings::new(1));
    assert_eq!(twice.labels[0].series[0].time.spread, Spread::WithinMachine { tasks: 2 });
}

#[test]
fn a_benchmark_that_a_task_lacks_is_left_out_of_the_mean_but_shown() {
    let tasks = [
        task("a", "m1", 0, &[("interp", "x", around(2.0)), ("interp", "y", around(5.0))]),
        task("a", "m2", 1, &[("interp", "x", around(8.0))]),
    ];
    let analysis = analyse(&tasks, &Settings::new(1));
    let a = &analysis.labels[0];
    assert_eq!(a.series.len(), 2);
    assert_eq!(a.series[1].time.spread, Spread::WithinProcess);
    assert_eq!(a.geometric_means[0].benchmarks, ["x"]);
    close(a.geometric_means[0].time.value, 4.0);
}

/// Ten machines are enough for resamples, and those come from the seed.
#[test]
fn the_seed_decides() {
    let truth = Truth { seconds: 0.01, machine: 0.05, task: 0.02, iteration: 0.1 };
    let tasks = truth.tasks("a", 10, 2, &mut Xoshiro256PlusPlus::seed_from_u64(5));
    let of = |seed| analyse(&tasks, &Settings::new(seed));
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
    assert!(analyse(&[], &Settings::new(1)).labels.is_empty());
}

#[test]
fn a_slow_start_does_not_count() {
    let times =
        (0..200).map(|i| if i < 40 { 5.0 } else { 1.0 + 0.001 * f64::from(i % 7) }).collect();
    let analysis = analyse(&[task("a", "m", 0, &[("interp", "x", times)])], &Settings::new(1));
    let series = &analysis.labels[0].series[0];
    close(series.time.value, 1.003);
    assert!(matches!(series.tasks[0].steady, SteadyState::Steady { start } if start >= 40));
}

/// Machines that differ by 5 %, tasks by 2 %, iterations by 10 %: the analysis says so.
#[test]
fn noise_is_told_apart_by_level() {
    let truth = Truth { seconds: 0.01, machine: 0.05, task: 0.02, iteration: 0.1 };
    let tasks = truth.tasks("a", 60, 4, &mut Xoshiro256PlusPlus::seed_from_u64(9));
    let components = analyse(&tasks, &Settings::new(1)).labels[0].geometric_means[0].components;
    let near = |found: Option<f64>, expected: f64| (found.unwrap() / expected - 1.0).abs() < 0.25;
    assert!(near(components.machine, 0.05), "{components:?}");
    assert!(near(components.task, 0.02), "{components:?}");
    // Of a median, one iteration is worth √(π/2) of its deviation.
    assert!(near(components.iteration, 0.1253), "{components:?}");
}

/// Two types of the same speed at different prices: the value tells them apart.
#[test]
fn a_cheaper_type_of_the_same_speed_is_better_value() {
    let truth = Truth { seconds: 0.01, machine: 0.005, task: 0.005, iteration: 0.02 };
    let rng = &mut Xoshiro256PlusPlus::seed_from_u64(3);
    let mut tasks = truth.tasks("dear", 5, 1, rng);
    tasks.extend(truth.tasks("cheap", 5, 1, rng));
    let prices = [("dear", 0.2), ("cheap", 0.1)];
    let prices = prices.map(|(label, price)| (label.to_owned(), HourlyPrice::exact(price)));
    let settings = Settings { prices: prices.into(), ..Settings::new(1) };
    let analysis = analyse(&tasks, &settings);
    assert!(matches!(analysis.comparisons[0].overall.verdict, Verdict::NoDifference { .. }));
    let cheap = analysis.values[0].of("cheap").unwrap();
    let worth = cheap.relative.as_ref().unwrap();
    assert_eq!(worth.verdict, Verdict::Faster);
    let sentence = worth.sentence("cheap", "dear");
    assert!(sentence.contains("% more for the money than dear"), "{sentence}");
    assert!(cheap.on_front && cheap.front_probability.unwrap() > 0.9);
}
