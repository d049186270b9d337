//! How sure a study can be: intervals over seeds and over pictures, and the answer in words.
//!
//! Two things vary when an experiment is repeated: the **seed** (initial weights, order, draws) and
//! the **test pictures**. Each has its own interval here, and a difference is claimed only where
//! both exclude zero ([`Claim`]); with several arms the tests over seeds are corrected for their
//! number ([`holm`]). Arms share seeds and pictures, so everything is paired. [`power_of`] says
//! what a design could have shown at all. Where arms are the combinations of several factors,
//! [`factorial`] tells the factors apart.
//!
//! Values are checked against scipy and statsmodels (`scripts/golden/stats.py`), and the tests in
//! simulated studies of equal arms (`calibration`).

mod bootstrap;
#[cfg(test)]
mod calibration;
mod claim;
mod compare;
mod factorial;
mod holm;
mod interval;
mod mcnemar;
mod paired;
mod power;
mod seeds;
mod words;

pub use bootstrap::{RESAMPLES, bootstrap_mean};
pub use claim::Claim;
pub use compare::{ArmResult, Comparison, SeedResult, compare, compare_all};
pub use factorial::{Design, Effect, EffectClaim, Factor, Factorial, FactorialCell, factorial};
pub use holm::{holm, holm_tested};
pub use interval::{Estimate, Interval, mean_t, wilson};
pub use mcnemar::{McNemar, mcnemar};
pub use paired::{ArmValues, Paired, pair, pair_all};
pub use power::{ONE_POINT, POWER, Power, power_of};
pub use seeds::{SeedTest, test_seeds};
pub use words::{p_value, points, range};

/// The share of intervals that hold the true value when a study is repeated many times.
pub const LEVEL: f64 = 0.95;

/// Reads what scipy says; shared by the tests of the files below.
#[cfg(test)]
mod golden {
    use serde_json::Value;

    pub fn golden() -> Value {
        serde_json::from_str(include_str!("../tests/golden/stats.json")).unwrap()
    }

    pub fn number(value: &Value) -> f64 {
        value.as_f64().unwrap()
    }

    pub fn numbers(value: &Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(number).collect()
    }

    pub fn close(ours: f64, scipys: f64, tolerance: f64) {
        assert!((ours - scipys).abs() <= tolerance, "ours {ours}, scipy's {scipys}");
    }
}
