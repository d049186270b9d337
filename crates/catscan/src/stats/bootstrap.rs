//! The percentile bootstrap (Efron 1979) over test pictures: what if other pictures were drawn?

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Interval, LEVEL};

/// Resamples drawn; the interval's ends then wander by about 1 % of its width.
pub const RESAMPLES: usize = 10_000;

/// Interval for the mean of `values` (one number a picture), by drawing as many pictures with
/// replacement [`RESAMPLES`] times. The same values and seed always give the same interval.
///
/// # Panics
/// With no values.
pub fn bootstrap_mean(values: &[f64], seed: u64) -> Interval {
    bootstrap_of(values, RESAMPLES, seed)
}

/// The same with another number of resamples.
pub(super) fn bootstrap_of(values: &[f64], resamples: usize, seed: u64) -> Interval {
    assert!(!values.is_empty(), "bootstrap_mean: got 0 pictures, want at least 1");
    let mut draws = ChaCha8Rng::seed_from_u64(seed);
    let mut means: Vec<f64> = (0..resamples).map(|_| resampled_mean(values, &mut draws)).collect();
    means.sort_by(f64::total_cmp);
    let tail = (1.0 - LEVEL) / 2.0;
    Interval { low: quantile(&means, tail), high: quantile(&means, 1.0 - tail) }
}

fn resampled_mean(values: &[f64], draws: &mut ChaCha8Rng) -> f64 {
    let n = values.len();
    (0..n).map(|_| values[draws.random_range(0..n)]).sum::<f64>() / n as f64
}

/// The quantile between order statistics, as numpy's default (linear).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::golden::{close, golden, number, numbers};

    /// Both sides draw at random: the ends of a 95 % interval from 10,000 resamples have a standard
    /// error of about 2 % of its half width, here 0.0008; five of them are allowed.
    const TOLERANCE: f64 = 0.004;

    #[test]
    fn interval_is_scipys() {
        let case = &golden()["bootstrap"];
        let ours = bootstrap_mean(&numbers(&case["values"]), 7);
        close(ours.low, number(&case["low"]), TOLERANCE);
        close(ours.high, number(&case["high"]), TOLERANCE);
    }

    #[test]
    fn a_seed_gives_one_interval() {
        let values: Vec<f64> = (0..50).map(|i| f64::from(i).sqrt()).collect();
        assert_eq!(bootstrap_mean(&values, 1), bootstrap_mean(&values, 1));
        assert_ne!(bootstrap_mean(&values, 1), bootstrap_mean(&values, 2));
    }

    #[test]
    fn equal_pictures_have_no_spread() {
        assert_eq!(bootstrap_mean(&[0.5; 20], 1), Interval { low: 0.5, high: 0.5 });
    }
}
