//! The arms at equal budgets: epochs, seconds, multiply-adds. A seed's budget is the largest that
//! every arm of that seed reached; the validation accuracy there lies on a straight line between
//! the epochs before and after. The comparison is the main one's, over seeds
//! ([`crate::stats::pair_all`]).

use catscan_train::Recipe;
use catscan_viz::report::Block;

use super::table;
use crate::stats::{ArmValues, Paired, mean_t, pair_all};
use crate::study::print;
use crate::table::Table;

/// What is held equal, in the order of [`Spending::spent`].
pub(super) const BUDGETS: [&str; 3] = ["epochs", "seconds", "multiply-adds"];

/// One run's validation accuracy against what it has spent.
pub(super) struct Spending<'a> {
    pub seed: u64,
    /// After each epoch: epochs, seconds, multiply-adds.
    pub spent: Vec<[f64; 3]>,
    /// Steps taken by then.
    pub steps: Vec<u64>,
    /// Of the validation part, after each epoch, a share.
    pub accuracy: Vec<f64>,
    pub recipe: &'a Recipe,
    /// What its schedule was made for.
    pub steps_total: u64,
}

/// An arm's runs.
pub(super) type Arm<'a> = (&'a str, Vec<Spending<'a>>);

impl Spending<'_> {
    /// What it has reached and done at a budget; none before its first epoch ended, or after its
    /// last.
    fn at(&self, which: usize, budget: f64) -> Option<Point> {
        // An epoch that ended a rounding later still counts.
        let after = self.spent.iter().position(|spent| spent[which] >= budget * (1.0 - 1e-9))?;
        let before = after.saturating_sub(1);
        let [from, to] = [before, after].map(|epoch| self.spent[epoch][which]);
        let share = match after {
            0 if to > budget * (1.0 + 1e-9) => return None,
            0 => 1.0,
            _ => ((budget - from) / (to - from)).clamp(0.0, 1.0),
        };
        let between = |from: f64, to: f64| from + share * (to - from);
        let step = between(self.steps[before] as f64, self.steps[after] as f64);
        Some(Point { accuracy: between(self.accuracy[before], self.accuracy[after]), step })
    }

    fn end(&self, which: usize) -> f64 {
        self.spent.last().map_or(0.0, |spent| spent[which])
    }

    /// The learning rate of the last of so many steps.
    fn rate(&self, steps: f64) -> f64 {
        self.recipe.lr((steps as u64).saturating_sub(1), self.steps_total)
    }
}

/// Where a run stands at a budget.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point {
    accuracy: f64,
    step: f64,
}

/// Every seed's budget: the least that any arm of this seed spent.
pub(super) fn shared(arms: &[Arm], which: usize) -> Vec<(u64, f64)> {
    let mut seeds: Vec<u64> =
        arms.iter().flat_map(|(_, runs)| runs.iter().map(|run| run.seed)).collect();
    seeds.sort_unstable();
    seeds.dedup();
    let least = |seed: u64| {
        let own = arms.iter().flat_map(|(_, runs)| runs).filter(|run| run.seed == seed);
        own.map(|run| run.end(which)).fold(f64::INFINITY, f64::min)
    };
    seeds.into_iter().map(|seed| (seed, least(seed))).collect()
}

/// Each arm's runs that got as far as their seed's budget.
fn points<'a>(arms: &'a [Arm], which: usize) -> Vec<(&'a str, Vec<(&'a Spending<'a>, Point)>)> {
    let budgets = shared(arms, which);
    let budget = |seed: u64| budgets.iter().find(|(own, _)| *own == seed).map(|(_, most)| *most);
    let at = |run: &'a Spending<'a>| Some((run, run.at(which, budget(run.seed)?)?));
    arms.iter().map(|(arm, runs)| (*arm, runs.iter().filter_map(at).collect())).collect()
}

/// The comparison at one budget.
fn compared(arms: &[Arm], which: usize) -> Vec<Paired> {
    let values: Vec<ArmValues> = (points(arms, which).into_iter())
        .map(|(arm, runs)| ArmValues {
            arm: arm.to_owned(),
            seeds: runs.iter().map(|(run, point)| (run.seed, point.accuracy)).collect(),
        })
        .collect();
    pair_all(&values)
}

