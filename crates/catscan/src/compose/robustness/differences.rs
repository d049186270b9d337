//! The arms' differences under pictures made worse: paired by picture and by seed, with two
//! intervals, as the study's own answer has.

use catscan_viz::corrupt::CORRUPTIONS;
use catscan_viz::report::Block;

use super::corruptions::Answers;
use crate::compose::table;
use crate::run_name::RunName;
use crate::stats::{Claim, Estimate, Interval, bootstrap_mean, mean_t, points, range};
use crate::study::Study;
use crate::study::print::over_seeds;
use crate::table::Table;

/// The seed of the resamples.
const SEED: u64 = 1;

/// A number of each picture, 0..=1, as one run has it.
type Values = fn(&Answers, usize) -> Vec<f64>;

/// A table of every other arm against the first; none where there is one arm only.
pub fn differences(study: &Study, all: &[Answers], pictures: usize) -> Option<Block> {
    let (first, others) = study.arms.split_first()?;
    if others.is_empty() {
        return None;
    }
    let mut rows = Table::new(&[
        "arm",
        "what",
        "#difference, points",
        "#over seeds",
        "#over pictures",
        "#seeds",
        "shown",
    ]);
    for other in others {
        for (name, at, values) in questions() {
            let pairs = pairs(all, &first.arm, &other.arm, |run| values(run, at));
            let Some(difference) = difference(&pairs) else { continue };
            rows.row([
                other.arm.clone(),
                name,
                points(difference.over_seeds.mean),
                over_seeds(&difference.over_seeds),
                range(difference.over_pictures),
                difference.over_seeds.n.to_string(),
                difference.in_words().to_owned(),
            ]);
        }
    }
    let caption = format!(
        "Each arm less {}, in points: accuracy on clean pictures, accuracy under each corruption \
         and consistency, means over the levels; on the same {pictures} pictures and the same \
         seeds, with 95 % intervals. A difference is shown only where both intervals exclude zero: \
         over seeds (Student's t) and over pictures (bootstrap, 10,000 resamples). The levels are \
         ours, so is their mean; of {} differences an arm some would be shown by chance.",
        first.arm,
        questions().len()
    );
    Some(table(rows, &caption))
}

/// What is asked of each pair of arms.
fn questions() -> Vec<(String, usize, Values)> {
    let mut all: Vec<(String, usize, Values)> =
        vec![("clean".into(), 0, |run, _| over_levels(std::slice::from_ref(&run.clean)))];
    all.extend(CORRUPTIONS.iter().enumerate().map(|(at, row)| {
        let values: Values = |run, at| over_levels(&run.worse[at]);
        (row.name.to_owned(), at, values)
    }));
    all.push(("consistency of two shifts".into(), 0, |run, _| over_levels(&run.steady)));
    all
}

/// Of each picture, the share of levels with a yes.
fn over_levels(levels: &[Vec<bool>]) -> Vec<f64> {
    let yes = |n: usize| levels.iter().filter(|level| level[n]).count() as f64;
    (0..levels[0].len()).map(|n| yes(n) / levels.len() as f64).collect()
}

/// For each seed that both arms have, each picture's difference.
fn pairs(
    all: &[Answers],
    first: &str,
    other: &str,
    values: impl Fn(&Answers) -> Vec<f64>,
) -> Vec<Vec<f64>> {
    let of = |name: RunName| all.iter().find(|run| run.name == name);
    let ours = all.iter().filter(|run| run.name.arm == first);
    let pair = |one: &Answers| {
        let theirs = values(of(RunName::new(other, one.name.seed))?);
        Some(theirs.iter().zip(values(one)).map(|(a, b)| a - b).collect())
    };
    ours.filter_map(pair).collect()
}

/// A paired difference, shares.
#[derive(Debug, PartialEq)]
struct PairedDifference {
    over_seeds: Estimate,
    over_pictures: Interval,
}

