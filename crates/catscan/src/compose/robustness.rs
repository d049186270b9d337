//! How each arm withstands pictures made worse: all its seeds, the same test pictures, every
//! corruption and level; and how often two random shifts of a picture get one answer (Zhang 2019).

mod corruptions;
mod differences;

use anyhow::Result;
use catscan_data::{Dataset, Progress};
use catscan_viz::chart::{Axes, Line, lines};
use catscan_viz::corrupt::CORRUPTIONS;
use catscan_viz::report::{Block, Section};
use tch::Device;

use super::pick::evenly;
use super::{section, table};
use crate::stats::mean_t;
use crate::study::{Runs, Study};
use crate::table::Table;
use crate::weights::Trained;
use corruptions::{Answers, CorruptedPictures, SHIFTS};

/// Multiply-adds that all of it may cost: two hundred pictures of six DenseNets-121 at 64 pixels.
const MULTIPLY_ADDS: f64 = 1e13;
/// Pictures: as many as that buys, within these.
const FEWEST: usize = 64;
const MOST: usize = 200;
/// Pictures made worse for each whose maps are tested, where that is asked for.
const TIMES: usize = 3;

/// The section: a panel a corruption, one of the consistency, a table of all, and one of the arms'
/// differences. `asked` is the number of pictures whose maps are tested, if anybody said so.
pub fn robustness(
    study: &Study,
    runs: &Runs,
    dataset: &Dataset,
    asked: Option<u32>,
    progress: &dyn Progress,
) -> Result<Option<Section>> {
    let indices = evenly(&dataset.split.test, pictures(study, runs, asked));
    if indices.is_empty() {
        return Ok(None);
    }
    let worse = CorruptedPictures::new(dataset, &indices)?;
    let mut all = Vec::new();
    progress.stage("what they withstand", runs.iter().count() as u64);
    for run in runs.iter() {
        let trained = Trained::open_run(&run.record.folder, Device::Cpu)?;
        all.push(worse.answers(run, &trained.model));
        progress.advance(1);
    }
    let mut content = vec![Block::Chart {
        caption: caption(indices.len()),
        panels: panels(&all)?.into_iter().collect(),
    }];
    let under = "Accuracy on clean pictures, and at each corruption's worst level; in brackets how \
                 often, on average over the levels, the answer stayed as it was when clean. \
                 Consistency: how often two random shifts of one picture, each up to that part of \
                 the side to any side, get one answer, right or wrong (Zhang 2019). Means over an \
                 arm's seeds; ± is half of the 95 % interval over them (Student's t), which seeds \
                 that all agree have not.";
    content.push(table(in_numbers(study, &all), under));
    content.extend(differences::differences(study, &all, indices.len()));
    Ok(Some(section("robustness", "What they withstand", content)))
}

fn pictures(study: &Study, runs: &Runs, asked: Option<u32>) -> usize {
    if let Some(count) = asked {
        return TIMES * count as usize;
    }
    let seeds = |arm: &str| runs.of(arm).count() as f64;
    let cost: f64 = study.arms.iter().map(|arm| arm.multiply_adds as f64 * seeds(&arm.arm)).sum();
    ((MULTIPLY_ADDS / (cost * corruptions::passes() as f64)) as usize).clamp(FEWEST, MOST)
}

fn caption(n: usize) -> String {
    // Two standard errors of a share near one half.
    let wander = 100.0 / (n as f64).sqrt();
    format!(
        "Every seed of each arm, a line each, on the same {n} test pictures made worse step by \
         step, none of which it was trained for unless its recipe says so. With {n} pictures an \
         accuracy wanders by about ±{wander:.0} points, but all arms see the same ones: the table \
         of differences says which gaps are more than chance. The last panel is the consistency \
         of Zhang 2019: each picture is shifted twice at random (the same two shifts for every \
         network, edges repeated), and its two answers are compared."
    )
}

fn panels(all: &[Answers]) -> Result<Vec<catscan_viz::Svg>> {
    let line = |run: &Answers, points: Vec<(f64, f64)>| Line {
        name: run.name.arm.clone(),
        seed: Some(run.name.seed),
        points: points.into_iter().map(|(x, share)| (x, 100.0 * share)).collect(),
    };
    let of_row = |(at, row): (usize, &catscan_viz::corrupt::CorruptionRow)| {
        let points = |run: &Answers| {
            let mut points: Vec<(f64, f64)> =
                row.levels.iter().copied().zip(run.right(at)).collect();
            points.push((row.clean, share(&run.clean)));
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            points
        };
        let of_runs: Vec<Line> = all.iter().map(|run| line(run, points(run))).collect();
        let axes = Axes { x: row.unit, diagonal: false };
        Ok(lines(&format!("Accuracy by {}, %", row.name), axes, &of_runs)?)
    };
    let mut panels: Vec<_> = CORRUPTIONS.iter().enumerate().map(of_row).collect::<Result<_>>()?;
    let steady = |run: &Answers| {
        let levels = SHIFTS.iter().copied().zip(run.consistency());
        line(run, std::iter::once((0.0, 1.0)).chain(levels).collect())
    };
    let axes = Axes { x: "largest of two random shifts, % of the side", diagonal: false };
    let of_runs: Vec<Line> = all.iter().map(steady).collect();
    panels.push(lines("Consistency of two shifts, %", axes, &of_runs)?);
    Ok(panels)
}

/// The share of yes.
fn share(said: &[bool]) -> f64 {
    said.iter().filter(|yes| **yes).count() as f64 / said.len().max(1) as f64
}

fn in_numbers(study: &Study, all: &[Answers]) -> Table {
    let mut head = vec!["arm".to_owned(), "#seeds".into(), "#clean, %".into()];
    head.extend(CORRUPTIONS.iter().map(|row| format!("#{}, %", row.name)));
    head.extend(SHIFTS.iter().map(|level| format!("#consistency, {level} %")));
    let mut rows = Table::new(&head.iter().map(String::as_str).collect::<Vec<_>>());
    for arm in &study.arms {
        let runs: Vec<&Answers> = all.iter().filter(|run| run.name.arm == arm.arm).collect();
        let over = |value: &dyn Fn(&Answers) -> f64| {
            let estimate = mean_t(&runs.iter().map(|run| 100.0 * value(run)).collect::<Vec<_>>());
            let half = estimate.interval.map(|interval| (interval.high - interval.low) / 2.0);
            match half {
                Some(half) => format!("{:.1} ± {half:.1}", estimate.mean),
                None => format!("{:.1}", estimate.mean),
            }
        };
        let mut line =
            vec![arm.arm.clone(), runs.len().to_string(), over(&|run| share(&run.clean))];
        for at in 0..CORRUPTIONS.len() {
            let worst = |run: &Answers| run.right(at).into_iter().fold(f64::INFINITY, f64::min);
            let same = runs.iter().map(|run| run.same(at)).sum::<f64>() / runs.len() as f64;
            line.push(format!("{} ({:.1})", over(&worst), 100.0 * same));
        }
        line.extend((0..SHIFTS.len()).map(|at| over(&|run| run.consistency()[at])));
        rows.row(line);
    }
    rows
}