/// Accuracies, comparisons and a sentence for each; `size` writes a range of a budget.
pub(super) fn equal_budgets(arms: &[Arm], size: impl Fn(usize, f64, f64) -> String) -> Vec<Block> {
    let most = |which: usize| {
        let ends = shared(arms, which).into_iter().map(|(_, most)| most);
        let range =
            ends.fold((f64::INFINITY, 0f64), |(low, high), end| (low.min(end), high.max(end)));
        size(which, range.0, range.1)
    };
    let found: Vec<(&str, Vec<Paired>)> =
        BUDGETS.iter().enumerate().map(|(which, name)| (*name, compared(arms, which))).collect();
    let said = |(which, (name, pairs)): (usize, &(&str, Vec<Paired>))| {
        let most = most(which);
        let words = move |pair: &Paired| {
            format!("At equal {name} ({most}): {}", pair.words("validation pictures"))
        };
        pairs.iter().map(words).collect::<Vec<_>>()
    };
    let mut sentences: Vec<String> = found.iter().enumerate().flat_map(said).collect();
    sentences.extend((0..BUDGETS.len()).flat_map(|which| left_out(arms, which)));
    sentences.extend((0..BUDGETS.len()).flat_map(|which| cut(arms, which)));
    let mut blocks = vec![table(accuracies(arms), &caption())];
    if !sentences.is_empty() {
        blocks.push(Block::List(sentences));
    }
    if found.iter().any(|(_, pairs)| !pairs.is_empty()) {
        let caption = "The same comparison as of the test accuracy, at each budget: points of \
                       validation accuracy, paired by seed, with the 95 % interval over seeds, \
                       Student's t test, and Holm's correction for the arms of a budget.";
        blocks.push(table(print::paired(&found), caption));
    }
    blocks
}

fn caption() -> String {
    "Validation accuracy at the largest budget that every arm of a seed reached, on a straight line \
     between the epochs before and after it: mean over seeds with half of its 95 % interval. It is \
     not the test accuracy that the answer above is about."
        .to_owned()
}

fn accuracies(arms: &[Arm]) -> Table {
    let head: Vec<String> = std::iter::once("arm".to_owned())
        .chain(BUDGETS.map(|name| format!("#at equal {name}, %")))
        .collect();
    let mut rows = Table::new(&head.iter().map(String::as_str).collect::<Vec<_>>());
    let by_budget: Vec<_> = (0..BUDGETS.len()).map(|which| points(arms, which)).collect();
    for (place, (arm, _)) in arms.iter().enumerate() {
        let cell = |of: &Vec<(&str, Vec<(&Spending, Point)>)>| {
            let found: Vec<f64> = of[place].1.iter().map(|(_, point)| point.accuracy).collect();
            match found.is_empty() {
                true => "less than an epoch".to_owned(),
                false => print::estimate(&mean_t(&found), 100.0, 2),
            }
        };
        rows.row(std::iter::once((*arm).to_owned()).chain(by_budget.iter().map(cell)));
    }
    rows
}

/// Which arms had no epoch within a budget: another arm's whole training costs less than that.
fn left_out(arms: &[Arm], which: usize) -> Option<String> {
    let names: Vec<&str> = (points(arms, which).into_iter())
        .filter(|(_, runs)| runs.is_empty())
        .map(|(arm, _)| arm)
        .collect();
    (!names.is_empty()).then(|| {
        format!(
            "At equal {} not compared: {}, whose first epoch had not ended when the cheapest arm's \
             training had.",
            BUDGETS[which],
            names.join(", ")
        )
    })
}

