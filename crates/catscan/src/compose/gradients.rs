//! Gradient flow: how much of the error reaches each layer, from the stem to the head, all through
//! training ([`super::gradient_map`]) and early and late in it. Plain deep networks are said to
//! starve their first layers; shortcuts and dense connections are said to mend it.

use anyhow::Result;
use catscan_train::{GradientRecord, read_gradients};
use catscan_viz::chart::{Axes, Line, lines};
use catscan_viz::report::{Block, Section};

use super::gradient_map::maps;
use super::{section, table};
use crate::figures::minus;
use crate::run_name::RunName;
use crate::study::{Runs, Study};
use crate::table::Table;

/// Points of a line by depth, at most: a deep network's layers zigzag, since its 1×1 and 3×3
/// convolutions have gradients of their own size.
const POINTS: usize = 25;

/// What a run has kept.
pub(super) struct Flow<'a> {
    pub name: &'a RunName,
    /// Not empty; oldest first.
    pub records: Vec<GradientRecord>,
}

/// The section; none for runs of before gradients were kept.
pub fn gradients(study: &Study, runs: &Runs) -> Result<Option<Section>> {
    let mut flows = Vec::new();
    for arm in &study.arms {
        for run in runs.of(&arm.arm) {
            let records = read_gradients(&run.record.folder)?;
            if !records.is_empty() {
                flows.push(Flow { name: &run.name, records });
            }
        }
    }
    if flows.is_empty() {
        return Ok(None);
    }
    let heat = Block::Chart {
        caption:
            "The norm of the loss's gradient at every convolution and linear layer, on the last \
                  batch of an epoch: a row a layer, the stem above and the head below; a column an \
                  epoch; the mean of an arm's seeds, as are the columns of several epochs \
                  (geometric). All arms share one colour scale, by powers of ten; yellow is much. \
                  Rows that stay dark at the top say that little of the error reaches the first \
                  layers. Layers of other shapes have norms of other sizes: compare rows at the \
                  same depth between arms, and columns, rather than neighbours. Blank: no \
                  gradient. A cell says its layer and value when pointed at."
                .into(),
        panels: maps(&flows)?,
    };
    let mut panels = Vec::new();
    for (when, pick) in [("first", first as Pick), ("last", last)] {
        let title = format!("Gradient by depth, {when} epoch (power of ten)");
        panels
            .extend(drawn(&title, "depth, % of the layers", &flows, |flow| by_depth(pick(flow)))?);
    }
    let title = "First layers against last (power of ten)";
    panels.extend(drawn(title, "epoch", &flows, by_epoch)?);
    let chart = Block::Chart {
        caption: "The same by depth, a line a seed; of more than 25 layers a point is the \
                  geometric mean of neighbours. −2 is a hundredth. A line that falls to the left \
                  says that little of the error reaches the first layers, one that climbs steeply \
                  that a step changes them far more than the last. The third chart sets the first \
                  tenth of the layers against the last: 0 is as much, −1 a tenth. \
                  One batch's gradient is a noisy thing: a factor of two says nothing. A layer \
                  without any gradient is left out of the line."
            .into(),
        panels,
    };
    let drawn = |block: &Block| !matches!(block, Block::Chart { panels, .. } if panels.is_empty());
    let content = [heat, chart, in_numbers(&flows)].into_iter().filter(drawn).collect();
    Ok(Some(section("gradients", "Do gradients reach the first layers?", content)))
}

type Pick = for<'a> fn(&'a Flow<'a>) -> &'a GradientRecord;

fn first<'a>(flow: &'a Flow<'a>) -> &'a GradientRecord {
    &flow.records[0]
}

fn last<'a>(flow: &'a Flow<'a>) -> &'a GradientRecord {
    &flow.records[flow.records.len() - 1]
}

/// A chart; none where every gradient is zero.
fn drawn(
    title: &str,
    x: &str,
    flows: &[Flow],
    points: impl Fn(&Flow) -> Vec<(f64, f64)>,
) -> Result<Option<catscan_viz::Svg>> {
    let line = |flow: &Flow| Line {
        name: flow.name.arm.clone(),
        seed: Some(flow.name.seed),
        points: points(flow),
    };
    let all: Vec<Line> = flows.iter().map(line).collect();
    let finite = all.iter().flat_map(|line| &line.points).any(|(_, y)| y.is_finite());
    match finite {
        true => Ok(Some(lines(title, Axes { x, diagonal: false }, &all)?)),
        false => Ok(None),
    }
}

/// Per cent of the way from the first layer to the last, and the norm's power of ten; neighbours
/// together where there are more than [`POINTS`], those without any gradient left out.
fn by_depth(record: &GradientRecord) -> Vec<(f64, f64)> {
    let count = record.norms.len();
    let steps = count.saturating_sub(1).max(1) as f64;
    let together = count.div_ceil(POINTS).max(1);
    let point = |(i, norms): (usize, &[f64])| {
        let first = (i * together) as f64;
        let middle = first + (norms.len() - 1) as f64 / 2.0;
        let alive: Vec<f64> = norms.iter().filter(|n| **n > 0.0).map(|n| n.log10()).collect();
        let mean = match alive.is_empty() {
            true => f64::NEG_INFINITY,
            false => alive.iter().sum::<f64>() / alive.len() as f64,
        };
        (100.0 * middle / steps, mean)
    };
    record.norms.chunks(together).enumerate().map(point).collect()
}

