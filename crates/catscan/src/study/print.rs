//! The study as tables: the same numbers on the terminal and in the report.

use std::time::Duration;

use catscan_train::metrics::{ClassScores, Scores};

use crate::figures::signed;
use crate::progress::duration;
use crate::stats::{EffectClaim, Estimate, Factorial, Paired, p_value, points, range};
use crate::study::Study;
use crate::table::Table;

/// What is said under [`arms`].
pub const UNDER_ARMS: &str = "±: half of the 95 % interval over seeds. Differences are points of \
     accuracy against the first arm, paired by seed.";

/// What is said under [`effects`].
pub const UNDER_EFFECTS: &str = "Points of test accuracy with 95 % intervals. An effect of one \
     factor is averaged over the levels of the others; of two (×), it is how much larger the one's \
     effect is at the other's second level than at its first.";

impl Study {
    /// For the terminal: question, tables, notices and answer.
    pub fn in_full(&self) -> String {
        let mut text = format!("\n{}\n\n{}\n{UNDER_ARMS}\n\n", self.request.question, arms(self));
        if let Some(factorial) = &self.factorial {
            text += &format!("{}\n{UNDER_EFFECTS}\n\n", effects(factorial));
        }
        for notice in &self.notices {
            text += &format!("Note: {notice}\n");
        }
        for answer in &self.answer {
            text += &format!("{answer}\n");
        }
        text
    }
}

/// One line an arm: what it reached, against the first arm, and what it cost.
pub fn arms(study: &Study) -> Table {
    let mut table = Table::new(&[
        "arm",
        "#test accuracy, %",
        "#test loss",
        "#difference",
        "#parameters",
        "#multiply-adds, M",
        "#images/s",
        "#time a run",
    ]);
    for arm in &study.arms {
        let against =
            study.comparisons.iter().find(|comparison| comparison.paired.second == arm.arm);
        table.row([
            arm.arm.clone(),
            estimate(&arm.accuracy, 100.0, 2),
            estimate(&arm.loss, 1.0, 4),
            against.map_or("–".into(), |comparison| difference(&comparison.paired.difference)),
            thousands(arm.parameters),
            format!("{:.1}", arm.multiply_adds as f64 / 1e6),
            format!("{:.1}", arm.images_per_s),
            duration(Duration::from_secs_f64(arm.seconds)),
        ]);
    }
    table
}

/// One line a run.
pub fn cells(study: &Study) -> Table {
    let mut table = Table::new(&[
        "arm",
        "#seed",
        "#test accuracy, %",
        "#test loss",
        "#epochs",
        "#steps",
        "#time",
        "#threads",
        "device",
    ]);
    for cell in &study.cells {
        let steps = match cell.steps == cell.steps_total {
            true => cell.steps.to_string(),
            false => format!("{} of {}", cell.steps, cell.steps_total),
        };
        table.row([
            cell.arm.clone(),
            cell.seed.to_string(),
            format!("{:.2}", cell.accuracy * 100.0),
            format!("{:.4}", cell.loss),
            cell.epochs.to_string(),
            steps,
            duration(Duration::from_secs_f64(cell.seconds)),
            cell.threads.to_string(),
            cell.device.clone(),
        ]);
    }
    table
}

/// One line of scores for all classes together.
pub fn scores(scores: &Scores) -> Table {
    let mut table = Table::new(&[
        "all classes",
        "#balanced accuracy, %",
        "#top 5, %",
        "#precision, %",
        "#recall, %",
        "#F1, %",
        "#ROC-AUC",
        "#calibration error, %",
    ]);
    table.row([
        "mean".to_owned(),
        percent(Some(scores.balanced_accuracy)),
        percent(scores.top_k_accuracy),
        percent(Some(scores.macro_precision)),
        percent(Some(scores.macro_recall)),
        percent(Some(scores.macro_f1)),
        area(scores.roc_auc),
        percent(Some(scores.calibration_error)),
    ]);
    table
}

/// One line a class; "–" is what is not defined.
pub fn classes(scores: &Scores) -> Table {
    let mut table = Table::new(&[
        "class",
        "#pictures",
        "#predicted",
        "#precision, %",
        "#recall, %",
        "#F1, %",
        "#ROC-AUC",
    ]);
    scores.classes.iter().for_each(|scores| table.row(class(scores)));
    table
}

/// The line of one class.
pub fn class(scores: &ClassScores) -> [String; 7] {
    [
        scores.class.clone(),
        scores.pictures.to_string(),
        scores.predicted.to_string(),
        percent(scores.precision),
        percent(scores.recall),
        percent(Some(scores.f1)),
        area(scores.roc_auc),
    ]
}

fn percent(share: Option<f64>) -> String {
    share.map_or("–".into(), |share| format!("{:.2}", 100.0 * share))
}

fn area(area: Option<f64>) -> String {
    area.map_or("–".into(), |area| format!("{area:.4}"))
}

/// One line a comparison: the difference with both intervals.
pub fn comparisons(study: &Study) -> Table {
    let head = ["comparison", "#seeds", "#difference", "#over seeds", "#over pictures", "#loss"];
    let mut table = Table::new(&head);
    for comparison in &study.comparisons {
        table.row([
            comparison.paired.to_string(),
            comparison.seeds.to_string(),
            points(comparison.paired.difference.mean),
            over_seeds(&comparison.paired.difference),
            range(comparison.over_pictures),
            signed(comparison.loss.mean, 4),
        ]);
    }
    table
}

