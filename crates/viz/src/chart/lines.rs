//! Lines over any two axes: calibration, robustness, budgets. A point of a line says its values
//! when it is pointed at; several lines of one arm (its seeds) share its colour and its legend.

use super::frame::{self, Area, Axis, Drawn, Key, at};
use crate::report::Table;
use crate::svg::{DASHED, INK, Svg};
use crate::{VizError, palette};
use plotters::prelude::*;
use std::fmt::Write as _;

/// One line, from left to right.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// As the legend prints it.
    pub name: String,
    /// Which of the lines of that name it is, as a point of it says.
    pub seed: Option<u64>,
    /// (x, y), in the axes' units.
    pub points: Vec<(f64, f64)>,
}

/// What the axes are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axes<'a> {
    /// Under the chart.
    pub x: &'a str,
    /// Whether y = x is drawn, dashed: what a calibrated network would show.
    pub diagonal: bool,
}

/// Lines that others are to be held against: dashed, each in the colour of the line of its name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beside<'a> {
    /// What they are, in the legend and as their points say.
    pub called: &'a str,
    /// One for a name of the chart's lines.
    pub lines: &'a [Line],
}

/// Draws `lines`; those of one name have one colour. Points that are not finite are left out.
///
/// # Errors
/// When no line has a finite point.
pub fn lines(title: &str, axes: Axes, lines: &[Line]) -> Result<Svg, VizError> {
    lines_against(title, axes, lines, Beside { called: "", lines: &[] })
}

/// The same with others beside them, dashed.
///
/// # Errors
/// When no line has a finite point.
pub fn lines_against(
    title: &str,
    axes: Axes,
    lines: &[Line],
    beside: Beside,
) -> Result<Svg, VizError> {
    let dashed = beside.lines.iter().map(|line| (line, true));
    let both: Vec<(&Line, bool)> = lines.iter().map(|line| (line, false)).chain(dashed).collect();
    let finite = |line: &Line| -> Vec<(f64, f64)> {
        line.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
    };
    let stroke = |(line, dashed): &(&Line, bool)| Stroke {
        name: match (dashed, line.seed) {
            (true, _) => format!("{}, {}", line.name, beside.called),
            (false, Some(seed)) => format!("{} seed {seed}", line.name),
            (false, None) => line.name.clone(),
        },
        of: line.name.clone(),
        colour: palette::arm(place(lines, &line.name)),
        dashed: *dashed,
        points: finite(line),
    };
    let drawn: Vec<Stroke> = both.iter().map(stroke).collect();
    let all: Vec<(f64, f64)> = drawn.iter().flat_map(|stroke| &stroke.points).copied().collect();
    if all.is_empty() {
        return Err(VizError::Chart {
            chart: title.to_owned(),
            problem: format!("{} lines hold 0 points between them", lines.len()),
            next: "finish at least one run first",
        });
    }
    let mut label = format!("{title}, from left to right: {}.", axes.x);
    for stroke in &drawn {
        if let (Some(first), Some(last)) = (stroke.points.first(), stroke.points.last()) {
            let _ = write!(
                label,
                " {}: {} at {}, {} at {}.",
                stroke.name,
                short(first.1),
                short(first.0),
                short(last.1),
                short(last.0)
            );
        }
    }
    let called = (!beside.lines.is_empty()).then_some(beside.called);
    let values = values(title, axes, &drawn);
    let svg = frame::draw(title, &label, (470, 330), |area| {
        draw(area, title, axes, &drawn, called, &all)
    });
    svg.map(|svg| svg.with_values(values))
}

/// A line as it is drawn.
struct Stroke {
    /// With its seed, or with what dashed lines are called.
    name: String,
    /// Whose colour it has.
    of: String,
    colour: RGBColor,
    dashed: bool,
    points: Vec<(f64, f64)>,
}

/// A row a point.
fn values(title: &str, axes: Axes, drawn: &[Stroke]) -> Table {
    let row =
        |stroke: &Stroke, (x, y): &(f64, f64)| vec![stroke.name.clone(), short(*x), short(*y)];
    let of_stroke =
        |stroke: &Stroke| stroke.points.iter().map(|point| row(stroke, point)).collect::<Vec<_>>();
    Table {
        caption: title.to_owned(),
        head: vec!["line".to_owned(), axes.x.to_owned(), title.to_owned()],
        rows: drawn.iter().flat_map(of_stroke).collect(),
        numeric: vec![1, 2],
    }
}

/// Which colour a name has: the first line's of that name.
fn place(lines: &[Line], name: &str) -> usize {
    let mut names: Vec<&str> = Vec::new();
    for line in lines {
        if !names.contains(&line.name.as_str()) {
            names.push(&line.name);
        }
    }
    names.iter().position(|known| *known == name).unwrap_or(0)
}

/// A value in three figures.
fn short(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => frame::minus(text.trim_end_matches('0').trim_end_matches('.').to_owned()),
        false => frame::minus(text),
    }
}

