//! Bias-corrected and accelerated percentiles of resamples (B. Efron, 1987).

use statrs::distribution::{ContinuousCDF, Normal};

use super::order::{mean, quantile, sorted, variance};

/// Resamples of a sum of means of units, ready to be asked for percentiles.
pub(super) struct Accelerated {
    normal: Normal,
    replicates: Vec<f64>,
    point: f64,
    /// How far the resamples' middle is from the point, in standard errors.
    bias: f64,
    /// How fast the standard error grows with the value.
    acceleration: f64,
}

impl Accelerated {
    /// The acceleration is the jackknife's over the units of each group, which for a mean is
    /// known in closed form. `None` without resamples.
    pub(super) fn new(point: f64, replicates: &[f64], groups: &[&[f64]]) -> Option<Self> {
        if replicates.is_empty() {
            return None;
        }
        let mut one = Self {
            normal: Normal::new(0.0, 1.0).ok()?,
            replicates: sorted(replicates),
            point,
            bias: 0.0,
            acceleration: skewness(groups) / 6.0,
        };
        one.bias = one.normal.inverse_cdf(one.share_below(point));
        Some(one)
    }

    /// The ends of the interval that reaches `reach` standard errors to both sides: for a plain
    /// interval of 95 % that is the normal quantile 1.96.
    pub(super) fn interval(&self, reach: f64) -> (f64, f64) {
        (self.end(-reach), self.end(reach))
    }

    fn end(&self, z: f64) -> f64 {
        let moved = self.bias + z;
        let stretched = self.bias + moved / (1.0 - self.acceleration * moved).max(0.1);
        quantile(&self.replicates, self.normal.cdf(stretched))
    }

    /// How many standard errors an interval must reach to end at `value`: the inverse of
    /// [`Accelerated::interval`]. Beyond the resamples it goes on as a normal distribution.
    pub(super) fn reach_to(&self, value: f64) -> f64 {
        let mut z = self.normal.inverse_cdf(self.share_below(value));
        let (first, last) = (self.replicates[0], self.replicates[self.replicates.len() - 1]);
        if value < first || value > last {
            let straight = (value - self.point) / variance(&self.replicates).sqrt();
            z = if value < first { z.min(straight) } else { z.max(straight) };
        }
        let stretched = z - self.bias;
        stretched / (1.0 + self.acceleration * stretched).max(0.1) - self.bias
    }

    /// The share of resamples below a value, ties counting half, and never none or all.
    fn share_below(&self, value: f64) -> f64 {
        let count = self.replicates.len() as f64;
        let below = self.replicates.partition_point(|&one| one < value) as f64;
        let equal = self.replicates.partition_point(|&one| one <= value) as f64 - below;
        ((below + equal / 2.0) / count).clamp(0.5 / count, 1.0 - 0.5 / count)
    }
}

/// The skewness of a sum of means, from the units of each.
fn skewness(groups: &[&[f64]]) -> f64 {
    let moment = |power: i32| -> f64 {
        let group = |units: &&[f64]| {
            let centre = mean(units.iter().copied());
            let sum: f64 = units.iter().map(|unit| (unit - centre).powi(power)).sum();
            sum / (units.len() as f64).powi(power)
        };
        groups.iter().map(group).sum()
    };
    let scale = moment(2).powf(1.5);
    if scale > 0.0 { moment(3) / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For symmetric resamples BCa is the plain percentile interval.
    #[test]
    fn symmetric_resamples_give_plain_percentiles() {
        let units: Vec<f64> = (0..21).map(|i| f64::from(i) - 10.0).collect();
        let replicates: Vec<f64> = (-5000..=5000).map(|i| f64::from(i) / 1000.0).collect();
        let (low, high) =
            Accelerated::new(0.0, &replicates, &[&units]).unwrap().interval(1.959_964);
        // The uniform resamples from -5 to 5 have their 97.5 % quantile at 4.75.
        assert!((high - 4.75).abs() < 1e-3 && (low + high).abs() < 1e-9, "{low} to {high}");
    }

    #[test]
    fn skewed_units_move_the_interval_towards_their_tail() {
        let units: Vec<f64> = (0..20).map(|i| f64::from(i).powi(3) / 1000.0).collect();
        let point = mean(units.iter().copied());
        let replicates: Vec<f64> = (-5000..=5000).map(|i| point + f64::from(i) / 1000.0).collect();
        let (low, high) =
            Accelerated::new(point, &replicates, &[&units]).unwrap().interval(1.959_964);
        assert!(high - point > point - low + 0.05, "{low} to {high} around {point}");
    }

    #[test]
    fn the_reach_to_an_end_is_the_reach_it_was_made_with() {
        let units: Vec<f64> = (0..15).map(|i| f64::from(i).powi(2) / 100.0).collect();
        let point = mean(units.iter().copied());
        let replicates: Vec<f64> =
            (0..20_000).map(|i| point + (f64::from(i) / 1e4 - 0.98).powi(3)).collect();
        let one = Accelerated::new(point, &replicates, &[&units]).unwrap();
        for reach in [0.5, 1.0, 2.0, 2.5] {
            let (low, high) = one.interval(reach);
            assert!((one.reach_to(low) + reach).abs() < 0.01, "{reach}: {}", one.reach_to(low));
            assert!((one.reach_to(high) - reach).abs() < 0.01, "{reach}: {}", one.reach_to(high));
        }
        let far = [-1e3, -1e2, 1e2, 1e3].map(|value| one.reach_to(value));
        assert!(far.is_sorted() && far[1] < -3.0 && far[2] > 3.0, "{far:?}");
    }

    #[test]
    fn without_resamples_there_is_nothing() {
        assert!(Accelerated::new(0.0, &[], &[]).is_none());
    }
}
