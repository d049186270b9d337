//! Intervals for a mean over seeds (Student's t) and for a share of pictures (Wilson 1927).

use serde::{Deserialize, Serialize};
use statrs::distribution::{Continuous, ContinuousCDF, Normal, StudentsT};

use super::LEVEL;
use super::seeds::spread;

/// A range of values that the data do not contradict at [`LEVEL`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end, in the unit of the data.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Whether zero lies outside: then the sign of the difference is shown.
    pub fn excludes_zero(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }

    /// The same range in other units, e.g. from shares to percentage points by 100.
    pub fn scale(&self, factor: f64) -> Interval {
        Interval { low: self.low * factor, high: self.high * factor }
    }
}

/// A mean over `n` seeds; one seed has no interval, nor have seeds that all agree.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Mean over seeds, in the unit of the data.
    pub mean: f64,
    /// Student's t at [`LEVEL`].
    pub interval: Option<Interval>,
    /// How many seeds.
    pub n: usize,
}

/// Mean of `values` with Student's t interval: `mean ± t(n−1) · s / √n`.
///
/// # Panics
/// With no values: an arm without a finished seed has no estimate.
pub fn mean_t(values: &[f64]) -> Estimate {
    assert!(!values.is_empty(), "mean_t: got 0 values, want at least 1");
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n as f64;
    let interval = spread(values).map(|deviation| {
        let half = t_quantile(n - 1) * deviation / (n as f64).sqrt();
        Interval { low: mean - half, high: mean + half }
    });
    Estimate { mean, interval, n }
}

pub(super) fn t_quantile(degrees: usize) -> f64 {
    let t = StudentsT::new(0.0, 1.0, degrees as f64).expect("degrees of freedom are at least 1");
    let share = 0.5 + LEVEL / 2.0;
    // statrs finds it by root search, good to about 1e-9; two steps of Newton's give the rest.
    (0..2).fold(t.inverse_cdf(share), |x, _| x - (t.cdf(x) - share) / t.pdf(x))
}

/// Wilson's score interval for a share of `trials`; `successes` may be a mean over seeds.
pub fn wilson(successes: f64, trials: usize) -> Interval {
    let n = trials as f64;
    let z = Normal::standard().inverse_cdf(0.5 + LEVEL / 2.0);
    let share = successes / n;
    let centre = (share + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let spread = share * (1.0 - share) / n + z * z / (4.0 * n * n);
    let half = z / (1.0 + z * z / n) * spread.sqrt();
    Interval { low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::golden::{close, golden, number, numbers};

    const TOLERANCE: f64 = 1e-9;

    #[test]
    fn t_interval_is_scipys() {
        for case in golden()["t_interval"].as_array().unwrap() {
            let ours = mean_t(&numbers(&case["values"]));
            close(ours.mean, number(&case["mean"]), TOLERANCE);
            let (low, high) = (number(&case["low"]), number(&case["high"]));
            // Where scipy's is a single point ours is none.
            assert_eq!(ours.interval.is_none(), low == high);
            let ours = ours.interval.unwrap_or(Interval { low, high });
            close(ours.low, low, TOLERANCE);
            close(ours.high, high, TOLERANCE);
        }
    }

    #[test]
    fn wilson_is_scipys() {
        for case in golden()["wilson"].as_array().unwrap() {
            let ours = wilson(number(&case["successes"]), number(&case["trials"]) as usize);
            close(ours.low, number(&case["low"]), TOLERANCE);
            close(ours.high, number(&case["high"]), TOLERANCE);
        }
    }

    #[test]
    fn one_seed_has_no_interval() {
        assert_eq!(mean_t(&[0.9]), Estimate { mean: 0.9, interval: None, n: 1 });
    }

    #[test]
    fn zero_on_the_edge_is_not_excluded() {
        assert!(!Interval { low: 0.0, high: 1.0 }.excludes_zero());
        assert!(Interval { low: -2.0, high: -1.0 }.excludes_zero());
    }
}