/// Which arms a budget stops while their learning rate still has some way to go.
fn cut(arms: &[Arm], which: usize) -> Option<String> {
    let stopped = |(arm, runs): (&str, Vec<(&Spending, Point)>)| {
        let mid_way: Vec<(f64, f64, f64)> = (runs.iter())
            .map(|(run, point)| {
                let end = run.steps.last().copied().unwrap_or(0) as f64;
                (point.step / end, run.rate(point.step), run.rate(end))
            })
            .filter(|(share, here, end)| *share < 1.0 - 1e-9 && *here > 1.05 * end)
            .collect();
        let (share, here, end) = mid_way.iter().copied().min_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(format!(
            "{arm} after {:.1} % of its training (the run that is cut most), at a learning rate of \
             {here:.1e} on the way to {end:.1e}",
            100.0 * share
        ))
    };
    let stopped: Vec<String> = points(arms, which).into_iter().filter_map(stopped).collect();
    (!stopped.is_empty()).then(|| {
        format!(
            "Equal {} stop a schedule mid-way: {}. A training made for that budget would have \
             lowered its rate by then, and might do better.",
            BUDGETS[which],
            stopped.join("; ").replace("e-", "e−")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes;
    use crate::stats::Claim;
    use catscan_train::Schedule;

    fn run<'a>(recipe: &'a Recipe, seed: u64, seconds: &[f64], accuracy: &[f64]) -> Spending<'a> {
        let epoch = |(i, s): (usize, &f64)| [i as f64 + 1.0, *s, 1e12 * (i as f64 + 1.0)];
        Spending {
            seed,
            spent: seconds.iter().enumerate().map(epoch).collect(),
            steps: (1..=seconds.len() as u64).map(|epoch| 100 * epoch).collect(),
            accuracy: accuracy.to_vec(),
            recipe,
            steps_total: 100 * seconds.len() as u64,
        }
    }

    fn cosine() -> Recipe {
        let schedule = Schedule::Cosine { warmup_steps: 0, end_fraction: 0.0 };
        Recipe { schedule, ..recipes::quick() }
    }

    /// Both arms do the same work; one seed's machine was faster, and one run ended at 401 s where
    /// its peers took 425 s. Nobody loses an epoch to that.
    fn even_arms(recipe: &Recipe) -> [Arm<'_>; 2] {
        let avg = vec![
            run(recipe, 1, &[145.0, 287.0, 425.0], &[0.75, 0.83, 0.86]),
            run(recipe, 2, &[131.0, 264.0, 401.0], &[0.74, 0.83, 0.87]),
        ];
        let max = vec![
            run(recipe, 1, &[145.0, 284.0, 421.0], &[0.72, 0.82, 0.85]),
            run(recipe, 2, &[131.0, 269.0, 407.0], &[0.73, 0.77, 0.84]),
        ];
        [("avg", avg), ("max", max)]
    }

    #[test]
    fn a_run_a_few_seconds_longer_keeps_its_last_epoch() {
        let recipe = cosine();
        let arms = even_arms(&recipe);
        assert_eq!(shared(&arms, 1), [(1, 421.0), (2, 401.0)]);
        let at = |place: usize, seed: usize, budget: f64| {
            arms[place].1[seed].at(1, budget).unwrap().accuracy
        };
        // Four of 138 seconds before the end of its last epoch.
        assert!((at(0, 0, 421.0) - (0.83 + 0.03 * 134.0 / 138.0)).abs() < 1e-12);
        assert!((at(1, 1, 401.0) - (0.77 + 0.07 * 132.0 / 138.0)).abs() < 1e-12);
        assert_eq!([at(0, 1, 401.0), at(1, 0, 421.0)], [0.87, 0.85]);
        // At equal seconds it reads as at equal epochs, to a third of a point.
        for which in [1, 2] {
            for (equal, epochs) in compared(&arms, which).iter().zip(compared(&arms, 0)) {
                assert!((equal.means[0] - epochs.means[0]).abs() < 0.0034);
                assert!((equal.means[1] - epochs.means[1]).abs() < 0.0034);
            }
        }
    }

    #[test]
    fn a_budget_is_compared_as_the_answer_is() {
        let recipe = cosine();
        let arms = even_arms(&recipe);
        let pair = &compared(&arms, 0)[0];
        assert_eq!((pair.difference.n, pair.claim), (2, Claim::NoDifferenceShown));
        assert!((pair.difference.mean + 0.02).abs() < 1e-12 && pair.test.is_some());
        let blocks = equal_budgets(&arms, |_, low, high| format!("{low:.0} to {high:.0}"));
        let [Block::Table(accuracies), Block::List(said), Block::Table(pairs)] = &blocks[..] else {
            panic!("{blocks:?}")
        };
        assert!(accuracies.caption.contains("not the test accuracy"));
        assert!(said[1].starts_with(
            "At equal seconds (401 to 421): Not shown. avg classified 86.5 % of the validation \
             pictures correctly, max "
        ));
        assert_eq!(pairs.rows.len(), 3);
        assert_eq!(pairs.rows[0][..3], ["epochs", "max − avg", "2"]);
        // The last sentence: who is stopped before the rate is down. By epochs nobody is.
        assert_eq!(said.len(), 4);
        assert!(said[3].starts_with("Equal seconds stop a schedule mid-way: avg after 99.0 %"));
        assert!(said[3].contains("max after 98.6 %"), "{}", said[3]);
        // An arm alone is compared with nobody.
        assert_eq!(equal_budgets(&arms[..1], |_, _, _| String::new()).len(), 1);
    }

    #[test]
    fn a_constant_rate_is_never_mid_way() {
        let recipe = Recipe { schedule: Schedule::Constant, warmup: None, ..recipes::quick() };
        assert_eq!(cut(&even_arms(&recipe), 1), None);
    }

    #[test]
    fn an_arm_that_has_no_epoch_by_then_is_not_compared() {
        let recipe = cosine();
        let arms = [
            ("quick", vec![run(&recipe, 1, &[10.0, 20.0], &[0.7, 0.8])]),
            ("slow", vec![run(&recipe, 1, &[30.0, 60.0], &[0.8, 0.9])]),
        ];
        assert_eq!(arms[1].1[0].at(1, 20.0), None);
        assert!(compared(&arms, 1).is_empty());
        assert_eq!(accuracies(&arms).rows[1][2], "less than an epoch");
        let said = left_out(&arms, 1).unwrap();
        assert!(said.starts_with("At equal seconds not compared: slow, whose first"), "{said}");
        assert_eq!(left_out(&arms, 0), None);
    }
}
