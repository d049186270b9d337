//! What accuracy costs: the same arms at equal epochs, equal seconds and equal multiply-adds, how
//! soon each reached 80, 85 and 90 %, and the memory it took. By the validation accuracy, which is
//! known after every epoch.

use anyhow::Result;
use catscan_viz::chart::{Axes, Line, lines};
use catscan_viz::report::{Block, Section};

use super::{section, table};
use crate::stats::mean_t;
use crate::study::{Run, Study};
use crate::table::Table;

/// Accuracies whose time is told.
const GOALS: [f64; 3] = [0.80, 0.85, 0.90];
/// A backward costs about two forwards.
const TRAINING: f64 = 3.0;

/// One run's validation accuracy against what it has spent.
struct Spent {
    seed: u64,
    /// After each epoch: epochs, seconds, multiply-adds.
    spent: Vec<[f64; 3]>,
    accuracy: Vec<f64>,
}

/// Of multiply-adds a chart shows thousands of millions, and so on: the power of ten that leaves at
/// least one before the point.
const POWERS: [i32; 4] = [15, 12, 9, 6];

/// The section: three charts, what each arm has at the largest budget all reach, and the times.
pub fn budget(study: &Study, runs: &[Run]) -> Result<Section> {
    let of_arm = |arm: &crate::study::ArmSummary| -> Vec<Spent> {
        let own = runs.iter().filter(|run| run.arm == arm.arm);
        own.map(|run| spent(run, arm.multiply_adds as f64)).collect()
    };
    let arms: Vec<Vec<Spent>> = study.arms.iter().map(of_arm).collect();
    let mut panels = Vec::new();
    for (at, (name, unit, per)) in units(&arms).iter().enumerate() {
        let line = |arm: &crate::study::ArmSummary, run: &Spent| {
            let points = run.spent.iter().zip(&run.accuracy).map(|(s, a)| (s[at] / per, 100.0 * a));
            Line { name: arm.arm.clone(), seed: Some(run.seed), points: points.collect() }
        };
        let all: Vec<Line> = (study.arms.iter().zip(&arms))
            .flat_map(|(arm, runs)| runs.iter().map(move |run| line(arm, run)))
            .collect();
        let axes = Axes { x: unit, diagonal: false };
        panels.push(lines(&format!("Validation accuracy by {name}, %"), axes, &all)?);
    }
    let chart = Block::Chart {
        caption:
            "The same trainings against three budgets; a line a seed. An arm that is ahead by \
                  epochs may be behind by seconds. Seconds are of the machine named below, with \
                  whatever else it did; a training step is counted as three forwards."
                .into(),
        panels,
    };
    let content = vec![chart, matched(study, &arms), goals(study, &arms, runs)];
    Ok(section("budget", "What accuracy costs", content))
}
/// Of each budget its name, its unit in words, and how much of it one unit is.
fn units(arms: &[Vec<Spent>]) -> [(&'static str, String, f64); 3] {
    let work = shared(arms, 2);
    let power = POWERS.into_iter().find(|power| work >= 10f64.powi(*power)).unwrap_or(0);
    let unit = match power {
        0 => "multiply-adds".to_owned(),
        power => format!("10^{power} multiply-adds"),
    };
    [
        ("epochs", "epochs".to_owned(), 1.0),
        ("seconds", "seconds".to_owned(), 1.0),
        ("multiply-adds", unit, 10f64.powi(power)),
    ]
}

fn spent(run: &Run, multiply_adds: f64) -> Spent {
    let (mut seconds, mut all) = (0.0, Vec::new());
    for epoch in &run.record.epochs {
        seconds += epoch.seconds;
        let work = run.record.pictures_seen(epoch.step) * multiply_adds * TRAINING;
        all.push([f64::from(epoch.epoch), seconds, work]);
    }
    let accuracy = run.record.epochs.iter().map(|epoch| epoch.val_accuracy).collect();
    Spent { seed: run.seed, spent: all, accuracy }
}

/// The accuracy at a budget: of the last epoch that was within it.
fn at_budget(run: &Spent, which: usize, budget: f64) -> Option<f64> {
    // An epoch that ended a rounding later still counts.
    let within = run.spent.iter().rposition(|spent| spent[which] <= budget * (1.0 + 1e-9))?;
    Some(run.accuracy[within])
}

/// The largest budget that every run reached.
fn shared(arms: &[Vec<Spent>], which: usize) -> f64 {
    let ends = arms.iter().flatten().filter_map(|run| run.spent.last());
    ends.map(|spent| spent[which]).fold(f64::INFINITY, f64::min)
}

fn matched(study: &Study, arms: &[Vec<Spent>]) -> Block {
    let mut rows = Table::new(&[
        "arm",
        "#at equal epochs, %",
        "#at equal seconds, %",
        "#at equal multiply-adds, %",
    ]);
    for (arm, runs) in study.arms.iter().zip(arms) {
        let mut line = vec![arm.arm.clone()];
        for which in 0..3 {
            let budget = shared(arms, which);
            let found: Vec<f64> =
                runs.iter().filter_map(|run| at_budget(run, which, budget)).collect();
            line.push(match found.is_empty() {
                true => "not an epoch".into(),
                false => {
                    let estimate = mean_t(&found);
                    let half = estimate.interval.map(|range| (range.high - range.low) * 50.0);
                    let half = half.map_or("(n = 1)".into(), |half| format!("± {half:.1}"));
                    format!("{:.1} {half}", 100.0 * estimate.mean)
                }
            });
        }
        rows.row(line);
    }
    let budgets = units(arms).into_iter().enumerate().map(|(which, (_, unit, per))| {
        let budget = shared(arms, which) / per;
        let digits = if budget < 10.0 { 2 } else { 0 };
        format!("{budget:.digits$} {unit}")
    });
    let caption = format!(
        "Validation accuracy at the largest budget that every run reached ({}), mean over seeds with \
         half of its 95 % interval.",
        budgets.collect::<Vec<_>>().join("; ")
    );
    table(rows, &caption)
}

/// Seconds until a run's validation accuracy first reached a goal.
fn reached(run: &Spent, goal: f64) -> Option<f64> {
    let at = run.accuracy.iter().position(|accuracy| *accuracy >= goal)?;
    Some(run.spent[at][1])
}

/// The most main memory that any run of an arm held, where they tell.
fn peak_memory_bytes(arm: &str, runs: &[Run]) -> Option<u64> {
    let own = runs.iter().filter(|run| run.arm == arm);
    own.filter_map(|run| run.test.peak_memory_bytes).max()
}

fn goals(study: &Study, arms: &[Vec<Spent>], all: &[Run]) -> Block {
    let head: Vec<String> = std::iter::once("arm".to_owned())
        .chain(GOALS.map(|goal| format!("#seconds to {:.0} %", 100.0 * goal)))
        .chain(std::iter::once("#peak memory, MB".to_owned()))
        .collect();
    let mut rows = Table::new(&head.iter().map(String::as_str).collect::<Vec<_>>());
    for (arm, runs) in study.arms.iter().zip(arms) {
        let times = GOALS.map(|goal| {
            let found: Vec<f64> = runs.iter().filter_map(|run| reached(run, goal)).collect();
            let mean = found.iter().sum::<f64>() / found.len() as f64;
            match found.len() {
                0 => "never".to_owned(),
                n if n == runs.len() => format!("{mean:.0}"),
                n => format!("{mean:.0} ({n} of {} runs)", runs.len()),
            }
        });
        let memory = peak_memory_bytes(&arm.arm, all)
            .map_or("–".to_owned(), |bytes| format!("{:.0}", bytes as f64 / 1e6));
        rows.row(std::iter::once(arm.arm.clone()).chain(times).chain(std::iter::once(memory)));
    }
    table(
        rows,
        "Seconds of training until the validation accuracy first was so high, mean over the \
                 seeds that reached it; counted in whole epochs. Peak memory is the most main \
                 memory that a run's process held, program and picture cache included.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seconds: &[f64], accuracy: &[f64]) -> Spent {
        let spent =
            seconds.iter().enumerate().map(|(i, s)| [i as f64 + 1.0, *s, 2.0 * s]).collect();
        Spent { seed: 1, spent, accuracy: accuracy.to_vec() }
    }

    #[test]
    fn budgets_are_what_all_reached_and_hold_whole_epochs() {
        let arms = [
            vec![run(&[10.0, 20.0, 30.0], &[0.7, 0.82, 0.9])],
            vec![run(&[15.0, 25.0], &[0.8, 0.81])],
        ];
        assert_eq!([shared(&arms, 0), shared(&arms, 1)], [2.0, 25.0]);
        assert_eq!(at_budget(&arms[0][0], 1, 25.0), Some(0.82));
        assert_eq!(at_budget(&arms[1][0], 1, 12.0), None);
    }

    #[test]
    fn a_goal_is_reached_at_the_first_epoch_that_has_it() {
        let run = run(&[10.0, 20.0, 30.0], &[0.81, 0.79, 0.86]);
        assert_eq!(
            [reached(&run, 0.8), reached(&run, 0.85), reached(&run, 0.9)],
            [Some(10.0), Some(30.0), None]
        );
    }
}
