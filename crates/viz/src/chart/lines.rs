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

/// Draws `lines`; those of one name have one colour. Points that are not finite are left out.
///
/// # Errors
/// When no line has a finite point.
pub fn lines(title: &str, axes: Axes, lines: &[Line]) -> Result<Svg, VizError> {
    let finite = |line: &Line| -> Vec<(f64, f64)> {
        line.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
    };
    let drawn: Vec<(usize, Vec<(f64, f64)>)> =
        lines.iter().map(|line| (place(lines, &line.name), finite(line))).collect();
    let all: Vec<(f64, f64)> = drawn.iter().flat_map(|(_, points)| points).copied().collect();
    if all.is_empty() {
        return Err(VizError::Chart {
            chart: title.to_owned(),
            problem: format!("{} lines hold 0 points between them", lines.len()),
            next: "finish at least one run first",
        });
    }
    let mut label = format!("{title}, from left to right: {}.", axes.x);
    for (line, (_, points)) in lines.iter().zip(&drawn) {
        if let (Some(first), Some(last)) = (points.first(), points.last()) {
            let _ = write!(
                label,
                " {}: {} at {}, {} at {}.",
                line.full_name(),
                short(first.1),
                short(first.0),
                short(last.1),
                short(last.0)
            );
        }
    }
    let values = values(title, axes, lines, &drawn);
    let svg =
        frame::draw(title, &label, (470, 330), |area| draw(area, title, axes, lines, &drawn, &all));
    svg.map(|svg| svg.with_values(values))
}

/// A row a point.
fn values(title: &str, axes: Axes, lines: &[Line], drawn: &[(usize, Vec<(f64, f64)>)]) -> Table {
    let row = |line: &Line, (x, y): &(f64, f64)| vec![line.full_name(), short(*x), short(*y)];
    let of_line = |(line, (_, points)): (&Line, &(usize, Vec<(f64, f64)>))| {
        points.iter().map(|point| row(line, point)).collect::<Vec<_>>()
    };
    Table {
        caption: title.to_owned(),
        head: vec!["line".to_owned(), axes.x.to_owned(), title.to_owned()],
        rows: lines.iter().zip(drawn).flat_map(of_line).collect(),
        numeric: vec![1, 2],
    }
}

impl Line {
    /// With its seed, where it has one.
    fn full_name(&self) -> String {
        match self.seed {
            Some(seed) => format!("{} seed {seed}", self.name),
            None => self.name.clone(),
        }
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
    lines: &[Line],
    drawn: &[(usize, Vec<(f64, f64)>)],
    all: &[(f64, f64)],
) -> Drawn<String> {
    let mut names: Vec<&str> = Vec::new();
    for line in lines {
        if !names.contains(&line.name.as_str()) {
            names.push(&line.name);
        }
    }
    let keys = Key::fills(names.into_iter(), palette::arm);
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
    for (line, (colour, points)) in lines.iter().zip(drawn) {
        if points.is_empty() {
            continue;
        }
        let colour = palette::arm(*colour);
        let name = line.full_name();
        let style = colour.stroke_width(frame::fine(2));
        chart.draw_series([PathElement::new(points.clone(), style)])?;
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
