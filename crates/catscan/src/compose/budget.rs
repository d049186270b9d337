//! What accuracy costs: the same arms at equal epochs, equal seconds and equal multiply-adds
//! ([`super::equal_budgets`]), how soon each reached 80, 85 and 90 %, and the memory it took. By
//! the validation accuracy, which is known after every epoch.

use anyhow::Result;
use catscan_viz::chart::{Axes, Line, lines};
use catscan_viz::report::{Block, Section};

use super::equal_budgets::{Arm, BUDGETS, Spending, equal_budgets, shared};
use super::{section, table};
use crate::study::{ArmSummary, Run, Runs, Study};
use crate::table::Table;

/// Accuracies whose time is told.
const GOALS: [f64; 3] = [0.80, 0.85, 0.90];
/// A backward costs about two forwards.
const TRAINING: f64 = 3.0;

/// Multiply-adds are counted in a power of ten that leaves at least one before the point.
const POWERS: [(i32, &str); 4] = [(15, "10¹⁵"), (12, "10¹²"), (9, "10⁹"), (6, "10⁶")];

/// The section: three charts, the arms at equal budgets, and the times.
pub fn budget(study: &Study, runs: &Runs) -> Result<Section> {
    let of_arm = |arm: &'_ ArmSummary| -> Vec<Spending> {
        runs.of(&arm.arm).map(|run| spent(run, arm.multiply_adds as f64)).collect()
    };
    let arms: Vec<Arm> = study.arms.iter().map(|arm| (&*arm.arm, of_arm(arm))).collect();
    let units = units(&arms);
    let mut panels = Vec::new();
    for (at, Unit { axis, per, .. }) in units.iter().enumerate() {
        let line = |arm: &str, run: &Spending| {
            let points = run.spent.iter().zip(&run.accuracy).map(|(s, a)| (s[at] / per, 100.0 * a));
            Line { name: arm.to_owned(), seed: Some(run.seed), points: points.collect() }
        };
        let all: Vec<Line> = arms
            .iter()
            .flat_map(|(arm, runs)| runs.iter().map(move |run| line(arm, run)))
            .collect();
        let title = format!("Validation accuracy by {}, %", BUDGETS[at]);
        panels.push(lines(&title, Axes { x: axis, diagonal: false }, &all)?);
    }
    let chart = Block::Chart {
        caption:
            "The same trainings against three budgets; a line a seed. An arm that is ahead by \
                  epochs may be behind by seconds. Seconds are of the machine named below, with \
                  whatever else it did, the validation after each epoch included; a training step \
                  is counted as three forwards."
                .into(),
        panels,
    };
    let size = |which: usize, low: f64, high: f64| units[which].range(low, high);
    let mut content = vec![chart];
    content.extend(equal_budgets(&arms, size));
    content.push(goals(&arms, runs));
    Ok(section("budget", "What accuracy costs", content))
}

/// How a budget is written.
struct Unit {
    /// Under a chart.
    axis: String,
    /// In a sentence, behind the number.
    times: String,
    /// How much of the budget one unit is.
    per: f64,
}

impl Unit {
    /// `3`, `401 to 421`, `35.1 × 10¹²`.
    fn range(&self, low: f64, high: f64) -> String {
        let number = |value: f64| {
            let value = value / self.per;
            let digits = if value.fract() == 0.0 || value >= 100.0 { 0 } else { 1 };
            format!("{value:.digits$}")
        };
        match (number(low), number(high)) {
            (low, high) if low == high => format!("{low}{}", self.times),
            (low, high) => format!("{low} to {high}{}", self.times),
        }
    }
}

fn units(arms: &[Arm]) -> [Unit; 3] {
    let work = shared(arms, 2).into_iter().map(|(_, most)| most).fold(f64::INFINITY, f64::min);
    let plain = |name: &str| Unit { axis: name.into(), times: String::new(), per: 1.0 };
    let power = POWERS.into_iter().find(|(power, _)| work >= 10f64.powi(*power));
    let work = match power {
        None => plain(BUDGETS[2]),
        Some((power, written)) => Unit {
            axis: format!("multiply-adds, in units of {written}"),
            times: format!(" × {written}"),
            per: 10f64.powi(power),
        },
    };
    [plain(BUDGETS[0]), plain(BUDGETS[1]), work]
}

