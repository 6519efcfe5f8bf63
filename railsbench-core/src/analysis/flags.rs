//! What is odd about figures: named and reported beside them, never dropped.

use serde::{Deserialize, Serialize};

use super::order::{deviation, mean, median, quantile, variance};
use super::words::percent;
use crate::id::MachineId;

/// A time this many deviations above the median is an outlier …
const FAR: f64 = 6.0;
/// … and more than this share of them is worth telling.
const MANY: f64 = 0.02;
/// Half of the times spread over more than this share of the median.
const WIDE: f64 = 0.10;
/// The last quarter differs from the first by more than this share.
const DRIFT: f64 = 0.01;
/// Fewest times that drift and outliers are looked for in.
const FEWEST: usize = 20;
/// Fewest machines among which one can be odd, and by what share it must differ.
const MACHINES: usize = 4;
const ODD: f64 = 0.05;
/// Fewest machines among which two kinds can be told.
const KINDS: usize = 6;

/// One oddity of a benchmark's figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "flag", rename_all = "snake_case")]
pub enum Flag {
    /// The level still changed in the second half of this many tasks.
    NoSteadyState {
        /// How many tasks.
        tasks: usize,
    },
    /// Too few times in a task to see whether they are steady.
    FewTimes {
        /// The fewest in any task.
        times: usize,
    },
    /// Times far above the rest: pauses, collections, other load.
    Outliers {
        /// Their share of all steady times, 0 to 1; of the worst task.
        share: f64,
    },
    /// The steady times became slower or faster from the first quarter to the last.
    Drift {
        /// By what share of the first, positive if slower; of the worst task.
        change: f64,
    },
    /// The middle half of the steady times spreads widely.
    Noisy {
        /// The interquartile range as a share of the median; of the worst task.
        spread: f64,
    },
    /// The machines of the type are of two kinds with nothing in between: another processor, or
    /// a busy host. The mean over them is of neither.
    TwoKinds {
        /// How many are of the slower kind.
        slower: usize,
        /// Of how many.
        machines: usize,
        /// Time of the slower kind relative to the other.
        ratio: f64,
    },
    /// One machine unlike the others of its type.
    OddMachine {
        /// Which.
        machine: MachineId,
        /// Its time relative to the median of all machines: 1.2 is 20 % slower.
        ratio: f64,
    },
}

impl Flag {
    /// In words.
    pub fn sentence(&self) -> String {
        match self {
            Self::NoSteadyState { tasks: 1 } => {
                "no steady state: the second half was used".to_owned()
            }
            Self::NoSteadyState { tasks } => {
                format!("no steady state in {tasks} tasks: their second half was used")
            }
            Self::FewTimes { times } => {
                format!("only {times} times: too few to see a steady state")
            }
            Self::Outliers { share } => format!("{} of times are outliers", percent(*share)),
            Self::Drift { change } => {
                let way = if *change > 0.0 { "slower" } else { "faster" };
                format!("drifts: {} {way} at the end than at the start", percent(change.abs()))
            }
            Self::Noisy { spread } => {
                format!("noisy: half of the times spread over {} of the median", percent(*spread))
            }
            Self::TwoKinds { slower, machines, ratio } => format!(
                "two kinds of machines: {slower} of {machines} are {} slower than the others",
                percent(ratio - 1.0)
            ),
            Self::OddMachine { machine, ratio } => {
                let way = if *ratio > 1.0 { "slower" } else { "faster" };
                format!(
                    "machine {machine} is {} {way} than its peers",
                    percent((ratio - 1.0).abs())
                )
            }
        }
    }
}

/// Oddities of the steady times of one task, in the order they were taken, sorted, and with their
/// deviation.
pub(super) fn of_times(times: &[f64], values: &[f64], deviation: f64) -> Vec<Flag> {
    let mut flags = Vec::new();
    let middle = quantile(values, 0.5);
    let spread = (quantile(values, 0.75) - quantile(values, 0.25)) / middle;
    if spread > WIDE {
        flags.push(Flag::Noisy { spread });
    }
    if times.len() < FEWEST {
        return flags;
    }
    let limit = middle + FAR * deviation.max(middle * 0.01);
    let far = values.len() - values.partition_point(|&time| time <= limit);
    let share = far as f64 / values.len() as f64;
    if share > MANY {
        flags.push(Flag::Outliers { share });
    }
    let quarter = times.len() / 4;
    let (first, last) = (&times[..quarter], &times[times.len() - quarter..]);
    let change = median(last) / median(first) - 1.0;
    // The standard error of a median of normal values is 1.2533 σ/√n.
    let error = 1.2533 * deviation / middle * (2.0 / quarter as f64).sqrt();
    if change.abs() > DRIFT.max(4.0 * error) {
        flags.push(Flag::Drift { change });
    }
    flags
}

/// Machines unlike the others, from the logarithm of each one's time.
pub(super) fn of_machines(machines: &[(MachineId, f64)]) -> Vec<Flag> {
    if machines.len() < MACHINES {
        return Vec::new();
    }
    let mut values: Vec<f64> = machines.iter().map(|(_, value)| *value).collect();
    values.sort_unstable_by(f64::total_cmp);
    if let Some(kinds) = two_kinds(&values) {
        return vec![kinds];
    }
    let middle = median(&values);
    let scale = deviation(&values, middle);
    machines
        .iter()
        .filter(|(_, value)| (value - middle).abs() > (5.0 * scale).max(ODD.ln_1p()))
        .map(|(machine, value)| Flag::OddMachine {
            machine: machine.clone(),
            ratio: (value - middle).exp(),
        })
        .collect()
}

