//! What types give for the money, and which of them nothing else beats.

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StudentT};
use serde::{Deserialize, Serialize};

use super::interval::{Estimate, Interval, Spread, exp};
use super::label::LabelSamples;
use super::resample::{Generator, stream};
use super::sampled::Sampled;
use super::verdict::{Evidence, Judged, Verdict, judge};
use super::{Key, Settings};

const SECONDS_PER_HOUR: f64 = 3600.0;

/// Dollars per hour of machine. List prices are known exactly; spot prices and currencies move
/// within a range, and then every figure holds for all of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HourlyPrice {
    /// At least; above 0.
    pub low: f64,
    /// Most likely.
    pub likely: f64,
    /// At most.
    pub high: f64,
}

impl HourlyPrice {
    /// A price that is known exactly.
    pub fn exact(dollars: f64) -> Self {
        Self { low: dollars, likely: dollars, high: dollars }
    }

    fn is_sensible(&self) -> bool {
        let ordered = self.low <= self.likely && self.likely <= self.high;
        ordered && self.low >= 1e-12 && self.high <= 1e12
    }

    /// By what the likely price may be off, as a logarithm.
    fn slack(&self) -> f64 {
        (self.high / self.likely).ln().max((self.likely / self.low).ln())
    }
}

/// What the types give for the money, in one variant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// Variant.
    pub variant: String,
    /// The benchmarks it was taken over: those that every task of every type here has.
    pub benchmarks: Vec<String>,
    /// The type that others are compared with.
    pub baseline: String,
    /// The types with a price.
    pub types: Vec<TypeValue>,
}

/// What one type gives for the money.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TypeValue {
    /// Alias or instance type.
    pub label: String,
    /// Its price.
    pub price: HourlyPrice,
    /// Iterations of the average benchmark, one after the other, for a dollar of machine time.
    pub iterations_per_dollar: Estimate,
    /// The same relative to the baseline; absent for the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative: Option<Worth>,
    /// Whether no other type was measured faster without being dearer, or cheaper without being
    /// slower: the Pareto front.
    pub on_front: bool,
    /// How likely that is so, 0 to 1, among the types that ran on several machines; absent if
    /// this one did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front_probability: Option<f64>,
}

/// Value relative to the baseline, and what may be said of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worth {
    /// Iterations per dollar over the baseline's: 1.12 is 12 % more for the money.
    pub worth: Estimate,
    /// How strong the evidence for a difference is; absent if one of them ran on one instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// What may be said of it, where faster means more for the money.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl From<Judged> for Worth {
    fn from(judged: Judged) -> Self {
        let Judged { estimate: worth, evidence, verdict } = judged;
        Self { worth, evidence, verdict }
    }
}

impl Value {
    /// The entry of a label.
    pub fn of(&self, label: &str) -> Option<&TypeValue> {
        self.types.iter().find(|one| one.label == label)
    }
}

/// A type with a price, and its time over the common benchmarks.
struct Priced<'a> {
    label: &'a str,
    price: HourlyPrice,
    time: Sampled,
}

/// The value of every type with a price, by variant.
pub(super) fn by_variant(
    labels: &[(&str, &LabelSamples)],
    baseline: usize,
    settings: &Settings,
) -> Vec<Value> {
    let baseline = labels.get(baseline).map(|(label, _)| *label);
    let variants: BTreeSet<&str> = labels
        .iter()
        .flat_map(|(_, samples)| samples.complete.keys())
        .map(|(variant, _)| variant.as_str())
        .collect();
    variants.into_iter().filter_map(|variant| value(labels, baseline, variant, settings)).collect()
}

fn value(
    labels: &[(&str, &LabelSamples)],
    baseline: Option<&str>,
    variant: &str,
    settings: &Settings,
) -> Option<Value> {
    let members = |samples: &LabelSamples| -> BTreeSet<Key> {
        samples.complete.keys().filter(|(name, _)| name == variant).cloned().collect()
    };
    let candidates: Vec<(&str, HourlyPrice, &LabelSamples)> = labels
        .iter()
        .filter_map(|(label, samples)| Some((*label, *settings.prices.get(*label)?, *samples)))
        .filter(|(_, price, samples)| price.is_sensible() && !members(samples).is_empty())
        .collect();
    let common = candidates
        .iter()
        .map(|(_, _, samples)| members(samples))
        .reduce(|common, other| common.intersection(&other).cloned().collect())?;
    let types: Vec<Priced<'_>> = candidates
        .into_iter()
        .filter_map(|(label, price, samples)| {
            let all: Vec<&Sampled> =
                common.iter().filter_map(|key| samples.complete.get(key)).collect();
            Some(Priced { label, price, time: Sampled::mean(&all)? })
        })
        .collect();
    let base = types.iter().find(|one| Some(one.label) == baseline).or(types.first())?;
    let ratios: Vec<(Sampled, f64)> = types
        .iter()
        .filter(|one| one.label != base.label)
        .map(|one| {
            let cheaper = (base.price.likely / one.price.likely).ln();
            let ratio = base.time.minus_independent(&one.time).shifted(cheaper);
            (ratio, base.price.slack() + one.price.slack())
        })
        .collect();
    let family: Vec<(&Sampled, f64)> =
        ratios.iter().map(|(ratio, slack)| (ratio, *slack)).collect();
    let mut judged = judge(&family, settings).into_iter();
    let on_front = front(types.iter().map(|one| (one.price.likely, one.time.point)));
    let probabilities = front_probabilities(&types, settings);
    let described = types
        .iter()
        .zip(on_front)
        .zip(probabilities)
        .map(|((one, on_front), front_probability)| TypeValue {
            label: one.label.to_owned(),
            price: one.price,
            iterations_per_dollar: per_dollar(one, settings.confidence),
            relative: if one.label == base.label { None } else { judged.next().map(Worth::from) },
            on_front,
            front_probability,
        })
        .collect();
    Some(Value {
        variant: variant.to_owned(),
        benchmarks: common.into_iter().map(|(_, benchmark)| benchmark).collect(),
        baseline: base.label.to_owned(),
        types: described,
    })
}

