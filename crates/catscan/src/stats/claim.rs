//! What may be said about two arms: the rule, fixed before any run.
//!
//! A difference is claimed only where every interval that there is excludes zero on the same side,
//! and, of several comparisons, where the test over seeds also holds after Holm's correction. One
//! seed cannot be judged across seeds; nor can seeds that agree to the picture, whose spread is not
//! known.

use serde::{Deserialize, Serialize};

use super::{Estimate, Interval, LEVEL};

/// What may be said about two arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// The intervals lie above zero: the second arm is better.
    SecondBetter,
    /// The intervals lie below zero: the first arm is better.
    FirstBetter,
    /// Zero lies in one of the intervals. That the arms are equal is not shown either.
    NoDifferenceShown,
    /// One seed: what another seed would give is not known.
    OneSeed,
    /// All seeds differ by the same number of pictures: how far another would lie is not known.
    SeedsAgree,
}

impl Claim {
    /// What the intervals allow: the one over seeds and, where there is one, the one over pictures.
    pub fn of(over_seeds: &Estimate, over_pictures: Option<&Interval>) -> Claim {
        let all = |lies: &dyn Fn(&Interval) -> bool| {
            over_seeds.interval.iter().chain(over_pictures).all(lies)
        };
        match over_seeds.interval {
            None if over_seeds.n == 1 => Claim::OneSeed,
            None => Claim::SeedsAgree,
            Some(_) if all(&|range| range.low > 0.0) => Claim::SecondBetter,
            Some(_) if all(&|range| range.high < 0.0) => Claim::FirstBetter,
            Some(_) => Claim::NoDifferenceShown,
        }
    }

    /// What is left of it after Holm's correction.
    pub(super) fn corrected(self, holm_p: Option<f64>) -> Claim {
        match holm_p {
            Some(p) if self.is_difference() && p >= 1.0 - LEVEL => Claim::NoDifferenceShown,
            _ => self,
        }
    }

    /// Whether one of the arms is said to be better.
    pub fn is_difference(self) -> bool {
        matches!(self, Claim::FirstBetter | Claim::SecondBetter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_intervals_must_lie_on_one_side() {
        let over = |low, high| Interval { low, high };
        let seeds = Estimate { mean: 0.02, interval: Some(over(0.01, 0.03)), n: 3 };
        assert_eq!(Claim::of(&seeds, None), Claim::SecondBetter);
        assert_eq!(Claim::of(&seeds, Some(&over(0.001, 0.02))), Claim::SecondBetter);
        assert_eq!(Claim::of(&seeds, Some(&over(-0.001, 0.02))), Claim::NoDifferenceShown);
        let turned = Estimate { mean: -0.02, interval: Some(over(-0.03, -0.01)), n: 3 };
        assert_eq!(Claim::of(&turned, Some(&over(-0.02, -0.001))), Claim::FirstBetter);
        assert_eq!(Claim::of(&seeds, Some(&over(-0.02, -0.001))), Claim::NoDifferenceShown);
        assert_eq!(Claim::SecondBetter.corrected(Some(0.06)), Claim::NoDifferenceShown);
        assert_eq!(Claim::SecondBetter.corrected(Some(0.04)), Claim::SecondBetter);
        assert_eq!(Claim::OneSeed.corrected(None), Claim::OneSeed);
    }
}
