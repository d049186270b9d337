//! How each arm withstands pictures made worse: the same few test pictures, every corruption and
//! level.

use anyhow::Result;
use catscan_data::{Dataset, Raster, picture_tensor};
use catscan_viz::chart::{Axes, Line, lines};
use catscan_viz::corrupt::{CORRUPTIONS, CorruptionRow};
use catscan_viz::report::{Block, Section};
use tch::Tensor;

use super::{Shown, section, table};
use crate::commands::network::probabilities;
use crate::study::Study;
use crate::table::Table;
use catscan_train::metrics::predicted;

/// Multiply-adds that all of it may cost: about ten seconds of two cores.
const MULTIPLY_ADDS: f64 = 1.2e12;
/// Pictures: as many as that buys, within these.
const FEWEST: usize = 16;
const MOST: usize = 100;
/// Pictures in one pass.
const AT_ONCE: usize = 50;

/// What one arm said under one corruption, level by level from the clean one.
struct Curve {
    levels: Vec<f64>,
    /// Shares of the pictures told right.
    right: Vec<f64>,
    /// Shares of the pictures told as when clean.
    same: Vec<f64>,
}

/// The section: a panel a corruption, and a table of all.
pub fn robustness(study: &Study, shown: &[Shown], dataset: &Dataset) -> Result<Option<Section>> {
    let passes: usize = CORRUPTIONS.iter().map(|row| row.levels.len()).sum::<usize>() + 1;
    let cost: f64 = study.arms.iter().map(|arm| arm.multiply_adds as f64).sum();
    let bought = (MULTIPLY_ADDS / (cost * passes as f64)) as usize;
    let test = &dataset.split.test;
    let every = test.len().div_ceil(bought.clamp(FEWEST, MOST)).max(1);
    let indices: Vec<u32> = test.iter().copied().step_by(every).collect();
    if indices.is_empty() {
        return Ok(None);
    }
    let mut head = vec!["arm".to_owned(), "#clean, %".into()];
    head.extend(CORRUPTIONS.iter().map(|row| format!("#{}, %", row.name)));
    let mut rows = Table::new(&head.iter().map(String::as_str).collect::<Vec<_>>());
    let mut panels = vec![Vec::new(); CORRUPTIONS.len()];
    for arm in shown {
        let clean = answers(arm, dataset, &indices, None)?;
        let mut line = vec![arm.run.arm.clone(), percent(right(&clean, dataset, &indices))];
        for (row, panel) in CORRUPTIONS.iter().zip(&mut panels) {
            let curve = curve(row, arm, dataset, &indices, &clean)?;
            let worst = curve.right.iter().copied().fold(f64::INFINITY, f64::min);
            let steady = curve.same.iter().skip(1).sum::<f64>() / row.levels.len() as f64;
            line.push(format!("{} ({})", percent(worst), percent(steady)));
            let points = curve.levels.iter().copied().zip(curve.right.iter().map(|v| 100.0 * v));
            panel.push(Line {
                name: arm.run.arm.clone(),
                seed: Some(arm.run.seed),
                points: points.collect(),
            });
        }
        rows.row(line);
    }
    let panels = CORRUPTIONS.iter().zip(panels).map(|(row, of_arms)| {
        let axes = Axes { x: row.unit, diagonal: false };
        lines(&format!("Accuracy by {}, %", row.name), axes, &of_arms)
    });
    let n = indices.len();
    // Two standard errors of a share near one half.
    let wander = 100.0 / (n as f64).sqrt();
    let chart = Block::Chart {
        caption: format!(
            "Each arm's first seed on the same {n} test pictures made worse step by step, none of \
             which it was trained for unless its recipe says so. With {n} pictures an accuracy \
             wanders by about ±{wander:.0} points, so look for lines that part, not that touch."
        ),
        panels: panels.collect::<Result<_, _>>()?,
    };
    let caption = "Accuracy on clean pictures, and at each corruption's worst level; in brackets \
                   how often, on average over the levels, the answer stayed as it was when clean \
                   (for shifts, the consistency of Zhang 2019).";
    Ok(Some(section("robustness", "What they withstand", vec![chart, table(rows, caption)])))
}

fn curve(
    row: &CorruptionRow,
    arm: &Shown,
    dataset: &Dataset,
    indices: &[u32],
    clean: &[u32],
) -> Result<Curve> {
    let mut levels = row.levels.to_vec();
    levels.push(row.clean);
    levels.sort_by(f64::total_cmp);
    let mut curve = Curve { levels: levels.clone(), right: Vec::new(), same: Vec::new() };
    let mut same = Vec::new();
    for level in levels {
        let said = match level == row.clean {
            true => clean.to_vec(),
            false => answers(arm, dataset, indices, Some((row, level)))?,
        };
        curve.right.push(right(&said, dataset, indices));
        if level != row.clean {
            let agree = said.iter().zip(clean).filter(|(a, b)| a == b).count();
            same.push(agree as f64 / said.len() as f64);
        }
    }
    curve.same = std::iter::once(1.0).chain(same).collect();
    Ok(curve)
}

/// The class that the arm's first seed sees on each picture.
fn answers(
    arm: &Shown,
    dataset: &Dataset,
    indices: &[u32],
    worse: Option<(&CorruptionRow, f64)>,
) -> Result<Vec<u32>> {
    let config = dataset.config();
    let one = |index: &u32| {
        let picture = dataset.picture(*index);
        let picture = match worse {
            None => picture,
            Some((row, level)) => {
                let worse = row.apply(&picture.into_shown(), level, u64::from(*index));
                Raster::from(worse).into_colour(config.colour)
            }
        };
        picture_tensor(&picture, config)
    };
    let mut said = Vec::with_capacity(indices.len());
    for some in indices.chunks(AT_ONCE) {
        let x = Tensor::cat(&some.iter().map(one).collect::<Vec<_>>(), 0);
        said.extend(probabilities(&arm.trained.model, &x).iter().map(|shares| predicted(shares)));
    }
    Ok(said)
}

fn right(said: &[u32], dataset: &Dataset, indices: &[u32]) -> f64 {
    let labels = dataset.labels(indices);
    let right = said.iter().zip(labels).filter(|(said, label)| i64::from(**said) == *label).count();
    right as f64 / said.len() as f64
}

fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}