fn per_dollar(one: &Priced<'_>, confidence: f64) -> Estimate {
    let iterations = |dollars: f64, time: f64| exp((SECONDS_PER_HOUR / dollars).ln() - time);
    let interval = one.time.interval(confidence).map(|interval| Interval {
        low: iterations(one.price.high, interval.high),
        high: iterations(one.price.low, interval.low),
        ..interval
    });
    let value = iterations(one.price.likely, one.time.point);
    Estimate { value, interval, spread: one.time.spread }
}

/// Which points, by price and time, no other beats in both.
fn front(points: impl Iterator<Item = (f64, f64)>) -> Vec<bool> {
    let points: Vec<(f64, f64)> = points.collect();
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| {
        let ((price, time), (other_price, other_time)) = (points[a], points[b]);
        price.total_cmp(&other_price).then(time.total_cmp(&other_time))
    });
    let mut on_front = vec![false; points.len()];
    let mut best: Option<(f64, f64)> = None;
    for index in order {
        let (price, time) = points[index];
        // Of the same price and time, both are on it: neither beats the other.
        let beaten =
            best.is_some_and(|(cheap, fast)| fast < time || (fast <= time && cheap < price));
        if !beaten {
            on_front[index] = true;
            best = Some((price, time));
        }
    }
    on_front
}

