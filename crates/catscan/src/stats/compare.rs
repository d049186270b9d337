//! Two arms against each other: the paired difference, its two intervals, and the answer in words.
//!
//! The rule, fixed before any run: a difference is claimed only where the interval over seeds *and*
//! the interval over test pictures exclude zero; of several comparisons the test over seeds must
//! also hold after Holm's correction. One seed cannot be judged across seeds, and says so; nor can
//! seeds that agree to the picture, whose spread is not known.
//! Accuracies are shares inside and percentage points in words.

use serde::{Deserialize, Serialize};

use super::{
    Estimate, Interval, LEVEL, McNemar, ONE_POINT, POWER, Power, SeedTest, bootstrap_mean, holm,
    mcnemar, mean_t, power_of, test_seeds,
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

/// What may be said about two arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// Both intervals lie above zero: the second arm is better.
    SecondBetter,
    /// Both intervals lie below zero: the first arm is better.
    FirstBetter,
    /// Zero lies in one of the intervals. That the arms are equal is not shown either.
    NoDifferenceShown,
    /// One seed: what another seed would give is not known.
    OneSeed,
    /// All seeds differ by the same number of pictures: how far another would lie is not known.
    SeedsAgree,
}

/// Second arm minus first arm, over the seeds that both finished.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Comparison {
    /// The arm that others are compared with.
    pub first: String,
    /// The other arm.
    pub second: String,
    /// How many seeds both arms finished: n.
    pub seeds: usize,
    /// Test pictures of each seed.
    pub pictures: usize,
    /// Difference of test accuracy, paired by seed; its interval is over seeds.
    pub accuracy: Estimate,
    /// Interval of the same difference over test pictures.
    pub over_pictures: Interval,
    /// Difference of test loss, paired by seed.
    pub loss: Estimate,
    /// One test a seed.
    pub mcnemar: Vec<McNemar>,
    /// Of the difference over seeds; none with one seed, or seeds that agree.
    pub seed_test: Option<SeedTest>,
    /// Its t test's p after Holm's correction for all comparisons of the study.
    pub holm_p: Option<f64>,
    /// What so many seeds could have shown; none with one seed, or seeds that agree.
    pub power: Option<Power>,
    /// What the two intervals of the accuracy allow.
    pub claim: Claim,
    /// The claim as a sentence, in percentage points, with intervals and n.
    pub words: String,
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
    let tested = all.iter().filter_map(|comparison| comparison.seed_test);
    let mut adjusted = holm(&tested.map(|test| test.t_p).collect::<Vec<_>>()).into_iter();
    let several = all.len();
    for comparison in all.iter_mut().filter(|comparison| comparison.seed_test.is_some()) {
        comparison.holm_p = adjusted.next();
        let claimed = matches!(comparison.claim, Claim::FirstBetter | Claim::SecondBetter);
        let p = comparison.holm_p.expect("one for each that was tested");
        if claimed && p >= 1.0 - LEVEL {
            comparison.claim = Claim::NoDifferenceShown;
            comparison.words = words(comparison).trim_end_matches('.').to_owned();
            comparison.words += &format!(
                "; by itself it would be one, but of {several} comparisons one in twenty is \
                 expected to look so (p = {p:.2} after Holm's correction)."
            );
        }
    }
    all
}

