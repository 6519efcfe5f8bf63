//! Order statistics of plain slices.

/// A sorted copy.
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// The quantile at `p` (0 to 1) of sorted values, linear between neighbours: definition 7 of
/// Hyndman and Fan, "Sample Quantiles in Statistical Packages" (1996). NaN if there are none.
pub fn quantile(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = p.clamp(0.0, 1.0) * last as f64;
    // In range: 0 <= place <= last.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

/// The median, in any order; NaN if there are no values.
pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    let count = values.len();
    if count == 0 {
        return f64::NAN;
    }
    // Selecting is a good deal faster than sorting, and medians are most of the work.
    let (below, &mut middle, _) = values.select_nth_unstable_by(count / 2, f64::total_cmp);
    if count % 2 == 1 {
        return middle;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    f64::midpoint(lower, middle)
}

/// Median absolute deviation from the median `middle`, scaled to be the standard deviation of
/// normal values.
pub(super) fn deviation(values: &[f64], middle: f64) -> f64 {
    let distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    1.4826 * median(&distances)
}

/// The arithmetic mean; NaN if there are no values.
pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) =
        values.into_iter().fold((0.0, 0u32), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count)
}

/// The variance with divisor n - 1; NaN below two values.
pub(super) fn variance(values: &[f64]) -> f64 {
    let middle = mean(values.iter().copied());
    let squares: f64 = values.iter().map(|value| (value - middle).powi(2)).sum();
    squares / (values.len() as f64 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_quantiles_by_hand() {
        assert!(median(&[]).is_nan());
        let cases: [(&[f64], f64); 4] = [
            (&[3.0], 3.0),
            (&[4.0, 1.0], 2.5),
            (&[9.0, 1.0, 2.0], 2.0),
            (&[1.0, 2.0, 3.0, 100.0], 2.5),
        ];
        for (values, expected) in cases {
            assert!((median(values) - expected).abs() < 1e-12, "{values:?}");
        }
        let values = [10.0, 20.0, 30.0, 40.0, 50.0];
        assert!((quantile(&values, 0.0) - 10.0).abs() < 1e-12);
        assert!((quantile(&values, 0.9) - 46.0).abs() < 1e-12);
        assert!((quantile(&values, 1.0) - 50.0).abs() < 1e-12);
    }

    #[test]
    fn spread_by_hand() {
        assert!((variance(&[1.0, 2.0, 3.0, 4.0]) - 5.0 / 3.0).abs() < 1e-12);
        assert!((deviation(&[1.0, 2.0, 3.0, 4.0, 100.0], 3.0) - 1.4826).abs() < 1e-12);
    }
}
