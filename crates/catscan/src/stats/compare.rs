//! Two arms against each other on the test pictures: the paired difference, its two intervals (over
//! seeds and over pictures), what may be claimed ([`Claim`]) and the answer in words.
//!
//! Accuracies are shares inside and percentage points in words.

use serde::{Deserialize, Serialize};

use super::paired::correct;
use super::words::{numbers, reach, words};
use super::{
    ArmValues, Claim, Estimate, Interval, McNemar, Paired, Power, bootstrap_mean, mcnemar, mean_t,
    pair, power_of,
};

/// Seed of the resampling: fixed, so that a study's numbers can be had again.
pub(super) const BOOTSTRAP_SEED: u64 = 1979;

/// What one arm answered on the test pictures, for each seed that finished.
#[derive(Clone, Debug)]
pub struct ArmResult {
    /// The arm's name, as sentences call it.
    pub arm: String,
    /// In any order; arms are paired by the seed's number.
    pub seeds: Vec<SeedResult>,
}

impl ArmResult {
    /// Its test accuracies.
    fn accuracies(&self) -> ArmValues {
        let seeds = self.seeds.iter().map(|run| (run.seed, run.accuracy())).collect();
        ArmValues { arm: self.arm.clone(), seeds }
    }

    fn of_seed(&self, seed: u64) -> Option<&SeedResult> {
        self.seeds.iter().find(|run| run.seed == seed)
    }
}

/// One finished run on the test part.
#[derive(Clone, Debug)]
pub struct SeedResult {
    /// The training seed.
    pub seed: u64,
    /// Whether each test picture was told right, in the split's order: the same for all runs.
    pub right: Vec<bool>,
    /// Mean cross-entropy over the test pictures.
    pub loss: f64,
}

impl SeedResult {
    /// Share of pictures told right, 0 to 1; NaN without pictures.
    pub fn accuracy(&self) -> f64 {
        self.right.iter().filter(|right| **right).count() as f64 / self.right.len() as f64
    }
}

/// Second arm minus first arm, over the seeds that both finished.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// Of test accuracy, paired by seed; the claim is what both intervals allow.
    #[serde(flatten)]
    pub paired: Paired,
    /// How many seeds both arms finished: n.
    pub seeds: usize,
    /// Test pictures of each seed.
    pub pictures: usize,
    /// Interval of the same difference over test pictures.
    pub over_pictures: Interval,
    /// Difference of test loss, paired by seed.
    pub loss: Estimate,
    /// One test a seed.
    pub mcnemar: Vec<McNemar>,
    /// What so many seeds could have shown; none with one seed, or seeds that agree.
    pub power: Option<Power>,
    /// The claim as a plain sentence.
    pub words: String,
    /// The difference, both intervals, n and p as a sentence.
    pub numbers: String,
    /// [`Comparison::power`] as a sentence; empty where there is none.
    pub reach: String,
}

/// Compares the first arm with each of the others, and corrects for their number.
///
/// # Panics
/// As [`compare`].
pub fn compare_all(arms: &[ArmResult]) -> Vec<Comparison> {
    let Some((first, others)) = arms.split_first() else { return Vec::new() };
    let mut all: Vec<Comparison> =
        others.iter().filter_map(|other| compare(first, other)).collect();
    let tested = correct(all.iter_mut().map(|comparison| &mut comparison.paired));
    for comparison in &mut all {
        comparison.words = words(comparison);
        comparison.numbers = numbers(comparison, tested);
    }
    all
}

