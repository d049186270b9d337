//! Training curves: loss and accuracy, train and validation, all arms in one panel each.
//!
//! A line is the mean over seeds at that epoch, the band around it runs from the lowest to the
//! highest seed. Validation is solid, training dashed. An interrupted seed counts as far as it got.

use super::frame::{self, Area, Axis, Drawn, Key, at};
use crate::report::Table;
use crate::svg::{DASHED, Svg};
use crate::{VizError, palette};
use plotters::prelude::*;

/// Epochs of a line that say their value when pointed at.
const SPOTS: usize = 60;

/// One epoch of one run. Accuracies are fractions of 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochPoint {
    /// From 1.
    pub epoch: u32,
    /// Mean over the epoch's training batches.
    pub train_loss: f64,
    /// Over the epoch's training batches, 0..=1.
    pub train_accuracy: f64,
    /// After the epoch.
    pub val_loss: f64,
    /// After the epoch, 0..=1.
    pub val_accuracy: f64,
}

/// An arm's runs: one series of epochs per seed.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmCurves {
    /// As the legend prints it.
    pub name: String,
    /// One series per seed; they need not be of one length.
    pub seeds: Vec<Vec<EpochPoint>>,
}

/// The two panels of one figure.
#[derive(Debug, Clone, PartialEq)]
pub struct CurvePanels {
    /// Training and validation loss.
    pub loss: Svg,
    /// Training and validation accuracy, per cent.
    pub accuracy: Svg,
}

/// Draws loss and accuracy over the epochs for `arms`. Values that are NaN or infinite leave a gap.
///
/// # Errors
/// When no arm has a single epoch.
pub fn curves(arms: &[ArmCurves]) -> Result<CurvePanels, VizError> {
    Ok(CurvePanels {
        loss: panel("Loss", "", arms, |p| p.train_loss, |p| p.val_loss)?,
        accuracy: panel(
            "Accuracy",
            " %",
            arms,
            |p| 100.0 * p.train_accuracy,
            |p| 100.0 * p.val_accuracy,
        )?,
    })
}

/// Mean, lowest and highest over the seeds at one epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Spread {
    epoch: u32,
    mean: f64,
    low: f64,
    high: f64,
}

