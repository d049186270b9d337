//! What the charts share: a canvas of fine pixels, text of one size, the legend above the plot.

use crate::svg::{FINE, INK, Svg};
use crate::{VizError, palette};
use plotters::coord::Shift;
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
    ("sans-serif", 1.24 * f64::from(fine(px)))
        .into_font()
        .color(&INK)
}

/// The same, with where the text hangs on its point.
pub(super) fn hung(px: u32, h: HPos, v: VPos) -> TextStyle<'static> {
    text(px).pos(Pos::new(h, v))
}

/// Names as a chart can hold them: at most `limit` characters, no control characters.
pub(super) fn short(name: &str, limit: usize) -> String {
    let clean: String = name
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
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
    let failed = |problem: String| VizError::Drawing {
        chart: title.to_owned(),
        problem,
    };
    let extra = drawn.map_err(|error| failed(error.to_string()))?;
    Ok(Svg::finish(&raw, size, label, &extra))
}

/// Writes the title and, under it, one key per arm; returns the height used, page pixels.
/// `marks` are keys for line styles, without a colour: (dashed, what it means).
pub(super) fn head(area: &Area, title: &str, arms: &[&str], marks: &[(bool, &str)]) -> Drawn<u32> {
    let style = TextStyle {
        font: text(TITLE_PX).font.style(FontStyle::Bold),
        ..text(TITLE_PX)
    };
    area.draw_text(title, &style, (at(4), at(4)))?;
    let width_px = area.dim_in_pixel().0 / FINE;
    let (mut x, mut y) = (4, HEAD_PX);
    let arm_keys = arms
        .iter()
        .enumerate()
        .map(|(i, name)| (short(name, 24), Some(i), false));
    let mark_keys = marks
        .iter()
        .map(|(dashed, name)| ((*name).to_owned(), None, *dashed));
    for (name, arm, dashed) in arm_keys.chain(mark_keys) {
        let key_px = 30 + name.chars().count() as u32 * 7 + 14;
        if x > 4 && x + key_px > width_px {
            (x, y) = (4, y + LEGEND_LINE_PX);
        }
        let middle = at(y + 8);
        let colour = arm.map_or(INK, palette::arm);
        let stroke = match (arm, dashed) {
            (Some(_), _) => fine(5),
            (None, true) => crate::svg::DASHED,
            (None, false) => fine(2),
        };
        let line = vec![(at(x), middle), (at(x + 24), middle)];
        area.draw(&PathElement::new(line, colour.stroke_width(stroke)))?;
        let style = hung(TEXT_PX, HPos::Left, VPos::Center);
        area.draw_text(&name, &style, (at(x + 30), middle))?;
        x += key_px;
    }
    let lines = if arms.is_empty() && marks.is_empty() {
        0
    } else {
        LEGEND_LINE_PX
    };
    Ok(y + lines + 4)
}

/// Round numbers on or just outside `low..=high`, with room around the data: (low, high, step).
pub(super) fn axis(low: f64, high: f64) -> (f64, f64, f64) {
    let span = (high - low).max(1e-6 * high.abs()).max(1e-9);
    let rough = span / 5.0;
    let ten = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .map(|factor| factor * ten)
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * ten);
    (
        (low / step).floor() * step,
        (high / step).ceil() * step,
        step,
    )
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
            let (from, to, step) = axis(low, high);
            assert!(
                from <= low && to >= high && step > 0.0,
                "{from} {to} {step}"
            );
            assert!((to - from) / step <= 12.0, "{from} {to} {step}");
        }
        assert_eq!(axis(0.0, 1.0), (0.0, 1.0, 0.2));
    }

    #[test]
    fn names_are_cut_and_cleaned() {
        assert_eq!(short("average", 5), "aver…");
        assert_eq!(short("a\nb", 5), "a b");
    }
}