/// Whether sorted logarithms of machines' times fall in two groups of at least two.
fn two_kinds(values: &[f64]) -> Option<Flag> {
    let count = values.len();
    if count < KINDS {
        return None;
    }
    let gap = |place: usize| values[place] - values[place - 1];
    let place = (2..=count - 2).max_by(|&a, &b| gap(a).total_cmp(&gap(b)))?;
    let (fast, slow) = values.split_at(place);
    let squares = |part: &[f64]| variance(part) * (part.len() - 1) as f64;
    let within = ((squares(fast) + squares(slow)) / (count - 2) as f64).sqrt();
    // Machines of one kind, normal or with the heavy tails of Student's t of 3 degrees, showed a
    // wider gap in one of a hundred simulations or fewer; small numbers split by chance.
    let wide = 4.0 + 7.5 / (count - 4) as f64;
    let apart = gap(place) > (wide * within).max(ODD.ln_1p());
    apart.then(|| Flag::TwoKinds {
        slower: slow.len(),
        machines: count,
        ratio: (mean(slow.iter().copied()) - mean(fast.iter().copied())).exp(),
    })
}

/// Of flags of several tasks, the worst of each kind.
pub(super) fn worst(flags: impl IntoIterator<Item = Flag>) -> Vec<Flag> {
    let size = |flag: &Flag| match flag {
        Flag::Outliers { share } => *share,
        Flag::Drift { change } => change.abs(),
        Flag::Noisy { spread } => *spread,
        _ => 0.0,
    };
    let mut kept: Vec<Flag> = Vec::new();
    for flag in flags {
        let same =
            |other: &&mut Flag| std::mem::discriminant(*other) == std::mem::discriminant(&flag);
        match kept.iter_mut().find(same) {
            Some(other) if size(&flag) > size(other) => *other = flag,
            Some(_) => {}
            None => kept.push(flag),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::order::sorted;
    use super::*;

    fn of_times(times: &[f64]) -> Vec<Flag> {
        let values = sorted(times);
        super::of_times(times, &values, deviation(times, median(times)))
    }

    fn wave(count: usize, level: impl Fn(usize) -> f64) -> Vec<f64> {
        (0..count).map(|i| level(i) * (1.0 + 0.01 * ((i * 7) % 11) as f64 / 11.0)).collect()
    }

    #[test]
    fn quiet_times_have_no_flags() {
        assert!(of_times(&wave(400, |_| 1.0)).is_empty());
        assert!(of_times(&[1.0]).is_empty());
    }

    #[test]
    fn each_oddity_is_named() {
        let outliers = wave(400, |i| if i % 20 == 0 { 3.0 } else { 1.0 });
        assert_eq!(of_times(&outliers), [Flag::Outliers { share: 0.05 }]);
        let drift = of_times(&wave(400, |i| 1.0 + i as f64 / 20_000.0));
        assert!(matches!(drift[..], [Flag::Drift { change }] if change > 0.01), "{drift:?}");
        let noisy = of_times(&wave(400, |i| 1.0 + 0.2 * (i % 2) as f64));
        assert!(matches!(noisy[..], [Flag::Noisy { spread }] if spread > 0.1), "{noisy:?}");
    }

    #[test]
    fn a_machine_unlike_its_peers_is_named() {
        let machine = |name: &str, seconds: f64| (MachineId::new(name).unwrap(), seconds.ln());
        let alike = [machine("a", 1.0), machine("b", 1.01), machine("c", 0.99), machine("d", 1.02)];
        assert!(of_machines(&alike).is_empty());
        let mut odd = alike.to_vec();
        odd[3].1 = 1.5f64.ln();
        let flags = of_machines(&odd);
        assert_eq!(flags.len(), 1);
        assert!(flags[0].sentence().starts_with("machine d is 49 % slower"), "{flags:?}");
        assert!(of_machines(&odd[1..]).is_empty());
    }

    #[test]
    fn two_kinds_of_machines_are_named_once() {
        let machines = |seconds: &[f64]| -> Vec<(MachineId, f64)> {
            let named = seconds.iter().enumerate();
            named.map(|(i, s)| (MachineId::new(format!("m{i}")).unwrap(), s.ln())).collect()
        };
        let found = of_machines(&machines(&[1.0, 1.21, 1.01, 0.99, 1.19, 1.0, 1.0]));
        let [Flag::TwoKinds { slower: 2, machines: 7, ratio }] = found[..] else {
            panic!("{found:?}")
        };
        assert!((ratio - 1.2).abs() < 1e-3, "{ratio}");
        assert_eq!(
            found[0].sentence(),
            "two kinds of machines: 2 of 7 are 20 % slower than the others"
        );
        let spread = [1.0, 1.05, 1.1, 1.15, 1.2, 1.25, 1.3];
        assert!(of_machines(&machines(&spread)).is_empty());
        assert!(of_machines(&machines(&[1.0; 8])).is_empty());
    }

    #[test]
    fn the_worst_of_each_kind_is_kept() {
        let flags = [
            Flag::Outliers { share: 0.1 },
            Flag::Noisy { spread: 0.2 },
            Flag::Outliers { share: 0.3 },
        ];
        assert_eq!(worst(flags), [Flag::Outliers { share: 0.3 }, Flag::Noisy { spread: 0.2 }]);
    }
}
