//! Holm's correction (1979): several comparisons at once, and still at most one study in twenty
//! that claims a difference where there is none.

/// The adjusted p of each, in the order given: the smallest times their number, the next smallest
/// times one less, and so on, never falling, at most 1. NaN counts as a p of 1 in the ranking.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![f64::NAN; p.len()];
    let mut largest: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        largest = largest.max(p[index] * (p.len() - rank) as f64).min(1.0);
        adjusted[index] = if p[index].is_nan() { f64::NAN } else { largest };
    }
    adjusted
}

/// The same where some have no test: those count for nothing, and stay without.
pub fn holm_tested(p: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut adjusted = holm(&p.iter().flatten().copied().collect::<Vec<_>>()).into_iter();
    p.iter().map(|p| p.and_then(|_| adjusted.next())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::golden::{close, golden, numbers};

    #[test]
    fn adjusted_p_is_statsmodels() {
        for case in golden()["holm"].as_array().unwrap() {
            for (ours, theirs) in holm(&numbers(&case["p"])).iter().zip(numbers(&case["adjusted"]))
            {
                close(*ours, theirs, 1e-9);
            }
        }
    }

    #[test]
    fn one_comparison_needs_no_correction() {
        assert_eq!(holm(&[0.03]), [0.03]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn what_has_no_test_does_not_count() {
        assert_eq!(
            holm_tested(&[None, Some(0.01), None, Some(0.4)]),
            [None, Some(0.02), None, Some(0.4)]
        );
    }
}
