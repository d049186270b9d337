//! Tests of a mean difference over seeds: Student's paired t (1908), and the permutation test of
//! Fisher (1935), which assumes nothing but that without a difference each seed's could as well
//! have had the other sign.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Up to this many seeds every way of signs is tried (65,536 of them); beyond, none is: the t test
/// serves there.
const MOST_SEEDS: usize = 16;

/// How often chance alone would give a mean at least so far from zero; two-sided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedTest {
    /// Student's paired t.
    pub t_p: f64,
    /// Over all ways of signs; none beyond sixteen seeds.
    pub permutation_p: Option<f64>,
    /// The smallest that `permutation_p` could be with so many seeds.
    pub smallest_permutation_p: f64,
}

/// Tests the differences of at least two seeds; none for one, or where all are equal.
pub fn test_seeds(differences: &[f64]) -> Option<SeedTest> {
    let n = differences.len();
    spread(differences).map(|deviation| SeedTest {
        t_p: paired_t(differences, deviation),
        permutation_p: (n <= MOST_SEEDS).then(|| permutation(differences)),
        smallest_permutation_p: 2f64.powi(1 - n as i32),
    })
}

/// The sample standard deviation; none with one value, or where all are equal. Accuracies are
/// counts of pictures: two seeds now and then agree to the picture, and do not tell then how far a
/// third would lie. A spread of zero would claim the surest difference from the fewest seeds.
pub(super) fn spread(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    // Shares of pictures lie further apart; what is less is the rounding of their sums.
    Some(deviation(values)).filter(|deviation| *deviation > 1e-12)
}

/// The sample standard deviation.
fn deviation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// Two-sided p of the mean against zero.
fn paired_t(differences: &[f64], deviation: f64) -> f64 {
    let n = differences.len() as f64;
    let (mean, error) = (differences.iter().sum::<f64>() / n, deviation / n.sqrt());
    let t = StudentsT::new(0.0, 1.0, n - 1.0).expect("at least two seeds");
    2.0 * t.cdf(-(mean / error).abs())
}

fn permutation(differences: &[f64]) -> f64 {
    let n = differences.len();
    let sum = |signs: u32| -> f64 {
        let signed = |(i, d): (usize, &f64)| if signs >> i & 1 == 1 { -d } else { *d };
        differences.iter().enumerate().map(signed).sum()
    };
    let seen = sum(0).abs();
    // Rounding must not tell equal sums apart.
    let enough = seen - 1e-12 * differences.iter().map(|d| d.abs()).sum::<f64>();
    let ways = 1u32 << n;
    (0..ways).filter(|signs| sum(*signs).abs() >= enough).count() as f64 / f64::from(ways)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::golden::{close, golden, number, numbers};

    #[test]
    fn both_p_are_scipys() {
        for case in golden()["seed_tests"].as_array().unwrap() {
            let ours = test_seeds(&numbers(&case["differences"])).unwrap();
            close(ours.t_p, number(&case["t_p"]), 1e-9);
            close(ours.permutation_p.unwrap(), number(&case["permutation_p"]), 1e-9);
        }
    }

    #[test]
    fn three_seeds_can_never_reach_five_per_cent_by_permutation() {
        let test = test_seeds(&[0.05, 0.06, 0.055]).unwrap();
        assert_eq!(test.permutation_p, Some(0.25));
        assert_eq!(test.smallest_permutation_p, 0.25);
        assert!(test.t_p < 0.01);
    }

    #[test]
    fn few_and_many_seeds_say_what_they_can() {
        assert!(test_seeds(&[0.1]).is_none());
        let many: Vec<f64> = (0..17).map(|i| 0.1 + 0.01 * f64::from(i)).collect();
        assert_eq!(test_seeds(&many).unwrap().permutation_p, None);
    }

    #[test]
    fn seeds_that_agree_have_no_spread() {
        for values in [[0.0, 0.0], [-0.025, -0.025], [0.1 + 0.2, 0.3]] {
            assert!(spread(&values).is_none() && test_seeds(&values).is_none(), "{values:?}");
        }
        close(spread(&[0.0, 0.0025]).unwrap(), 0.0025 / 2f64.sqrt(), 1e-15);
    }
}