fn by_epoch(flow: &Flow) -> Vec<(f64, f64)> {
    let point = |record: &GradientRecord| {
        let [first, last] = ends(record);
        (f64::from(record.epoch), (first / last).log10())
    };
    flow.records.iter().map(point).collect()
}

/// The geometric mean of the norms of the first tenth of the layers (at least one) and of the last.
fn ends(record: &GradientRecord) -> [f64; 2] {
    let tenth = record.norms.len().div_ceil(10);
    let mean = |norms: &[f64]| {
        (norms.iter().map(|norm| norm.ln()).sum::<f64>() / norms.len().max(1) as f64).exp()
    };
    [&record.norms[..tenth], &record.norms[record.norms.len() - tenth..]].map(mean)
}

fn in_numbers(flows: &[Flow]) -> Block {
    let mut rows = Table::new(&[
        "run",
        "#layers",
        "#first tenth, first epoch",
        "#last tenth, first epoch",
        "#first tenth, last epoch",
        "#last tenth, last epoch",
        "#layers without gradient",
    ]);
    for flow in flows {
        let ends = [first(flow), last(flow)].map(ends).concat();
        let none = last(flow).norms.iter().filter(|norm| **norm == 0.0).count();
        let mut line = vec![flow.name.to_string()];
        line.push(last(flow).layers.len().to_string());
        line.extend(ends.iter().map(|norm| in_figures(*norm)));
        line.push(none.to_string());
        rows.row(line);
    }
    table(rows, "The same in numbers: geometric means of the gradient's norm.")
}

/// Two figures behind the first one.
pub(super) fn in_figures(norm: f64) -> String {
    match norm {
        n if n == 0.0 || n >= 1.0 => format!("{n:.2}"),
        n if n >= 0.001 => format!("{n:.4}"),
        n => minus(&format!("{n:.1e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_are_written_so_that_they_can_be_read() {
        assert_eq!(
            [1.852, 0.0521, 1.24e-5, 0.0].map(in_figures),
            ["1.85", "0.0521", "1.2e−5", "0.00"]
        );
    }

    fn record(epoch: u32, norms: &[f64]) -> GradientRecord {
        let layers = (0..norms.len()).map(|i| format!("conv{i}")).collect();
        GradientRecord { epoch, step: u64::from(epoch), layers, norms: norms.to_vec() }
    }

    #[test]
    fn a_network_that_starves_its_stem_shows_it() {
        let starved = record(1, &[1e-4, 1e-3, 1e-2, 1e-1]);
        let fed = record(2, &[1e-1, 1e-2, 1e-2, 1e-1]);
        let name = RunName::new("plain", 1);
        let flow = Flow { name: &name, records: vec![starved.clone(), fed] };
        let points = by_epoch(&flow);
        assert!((points[0].1 + 3.0).abs() < 1e-9 && points[1].1.abs() < 1e-9, "{points:?}");
        let depth = by_depth(&starved);
        assert_eq!((depth[0].0, depth[3].0), (0.0, 100.0));
        assert!((depth[0].1 + 4.0).abs() < 1e-9);
    }

    #[test]
    fn many_layers_are_drawn_as_means_of_neighbours() {
        let norms: Vec<f64> = (0..50).map(|i| if i % 2 == 0 { 1e-2 } else { 1e-4 }).collect();
        let points = by_depth(&record(1, &norms));
        assert_eq!(points.len(), POINTS);
        assert!(points.iter().all(|(_, y)| (y + 3.0).abs() < 1e-9), "{points:?}");
        assert!((points[0].0 + points[POINTS - 1].0 - 100.0).abs() < 1e-9, "{points:?}");
        let one_is_dead = by_depth(&record(1, &[&[0.0][..], &norms[1..]].concat()));
        assert!((one_is_dead[0].1 + 4.0).abs() < 1e-9, "{one_is_dead:?}");
    }

    #[test]
    fn layers_without_gradient_are_left_out_and_counted() {
        let name = RunName::new("plain", 1);
        let flow = Flow { name: &name, records: vec![record(1, &[0.0, 0.1])] };
        let Block::Table(table) = in_numbers(std::slice::from_ref(&flow)) else { panic!() };
        assert_eq!(table.rows[0].last().unwrap(), "1");
        assert!(
            drawn("t", "x", std::slice::from_ref(&flow), |f| by_depth(first(f))).unwrap().is_some()
        );
        let dead = Flow { records: vec![record(1, &[0.0])], ..flow };
        assert!(drawn("t", "x", &[dead], |f| by_depth(first(f))).unwrap().is_none());
    }
}