/// Of each seed, each picture's difference; none without seeds.
fn difference(seeds: &[Vec<f64>]) -> Option<PairedDifference> {
    let pictures = seeds.first()?.len();
    let of_picture = |n: usize| seeds.iter().map(|seed| seed[n]).sum::<f64>() / seeds.len() as f64;
    let of_seeds: Vec<f64> =
        seeds.iter().map(|seed| seed.iter().sum::<f64>() / pictures as f64).collect();
    Some(PairedDifference {
        over_seeds: mean_t(&of_seeds),
        over_pictures: bootstrap_mean(&(0..pictures).map(of_picture).collect::<Vec<_>>(), SEED),
    })
}

impl PairedDifference {
    /// The study's own rule, for these two intervals.
    fn claim(&self) -> Claim {
        Claim::of(&self.over_seeds, Some(&self.over_pictures))
    }

    fn in_words(&self) -> &'static str {
        match self.claim() {
            Claim::SecondBetter => "✓ better",
            Claim::FirstBetter => "✓ worse",
            Claim::NoDifferenceShown => "not shown",
            Claim::OneSeed => "one seed cannot show it",
            Claim::SeedsAgree => "not without a spread",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arm: &str, seed: u64, steady: [[bool; 4]; 2]) -> Answers {
        let steady = steady.map(|level| level.to_vec()).to_vec();
        let name = RunName::new(arm, seed);
        Answers { name, clean: vec![], worse: vec![], stayed: vec![], steady }
    }

    #[test]
    fn arms_are_paired_by_seed_and_picture() {
        let (yes, no) = (true, false);
        let all = [
            run("avg", 1, [[yes, no, no, no], [yes, no, no, no]]),
            run("avg", 2, [[no; 4], [no; 4]]),
            run("max", 2, [[yes, no, yes, no], [yes, no, no, no]]),
            run("max", 3, [[yes; 4], [yes; 4]]),
        ];
        let pairs = pairs(&all, "avg", "max", |run| over_levels(&run.steady));
        // Seed 2 alone is both arms': a picture gained at both levels, one at one of them.
        assert_eq!(pairs, [[1.0, 0.0, 0.5, 0.0]]);
        let one = difference(&pairs).unwrap();
        assert_eq!((one.over_seeds.mean, one.over_seeds.interval), (0.375, None));
        assert_eq!(one.in_words(), "one seed cannot show it");
        assert_eq!(difference(&[]), None);
    }

    #[test]
    fn a_difference_is_shown_where_both_intervals_exclude_zero() {
        let seeds = |values: [f64; 3]| values.map(|v| vec![v; 50]).to_vec();
        let words = |values| difference(&seeds(values)).unwrap().in_words();
        assert_eq!(words([0.1, 0.11, 0.12]), "✓ better");
        assert_eq!(words([-0.1, -0.11, -0.12]), "✓ worse");
        // Pictures all agree, seeds do not.
        assert_eq!(words([0.3, 0.01, -0.1]), "not shown");
    }

    #[test]
    fn seeds_that_agree_are_not_said_to_be_one() {
        let (yes, no) = (true, false);
        // Max gets one picture more under either seed: another one each, so pictures tell nothing.
        let all = [
            run("avg", 1, [[yes, no, no, no]; 2]),
            run("avg", 2, [[yes, no, no, no]; 2]),
            run("max", 1, [[yes, yes, no, no]; 2]),
            run("max", 2, [[yes, no, yes, no]; 2]),
        ];
        let pairs = pairs(&all, "avg", "max", |run| over_levels(&run.steady));
        let agree = difference(&pairs).unwrap();
        assert_eq!((agree.over_seeds.mean, agree.over_seeds.interval), (0.25, None));
        assert_eq!(agree.claim(), Claim::SeedsAgree);
        assert_eq!(agree.in_words(), "not without a spread");
        assert_eq!(over_seeds(&agree.over_seeds), "2 seeds that agree");
    }
}
