//! What must hold for any data: hostile, tiny, huge.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Times of one task: mostly sensible, sometimes anything that a number can be.
fn times() -> BoxedStrategy<Vec<f64>> {
    let sensible = vec(1e-4..10.0f64, 0..60);
    let extreme = vec(prop_oneof![Just(1e-12), Just(1e12), Just(1.0), 1e-12..1e12f64], 0..60);
    let anything = vec(any::<f64>(), 1..30);
    let flat = (1e-6..1e3f64, 0usize..60).prop_map(|(time, count)| vec![time; count]);
    prop_oneof![3 => sensible, 1 => extreme, 1 => anything, 1 => flat].boxed()
}

fn campaign(most: usize) -> impl Strategy<Value = Vec<TaskSamples>> {
    let one = (0..3usize, 0..12usize, vec((0..2usize, 0..3usize, times()), 0..5));
    vec(one, 0..most).prop_map(|all| {
        let tasks = all.into_iter().enumerate();
        tasks
            .map(|(index, (label, machine, series))| {
                let label = ["a", "b", "c"][label];
                let named: Vec<(&str, &str, Vec<f64>)> = series
                    .into_iter()
                    .map(|(variant, benchmark, times)| {
                        (["interp", "yjit"][variant], ["x", "y", "z"][benchmark], times)
                    })
                    .collect();
                task(label, &format!("{label}{machine}"), index, &named)
            })
            .collect()
    })
}

/// Sensible campaigns of two types on at least two machines each, all with all benchmarks.
fn full_campaign() -> impl Strategy<Value = Vec<TaskSamples>> {
    let machines = vec((vec(1e-3..1.0f64, 1..40), vec(1e-3..1.0f64, 1..40)), 4..24);
    (machines.clone(), machines).prop_map(|(a, b)| {
        let mut tasks = Vec::new();
        for (label, machines) in [("a", a), ("b", b)] {
            for (machine, (x, y)) in machines.into_iter().enumerate() {
                let series = [("interp", "x", x), ("interp", "y", y)];
                tasks.push(task(label, &format!("{label}{}", machine / 2), tasks.len(), &series));
            }
        }
        tasks
    })
}

fn settings(seed: u64) -> Settings {
    let prices = [("a", 0.1), ("b", 0.2), ("c", 0.05)]
        .map(|(label, price)| (label.to_owned(), HourlyPrice::exact(price)));
    Settings { resamples: 200, prices: prices.into(), ..Settings::new(seed) }
}

/// Every number in it.
fn all_numbers(json: &serde_json::Value, found: &mut Vec<Option<f64>>) {
    match json {
        // What is not finite becomes null.
        serde_json::Value::Null => found.push(None),
        serde_json::Value::Number(number) => found.push(number.as_f64()),
        serde_json::Value::Array(items) => items.iter().for_each(|item| all_numbers(item, found)),
        serde_json::Value::Object(fields) => {
            fields.values().for_each(|item| all_numbers(item, found));
        }
        _ => {}
    }
}

