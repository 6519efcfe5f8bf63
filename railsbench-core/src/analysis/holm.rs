//! Many comparisons at once.

/// Chances adjusted for how many there are, in the same order: those at most α may be called
/// significant, and the chance of any false call among all is then at most α (S. Holm, "A
/// Simple Sequentially Rejective Multiple Test Procedure", 1979). They may depend on each other.
pub(super) fn adjusted(chances: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..chances.len()).collect();
    order.sort_by(|&a, &b| chances[a].total_cmp(&chances[b]));
    let mut adjusted = vec![1.0; chances.len()];
    let mut largest = 0.0f64;
    for (rank, index) in order.into_iter().enumerate() {
        let left = (chances.len() - rank) as f64;
        largest = largest.max((left * chances[index]).min(1.0));
        adjusted[index] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Sorted: 0.005 × 4, 0.01 × 3, 0.03 × 2, 0.04 × 1 (raised to what is before it).
        let found = adjusted(&[0.01, 0.04, 0.03, 0.005]);
        let expected = [0.03, 0.06, 0.06, 0.02];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        assert_eq!(adjusted(&[0.7, 0.6]), [1.0, 1.0]);
        assert_eq!(adjusted(&[0.02]), [0.02]);
        assert!(adjusted(&[]).is_empty());
    }
}