fn spent(run: &Run, multiply_adds: f64) -> Spending<'_> {
    let (mut seconds, mut all) = (0.0, Vec::new());
    for epoch in &run.record.epochs {
        seconds += epoch.seconds;
        let work = run.record.pictures_seen(epoch.step) * multiply_adds * TRAINING;
        all.push([f64::from(epoch.epoch), seconds, work]);
    }
    Spending {
        seed: run.name.seed,
        spent: all,
        steps: run.record.epochs.iter().map(|epoch| epoch.step).collect(),
        accuracy: run.record.epochs.iter().map(|epoch| epoch.val_accuracy).collect(),
        recipe: &run.record.recipe,
        steps_total: run.test.steps_total,
    }
}

/// Seconds until a run's validation accuracy first reached a goal.
fn reached(run: &Spending, goal: f64) -> Option<f64> {
    let at = run.accuracy.iter().position(|accuracy| *accuracy >= goal)?;
    Some(run.spent[at][1])
}

/// The most main memory that any run of an arm held, where they tell.
fn peak_memory_bytes(arm: &str, runs: &Runs) -> Option<u64> {
    runs.of(arm).filter_map(|run| run.test.peak_memory_bytes).max()
}

fn goals(arms: &[Arm], all: &Runs) -> Block {
    let head: Vec<String> = std::iter::once("arm".to_owned())
        .chain(GOALS.map(|goal| format!("#seconds to {:.0} %", 100.0 * goal)))
        .chain(std::iter::once("#peak main memory, MB".to_owned()))
        .collect();
    let mut rows = Table::new(&head.iter().map(String::as_str).collect::<Vec<_>>());
    for (arm, runs) in arms {
        let times = GOALS.map(|goal| {
            let found: Vec<f64> = runs.iter().filter_map(|run| reached(run, goal)).collect();
            let mean = found.iter().sum::<f64>() / found.len() as f64;
            match found.len() {
                0 => "never".to_owned(),
                n if n == runs.len() => format!("{mean:.0}"),
                n => format!("{mean:.0} ({n} of {} runs)", runs.len()),
            }
        });
        let memory = peak_memory_bytes(arm, all)
            .map_or("–".to_owned(), |bytes| format!("{:.0}", bytes as f64 / 1e6));
        rows.row(std::iter::once((*arm).to_owned()).chain(times).chain(std::iter::once(memory)));
    }
    table(
        rows,
        "Seconds until the validation accuracy first was so high, mean over the seeds that reached \
         it; counted in whole epochs, each with its training, its wait for pictures and its \
         validation. Peak memory is the most main memory that a run's process held, program and \
         picture cache included; what a GPU held of its own is not in it.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_written_to_be_read() {
        let epochs = Unit { axis: String::new(), times: String::new(), per: 1.0 };
        let written = [(3.0, 3.0), (2.0, 3.0), (400.7, 420.9)].map(|(a, b)| epochs.range(a, b));
        assert_eq!(written, ["3", "2 to 3", "401 to 421"]);
        let recipe = crate::recipes::quick();
        let spent = Spending {
            seed: 1,
            spent: vec![[1.0, 10.0, 3.51e13]],
            steps: vec![1],
            accuracy: vec![0.5],
            recipe: &recipe,
            steps_total: 1,
        };
        let [.., work] = units(&[("avg", vec![spent])]);
        assert_eq!(work.range(3.51e13, 3.51e13), "35.1 × 10¹²");
        assert_eq!(work.axis, "multiply-adds, in units of 10¹²");
    }

    #[test]
    fn a_goal_is_reached_at_the_first_epoch_that_has_it() {
        let recipe = crate::recipes::quick();
        let run = Spending {
            seed: 1,
            spent: [10.0, 20.0, 30.0].map(|seconds| [1.0, seconds, 1.0]).into(),
            steps: vec![1, 2, 3],
            accuracy: vec![0.81, 0.79, 0.86],
            recipe: &recipe,
            steps_total: 3,
        };
        assert_eq!(
            [reached(&run, 0.8), reached(&run, 0.85), reached(&run, 0.9)],
            [Some(10.0), Some(30.0), None]
        );
    }
}