/// Compares two arms; none where no seed finished in both.
///
/// # Panics
/// Where runs hold different numbers of pictures, or none.
pub fn compare(first: &ArmResult, second: &ArmResult) -> Option<Comparison> {
    let mut paired = pair(&first.accuracies(), &second.accuracies())?;
    let pairs: Vec<(&SeedResult, &SeedResult)> = (paired.by_seed.iter())
        .filter_map(|(seed, _)| Some((first.of_seed(*seed)?, second.of_seed(*seed)?)))
        .collect();
    let losses: Vec<f64> = pairs.iter().map(|(a, b)| b.loss - a.loss).collect();
    let differences: Vec<f64> = paired.by_seed.iter().map(|(_, d)| *d).collect();
    let over_pictures = bootstrap_mean(&by_picture(&pairs), BOOTSTRAP_SEED);
    paired.claim = Claim::of(&paired.difference, Some(&over_pictures));
    let mut comparison = Comparison {
        paired,
        seeds: pairs.len(),
        pictures: pairs[0].0.right.len(),
        over_pictures,
        loss: mean_t(&losses),
        mcnemar: pairs.iter().map(|(a, b)| mcnemar(a.seed, &a.right, &b.right)).collect(),
        power: power_of(&differences),
        words: String::new(),
        numbers: String::new(),
        reach: String::new(),
    };
    comparison.words = words(&comparison);
    comparison.numbers = numbers(&comparison, 1);
    comparison.reach = reach(&comparison);
    Some(comparison)
}