/// How often each type is on the front when times are drawn from what is known of them
/// (Student's t around the measured one) and prices from their ranges.
fn front_probabilities(types: &[Priced<'_>], settings: &Settings) -> Vec<Option<f64>> {
    let drawn: Vec<Option<Vec<(f64, f64)>>> =
        types.iter().map(|one| draws(one, settings)).collect();
    let mut counts = vec![0usize; types.len()];
    for i in 0..settings.resamples {
        let places: Vec<usize> = (0..types.len()).filter(|&place| drawn[place].is_some()).collect();
        let on_front = front(drawn.iter().flatten().map(|all| all[i]));
        for (place, _) in places.into_iter().zip(on_front).filter(|(_, on_front)| *on_front) {
            counts[place] += 1;
        }
    }
    let share = |count: usize| count as f64 / settings.resamples as f64;
    let known = |all: &Option<Vec<_>>| all.is_some() && settings.resamples > 0;
    drawn.iter().zip(counts).map(|(all, count)| known(all).then(|| share(count))).collect()
}

/// Draws of price and time; `None` if how much machines differ is unknown.
fn draws(one: &Priced<'_>, settings: &Settings) -> Option<Vec<(f64, f64)>> {
    let Spread::AcrossMachines { .. } = one.time.spread else { return None };
    let uncertainty = one.time.uncertainty()?;
    let student = StudentT::new(uncertainty.degrees).ok()?;
    let (low, high) = (one.price.low.ln(), one.price.high.ln());
    let mut rng = Generator::seed_from_u64(stream(settings.seed, one.label));
    let draw = |_| {
        let price = low + (high - low) * rng.random::<f64>();
        (price, one.time.point + uncertainty.error() * student.sample(&mut rng))
    };
    Some((0..settings.resamples).map(draw).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::order::mean;
    use super::super::sampled::Group;
    use super::*;

    fn samples(seconds: f64, units: &[f64]) -> LabelSamples {
        let units: Vec<f64> = units.iter().map(|unit| unit + seconds.ln()).collect();
        let instances = units.len();
        let spread = match instances {
            1 => Spread::WithinMachine { tasks: 3 },
            _ => Spread::AcrossMachines { instances },
        };
        let sampled = Sampled {
            point: mean(units.iter().copied()),
            groups: vec![Group { units, replicates: Vec::new(), times: 0 }],
            spread,
        };
        let key = ("yjit".to_owned(), "one".to_owned());
        LabelSamples { complete: BTreeMap::from([(key, sampled)]) }
    }

    fn settings(prices: &[(&str, HourlyPrice)]) -> Settings {
        let prices = prices.iter().map(|(label, price)| ((*label).to_owned(), *price)).collect();
        Settings { prices, ..Settings::new(1) }
    }

    const QUIET: [f64; 4] = [-0.01, 0.01, -0.01, 0.01];

    #[test]
    fn value_and_front_by_hand() {
        let (small, large, waste) =
            (samples(0.02, &QUIET), samples(0.01, &QUIET), samples(0.03, &QUIET));
        let labels = [("small", &small), ("large", &large), ("waste", &waste)];
        let prices = [("small", 0.1), ("large", 0.4), ("waste", 0.2)]
            .map(|(label, dollars)| (label, HourlyPrice::exact(dollars)));
        let values = by_variant(&labels, 0, &settings(&prices));
        let [value] = values.as_slice() else { panic!("{values:?}") };
        // A dollar buys ten hours of `small`: 36,000 s or 1,800,000 iterations.
        let per_dollar = |label: &str| value.of(label).unwrap().iterations_per_dollar.value;
        assert!((per_dollar("small") - 1.8e6).abs() < 1e-3);
        assert!((per_dollar("large") - 0.9e6).abs() < 1e-3);
        let worth = value.of("large").unwrap().relative.as_ref().unwrap();
        assert!((worth.worth.value - 0.5).abs() < 1e-9 && worth.verdict == Verdict::Slower);
        assert_eq!(value.of("small").unwrap().relative, None);
        let fronts: Vec<bool> = value.types.iter().map(|one| one.on_front).collect();
        assert_eq!(fronts, [true, true, false]);
        let likely: Vec<f64> =
            value.types.iter().map(|one| one.front_probability.unwrap()).collect();
        assert!(likely[0] > 0.99 && likely[1] > 0.99 && likely[2] < 0.01, "{likely:?}");
    }

    #[test]
    fn noise_and_price_ranges_make_the_front_uncertain() {
        let noisy = QUIET.map(|unit| unit * 20.0);
        let (a, b) = (samples(0.02, &noisy), samples(0.0201, &noisy));
        let labels = [("a", &a), ("b", &b)];
        let exact = [("a", HourlyPrice::exact(0.1)), ("b", HourlyPrice::exact(0.101))];
        let values = by_variant(&labels, 0, &settings(&exact));
        let b_only = values[0].of("b").unwrap();
        assert!(!b_only.on_front);
        let likely = b_only.front_probability.unwrap();
        assert!(likely > 0.4 && likely < 0.6, "a coin's throw: {likely}");
        let range = HourlyPrice { low: 0.05, likely: 0.1, high: 0.2 };
        let ranges = [("a", HourlyPrice::exact(0.1)), ("b", range)];
        let vague = by_variant(&labels, 0, &settings(&ranges));
        let width = |value: &Value| {
            let interval = value.of("b").unwrap().iterations_per_dollar.interval.unwrap();
            interval.high / interval.low
        };
        assert!((width(&vague[0]) / width(&values[0]) - 4.0).abs() < 1e-9);
    }

    #[test]
    fn one_machine_is_on_the_front_but_nobody_knows_how_surely() {
        let (many, one) = (samples(0.02, &QUIET), samples(0.01, &[0.0]));
        let labels = [("many", &many), ("one", &one)];
        let prices = ["many", "one"].map(|label| (label, HourlyPrice::exact(0.1)));
        let values = by_variant(&labels, 0, &settings(&prices));
        let entry = values[0].of("one").unwrap();
        assert_eq!((entry.on_front, entry.front_probability), (true, None));
        assert_eq!(entry.relative.as_ref().unwrap().verdict, Verdict::OneInstance);
        assert_eq!(values[0].of("many").unwrap().front_probability, Some(1.0));
    }

    #[test]
    fn without_sensible_prices_there_is_no_value() {
        let one = samples(0.02, &QUIET);
        let labels = [("a", &one)];
        assert!(by_variant(&labels, 0, &settings(&[])).is_empty());
        for dollars in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let prices = [("a", HourlyPrice::exact(dollars))];
            assert!(by_variant(&labels, 0, &settings(&prices)).is_empty(), "{dollars}");
        }
        assert!(by_variant(&[], 0, &settings(&[])).is_empty());
    }

    #[test]
    fn equals_share_the_front() {
        let points = [(1.0, 2.0), (1.0, 2.0), (1.0, 3.0), (2.0, 2.0), (2.0, 1.0), (3.0, 1.0)];
        assert_eq!(front(points.into_iter()), [true, true, false, false, true, false]);
        assert!(front(std::iter::empty()).is_empty());
    }
}