/// The spread at each epoch that at least one seed reached with a finite value.
fn spreads(arm: &ArmCurves, value: impl Fn(&EpochPoint) -> f64) -> Vec<Spread> {
    let last = arm.seeds.iter().flatten().map(|p| p.epoch).max().unwrap_or(0);
    let at_epoch = |epoch| {
        let values: Vec<f64> = (arm.seeds.iter().flatten())
            .filter(|p| p.epoch == epoch)
            .map(&value)
            .filter(|v| v.is_finite())
            .collect();
        (!values.is_empty()).then(|| Spread {
            epoch,
            mean: values.iter().sum::<f64>() / values.len() as f64,
            low: values.iter().copied().fold(f64::INFINITY, f64::min),
            high: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    };
    (0..=last).filter_map(at_epoch).collect()
}

fn panel(
    name: &str,
    unit: &str,
    arms: &[ArmCurves],
    train: impl Fn(&EpochPoint) -> f64,
    val: impl Fn(&EpochPoint) -> f64,
) -> Result<Svg, VizError> {
    let lines: Vec<[Vec<Spread>; 2]> =
        arms.iter().map(|arm| [spreads(arm, &train), spreads(arm, &val)]).collect();
    let all: Vec<Spread> = lines.iter().flatten().flatten().copied().collect();
    if all.is_empty() {
        return Err(VizError::Chart {
            chart: name.to_owned(),
            problem: format!("{} arms hold 0 epochs between them", arms.len()),
            next: "train at least one epoch first",
        });
    }
    let names: Vec<&str> = arms.iter().map(|arm| arm.name.as_str()).collect();
    let title = format!("{name}{}", if unit.is_empty() { "" } else { " (%)" });
    let mut label = format!("{title} by epoch. Last epoch:");
    for (name, [train, val]) in names.iter().zip(&lines) {
        let last = |line: &[Spread]| line.last().map_or(f64::NAN, |s| s.mean);
        let (val, train) = (last(val), last(train));
        label += &format!(" {name}: validation {val:.3}{unit}, training {train:.3}{unit}.");
    }
    let svg = frame::draw(&title, &label, (470, 350), |area| {
        draw_panel(area, &title, &names, &lines, &all)
    });
    svg.map(|svg| svg.with_values(values(title, &names, &lines)))
}

/// A row an epoch: of each arm and part the mean over seeds, and from where to where they reach.
fn values(title: String, names: &[&str], lines: &[[Vec<Spread>; 2]]) -> Table {
    let parts = ["training", "validation"];
    let head = names.iter().flat_map(|name| parts.map(|part| format!("{name} {part}")));
    let last = lines.iter().flatten().flatten().map(|s| s.epoch).max().unwrap_or(0);
    let cell = |line: &Vec<Spread>, epoch| match line.iter().find(|s| s.epoch == epoch) {
        None => String::new(),
        Some(s) if s.high > s.low => {
            format!("{:.3} ({:.3} to {:.3})", s.mean, s.low, s.high)
        }
        Some(s) => format!("{:.3}", s.mean),
    };
    let row = |epoch: u32| {
        let cells = lines.iter().flatten().map(|line| cell(line, epoch));
        std::iter::once(epoch.to_string()).chain(cells).collect::<Vec<_>>()
    };
    let told = |row: &Vec<String>| row[1..].iter().any(|cell| !cell.is_empty());
    Table {
        caption: title,
        head: std::iter::once("epoch".to_owned()).chain(head).collect(),
        rows: (0..=last).map(row).filter(told).collect(),
        numeric: (0..=2 * names.len()).collect(),
    }
}

fn draw_panel(
    area: &Area,
    title: &str,
    names: &[&str],
    lines: &[[Vec<Spread>; 2]],
    all: &[Spread],
) -> Drawn<String> {
    let mut keys = Key::fills(names.iter().copied(), palette::arm);
    keys.push(Key::line("validation", frame::fine(2)));
    keys.push(Key::line("training", DASHED));
    let head = frame::head(area, title, &keys)?;
    let first = all.iter().map(|s| s.epoch).min().unwrap_or(0);
    let last = all.iter().map(|s| s.epoch).max().unwrap_or(0).max(first + 1);
    let low = all.iter().map(|s| s.low).fold(f64::INFINITY, f64::min);
    let high = all.iter().map(|s| s.high).fold(f64::NEG_INFINITY, f64::max);
    let axis = Axis::around(low, high);
    let mut chart = ChartBuilder::on(area)
        .margin_top(at(head))
        .margin_right(at(14))
        .x_label_area_size(at(40))
        .y_label_area_size(at(52))
        .build_cartesian_2d(first..last, axis.clone())?;
    let decimals = frame::decimals(axis.step);
    frame::mesh(&mut chart)
        .disable_x_mesh()
        .x_labels(8)
        .x_desc("epoch")
        .y_label_formatter(&|v| format!("{v:.decimals$}"))
        .draw()?;
    let mut says = String::new();
    for (i, [train, val]) in lines.iter().enumerate() {
        let colour = palette::arm(i);
        for (part, line) in [("training", train), ("validation", val)] {
            // No more than a pointer can tell apart.
            for s in line.iter().step_by(line.len().div_ceil(SPOTS).max(1)) {
                let text = format!("{} {part}, epoch {}: {:.3}", names[i], s.epoch, s.mean);
                says += &frame::spot(chart.backend_coord(&(s.epoch, s.mean)), 5, None, &text);
            }
        }
        for (line, shade, width) in [(train, 0.14, DASHED), (val, 0.3, frame::fine(2))] {
            let up = line.iter().map(|s| (s.epoch, s.high));
            let down = line.iter().rev().map(|s| (s.epoch, s.low));
            if line.iter().any(|s| s.high > s.low) {
                let band: Vec<(u32, f64)> = up.chain(down).collect();
                chart.draw_series([Polygon::new(band, colour.mix(shade))])?;
            }
            let mean: Vec<(u32, f64)> = line.iter().map(|s| (s.epoch, s.mean)).collect();
            if let [only] = mean[..] {
                chart.draw_series([Circle::new(only, at(3), colour.filled())])?;
            }
            chart.draw_series([PathElement::new(mean, colour.stroke_width(width))])?;
        }
    }
    Ok(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(epoch: u32, value: f64) -> EpochPoint {
        EpochPoint {
            epoch,
            train_loss: value,
            train_accuracy: value,
            val_loss: value,
            val_accuracy: value,
        }
    }

    #[test]
    fn the_band_runs_from_the_lowest_to_the_highest_seed() {
        let seeds = vec![vec![point(1, 0.2), point(2, 0.4)], vec![point(1, 0.6)]];
        let arm = ArmCurves { name: "avg".to_owned(), seeds };
        let line = spreads(&arm, |p| p.val_loss);
        assert_eq!(line[0], Spread { epoch: 1, mean: 0.4, low: 0.2, high: 0.6 });
        assert_eq!(line[1], Spread { epoch: 2, mean: 0.4, low: 0.4, high: 0.4 });
    }

    #[test]
    fn both_arms_and_both_parts_are_in_each_panel() {
        let arm = |name: &str, by: f64| ArmCurves {
            name: name.to_owned(),
            seeds: (0..2)
                .map(|s| (1..=5).map(|e| point(e, by / f64::from(e + s))).collect())
                .collect(),
        };
        let panels = curves(&[arm("avg", 0.7), arm("<max>", 0.9)]).unwrap();
        let values = panels.loss.values();
        assert_eq!(
            (values.head.len(), values.rows.len(), &*values.head[4]),
            (5, 5, "<max> validation")
        );
        assert_eq!(values.rows[0][1], "0.525 (0.350 to 0.700)");
        for svg in [panels.loss.as_str(), panels.accuracy.as_str()] {
            assert!(svg.contains("avg") && svg.contains("&lt;max&gt;"));
            // A dashed and a solid line, and two bands, for each of the two arms.
            for colour in ["#1F78B8", "#D55E00"] {
                let lines: Vec<&str> = svg
                    .lines()
                    .filter(|l| l.starts_with("<polyline") && l.contains(colour))
                    .collect();
                assert_eq!(lines.iter().filter(|l| l.contains("dasharray")).count(), 1);
                assert_eq!(lines.iter().filter(|l| !l.contains("dasharray")).count(), 2);
                let bands = svg.lines().filter(|l| l.starts_with("<polygon") && l.contains(colour));
                assert_eq!(bands.count(), 2);
            }
        }
    }

    #[test]
    fn numbers_that_went_bad_leave_a_gap_and_no_epochs_are_refused() {
        let seeds = vec![vec![point(1, 0.5), point(2, f64::NAN)]];
        let svg = curves(&[ArmCurves { name: "a".to_owned(), seeds }]).unwrap().loss;
        assert!(!svg.as_str().contains("NaN,"));
        let none = [ArmCurves { name: "a".to_owned(), seeds: vec![vec![]] }];
        assert!(curves(&none).unwrap_err().to_string().contains("0 epochs"));
    }
}