/// One line a comparison: the tests over seeds, and McNemar's for each seed.
pub fn tests(study: &Study) -> Table {
    let mut table = Table::new(&[
        "comparison",
        "#p, t test",
        "#p after Holm",
        "#p by permutation",
        "McNemar, p by seed",
    ]);
    for comparison in &study.comparisons {
        let test = comparison.paired.test;
        let mcnemar = |test: &crate::stats::McNemar| {
            format!("{}: {} ({}:{})", test.seed, p_value(test.p), test.only_first, test.only_second)
        };
        table.row([
            comparison.paired.to_string(),
            test.map_or("–".into(), |test| p_value(test.t_p)),
            comparison.paired.holm_p.map_or("–".into(), p_value),
            test.and_then(|test| test.permutation_p).map_or("–".into(), p_value),
            comparison.mcnemar.iter().map(mcnemar).collect::<Vec<_>>().join(", "),
        ]);
    }
    table
}

/// One line a comparison of each kind (at equal seconds, say), paired by seed.
pub fn paired(kinds: &[(&str, Vec<Paired>)]) -> Table {
    let mut table = Table::new(&[
        "at equal",
        "comparison",
        "#seeds",
        "#difference",
        "#over seeds",
        "#p, t test",
        "#p after Holm",
    ]);
    for (kind, pairs) in kinds {
        for pair in pairs {
            table.row([
                (*kind).to_owned(),
                pair.to_string(),
                pair.difference.n.to_string(),
                points(pair.difference.mean),
                over_seeds(&pair.difference),
                pair.test.map_or("–".into(), |test| p_value(test.t_p)),
                pair.holm_p.map_or("–".into(), p_value),
            ]);
        }
    }
    table
}

/// What each comparison's seeds could have shown.
pub fn power(study: &Study) -> Table {
    let mut table = Table::new(&[
        "comparison",
        "#seeds",
        "#deviation of differences",
        "#found in 80 of 100 cases",
        "#seeds for 1 point",
    ]);
    for comparison in &study.comparisons {
        let [deviation, detectable, seeds] = match comparison.power {
            Some(power) => [
                format!("{:.2}", power.deviation * 100.0),
                format!("{:.2}", power.detectable * 100.0),
                power.seeds_for_one_point.map_or("> 10,000".into(), |n| n.to_string()),
            ],
            None => ["–".into(), "–".into(), "–".into()],
        };
        let (name, n) = (comparison.paired.to_string(), comparison.seeds.to_string());
        table.row([name, n, deviation, detectable, seeds]);
    }
    table
}

/// The accuracy at every combination of the factors' levels.
pub fn factorial_cells(factorial: &Factorial) -> Table {
    let mut head: Vec<&str> = factorial.factors.iter().map(String::as_str).collect();
    head.extend(["arm", "#test accuracy, %"]);
    let mut table = Table::new(&head);
    for cell in &factorial.cells {
        let mut line = cell.levels.clone();
        line.extend([cell.arm.clone(), estimate(&cell.accuracy, 100.0, 2)]);
        table.row(line);
    }
    table
}

/// One line an effect: its size, both intervals, and whether it is shown.
pub fn effects(factorial: &Factorial) -> Table {
    let mut table = Table::new(&["effect", "#points", "#over seeds", "#over pictures", "shown"]);
    for effect in &factorial.effects {
        table.row([
            effect.name.clone(),
            points(effect.over_seeds.mean),
            over_seeds(&effect.over_seeds),
            range(effect.over_pictures),
            match effect.claim {
                EffectClaim::Shown => "yes".into(),
                EffectClaim::NotShown => "no effect shown".into(),
                EffectClaim::OneSeed => "one seed cannot".to_owned(),
                EffectClaim::SeedsAgree => "not without a spread".to_owned(),
            },
        ]);
    }
    table
}

/// A mean and half of its interval, which is symmetric; one seed says so.
pub fn estimate(estimate: &Estimate, factor: f64, digits: usize) -> String {
    let mean = estimate.mean * factor;
    format!("{mean:.digits$} {}", half(estimate, factor, digits))
}

fn difference(estimate: &Estimate) -> String {
    format!("{} {}", points(estimate.mean), half(estimate, 100.0, 2))
}

fn half(estimate: &Estimate, factor: f64, digits: usize) -> String {
    match estimate.interval {
        Some(interval) => format!("± {:.digits$}", (interval.high - interval.low) / 2.0 * factor),
        None => format!("(n = {})", estimate.n),
    }
}

/// The interval over seeds, or why there is none.
pub fn over_seeds(estimate: &Estimate) -> String {
    match (estimate.interval, estimate.n) {
        (Some(interval), _) => range(interval),
        (None, 1) => "one seed".into(),
        (None, n) => format!("{n} seeds that agree"),
    }
}

/// `7038529` as `7,038,529`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::mean_t;

    #[test]
    fn numbers_read_as_written_by_hand() {
        assert_eq!(
            [thousands(7), thousands(1000), thousands(7_038_529)],
            ["7", "1,000", "7,038,529"]
        );
        assert_eq!(estimate(&mean_t(&[0.5]), 100.0, 1), "50.0 (n = 1)");
        assert_eq!(estimate(&mean_t(&[0.5, 0.5]), 100.0, 1), "50.0 (n = 2)");
        assert_eq!(difference(&mean_t(&[-0.02, -0.04])), "−3.00 ± 12.71");
    }
}