fn ordered(estimate: &Estimate) -> bool {
    estimate.interval.is_none_or(|interval| interval.low <= interval.high)
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Neither panics nor numbers that are none, and no interval the wrong way round.
    #[test]
    fn any_data_give_finite_figures(tasks in campaign(30), seed in any::<u64>()) {
        let analysis = analyse(&tasks, &settings(seed));
        let mut found = Vec::new();
        all_numbers(&serde_json::to_value(&analysis).unwrap(), &mut found);
        prop_assert!(found.iter().all(|number| number.is_some_and(f64::is_finite)), "{analysis:?}");
        for label in &analysis.labels {
            prop_assert!(label.series.iter().all(|one| ordered(&one.time)));
            prop_assert!(label.geometric_means.iter().all(|one| ordered(&one.time)));
            prop_assert!(label.speed_ups.iter().all(|one| ordered(&one.speed)));
        }
        for comparison in &analysis.comparisons {
            prop_assert!(ordered(&comparison.overall.speed));
            prop_assert!(!comparison.sentence().contains("NaN"));
        }
        let unusable = tasks.iter().flat_map(|task| task.variants.values()).flat_map(BTreeMap::values);
        let unusable = unusable.filter(|times| times.iter().any(|t| !(1e-12..=1e12).contains(t)));
        prop_assert_eq!(analysis.left_out.len(), unusable.count());
    }

    /// Seconds or milliseconds: times scale, and ratios stay.
    #[test]
    fn the_unit_does_not_matter(tasks in full_campaign(), power in -8..8i32) {
        let factor = 2f64.powi(power);
        let mut scaled = tasks.clone();
        for times in scaled.iter_mut().flat_map(|task| task.variants.values_mut()).flat_map(BTreeMap::values_mut) {
            for time in times {
                *time *= factor;
            }
        }
        let (one, other) = (analyse(&tasks, &settings(1)), analyse(&scaled, &settings(1)));
        for (a, b) in one.labels.iter().zip(&other.labels) {
            for (a, b) in a.series.iter().zip(&b.series) {
                prop_assert!(near(a.time.value * factor, b.time.value));
                let (x, y) = (a.time.interval, b.time.interval);
                prop_assert!(x.zip(y).is_none_or(|(x, y)| near(x.low * factor, y.low) && near(x.high * factor, y.high)));
            }
        }
        let (a, b) = (&one.comparisons[0].overall, &other.comparisons[0].overall);
        prop_assert!(near(a.speed.value, b.speed.value));
        prop_assert_eq!(std::mem::discriminant(&a.verdict), std::mem::discriminant(&b.verdict));
    }

    /// The order in which tasks are told does not matter to what is said of them.
    #[test]
    fn the_order_of_tasks_does_not_matter(
        (tasks, shuffled) in full_campaign().prop_flat_map(|tasks| (Just(tasks.clone()), Just(tasks).prop_shuffle())),
    ) {
        let settings = Settings { baseline: Some("a".to_owned()), ..settings(1) };
        let (one, other) = (analyse(&tasks, &settings), analyse(&shuffled, &settings));
        let (a, b) = (&one.comparisons[0].overall, &other.comparisons[0].overall);
        prop_assert!(near(a.speed.value, b.speed.value));
        let (x, y) = (a.speed.interval.unwrap(), b.speed.interval.unwrap());
        prop_assert!(near(x.low, y.low) && near(x.high, y.high), "{x:?} {y:?}");
        let (p, q) = (a.evidence.unwrap().p_value, b.evidence.unwrap().p_value);
        prop_assert!((p - q).abs() <= 1e-9);
    }

    /// The other way round, the speed is the inverse, and so are the ends of its interval.
    #[test]
    fn either_type_may_be_the_baseline(tasks in full_campaign()) {
        let with = |label: &str| {
            let settings = Settings { baseline: Some(label.to_owned()), ..settings(1) };
            analyse(&tasks, &settings).comparisons.remove(0).overall.speed
        };
        let (one, other) = (with("a"), with("b"));
        prop_assert!(near(one.value * other.value, 1.0));
        let (x, y) = (one.interval.unwrap(), other.interval.unwrap());
        // Resampled ends lie between two resamples, and straight between two is not the same
        // seen from the other side.
        prop_assert!((x.low * y.high - 1.0).abs() < 1e-6 && (x.high * y.low - 1.0).abs() < 1e-6);
    }

    /// Faster times make a type faster, and more confidence makes an interval wider.
    #[test]
    fn more_is_more(tasks in full_campaign(), factor in 0.5..0.99f64) {
        let mut faster = tasks.clone();
        for task in faster.iter_mut().filter(|task| task.label == "b") {
            for times in task.variants.values_mut().flat_map(BTreeMap::values_mut) {
                for time in times {
                    *time *= factor;
                }
            }
        }
        let speed = |tasks: &[TaskSamples]| analyse(tasks, &settings(1)).comparisons[0].overall.speed;
        let (slow, fast) = (speed(&tasks), speed(&faster));
        prop_assert!(near(fast.value * factor, slow.value), "{fast:?} {slow:?}");
        prop_assert!(fast.interval.unwrap().low > slow.interval.unwrap().low);
        let sure = analyse(&tasks, &Settings { confidence: 0.99, ..settings(1) });
        let (wide, narrow) = (sure.comparisons[0].overall.speed.interval.unwrap(), slow.interval.unwrap());
        prop_assert!(wide.low <= narrow.low && wide.high >= narrow.high);
    }

    /// Settings that make no sense give fewer figures, but neither panics nor nonsense.
    #[test]
    fn senseless_settings_do_no_harm(
        tasks in campaign(12),
        confidence in prop_oneof![Just(0.0), Just(1.0), Just(-1.0), Just(f64::NAN), 0.0..1.0f64],
        negligible in prop_oneof![Just(f64::NAN), Just(-2.0), Just(f64::INFINITY), 0.0..1.0f64],
        resamples in 0..3usize,
    ) {
        let settings = Settings { resamples, confidence, negligible, ..settings(1) };
        let mut found = Vec::new();
        all_numbers(&serde_json::to_value(analyse(&tasks, &settings)).unwrap(), &mut found);
        prop_assert!(found.iter().all(|number| number.is_some_and(f64::is_finite)));
    }
}