/// Compares two arms; none where no seed finished in both.
///
/// # Panics
/// Where runs hold different numbers of pictures, or none.
pub fn compare(first: &ArmResult, second: &ArmResult) -> Option<Comparison> {
    let pairs: Vec<(&SeedResult, &SeedResult)> = first
        .seeds
        .iter()
        .filter_map(|a| Some((a, second.seeds.iter().find(|b| b.seed == a.seed)?)))
        .collect();
    let pictures = pairs.first()?.0.right.len();
    let by_seed: Vec<f64> = pairs.iter().map(|(a, b)| b.accuracy() - a.accuracy()).collect();
    let losses: Vec<f64> = pairs.iter().map(|(a, b)| b.loss - a.loss).collect();
    let accuracy = mean_t(&by_seed);
    let over_pictures = bootstrap_mean(&by_picture(&pairs), BOOTSTRAP_SEED);
    let claim = claim(&accuracy, &over_pictures);
    let mut comparison = Comparison {
        first: first.arm.clone(),
        second: second.arm.clone(),
        seeds: pairs.len(),
        pictures,
        accuracy,
        over_pictures,
        loss: mean_t(&losses),
        mcnemar: pairs.iter().map(|(a, b)| mcnemar(a.seed, &a.right, &b.right)).collect(),
        seed_test: test_seeds(&by_seed),
        holm_p: test_seeds(&by_seed).map(|test| test.t_p),
        power: power_of(&by_seed),
        claim,
        words: String::new(),
        reach: String::new(),
    };
    comparison.words = words(&comparison);
    comparison.reach = reach(&comparison);
    Some(comparison)
}

/// Each picture's difference of correctness, averaged over the seeds: its mean is the difference.
fn by_picture(pairs: &[(&SeedResult, &SeedResult)]) -> Vec<f64> {
    let share = |right: bool| f64::from(u8::from(right));
    (0..pairs[0].0.right.len())
        .map(|i| {
            let sum: f64 = pairs.iter().map(|(a, b)| share(b.right[i]) - share(a.right[i])).sum();
            sum / pairs.len() as f64
        })
        .collect()
}

fn claim(accuracy: &Estimate, over_pictures: &Interval) -> Claim {
    match accuracy.interval {
        None if accuracy.n == 1 => Claim::OneSeed,
        None => Claim::SeedsAgree,
        Some(seeds) if seeds.low > 0.0 && over_pictures.low > 0.0 => Claim::SecondBetter,
        Some(seeds) if seeds.high < 0.0 && over_pictures.high < 0.0 => Claim::FirstBetter,
        Some(_) => Claim::NoDifferenceShown,
    }
}

fn words(c: &Comparison) -> String {
    let (first, second) = (&c.first, &c.second);
    let pictures = format!(
        "{} over {} test pictures",
        range(c.over_pictures, c.claim == Claim::FirstBetter),
        c.pictures
    );
    let seeds = c.accuracy.interval.map(|interval| {
        let range = range(interval, c.claim == Claim::FirstBetter);
        format!("95 % interval {range} points over n = {} seeds", c.seeds)
    });
    let size = format!("{:.1}", c.accuracy.mean.abs() * 100.0);
    let difference = format!("{second} − {first} = {} points", signed(c.accuracy.mean));
    match (c.claim, seeds) {
        (Claim::SecondBetter, Some(seeds)) => {
            format!("{second} is {size} points better than {first} ({seeds}, {pictures}).")
        }
        (Claim::FirstBetter, Some(seeds)) => {
            format!("{first} is {size} points better than {second} ({seeds}, {pictures}).")
        }
        (_, Some(seeds)) => format!("no difference shown: {difference}, {seeds}, {pictures}."),
        (Claim::SeedsAgree, None) => format!(
            "no verdict: the {n} seeds agree to the picture, so how far others would lie is not \
             known; {difference} (95 % interval {pictures}, n = {n} seeds); run it with --seeds \
             {more} or more.",
            n = c.seeds,
            more = c.seeds + 1,
        ),
        (_, None) => format!(
            "one seed cannot be judged across seeds: {difference} (95 % interval {pictures}, \
             n = 1 seed); run it with --seeds 3 or more."
        ),
    }
}

/// What the design could have shown, in words.
fn reach(c: &Comparison) -> String {
    let Some(power) = c.power else { return String::new() };
    let times = (POWER * 100.0).round();
    let half = (c.over_pictures.high - c.over_pictures.low) / 2.0;
    let point = match power.seeds_for_one_point {
        // The other half of the rule: more seeds do not narrow it much.
        _ if half >= ONE_POINT => format!(
            "1 point is out of reach while {} test pictures leave ±{:.1} points open",
            c.pictures,
            half * 100.0
        ),
        Some(n) if n <= c.seeds => "its seeds are enough to find 1 point".to_owned(),
        Some(n) => format!("to find 1 point it would need about {n} seeds"),
        None => "no number of seeds that anybody will run would find 1 point".to_owned(),
    };
    format!(
        "{} against {}: by its seeds alone, {} that differ as these do find a true difference of \
         {:.2} points in {times} of 100 cases; {point}.",
        c.second,
        c.first,
        c.seeds,
        power.detectable * 100.0
    )
}

