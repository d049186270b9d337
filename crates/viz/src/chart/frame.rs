//! What the charts share: a canvas of fine pixels, text of one size, the legend above the plot.

use crate::VizError;
use crate::svg::{FINE, INK, Svg};
use plotters::chart::MeshStyle;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// The area a chart draws on.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// What drawing returns: plotters has one error type per backend, and we only print it.
pub(super) type Drawn<T> = Result<T, Box<dyn std::error::Error>>;

/// Text heights, page pixels.
pub(super) const TEXT_PX: u32 = 13;
pub(super) const TITLE_PX: u32 = 15;
/// Height of one legend line, page pixels.
const LEGEND_LINE_PX: u32 = 20;
/// Height of the title, page pixels.
const HEAD_PX: u32 = 28;

/// Page pixels as fine pixels.
pub(super) fn fine(px: u32) -> u32 {
    px * FINE
}

/// Page pixels as a signed fine coordinate.
pub(super) fn at(px: u32) -> i32 {
    (px * FINE) as i32
}

/// A sans-serif text style of a height in page pixels.
pub(super) fn text(px: u32) -> TextStyle<'static> {
    // Plotters writes 1/1.24 of the asked size.
    ("sans-serif", 1.24 * f64::from(fine(px))).into_font().color(&INK)
}

/// The same, with where the text hangs on its point.
pub(super) fn hung(px: u32, h: HPos, v: VPos) -> TextStyle<'static> {
    text(px).pos(Pos::new(h, v))
}

/// Names as a chart can hold them: at most `limit` characters, no control characters.
pub(super) fn short(name: &str, limit: usize) -> String {
    let clean: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.chars().count() <= limit {
        return clean;
    }
    clean.chars().take(limit - 1).chain(['…']).collect()
}

/// Draws a chart of `size` page pixels; `label` is what a screen reader says. `draw` returns markup
/// of its own to be laid on top, often none.
pub(super) fn draw(
    title: &str,
    label: &str,
    size: (u32, u32),
    draw: impl FnOnce(&Area) -> Drawn<String>,
) -> Result<Svg, VizError> {
    let size = (fine(size.0), fine(size.1));
    let mut raw = String::new();
    let drawn = {
        let root = SVGBackend::with_string(&mut raw, size).into_drawing_area();
        let drawn = draw(&root);
        drawn.and_then(|extra| Ok(root.present().map(|()| extra)?))
    };
    let failed = |problem: String| VizError::Drawing { chart: title.to_owned(), problem };
    let extra = drawn.map_err(|error| failed(error.to_string()))?;
    Ok(Svg::finish(&raw, size, label, &extra))
}

/// A key of the legend: a stroke and what it stands for.
pub(super) struct Key {
    name: String,
    colour: RGBColor,
    stroke: u32,
}

impl Key {
    /// A broad stroke of its own colour for each name.
    pub(super) fn fills<'a>(
        names: impl Iterator<Item = &'a str>,
        colour: impl Fn(usize) -> RGBColor,
    ) -> Vec<Key> {
        let key = |(i, name)| Key { name: short(name, 24), colour: colour(i), stroke: fine(5) };
        names.enumerate().map(key).collect()
    }

    /// A line in ink, for a style that all colours share.
    pub(super) fn line(name: &str, stroke: u32) -> Key {
        Key { name: name.to_owned(), colour: INK, stroke }
    }
}

/// Writes the title and, under it, the legend, in as many lines as it needs; returns the height
/// used, page pixels.
pub(super) fn head(area: &Area, title: &str, keys: &[Key]) -> Drawn<u32> {
    let style = TextStyle { font: text(TITLE_PX).font.style(FontStyle::Bold), ..text(TITLE_PX) };
    area.draw_text(&short(title, 48), &style, (at(4), at(4)))?;
    let width_px = area.dim_in_pixel().0 / FINE;
    let (mut x, mut y) = (4, HEAD_PX);
    for key in keys {
        let key_px = 44 + 7 * key.name.chars().count() as u32;
        if x > 4 && x + key_px > width_px {
            (x, y) = (4, y + LEGEND_LINE_PX);
        }
        let middle = at(y + 8);
        let line = vec![(at(x), middle), (at(x + 24), middle)];
        area.draw(&PathElement::new(line, key.colour.stroke_width(key.stroke)))?;
        let style = hung(TEXT_PX, HPos::Left, VPos::Center);
        area.draw_text(&key.name, &style, (at(x + 30), middle))?;
        x += key_px;
    }
    let lines = if keys.is_empty() { 0 } else { LEGEND_LINE_PX };
    Ok(y + lines + 10)
}

