//! One number a run of two arms, paired by seed: the difference with its interval, its test, Holm's
//! correction over all arms, and the claim. Test accuracy is compared so ([`super::compare`]), and
//! validation accuracy at equal budgets.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

use super::words::sentence;
use super::{Claim, Estimate, SeedTest, holm_tested, mean_t, test_seeds};

/// What an arm's runs reached.
#[derive(Clone, Debug)]
pub struct ArmValues {
    /// The arm's name, as sentences call it.
    pub arm: String,
    /// The seed and a share, such as an accuracy; in any order.
    pub seeds: Vec<(u64, f64)>,
}

/// Second arm minus first arm, over the seeds that both have. In `study.json` it is of test
/// accuracy, and its fields have the names that they had there first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Paired {
    /// The arm that others are compared with.
    pub first: String,
    /// The other arm.
    pub second: String,
    /// Each arm's mean over those seeds.
    #[serde(rename = "told")]
    pub means: [f64; 2],
    /// Each seed and its difference.
    pub by_seed: Vec<(u64, f64)>,
    /// Mean difference, with its interval over seeds.
    #[serde(rename = "accuracy")]
    pub difference: Estimate,
    /// None with one seed, or seeds that agree.
    #[serde(rename = "seed_test")]
    pub test: Option<SeedTest>,
    /// The t test's p after Holm's correction for all comparisons.
    pub holm_p: Option<f64>,
    /// What the interval and the correction allow.
    pub claim: Claim,
}

impl Paired {
    /// The claim in one plain sentence; `of` says which pictures the shares are of.
    pub fn words(&self, of: &str) -> String {
        sentence(self, of, None)
    }
}

/// `max − avg`.
impl Display for Paired {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "{} − {}", self.second, self.first)
    }
}

/// Compares the first arm with each of the others, and corrects for their number.
pub fn pair_all(arms: &[ArmValues]) -> Vec<Paired> {
    let Some((first, others)) = arms.split_first() else { return Vec::new() };
    let mut all: Vec<Paired> = others.iter().filter_map(|other| pair(first, other)).collect();
    correct(all.iter_mut());
    all
}

/// Corrects for their number; how many could be tested.
pub(super) fn correct<'a>(all: impl Iterator<Item = &'a mut Paired>) -> usize {
    let all: Vec<&mut Paired> = all.collect();
    let p: Vec<Option<f64>> = all.iter().map(|one| one.test.map(|test| test.t_p)).collect();
    for (one, p) in all.into_iter().zip(holm_tested(&p)) {
        (one.holm_p, one.claim) = (p, one.claim.corrected(p));
    }
    p.iter().flatten().count()
}

/// Compares two arms by themselves; none where no seed is in both.
pub fn pair(first: &ArmValues, second: &ArmValues) -> Option<Paired> {
    let other = |seed: u64| second.seeds.iter().find(|(own, _)| *own == seed);
    let pairs: Vec<(u64, [f64; 2])> = (first.seeds.iter())
        .filter_map(|(seed, value)| Some((*seed, [*value, other(*seed)?.1])))
        .collect();
    if pairs.is_empty() {
        return None;
    }
    let by_seed: Vec<(u64, f64)> = pairs.iter().map(|(seed, [a, b])| (*seed, b - a)).collect();
    let differences: Vec<f64> = by_seed.iter().map(|(_, difference)| *difference).collect();
    let difference = mean_t(&differences);
    let mean = |arm: usize| pairs.iter().map(|(_, v)| v[arm]).sum::<f64>() / pairs.len() as f64;
    let test = test_seeds(&differences);
    Some(Paired {
        first: first.arm.clone(),
        second: second.arm.clone(),
        means: [mean(0), mean(1)],
        by_seed,
        difference,
        test,
        holm_p: test.map(|test| test.t_p),
        claim: Claim::of(&difference, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::golden::close;

    fn arm(arm: &str, seeds: &[(u64, f64)]) -> ArmValues {
        ArmValues { arm: arm.into(), seeds: seeds.into() }
    }

    #[test]
    fn seeds_are_paired_by_their_number() {
        let first = arm("avg", &[(1, 0.80), (2, 0.90), (3, 0.85)]);
        let second = arm("max", &[(3, 0.87), (1, 0.83)]);
        let found = pair(&first, &second).unwrap();
        assert_eq!((found.by_seed[0].0, found.by_seed[1].0), (1, 3));
        close(found.difference.mean, 0.025, 1e-12);
        close(found.means[0], 0.825, 1e-12);
        close(found.means[1], 0.85, 1e-12);
        assert!(pair(&first, &arm("max", &[(9, 0.5)])).is_none());
    }

    #[test]
    fn of_several_arms_holms_correction_decides() {
        let first = arm("avg", &[(1, 0.850), (2, 0.855), (3, 0.845)]);
        let gain = arm("max", &[(1, 0.880), (2, 0.900), (3, 0.900)]);
        let noise = |name| arm(name, &[(1, 0.852), (2, 0.848), (3, 0.857)]);
        let alone = pair_all(&[first.clone(), gain.clone()]);
        assert_eq!(alone[0].claim, Claim::SecondBetter);
        let all = pair_all(&[first, gain, noise("lp"), noise("gem")]);
        assert_eq!(all[0].claim, Claim::NoDifferenceShown);
        close(all[0].holm_p.unwrap(), 3.0 * all[0].test.unwrap().t_p, 1e-12);
        let words = all[0].words("validation pictures");
        let begin = "Not shown. avg classified 85.0 % of the validation pictures correctly";
        assert!(words.starts_with(begin), "{words}");
        assert!(words.contains("in twenty"), "{words}");
    }
}
