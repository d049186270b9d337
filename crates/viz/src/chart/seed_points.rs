//! Each seed's score, or its difference from another arm's, as a point; the mean and its 95 %
//! interval beside them, one row per arm.
//! With two or three seeds a bar would hide how little is known; points do not.

use super::frame::{self, Area, Axis, Drawn, at, hung};
use crate::report::Table;
use crate::svg::{DASHED, INK, Svg};
use crate::{VizError, palette};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// An arm's score for each seed.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmScores {
    /// As the axis prints it.
    pub name: String,
    /// Each seed and its value, in the unit of the axis.
    pub seeds: Vec<(u64, f64)>,
    /// The mean's 95 % interval, low to high; none with a single seed.
    pub interval: Option<(f64, f64)>,
}

/// Draws the scores on an axis named `axis`, such as `test accuracy (%)`.
///
/// # Errors
/// When no arm has a finite score.
pub fn seed_points(title: &str, axis: &str, arms: &[ArmScores]) -> Result<Svg, VizError> {
    rows(title, Rows { axis, zero: false, colour: 0 }, arms)
}

/// Draws differences from the first arm, one row for each other arm, around a line at zero: what
/// paired seeds tell, where two rows of [`seed_points`] do not. Colours are those of the second arm
/// and on.
///
/// # Errors
/// When no arm has a finite difference.
pub fn seed_differences(title: &str, axis: &str, arms: &[ArmScores]) -> Result<Svg, VizError> {
    rows(title, Rows { axis, zero: true, colour: 1 }, arms)
}

/// What the rows lie on.
#[derive(Clone, Copy)]
struct Rows<'a> {
    axis: &'a str,
    /// Whether the axis holds zero, with a line there.
    zero: bool,
    /// The first row's.
    colour: usize,
}

fn rows(title: &str, on: Rows, arms: &[ArmScores]) -> Result<Svg, VizError> {
    let axis = on.axis;
    let ends = arms.iter().filter_map(|arm| arm.interval).flat_map(|(low, high)| [low, high]);
    let shown: Vec<f64> = (arms.iter().flat_map(|arm| arm.seeds.iter().map(|(_, value)| *value)))
        .chain(ends)
        .filter(|v| v.is_finite())
        .collect();
    let shown: Vec<f64> = match on.zero && !shown.is_empty() {
        true => shown.into_iter().chain([0.0]).collect(),
        false => shown,
    };
    if shown.is_empty() {
        return Err(VizError::Chart {
            chart: title.to_owned(),
            problem: format!("{} arms hold 0 scores between them", arms.len()),
            next: "finish at least one run first",
        });
    }
    let mut label = format!("{title}, {axis}.");
    for arm in arms {
        label += &format!(" {}: {}.", arm.name, said(arm));
    }
    let height = 84 + 46 * arms.len() as u32;
    let svg =
        frame::draw(title, &label, (470, height), |area| draw_rows(area, title, on, arms, &shown));
    let table = Table {
        caption: title.to_owned(),
        head: ["arm", "seed", axis].map(str::to_owned).to_vec(),
        rows: arms.iter().flat_map(values).collect(),
        numeric: vec![2],
    };
    svg.map(|svg| svg.with_values(table))
}

/// A row a seed, then the mean and the ends of its interval.
fn values(arm: &ArmScores) -> Vec<Vec<String>> {
    let row = |what: String, value: f64| {
        vec![arm.name.clone(), what, frame::minus(format!("{value:.2}"))]
    };
    let mut rows: Vec<Vec<String>> =
        arm.seeds.iter().map(|(seed, value)| row(seed.to_string(), *value)).collect();
    if !arm.seeds.is_empty() {
        rows.push(row("mean".to_owned(), mean(&arm.seeds)));
    }
    if let Some((low, high)) = arm.interval {
        rows.push(row("95 % interval from".to_owned(), low));
        rows.push(row("95 % interval to".to_owned(), high));
    }
    rows
}

fn mean(seeds: &[(u64, f64)]) -> f64 {
    seeds.iter().map(|(_, value)| value).sum::<f64>() / seeds.len() as f64
}

/// The arm's numbers in words, for those who hear the chart.
fn said(arm: &ArmScores) -> String {
    let interval = match arm.interval {
        Some((low, high)) => format!(", 95 % interval {low:.2} to {high:.2}"),
        None => ", no interval".to_owned(),
    };
    format!("mean {:.2}{interval}, n = {}", mean(&arm.seeds), arm.seeds.len())
}

