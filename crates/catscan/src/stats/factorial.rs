//! A factorial experiment (Fisher 1926; Box, Hunter & Hunter 2005, *Statistics for Experimenters*,
//! ch. 5): several factors of two levels each, every combination an arm. It tells factors apart
//! that a single comparison of two arms confounds, and says whether they depend on each other.
//!
//! With `±` the level of each factor in an arm and `k` factors:
//!
//! - the **main effect** of a factor is the high level minus the low one, averaged over all levels
//!   of the others: `Σ ±ᵢ y / 2^(k-1)`;
//! - the **interaction** of two is how much larger the effect of the one is at the high level of
//!   the other than at its low level, a difference of differences: `Σ ±ᵢ ±ⱼ y / 2^(k-2)`. (Box et
//!   al. halve it; whole points of accuracy are easier to read.)
//!
//! Each is a paired contrast of one seed's runs, so what a seed does to all arms drops out. As with
//! [`super::compare`], an effect is claimed only where the interval over seeds (Student's t) and
//! the one over test pictures (bootstrap) both exclude zero.

use serde::{Deserialize, Serialize};

use super::compare::BOOTSTRAP_SEED;
use super::words::{over_pictures, over_seeds, points};
use super::{ArmResult, Estimate, Interval, SeedResult, bootstrap_mean, mean_t};

/// Something that is varied, with its two levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    /// As sentences call it.
    pub name: &'static str,
    /// The level that effects are counted from.
    pub low: &'static str,
    /// The other level.
    pub high: &'static str,
}

/// Factors, and an arm for each combination of their levels.
#[derive(Clone, Copy, Debug)]
pub struct Design {
    /// Two or more.
    pub factors: &'static [Factor],
    /// `2^k` arms by counting: all low first, the last factor changing fastest, all high last.
    pub arms: &'static [&'static str],
}

impl Design {
    /// Whether a factor has its high level in the arm of this place.
    pub fn is_high(&self, factor: usize, arm: usize) -> bool {
        arm >> (self.factors.len() - 1 - factor) & 1 == 1
    }

    /// `±1` for each arm, or their product for several factors.
    fn signs(&self, factors: &[usize]) -> Vec<f64> {
        let sign = |arm: usize, &factor: &usize| if self.is_high(factor, arm) { 1.0 } else { -1.0 };
        (0..self.arms.len()).map(|arm| factors.iter().map(|f| sign(arm, f)).product()).collect()
    }
}

/// What is known of all effects of a design.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Factorial {
    /// The factors' names.
    pub factors: Vec<String>,
    /// Every arm with its levels and its accuracy over the seeds that finished in all arms.
    pub cells: Vec<FactorialCell>,
    /// How many seeds finished in all arms: n.
    pub seeds: usize,
    /// Test pictures of each seed.
    pub pictures: usize,
    /// Main effects in the order of the factors, then the interactions of two.
    pub effects: Vec<Effect>,
}

/// One combination of levels.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FactorialCell {
    /// The arm's name.
    pub arm: String,
    /// One level a factor.
    pub levels: Vec<String>,
    /// Test accuracy over the seeds that finished in all arms.
    pub accuracy: Estimate,
}

/// A main effect or an interaction on test accuracy, as a share: 0.01 is a point.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Effect {
    /// One factor's place for a main effect, two for an interaction.
    pub factors: Vec<usize>,
    /// `transition: max − avg` or `transition × head`.
    pub name: String,
    /// Over seeds.
    pub over_seeds: Estimate,
    /// Over test pictures, for the mean of the same seeds.
    pub over_pictures: Interval,
    /// What the two intervals allow.
    pub claim: EffectClaim,
    /// The claim as a sentence, in percentage points, with intervals and n.
    pub words: String,
}

/// What may be said about an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectClaim {
    /// Both intervals lie above zero, or both below.
    Shown,
    /// Zero lies in one of the intervals. That there is no effect is not shown either.
    NotShown,
    /// One seed: what another seed would give is not known.
    OneSeed,
    /// All seeds say the same to the picture: how far another would lie is not known.
    SeedsAgree,
}

/// All effects of a design; none where an arm is missing or no seed finished in all of them.
///
/// # Panics
/// Where runs hold different numbers of pictures, or none.
pub fn factorial(design: &Design, results: &[ArmResult]) -> Option<Factorial> {
    let arms: Vec<&ArmResult> = design
        .arms
        .iter()
        .map(|arm| results.iter().find(|result| result.arm == *arm))
        .collect::<Option<_>>()?;
    let of_seed = |seed: u64| -> Option<Vec<&SeedResult>> {
        arms.iter().map(|arm| arm.seeds.iter().find(|run| run.seed == seed)).collect()
    };
    // One row a seed, one run an arm.
    let blocks: Vec<Vec<&SeedResult>> =
        arms[0].seeds.iter().filter_map(|run| of_seed(run.seed)).collect();
    let pictures = blocks.first()?[0].right.len();
    let cell = |(place, arm): (usize, &&str)| FactorialCell {
        arm: (*arm).to_owned(),
        levels: (design.factors.iter().enumerate())
            .map(|(i, f)| if design.is_high(i, place) { f.high } else { f.low }.to_owned())
            .collect(),
        accuracy: mean_t(&blocks.iter().map(|block| block[place].accuracy()).collect::<Vec<_>>()),
    };
    let k = design.factors.len();
    let pairs = (0..k).flat_map(|i| (i + 1..k).map(move |j| vec![i, j]));
    let effects = (0..k).map(|i| vec![i]).chain(pairs);
    Some(Factorial {
        factors: design.factors.iter().map(|factor| factor.name.to_owned()).collect(),
        cells: design.arms.iter().enumerate().map(cell).collect(),
        seeds: blocks.len(),
        pictures,
        effects: effects.map(|factors| effect(design, factors, &blocks)).collect(),
    })
}

