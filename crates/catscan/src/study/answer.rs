//! The answer at the top of a study, for the terminal, `report.html` and `report.md` alike: a
//! plain sentence and its numbers for each comparison, effects, and what could have been found.

use crate::experiment::Experiment;
use crate::stats::{ArmResult, Claim, Comparison, Factorial};

/// Sentences, the first being what the question asks about: arms that run unasked come first.
pub(super) fn answer(
    results: &[ArmResult],
    comparisons: &[Comparison],
    factorial: Option<&Factorial>,
    row: Option<&Experiment>,
) -> Vec<String> {
    if comparisons.is_empty() && results.len() > 1 {
        let words = "No seed has finished in two arms that are compared, so nothing can be paired.";
        return vec![words.to_owned()];
    }
    if comparisons.is_empty() {
        let arm = &results[0].arm;
        return vec![format!("Only {arm} has finished runs, so there is nothing to compare.")];
    }
    let unasked = |c: &&Comparison| {
        row.is_none_or(|row| row.default_arms.contains(&c.paired.second.as_str()))
    };
    let (asked, others): (Vec<&Comparison>, Vec<_>) = comparisons.iter().partition(unasked);
    let comparisons = [asked, others].concat();
    let compared = comparisons.iter().flat_map(|c| [c.words.clone(), c.numbers.clone()]);
    let effects = factorial.iter().flat_map(|found| &found.effects);
    // That nothing was found means little without what could have been.
    let unshown =
        |c: &&&Comparison| c.paired.claim == Claim::NoDifferenceShown && !c.reach.is_empty();
    let reach = comparisons.iter().filter(unshown).map(|c| c.reach.clone()).take(1);
    compared.chain(effects.map(|effect| effect.words.clone())).chain(reach).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::EXPERIMENTS;
    use crate::stats::{SeedResult, compare_all};

    #[test]
    fn what_the_question_asks_about_is_answered_first() {
        let arm = |(arm, right): (&str, [usize; 2])| {
            let seed = |seed: u64| SeedResult {
                seed,
                right: (0..100).map(|i| i < right[seed as usize]).collect(),
                loss: 0.5,
            };
            ArmResult { arm: arm.into(), seeds: [0, 1].map(seed).into() }
        };
        let arms = [("avg", [80, 81]), ("transition-avg_head-max", [79, 83]), ("max", [82, 80])];
        let results = arms.map(arm);
        let row = EXPERIMENTS.iter().find(|row| row.name == "pooling-compare");
        let comparisons = compare_all(&results);
        let words = answer(&results, &comparisons, None, row);
        assert!(
            words[0].starts_with("Not shown. avg classified") && words[0].contains(", max 81.0 %")
        );
        assert!(words[1].contains("max − avg") && !words[1].contains("head"), "{words:?}");
        assert!(words[3].contains("transition-avg_head-max − avg"), "{words:?}");
    }
}