/// A dot of the chart's own, in page pixels, that says something when it is pointed at. An unseen
/// one only says it, over a line that is drawn anyway.
pub(super) fn spot(at_px: (i32, i32), radius: u32, colour: Option<RGBColor>, says: &str) -> String {
    let fill = match colour {
        Some(RGBColor(r, g, b)) => format!("fill=\"#{r:02X}{g:02X}{b:02X}\""),
        None => "fill=\"none\" pointer-events=\"all\"".to_owned(),
    };
    let (x, y, radius) = (at_px.0, at_px.1, at(radius));
    let says = crate::svg::escape(says);
    format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" {fill}><title>{says}</title></circle>\n")
}

/// The same over a whole cell or bar that is drawn anyway: two corners, in fine pixels.
pub(super) fn patch((left, top): (i32, i32), (right, bottom): (i32, i32), says: &str) -> String {
    let (width, height) = ((right - left).max(1), (bottom - top).max(1));
    let says = crate::svg::escape(says);
    format!(
        "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" fill=\"none\" \
         pointer-events=\"all\"><title>{says}</title></rect>\n"
    )
}

/// A number's text with a minus, not a hyphen, which is read aloud as a dash or not at all.
pub(super) fn minus(number: String) -> String {
    match number.strip_prefix('-') {
        Some(rest) => format!("\u{2212}{rest}"),
        None => number,
    }
}

/// Axes and lines as every chart has them; what is a chart's own is set on top.
pub(super) fn mesh<'a, 'b, 'c, X, Y>(
    chart: &'b mut ChartContext<'a, SVGBackend<'c>, Cartesian2d<X, Y>>,
) -> MeshStyle<'a, 'b, X, Y, SVGBackend<'c>>
where
    X: Ranged + ValueFormatter<X::ValueType>,
    Y: Ranged + ValueFormatter<Y::ValueType>,
{
    let mut mesh = chart.configure_mesh();
    mesh.light_line_style(TRANSPARENT)
        .bold_line_style(INK.mix(0.18).stroke_width(fine(1)))
        .axis_style(INK.mix(0.6).stroke_width(fine(1)))
        .set_all_tick_mark_size(at(4))
        .label_style(text(TEXT_PX));
    mesh
}

/// A value axis with round ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub low: f64,
    pub high: f64,
    pub step: f64,
}

impl Axis {
    /// The round numbers on or just outside `low..=high`.
    pub(super) fn around(low: f64, high: f64) -> Axis {
        // Where all values are one, the axis still needs a length: a fiftieth of what they are.
        let half = (0.01 * high.abs()).max(1e-9);
        let (low, high) = if high > low { (low, high) } else { (low - half, high + half) };
        let span = (high - low).max(1e-6 * high.abs());
        let rough = span / 5.0;
        let ten = 10f64.powf(rough.log10().floor());
        let round = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * ten);
        let step = round.into_iter().find(|step| *step >= rough).unwrap_or(10.0 * ten);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        Axis { low, high, step }
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.low) / (self.high - self.low);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    /// A tick at every step, the last one included (plotters' own steps leave it out).
    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        let count = ((self.high - self.low) / self.step).round() as u32;
        (0..=count).map(|i| self.low + f64::from(i) * self.step).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.low..self.high
    }
}

/// How many decimals tell two ticks `step` apart.
pub(super) fn decimals(step: f64) -> usize {
    let enough = |d: &usize| {
        let shifted = step * 10f64.powi(*d as i32);
        (shifted - shifted.round()).abs() < 1e-6
    };
    (0..6).find(enough).unwrap_or(6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_round_and_hold_the_data() {
        for (low, high) in [(0.13, 0.68), (0.5, 0.5), (0.9112, 0.9131), (0.0, 250.0)] {
            let axis = Axis::around(low, high);
            assert!(axis.low <= low && axis.high >= high && axis.high > axis.low, "{axis:?}");
            assert!((axis.high - axis.low) / axis.step <= 12.0, "{axis:?}");
        }
        let (low, high, step) = (0.0, 1.0, 0.2);
        assert_eq!(Axis::around(0.0, 1.0), Axis { low, high, step });
        let (low, high, step) = (49.4, 50.6, 0.2);
        let one = Axis::around(50.0, 50.0);
        assert!((one.low - low).abs() < 1e-9 && (one.high - high).abs() < 1e-9, "{one:?}");
        assert!((one.step - step).abs() < 1e-9, "{one:?}");
    }

    #[test]
    fn the_last_tick_is_the_end_of_the_axis() {
        let ticks = Axis::around(0.13, 0.68).key_points(9);
        assert!((ticks[0] - 0.0).abs() < 1e-9, "{ticks:?}");
        assert!((ticks.last().unwrap() - 0.8).abs() < 1e-9, "{ticks:?}");
    }

    #[test]
    fn numbers_below_zero_have_a_minus() {
        assert_eq!([minus("-0.5".into()), minus("1e-5".into())], ["\u{2212}0.5", "1e-5"]);
    }

    #[test]
    fn names_are_cut_and_cleaned() {
        assert_eq!(short("average", 5), "aver…");
        assert_eq!(short("a\nb", 5), "a b");
    }
}
