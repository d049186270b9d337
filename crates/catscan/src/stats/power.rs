//! What a design could have shown: the power of the paired t test over seeds (Student's t, and its
//! noncentral distribution for a true difference).
//!
//! From the deviation of the seeds' differences it says how large a true difference must be to be
//! found four times in five, and how many seeds would find one point. The deviation is itself an
//! estimate; from three seeds it may be off by a factor of two either way.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};
use statrs::function::gamma::ln_gamma;

use super::interval::t_quantile;
use super::seeds::spread;

/// How often a true difference is to be found, by convention.
pub const POWER: f64 = 0.8;
/// The difference that [`Power::seeds_for_one_point`] is about: one point of accuracy.
pub const ONE_POINT: f64 = 0.01;
/// More seeds than anybody will run.
const MOST_SEEDS: usize = 10_000;

/// What the seeds of one comparison could show.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Power {
    /// Standard deviation of the seeds' differences, a share.
    pub deviation: f64,
    /// The true difference that would have been found with [`POWER`], a share.
    pub detectable: f64,
    /// How many seeds find a true difference of one point with [`POWER`]; none beyond ten thousand.
    pub seeds_for_one_point: Option<usize>,
}

/// The power of a comparison; none with one seed, or where all seeds agree.
pub fn power_of(differences: &[f64]) -> Option<Power> {
    spread(differences).map(|deviation| Power {
        deviation,
        detectable: detectable(differences.len()) * deviation,
        seeds_for_one_point: seeds_for(ONE_POINT / deviation),
    })
}

/// The smallest effect (in standard deviations) that `n` seeds find with [`POWER`].
fn detectable(n: usize) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while power(high, n) < POWER {
        high *= 2.0;
    }
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if power(middle, n) < POWER { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// The fewest seeds, at least two, that find an effect (in standard deviations) with [`POWER`].
fn seeds_for(effect: f64) -> Option<usize> {
    // Power rises with n: double, then halve the gap.
    let found = |n: usize| power(effect, n) >= POWER;
    let mut high = 2;
    while !found(high) {
        high *= 2;
        if high > MOST_SEEDS {
            return None;
        }
    }
    let mut low = high / 2;
    while high - low > 1 {
        let middle = (low + high) / 2;
        if found(middle) { high = middle } else { low = middle }
    }
    Some(high.max(2))
}

/// How often the two-sided test at 5 % finds a true effect (in standard deviations) with `n` seeds.
pub(super) fn power(effect: f64, n: usize) -> f64 {
    let critical = t_quantile(n - 1);
    let shift = effect * (n as f64).sqrt();
    let degrees = (n - 1) as f64;
    1.0 - noncentral_t(critical, degrees, shift) + noncentral_t(-critical, degrees, shift)
}

/// P(T ≤ t) of the noncentral t distribution: the normal's share below `t · s − shift`, averaged
/// over s, the root of χ² over its degrees, by Simpson's rule.
fn noncentral_t(t: f64, degrees: f64, shift: f64) -> f64 {
    let normal = Normal::standard();
    // ln of the density of s: 2 (ν/2)^(ν/2) / Γ(ν/2) · s^(ν−1) · exp(−ν s² / 2).
    let constant = 2f64.ln() + degrees / 2.0 * (degrees / 2.0).ln() - ln_gamma(degrees / 2.0);
    let value = |s: f64| {
        if s <= 0.0 {
            // Only one degree of freedom has any density at zero.
            let density = if degrees == 1.0 { constant.exp() } else { 0.0 };
            return density * normal.cdf(-shift);
        }
        let density = constant + (degrees - 1.0) * s.ln() - degrees * s * s / 2.0;
        density.exp() * normal.cdf(t * s - shift)
    };
    // s lies around 1 with a deviation of about 1/√(2ν); ten of them hold all but 1e-20.
    let reach = 10.0 / (2.0 * degrees).sqrt();
    let (low, high) = ((1.0 - reach).max(0.0), 1.0 + reach);
    let steps = 4000;
    let step = (high - low) / f64::from(steps);
    let inner: f64 = (1..steps)
        .map(|i| value(low + step * f64::from(i)) * if i % 2 == 1 { 4.0 } else { 2.0 })
        .sum();
    (step / 3.0 * (value(low) + inner + value(high))).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::LEVEL;
    use crate::stats::golden::{close, golden, number};

    #[test]
    fn power_is_scipys_noncentral_t() {
        for case in golden()["power"].as_array().unwrap() {
            let n = number(&case["n"]) as usize;
            close(power(number(&case["effect"]), n), number(&case["power"]), 1e-9);
            close(detectable(n), number(&case["detectable"]), 1e-9);
        }
    }

    #[test]
    fn seeds_needed_are_statsmodels() {
        for case in golden()["seeds_needed"].as_array().unwrap() {
            let n = seeds_for(number(&case["effect"])).unwrap();
            assert_eq!(n, number(&case["n"]) as usize, "effect {}", case["effect"]);
        }
        assert_eq!(seeds_for(1e-4), None);
    }

    #[test]
    fn one_seed_knows_nothing_and_seeds_that_agree_know_no_more() {
        assert!(power_of(&[0.02]).is_none());
        assert!(power_of(&[0.02, 0.02]).is_none());
    }

    #[test]
    fn the_level_of_the_intervals_is_the_level_of_the_test() {
        close(power(0.0, 5), 1.0 - LEVEL, 1e-9);
    }
}
