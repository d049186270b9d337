//! Agreement: do two maps put the same places first? Spearman's rank correlation (1904) of two maps
//! at the same tap; ties share their mean rank. Between the seeds of one arm it says how much of a
//! map is the network's kind and how much is the luck of one training.

use super::mean;
use crate::cam::Map;

/// The mean correlation of maps with their counterparts, −1..=1; maps that are constant, or differ
/// in size, have none and are left out. `None` if that leaves nothing.
pub fn agreement(first: &[Map], second: &[Map]) -> Option<f64> {
    let pairs = first.iter().zip(second);
    let found: Vec<f64> = pairs
        .filter(|(a, b)| (a.width, a.height) == (b.width, b.height))
        .filter_map(|(a, b)| correlation(&ranks(&a.signed), &ranks(&b.signed)))
        .collect();
    (!found.is_empty()).then(|| mean(found))
}

/// Places by value from 1; equal values share the mean of their ranks.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    while first < order.len() {
        let value = values[order[first]];
        let count = order[first..].iter().take_while(|i| values[**i] == value).count().max(1);
        for index in &order[first..first + count] {
            ranks[*index] = first as f64 + (count as f64 + 1.0) / 2.0;
        }
        first += count;
    }
    ranks
}

/// Pearson's; none where a side does not vary.
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let (mean_a, mean_b) = (mean(a.iter().copied()), mean(b.iter().copied()));
    let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        a.iter().zip(b).map(|(a, b)| f(a - mean_a, b - mean_b)).sum()
    };
    let spread = (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt();
    (spread > 0.0).then(|| sum(&|a, b| a * b) / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(signed: &[f32]) -> Map {
        Map { height: 1, width: signed.len() as u32, signed: signed.to_vec() }
    }

    #[test]
    fn only_the_order_counts() {
        let (a, b) = (map(&[1.0, 2.0, 3.0, 10.0]), map(&[0.1, 0.2, 0.9, 1.0]));
        assert_eq!(agreement(std::slice::from_ref(&a), &[b]), Some(1.0));
        let turned = map(&[4.0, 3.0, 2.0, 1.0]);
        assert_eq!(agreement(&[a], &[turned]), Some(-1.0));
    }

    #[test]
    fn ties_are_scipys() {
        // scipy.stats.spearmanr([1, 2, 2, 3, 5], [2, 1, 4, 4, 6]).statistic
        let (a, b) = (map(&[1.0, 2.0, 2.0, 3.0, 5.0]), map(&[2.0, 1.0, 4.0, 4.0, 6.0]));
        let got = agreement(&[a], &[b]).unwrap();
        assert!((got - 0.763_157_894_736_842_1).abs() < 1e-12, "{got}");
    }

    #[test]
    fn flat_maps_agree_with_nothing() {
        assert_eq!(agreement(&[map(&[1.0, 1.0])], &[map(&[1.0, 2.0])]), None);
        assert_eq!(agreement(&[map(&[1.0, 2.0])], &[map(&[1.0, 2.0, 3.0])]), None);
    }
}