fn draw(
    area: &Area,
    title: &str,
    axes: Axes,
    drawn: &[Stroke],
    dashed: Option<&str>,
    all: &[(f64, f64)],
) -> Drawn<String> {
    let mut names: Vec<&str> = Vec::new();
    for stroke in drawn.iter().filter(|stroke| !stroke.dashed) {
        if !names.contains(&stroke.of.as_str()) {
            names.push(&stroke.of);
        }
    }
    let mut keys = Key::fills(names.into_iter(), palette::arm);
    keys.extend(dashed.map(|called| Key::line(called, DASHED)));
    let head = frame::head(area, title, &keys)?;
    let (x, y) = (axis(all.iter().map(|p| p.0)), axis(all.iter().map(|p| p.1)));
    let mut chart = ChartBuilder::on(area)
        .margin_top(at(head))
        .margin_right(at(18))
        .x_label_area_size(at(40))
        .y_label_area_size(at(56))
        .build_cartesian_2d(x.clone(), y.clone())?;
    let (x_digits, y_digits) = (frame::decimals(x.step), frame::decimals(y.step));
    frame::mesh(&mut chart)
        .disable_x_mesh()
        .x_desc(axes.x)
        .x_label_formatter(&|v| frame::minus(format!("{v:.x_digits$}")))
        .y_label_formatter(&|v| frame::minus(format!("{v:.y_digits$}")))
        .draw()?;
    if axes.diagonal {
        let (low, high) = (x.low.max(y.low), x.high.min(y.high));
        let style = INK.mix(0.8).stroke_width(DASHED);
        chart.draw_series([PathElement::new(vec![(low, low), (high, high)], style)])?;
    }
    let mut extra = String::new();
    for Stroke { name, colour, dashed, points, .. } in drawn {
        if points.is_empty() {
            continue;
        }
        let style = colour.stroke_width(if *dashed { DASHED } else { frame::fine(2) });
        chart.draw_series([PathElement::new(points.clone(), style)])?;
        let colour = *colour;
        for (px, py) in points {
            let says = format!("{name}; {title}: {}; {}: {}", short(*py), axes.x, short(*px));
            extra += &frame::spot(chart.backend_coord(&(*px, *py)), 3, Some(colour), &says);
        }
    }
    Ok(extra)
}

/// An axis around the values; around a single one, of length 1.
fn axis(values: impl Iterator<Item = f64> + Clone) -> Axis {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    Axis::around(low, if high > low { high } else { low + 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXES: Axes = Axes { x: "confidence", diagonal: true };

    #[test]
    fn points_say_their_values_and_seeds_of_an_arm_share_a_colour() {
        let line = |name: &str, seed: u64, y: f64| Line {
            name: name.into(),
            seed: Some(seed),
            points: vec![(0.5, y), (1.0, y)],
        };
        let all = [
            line("avg", 1, 0.5),
            line("avg", 2, 0.6),
            line("<max>", 1, f64::NAN),
            line("<max>", 2, 0.9),
        ];
        let svg = lines("Calibration", AXES, &all).unwrap();
        assert_eq!(svg.as_str().matches("<circle").count(), 6);
        assert_eq!(
            svg.as_str().matches("<circle").count(),
            svg.as_str().matches("</circle>").count()
        );
        let says = "&lt;max&gt; seed 2; Calibration: 0.9; confidence: 1</title>";
        assert!(svg.as_str().contains(says), "{}", svg.as_str());
        let key = svg.as_str().lines().filter(|l| l.contains("&lt;max&gt;") || l.contains("avg"));
        assert!(key.count() >= 2);
        assert!(svg.as_str().contains("stroke-dasharray"));
        assert!(svg.said().contains(" avg seed 2: 0.6 at 0.5, 0.6 at 1."), "{}", svg.said());
        let values = svg.values();
        assert_eq!(values.head, ["line", "confidence", "Calibration"]);
        assert_eq!(
            (values.rows.len(), &values.rows[5][..]),
            (6, &row(["<max> seed 2", "1", "0.9"])[..])
        );
    }

    fn row(cells: [&str; 3]) -> Vec<String> {
        cells.map(str::to_owned).to_vec()
    }

    #[test]
    fn what_lines_are_held_against_is_dashed_in_their_colour() {
        let line = |name: &str, y: f64| Line {
            name: name.into(),
            seed: None,
            points: vec![(0.0, y), (1.0, y)],
        };
        let (all, theirs) = ([line("avg", 1.0), line("max", 2.0)], [line("max", 3.0)]);
        let axes = Axes { x: "removed", diagonal: false };
        let beside = Beside { called: "random", lines: &theirs };
        let svg = lines_against("Deletion", axes, &all, beside).unwrap();
        let RGBColor(r, g, b) = palette::arm(1);
        let colour = format!("#{r:02X}{g:02X}{b:02X}");
        let dashed = svg.as_str().lines().filter(|line| line.contains("stroke-dasharray"));
        let dashed: Vec<&str> = dashed.collect();
        assert_eq!(dashed.len(), 2, "the legend's and the line: {dashed:?}");
        assert!(dashed.iter().any(|line| line.contains(&colour)), "{dashed:?}");
        assert!(svg.as_str().contains("max, random; Deletion: 3; removed: 1</title>"));
        assert!(svg.said().contains("max, random: 3 at 0, 3 at 1."), "{}", svg.said());
        let plain = lines("Deletion", axes, &all).unwrap();
        assert!(!plain.as_str().contains("stroke-dasharray"));
    }

    #[test]
    fn no_points_are_refused() {
        assert!(
            lines("t", AXES, &[Line { name: "a".into(), seed: None, points: vec![] }]).is_err()
        );
    }

    #[test]
    fn values_are_short() {
        assert_eq!(
            [short(0.12345), short(93.456), short(1.0), short(1234.5), short(-0.5)],
            ["0.123", "93.5", "1", "1234", "\u{2212}0.5"]
        );
    }
}