fn effect(design: &Design, factors: Vec<usize>, blocks: &[Vec<&SeedResult>]) -> Effect {
    let halves = 2f64.powi((design.factors.len() - factors.len()) as i32);
    let weights: Vec<f64> = design.signs(&factors).iter().map(|sign| sign / halves).collect();
    let contrast = |value: &dyn Fn(&SeedResult) -> f64, block: &[&SeedResult]| -> f64 {
        block.iter().zip(&weights).map(|(run, weight)| weight * value(run)).sum()
    };
    let by_seed: Vec<f64> =
        blocks.iter().map(|block| contrast(&SeedResult::accuracy, block)).collect();
    let by_picture: Vec<f64> = (0..blocks[0][0].right.len())
        .map(|i| {
            let right = |run: &SeedResult| f64::from(u8::from(run.right[i]));
            let sum: f64 = blocks.iter().map(|block| contrast(&right, block)).sum();
            sum / blocks.len() as f64
        })
        .collect();
    let over_seeds = mean_t(&by_seed);
    let over_pictures = bootstrap_mean(&by_picture, BOOTSTRAP_SEED);
    let claim = match over_seeds.interval {
        None if over_seeds.n == 1 => EffectClaim::OneSeed,
        None => EffectClaim::SeedsAgree,
        Some(seeds) if seeds.low > 0.0 && over_pictures.low > 0.0 => EffectClaim::Shown,
        Some(seeds) if seeds.high < 0.0 && over_pictures.high < 0.0 => EffectClaim::Shown,
        Some(_) => EffectClaim::NotShown,
    };
    let name = name(design, &factors);
    let mut effect =
        Effect { factors, name, over_seeds, over_pictures, claim, words: String::new() };
    effect.words = words(design, &effect, by_picture.len());
    effect
}

fn name(design: &Design, factors: &[usize]) -> String {
    match *factors {
        [i] => {
            let Factor { name, low, high } = design.factors[i];
            format!("{name}: {high} − {low}")
        }
        _ => factors.iter().map(|&i| design.factors[i].name).collect::<Vec<_>>().join(" × "),
    }
}