/// An interval in points; `turned` where the sentence names the first arm as the better one.
fn range(interval: Interval, turned: bool) -> String {
    match turned {
        true => format!("{} to {}", signed(-interval.high), signed(-interval.low)),
        false => format!("{} to {}", signed(interval.low), signed(interval.high)),
    }
}

/// A share as percentage points with a sign (a minus, not a hyphen).
pub(super) fn signed(share: f64) -> String {
    format!("{:+.1}", share * 100.0).replace('-', "−")
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
        assert_eq!(gain.claim, Claim::SecondBetter);
        assert!(
            gain.words.starts_with("max is 4.1 points better than avg (95 %"),
            "{}",
            gain.words
        );
        let loss = compare(&high, &low).unwrap();
        assert_eq!(loss.claim, Claim::FirstBetter);
        assert!(
            loss.words.starts_with("max is 4.1 points better than avg (95 %"),
            "{}",
            loss.words
        );
        assert!(loss.loss.mean > 0.0);
    }

    #[test]
    fn seeds_that_disagree_show_nothing() {
        let result = compare(&arm("avg", &[340, 350]), &arm("max", &[352, 346])).unwrap();
        assert_eq!(result.claim, Claim::NoDifferenceShown);
        assert!(
            result.words.starts_with("no difference shown: max − avg = +1.0 points, 95 %"),
            "{}",
            result.words
        );
        assert!(result.words.contains("n = 2 seeds") && result.words.contains("400 test pictures"));
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
        assert!(result.accuracy.interval.unwrap().excludes_zero());
        assert!(!result.over_pictures.excludes_zero());
        assert_eq!(result.claim, Claim::NoDifferenceShown);
    }

    #[test]
    fn seeds_that_agree_to_the_picture_claim_nothing() {
        let result = compare(&arm("avg", &[360, 366]), &arm("max", &[350, 356])).unwrap();
        assert_eq!(result.claim, Claim::SeedsAgree);
        let begin = "no verdict: the 2 seeds agree to the picture, so how far others would lie is \
                     not known; max − avg = −2.5 points (95 %";
        assert!(result.words.starts_with(begin), "{}", result.words);
        assert!(result.words.ends_with("run it with --seeds 3 or more."), "{}", result.words);
        assert!(result.seed_test.is_none() && result.holm_p.is_none() && result.reach.is_empty());
    }

    #[test]
    fn one_seed_is_said_to_be_one() {
        let result = compare(&arm("avg", &[300]), &arm("max", &[390])).unwrap();
        assert_eq!(result.claim, Claim::OneSeed);
        assert!(result.words.contains("cannot be judged across seeds"), "{}", result.words);
    }

    #[test]
    fn of_several_arms_a_difference_must_stand_the_correction() {
        // By itself the gain is shown (p = 0.04); among three comparisons it is not.
        let first = arm("avg", &[340, 342, 338]);
        let gain = arm("max", &[352, 360, 360]);
        let alone = compare_all(&[first.clone(), gain.clone()]);
        assert_eq!(alone[0].claim, Claim::SecondBetter, "{}", alone[0].words);
        let noise = [arm("lp", &[341, 339, 343]), arm("gem", &[338, 343, 341])];
        let all = compare_all(&[first, gain, noise[0].clone(), noise[1].clone()]);
        assert_eq!(all[0].claim, Claim::NoDifferenceShown, "{}", all[0].words);
        assert!(all[0].words.contains("after Holm's correction"), "{}", all[0].words);
        assert!(all[0].holm_p.unwrap() > all[0].seed_test.unwrap().t_p);
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
}
