//! Our figures against those of NumPy and SciPy on the same data: `tests/scipy/`.

use serde_json::Value as Json;

use super::super::bca::Accelerated;
use super::super::components::{TaskNoise, estimate};
use super::super::holm;
use super::super::interval::Spread;
use super::super::order::{deviation, mean};
use super::super::resample::Levels;
use super::super::sampled::{Group, Sampled};
use super::super::steady::chance_of_no_change;
use super::super::student::{t_upper, two_sided};
use super::*;

const EXPECTED: &str = include_str!("../../../tests/scipy/expected.json");

fn expected(part: &str) -> Json {
    serde_json::from_str::<Json>(EXPECTED).unwrap()[part].clone()
}

fn number(value: &Json) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(value: &Json) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn same(found: f64, expected: &Json) {
    let expected = number(expected);
    let scale = expected.abs().max(f64::MIN_POSITIVE);
    assert!((found - expected).abs() <= 1e-9 * scale, "{found} is not {expected}");
}

fn same_interval(found: Interval, expected: &Json) {
    same(found.low, &expected[0]);
    same(found.high, &expected[1]);
}

fn cases(part: &str) -> Vec<Json> {
    expected(part).as_array().unwrap().clone()
}

fn sampled(units: &[f64]) -> Sampled {
    Sampled {
        point: mean(units.iter().copied()),
        groups: vec![Group { units: units.to_vec(), replicates: Vec::new(), times: 0 }],
        spread: Spread::AcrossMachines { instances: units.len() },
    }
}

#[test]
fn order_statistics() {
    for case in cases("order_statistics") {
        let values = numbers(&case["values"]);
        let in_order = sorted(&values);
        for (share, quantile_there) in
            numbers(&case["shares"]).iter().zip(case["quantiles"].as_array().unwrap())
        {
            same(quantile(&in_order, *share), quantile_there);
        }
        same(median(&values), &case["median"]);
        same(deviation(&values, median(&values)), &case["deviation"]);
    }
}

#[test]
fn student() {
    for case in cases("student") {
        let (degrees, tail) = (number(&case["degrees"]), number(&case["tail"]));
        same(t_upper(degrees, tail).unwrap(), &case["t"]);
        let t = number(&case["t"]);
        same(two_sided(degrees, t), &case["two_sided"]);
        same(two_sided(degrees, 2.0 * t), &case["two_sided_at_twice"]);
    }
}

#[test]
fn means_welch_and_pairs() {
    for case in cases("means") {
        let (a, b) = (sampled(&numbers(&case["a"])), sampled(&numbers(&case["b"])));
        same_interval(a.interval(0.95).unwrap(), &case["one"]["interval"]);
        same(a.chance(-3.0).unwrap(), &case["one"]["p"]);
        let two = a.minus_independent(&b);
        same_interval(two.interval(0.95).unwrap(), &case["two"]["interval"]);
        same(two.chance(0.0).unwrap(), &case["two"]["p"]);
        same(two.uncertainty().unwrap().degrees, &case["two"]["degrees"]);
        if let Some(paired) = case.get("paired") {
            let difference = a.minus_paired(&b);
            same_interval(difference.interval(0.95).unwrap(), &paired["interval"]);
            same(difference.chance(0.0).unwrap(), &paired["p"]);
        }
    }
}

#[test]
fn bca() {
    for case in cases("bca") {
        let mut groups: Vec<Vec<f64>> =
            case["groups"].as_array().unwrap().iter().map(numbers).collect();
        // A difference is a sum with the second negated.
        groups.iter_mut().skip(1).flatten().for_each(|unit| *unit = -*unit);
        let point = groups.iter().map(|group| mean(group.iter().copied())).sum();
        let units: Vec<&[f64]> = groups.iter().map(Vec::as_slice).collect();
        let one = Accelerated::new(point, &numbers(&case["replicates"]), &units).unwrap();
        let (low, high) = one.interval(number(&case["reach"]));
        same(low, &case["interval"][0]);
        same(high, &case["interval"][1]);
    }
}

#[test]
fn holm_adjusts() {
    let case = expected("holm");
    let adjusted = holm::adjusted(&numbers(&case["chances"]));
    for (found, there) in adjusted.iter().zip(case["adjusted"].as_array().unwrap()) {
        same(*found, there);
    }
}

#[test]
fn pettitt() {
    for case in cases("pettitt") {
        same(chance_of_no_change(&numbers(&case["values"])), &case["chance"]);
    }
}

#[test]
fn variance_components() {
    let case = expected("components");
    let values: Vec<f64> = case["values"].as_array().unwrap().iter().flat_map(numbers).collect();
    let machines: Vec<MachineId> =
        (0..12).map(|task| MachineId::new(format!("m{}", task / 3)).unwrap()).collect();
    let levels = Levels::new(machines.iter().enumerate());
    let quiet = TaskNoise { error: 0.0, times: 1.0 };
    let found = estimate(&levels, |task| values[task], |_| quiet);
    same(found.machine.unwrap(), &case["machine"]);
    same(found.task.unwrap(), &case["task"]);
}

/// From the times of tasks to the intervals of a type and of a ratio.
#[test]
fn a_whole_campaign() {
    let case = expected("campaign");
    let mut tasks = Vec::new();
    for label in ["a", "b"] {
        for (machine, of_machine) in case[label].as_array().unwrap().iter().enumerate() {
            for times in of_machine.as_array().unwrap() {
                let name = format!("{label}{machine}");
                tasks.push(task(label, &name, tasks.len(), &[("interp", "x", numbers(times))]));
            }
        }
    }
    let settings = Settings { baseline: Some("a".to_owned()), ..Settings::new(1) };
    let analysis = analyse(&tasks, &settings);
    let time = analysis.labels[0].series[0].time;
    same(time.value, &case["time"]);
    same_interval(time.interval.unwrap(), &case["interval"]);
    let overall = &analysis.comparisons[0].overall;
    same(overall.speed.value, &case["speed"]);
    same_interval(overall.speed.interval.unwrap(), &case["speed_interval"]);
    let evidence = overall.evidence.unwrap();
    same(evidence.p_value, &case["p"]);
    same(evidence.detectable, &case["detectable"]);
}
