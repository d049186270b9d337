//! McNemar's exact test (1947): do two networks err on the same pictures equally often?

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

/// The test for one seed. Only pictures on which exactly one arm is right say anything.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// The seed that both arms were trained under.
    pub seed: u64,
    /// Pictures that only the first arm got right.
    pub only_first: u64,
    /// Pictures that only the second arm got right.
    pub only_second: u64,
    /// Two-sided p: how often chance alone would split them at least so unevenly.
    pub p: f64,
}

/// Compares two arms' right answers, picture by picture.
///
/// # Panics
/// Where the arms do not answer for the same number of pictures.
pub fn mcnemar(seed: u64, first: &[bool], second: &[bool]) -> McNemar {
    assert_eq!(first.len(), second.len(), "mcnemar: the arms saw different numbers of pictures");
    let pairs = || first.iter().zip(second);
    let only_first = pairs().filter(|&(a, b)| *a && !*b).count() as u64;
    let only_second = pairs().filter(|&(a, b)| !*a && *b).count() as u64;
    McNemar { seed, only_first, only_second, p: exact_p(only_first, only_second) }
}

/// Two-sided exact binomial p at one half: twice the smaller tail, at most 1.
fn exact_p(only_first: u64, only_second: u64) -> f64 {
    let trials = only_first + only_second;
    if trials == 0 {
        return 1.0;
    }
    let coin = Binomial::new(0.5, trials).expect("one half is a probability");
    (2.0 * coin.cdf(only_first.min(only_second))).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::golden::{close, golden, number};

    #[test]
    fn p_is_scipys() {
        for case in golden()["mcnemar"].as_array().unwrap() {
            let first = number(&case["only_first"]) as u64;
            let second = number(&case["only_second"]) as u64;
            close(exact_p(first, second), number(&case["p"]), 1e-9);
        }
    }

    #[test]
    fn only_disagreements_count() {
        let first = [true, true, false, false, true];
        let second = [true, false, false, true, false];
        let test = mcnemar(3, &first, &second);
        assert_eq!((test.seed, test.only_first, test.only_second), (3, 2, 1));
        assert_eq!(test.p, 1.0);
    }
}