/// Each picture's difference of correctness, averaged over the seeds: its mean is the difference.
pub(super) fn by_picture(pairs: &[(&SeedResult, &SeedResult)]) -> Vec<f64> {
    let share = |right: bool| f64::from(u8::from(right));
    (0..pairs[0].0.right.len())
        .map(|i| {
            let sum: f64 = pairs.iter().map(|(a, b)| share(b.right[i]) - share(a.right[i])).sum();
            sum / pairs.len() as f64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An arm that gets the first `right` of 400 pictures right, one number a seed.
    fn arm(name: &str, right: &[usize]) -> ArmResult {
        let seed = |(index, &right): (usize, &usize)| SeedResult {
            seed: index as u64 + 1,
            right: (0..400).map(|i| i < right).collect(),
            loss: 1.0 - right as f64 / 400.0,
        };
        ArmResult { arm: name.into(), seeds: right.iter().enumerate().map(seed).collect() }
    }

    #[test]
    fn a_steady_gain_is_claimed_both_ways_round() {
        let (low, high) = (arm("avg", &[340, 342, 338]), arm("max", &[356, 358, 355]));
        let gain = compare(&low, &high).unwrap();
        assert_eq!(gain.paired.claim, Claim::SecondBetter);
        let begin = "Shown: max is 4.1 points better than avg. ";
        assert!(gain.words.starts_with(begin), "{}", gain.words);
        let loss = compare(&high, &low).unwrap();
        assert_eq!(loss.paired.claim, Claim::FirstBetter);
        assert!(loss.words.starts_with(begin), "{}", loss.words);
        assert!(loss.loss.mean > 0.0);
    }

    #[test]
    fn seeds_that_disagree_show_nothing() {
        let result = compare(&arm("avg", &[340, 350]), &arm("max", &[352, 346])).unwrap();
        assert_eq!(result.paired.claim, Claim::NoDifferenceShown);
        // The seeds differ by +3 and −1 points: t with one degree of freedom is wide.
        assert_eq!(
            result.words,
            "Not shown. avg classified 86.2 % of the test pictures correctly, max 87.2 %; trained \
             again with other seeds, the gap could be from 24.4 points against max to 26.4 for it."
        );
        assert_eq!(
            result.numbers,
            "In numbers: max − avg = +1.00 points, 95 % interval −24.41 to +26.41 over n = 2 seeds \
             (t test: p = 0.705); for these very networks on other pictures the 95 % interval is \
             +0.38 to +1.75 (bootstrap over 400 test pictures), which leaves out what another \
             training would change."
        );
        assert_eq!(result.paired.by_seed.iter().map(|(seed, _)| *seed).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn what_seeds_could_find_is_not_promised_where_pictures_leave_more_open() {
        // Equally good arms whose errors are other pictures.
        let mut other = arm("max", &[340, 350, 345]);
        other.seeds.iter_mut().for_each(|seed| seed.right.reverse());
        let few = compare(&arm("avg", &[345, 340, 350]), &other).unwrap();
        assert!(
            few.reach.contains("out of reach while 400 test pictures leave ±"),
            "{}",
            few.reach
        );
        // Those that agree on all but one leave less.
        let close = compare(&arm("avg", &[340; 3]), &arm("max", &[341, 340, 339])).unwrap();
        assert!(close.reach.contains("find 1 point"), "{}", close.reach);
    }

    #[test]
    fn pictures_alone_are_not_enough() {
        // Steady over seeds, but by two pictures of 400: other pictures could turn it round.
        let result = compare(&arm("avg", &[340; 3]), &arm("max", &[342, 342, 343])).unwrap();
        assert!(result.paired.difference.interval.unwrap().excludes_zero());
        assert!(!result.over_pictures.excludes_zero());
        assert_eq!(result.paired.claim, Claim::NoDifferenceShown);
    }

    #[test]
    fn seeds_that_agree_to_the_picture_claim_nothing() {
        let result = compare(&arm("avg", &[360, 366]), &arm("max", &[350, 356])).unwrap();
        assert_eq!(result.paired.claim, Claim::SeedsAgree);
        let words = "No verdict. avg classified 90.8 % of the test pictures correctly, max 88.2 %, \
                     and the gap is the same to the picture in all 2 seeds, so how far others \
                     would lie is not known: run it with --seeds 3 or more.";
        assert_eq!(result.words, words);
        let begin = "In numbers: max − avg = −2.50 points, n = 2 seeds that agree to the picture; \
                     for these very networks";
        assert!(result.numbers.starts_with(begin), "{}", result.numbers);
        assert!(
            result.paired.test.is_none()
                && result.paired.holm_p.is_none()
                && result.reach.is_empty()
        );
    }

    #[test]
    fn one_seed_is_said_to_be_one() {
        let result = compare(&arm("avg", &[300]), &arm("max", &[390])).unwrap();
        assert_eq!(result.paired.claim, Claim::OneSeed);
        assert!(result.words.starts_with("No verdict from one seed. avg classified 75.0 %"));
        assert!(result.numbers.contains("+22.50 points, n = 1 seed; for"), "{}", result.numbers);
    }

    #[test]
    fn of_several_arms_a_difference_must_stand_the_correction() {
        // By itself the gain is shown (p = 0.04); among three comparisons it is not.
        let first = arm("avg", &[340, 342, 338]);
        let gain = arm("max", &[352, 360, 360]);
        let alone = compare_all(&[first.clone(), gain.clone()]);
        assert_eq!(alone[0].paired.claim, Claim::SecondBetter, "{}", alone[0].words);
        let noise = [arm("lp", &[341, 339, 343]), arm("gem", &[338, 343, 341])];
        let all = compare_all(&[first, gain, noise[0].clone(), noise[1].clone()]);
        assert_eq!(all[0].paired.claim, Claim::NoDifferenceShown, "{}", all[0].words);
        let holm = "after Holm's correction for 3 comparisons";
        assert!(all[0].numbers.contains(holm), "{}", all[0].numbers);
        assert!(all[0].words.contains("by itself that would be a difference"), "{}", all[0].words);
        assert!(all[0].paired.holm_p.unwrap() > all[0].paired.test.unwrap().t_p);
        assert!(all.iter().all(|c| c.reach.contains("points in 80 of 100 cases")));
    }

    #[test]
    fn only_seeds_of_both_arms_are_compared() {
        let mut second = arm("max", &[356, 358, 355]);
        second.seeds.remove(0);
        assert_eq!(compare(&arm("avg", &[340, 342, 338]), &second).unwrap().seeds, 2);
        second.seeds.clear();
        assert!(compare(&arm("avg", &[340]), &second).is_none());
    }

    #[test]
    fn a_study_of_before_can_be_read_and_keeps_its_keys() {
        let folder = env!("CARGO_MANIFEST_DIR");
        let path = format!("{folder}/../../records/2026-11-28-precision-12-seeds/study.json");
        let study: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for stored in study["comparisons"].as_array().unwrap() {
            let read: Comparison = serde_json::from_value(stored.clone()).unwrap();
            assert_eq!(read.seeds, read.paired.by_seed.len());
            assert_eq!(&serde_json::to_value(read).unwrap(), stored);
        }
    }
}