fn words(design: &Design, effect: &Effect, pictures: usize) -> String {
    let size = points(effect.over_seeds.mean);
    let sureness = format!(
        "{}; {}",
        over_seeds(&effect.over_seeds),
        over_pictures(effect.over_pictures, pictures)
    );
    let first = &design.factors[effect.factors[0]];
    let Factor { name, low, high } = first;
    let (what, shown) = match effect.factors.get(1).map(|&j| &design.factors[j]) {
        None => {
            let others = (design.factors.iter().filter(|other| other.name != *name))
                .map(|other| other.name)
                .collect::<Vec<_>>()
                .join(" and ");
            let change = format!(
                "{high} instead of {low}, averaged over {others}: {size} points of test accuracy"
            );
            (format!("effect of {name}"), change)
        }
        Some(other) => {
            let change = format!(
                "{high} instead of {low} in {name} does {size} points of test accuracy more with {} \
                 {} than with {}",
                other.name, other.high, other.low
            );
            (format!("interaction of {name} and {}", other.name), change)
        }
    };
    let begin = match effect.claim {
        EffectClaim::Shown => format!("An {what} is shown"),
        EffectClaim::NotShown => format!("No {what} shown"),
        EffectClaim::OneSeed => format!("One seed cannot show an {what}"),
        EffectClaim::SeedsAgree => format!("Seeds without a spread cannot show an {what}"),
    };
    format!("{begin}: {shown}; {sureness}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::golden::{close, golden, number, numbers};

    const TRANSITION: Factor = Factor { name: "transition", low: "avg", high: "max" };
    const HEAD: Factor = Factor { name: "head", low: "avg", high: "max" };
    const TWO: Design = Design {
        factors: &[TRANSITION, HEAD],
        arms: &["avg", "head-max", "transition-max", "max"],
    };
    const THREE: Design = Design {
        factors: &[
            Factor { name: "network", low: "residual", high: "dense" },
            Factor { name: "data", low: "tenth", high: "all" },
            Factor { name: "augmentation", low: "off", high: "on" },
        ],
        arms: &["000", "001", "010", "011", "100", "101", "110", "111"],
    };

    /// One arm a column of `right` (pictures of 1,000 told right), one seed a row.
    fn results(design: &Design, right: &[Vec<usize>]) -> Vec<ArmResult> {
        let run = |seed: usize, right: usize| SeedResult {
            seed: seed as u64 + 1,
            right: (0..1000).map(|i| i < right).collect(),
            loss: 0.0,
        };
        let arm = |(place, arm): (usize, &&str)| ArmResult {
            arm: (*arm).to_owned(),
            seeds: right.iter().enumerate().map(|(seed, row)| run(seed, row[place])).collect(),
        };
        design.arms.iter().enumerate().map(arm).collect()
    }

    #[test]
    fn effects_by_hand() {
        // Transitions: +20 with an average head, +40 with a max head, so +30 and an interaction of
        // +20. Head: +10 and +30, so +20.
        let right: Vec<Vec<usize>> = [948, 950, 952].map(|last| vec![900, 910, 920, last]).into();
        let found = factorial(&TWO, &results(&TWO, &right)).unwrap();
        let points = |i: usize| found.effects[i].over_seeds.mean * 1000.0;
        close(points(0), 30.0, 1e-9);
        close(points(1), 20.0, 1e-9);
        close(points(2), 20.0, 1e-9);
        assert_eq!(found.effects[0].name, "transition: max − avg");
        assert_eq!(found.effects[2].name, "transition × head");
        assert_eq!((found.seeds, found.pictures, found.effects.len()), (3, 1000, 3));
        assert_eq!(found.cells[1].levels, ["avg", "max"]);
        assert_eq!(found.effects[0].claim, EffectClaim::Shown);
        assert!(
            found.effects[0].words.starts_with(
                "An effect of transition is shown: max instead of avg, averaged over head: +3.00 \
                 points of test accuracy; 95 % interval"
            ),
            "{}",
            found.effects[0].words
        );
        assert!(
            found.effects[2].words.contains(
                "max instead of avg in transition does +2.00 points of test accuracy more with \
                 head max than with avg"
            ),
            "{}",
            found.effects[2].words
        );
    }

    #[test]
    fn effects_and_intervals_are_numpys_and_scipys() {
        let golden = golden();
        for (design, case) in [(&TWO, &golden["factorial"][0]), (&THREE, &golden["factorial"][1])] {
            let rows = case["right"].as_array().unwrap().iter();
            let right: Vec<Vec<usize>> =
                rows.map(|row| numbers(row).iter().map(|&n| n as usize).collect()).collect();
            let found = factorial(design, &results(design, &right)).unwrap();
            let wanted = case["effects"].as_array().unwrap();
            assert_eq!(found.effects.len(), wanted.len());
            for (effect, want) in found.effects.iter().zip(wanted) {
                let factors: Vec<usize> =
                    numbers(&want["factors"]).iter().map(|&i| i as usize).collect();
                assert_eq!(effect.factors, factors);
                let interval = effect.over_seeds.interval.unwrap();
                close(effect.over_seeds.mean, number(&want["mean"]), 1e-12);
                close(interval.low, number(&want["low"]), 1e-9);
                close(interval.high, number(&want["high"]), 1e-9);
            }
        }
    }

    #[test]
    fn what_a_seed_does_to_all_arms_drops_out() {
        let steady: Vec<Vec<usize>> = [0, 37, 12]
            .iter()
            .map(|shift| [800, 810, 820, 830].map(|n| n + shift).into())
            .collect();
        let found = factorial(&TWO, &results(&TWO, &steady)).unwrap();
        close(found.effects[0].over_seeds.mean, 0.02, 1e-9);
        close(found.effects[2].over_seeds.mean, 0.0, 1e-9);
        // Nothing is left to tell how far another seed would lie.
        for effect in &found.effects {
            assert!(effect.over_seeds.interval.is_none());
            assert_eq!(effect.claim, EffectClaim::SeedsAgree);
        }
        let begin = "Seeds without a spread cannot show an interaction of transition and head";
        assert!(found.effects[2].words.starts_with(begin), "{}", found.effects[2].words);
    }

    #[test]
    fn seeds_that_disagree_or_are_alone_show_nothing() {
        let unsteady = vec![vec![900, 910, 890, 930], vec![910, 890, 860, 880]];
        let found = factorial(&TWO, &results(&TWO, &unsteady)).unwrap();
        assert!(found.effects.iter().all(|effect| effect.claim == EffectClaim::NotShown));
        let alone = factorial(&TWO, &results(&TWO, &unsteady[..1])).unwrap();
        assert_eq!(alone.effects[1].claim, EffectClaim::OneSeed);
        assert!(
            alone.effects[1].words.starts_with("One seed cannot show an effect of head: max"),
            "{}",
            alone.effects[1].words
        );
    }

    #[test]
    fn only_seeds_of_all_arms_count_and_a_missing_arm_is_none() {
        let right: Vec<Vec<usize>> = [948, 950, 952].map(|last| vec![900, 910, 920, last]).into();
        let mut runs = results(&TWO, &right);
        runs[2].seeds.remove(0);
        assert_eq!(factorial(&TWO, &runs).unwrap().seeds, 2);
        runs.pop();
        assert!(factorial(&TWO, &runs).is_none());
    }
}