fn draw_rows(
    area: &Area,
    title: &str,
    on: Rows,
    arms: &[ArmScores],
    shown: &[f64],
) -> Drawn<String> {
    let name = on.axis;
    let head = frame::head(area, title, &[])?;
    let low = shown.iter().copied().fold(f64::INFINITY, f64::min);
    let high = shown.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let axis = Axis::around(low, high);
    let rows = arms.len() as f64;
    let names_px = arms.iter().map(|arm| arm.name.chars().count().min(24)).max().unwrap_or(0);
    let mut chart = ChartBuilder::on(area)
        .margin_top(at(head))
        .margin_right(at(24))
        .margin_left(at(16 + 7 * names_px as u32))
        .x_label_area_size(at(40))
        .build_cartesian_2d(axis.clone(), rows..0.0)?;
    let decimals = frame::decimals(axis.step);
    frame::mesh(&mut chart)
        .disable_y_mesh()
        .disable_y_axis()
        .x_label_formatter(&|v| frame::minus(format!("{v:.decimals$}")))
        .x_desc(name)
        .draw()?;
    if on.zero {
        let style = INK.mix(0.8).stroke_width(DASHED);
        chart.draw_series([PathElement::new(vec![(0.0, 0.0), (0.0, rows)], style)])?;
    }
    let mut points = String::new();
    for (i, arm) in arms.iter().enumerate() {
        let (row, colour) = (i as f64 + 0.5, palette::arm(on.colour + i));
        let (left, y) = chart.backend_coord(&(axis.low, row));
        let style = hung(frame::TEXT_PX, HPos::Right, VPos::Center);
        area.draw_text(&frame::short(&arm.name, 24), &style, (left - at(10), y))?;
        if let Some((from, to)) = arm.interval {
            let bar = colour.mix(0.45).stroke_width(frame::fine(6));
            chart.draw_series([PathElement::new(vec![(from, row), (to, row)], bar)])?;
        }
        if arm.seeds.is_empty() {
            continue;
        }
        let (x, y) = chart.backend_coord(&(mean(&arm.seeds), row));
        let tick = vec![(x, y - at(12)), (x, y + at(12))];
        area.draw(&PathElement::new(tick, INK.stroke_width(frame::fine(2))))?;
        for (seed, value) in arm.seeds.iter().filter(|(_, v)| v.is_finite()) {
            let says = format!("{} seed {seed}; {name}: {value:.2}", arm.name);
            points += &frame::spot(chart.backend_coord(&(*value, row)), 5, Some(colour), &says);
        }
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_is_a_point_and_the_words_hold_the_numbers() {
        let arms = [
            ArmScores {
                name: "avg".into(),
                seeds: vec![(1, 86.0), (2, 88.0)],
                interval: Some((74.3, 99.7)),
            },
            ArmScores { name: "max".into(), seeds: vec![(1, 91.0)], interval: None },
        ];
        let svg = seed_points("Test accuracy", "test accuracy (%)", &arms).unwrap();
        assert_eq!(svg.as_str().matches("<circle").count(), 3);
        assert!(svg.as_str().contains("avg: mean 87.00, 95 % interval 74.30 to 99.70, n = 2"));
        assert!(svg.as_str().contains("<title>avg seed 2; test accuracy (%): 88.00</title>"));
        assert!(svg.as_str().contains("max: mean 91.00, no interval, n = 1"));
        let rows = &svg.values().rows;
        assert_eq!(rows.len(), 2 + 3 + 2);
        assert_eq!((&*rows[1][1], &*rows[1][2], &*rows[4][2]), ("2", "88.00", "99.70"));
    }

    #[test]
    fn differences_lie_around_zero_in_the_other_arms_colours() {
        let gain = ArmScores {
            name: "max − avg".into(),
            seeds: vec![(1, 2.0), (2, 3.0)],
            interval: Some((1.5, 3.5)),
        };
        let svg = seed_differences("Differences", "points", std::slice::from_ref(&gain)).unwrap();
        assert_eq!(svg.as_str().matches("stroke-dasharray").count(), 1, "the line at zero");
        // Zero is on the axis though no value is near it.
        assert!(svg.as_str().lines().any(|line| line.trim() == "0"), "{}", svg.as_str());
        assert!(svg.as_str().contains("#D55E00") && !svg.as_str().contains("#1F78B8"));
        assert!(svg.as_str().contains("<title>max − avg seed 2; points: 3.00</title>"));
        let scores = seed_points("Scores", "points", &[gain]).unwrap();
        assert!(!scores.as_str().contains("stroke-dasharray"));
    }

    #[test]
    fn no_scores_are_refused() {
        assert!(seed_points("t", "a", &[]).is_err());
        assert!(seed_differences("t", "a", &[]).is_err());
    }
}
