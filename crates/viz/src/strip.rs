//! Depth strips, the depth study's figure: one picture a row, the input and then its class
//! activation map at every block from the stem to the head, for rightly and wrongly classified
//! pictures, all arms in one figure with the same taps and the same scale rule.

use crate::VizError;
use crate::cam::Map;
use crate::overlay::{heated, overlay};
use crate::raster::{self, FAINT, Size, TEXT};
use image::RgbImage;
use image::imageops::FilterType;

/// A panel's side.
const PANEL: u32 = 128;
const GAP: u32 = 6;
/// Width of the rows' labels.
const SIDE: u32 = 162;
/// Height of the line that names an arm, and of the line that names the columns.
const LINE: u32 = 24;
/// Room above each arm after the first.
const APART: u32 = 14;
/// Height of the colour bar.
const BAR: u32 = 14;
/// Height of the colour bar with its words and margins.
const FOOT: u32 = 50;

/// What full heat means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleRule {
    /// Each map by its own largest value: shows *where* a tap looks. The strength of a Grad-CAM
    /// depends on the size of the network's logits, so it is not comparable between networks
    /// anyway.
    EachMap,
    /// One largest value per tap, over all pictures and all arms: also shows *how much*.
    EachTap,
}

impl ScaleRule {
    /// The rule in words, for captions.
    pub fn in_words(self) -> &'static str {
        match self {
            ScaleRule::EachMap => "each map by its own largest value",
            ScaleRule::EachTap => "one scale per column, over all pictures and arms",
        }
    }
}

/// One picture and its maps.
#[derive(Debug, Clone)]
pub struct StripRow {
    /// Up to five short lines, such as "right cat" and "P(cat) 0.93".
    pub label: Vec<String>,
    /// The picture as a person sees it.
    pub picture: RgbImage,
    /// One map per tap, in the order of the taps.
    pub maps: Vec<Map>,
}

/// One arm's rows.
#[derive(Debug, Clone)]
pub struct StripArm {
    /// As printed above the rows.
    pub name: String,
    /// From top to bottom.
    pub rows: Vec<StripRow>,
}

/// Draws the strips of all arms, one under the other.
///
/// # Errors
/// When a row does not hold one map per tap.
pub fn strip(arms: &[StripArm], taps: &[String], rule: ScaleRule) -> Result<RgbImage, VizError> {
    let rows = arms.iter().flat_map(|arm| &arm.rows);
    if let Some(odd) = rows.clone().find(|row| row.maps.len() != taps.len()) {
        return Err(VizError::Shape {
            place: format!("depth strip, row \"{}\"", odd.label.join(" ")),
            got: format!("{} maps", odd.maps.len()),
            want: format!("{}, one per tap", taps.len()),
            next: "explain the picture at all taps of the strip",
        });
    }
    let largest: Vec<f32> = (0..taps.len())
        .map(|t| rows.clone().map(|row| row.maps[t].largest()).fold(0.0, f32::max))
        .collect();
    let width = column(taps.len() + 1) + GAP;
    let height: u32 = arms.iter().map(|arm| 2 * LINE + arm.rows.len() as u32 * (PANEL + GAP)).sum();
    let apart = (arms.len() as u32).saturating_sub(1) * APART;
    let mut on = raster::canvas(width, GAP + height + apart + FOOT);
    let mut y = GAP;
    for (i, arm) in arms.iter().enumerate() {
        y += if i == 0 { 0 } else { APART };
        let limit = Size::Large.fitting(width - 2 * GAP);
        let name = raster::cut(&arm.name, limit);
        raster::label(&mut on, GAP, y, &name, TEXT, Size::Large);
        y += LINE;
        columns(&mut on, taps, y);
        y += LINE;
        for row in &arm.rows {
            draw_row(&mut on, y, row, &largest, rule);
            y += PANEL + GAP;
        }
    }
    colour_bar(&mut on, y + GAP, rule);
    Ok(on)
}

/// The left edge of column `i`; the input is column 0.
fn column(i: usize) -> u32 {
    SIDE + i as u32 * (PANEL + GAP)
}

fn columns(on: &mut RgbImage, taps: &[String], y: u32) {
    raster::label(on, column(0), y, "input", FAINT, Size::Large);
    for (i, tap) in taps.iter().enumerate() {
        let name = tap.strip_prefix("features.").unwrap_or(tap);
        let name = raster::cut(name, Size::Large.fitting(PANEL));
        raster::label(on, column(i + 1), y, &name, FAINT, Size::Large);
    }
}

fn draw_row(on: &mut RgbImage, y: u32, row: &StripRow, largest: &[f32], rule: ScaleRule) {
    let limit = Size::Large.fitting(SIDE - 2 * GAP);
    for (i, line) in row.label.iter().take(5).enumerate() {
        let colour = if i == 0 { TEXT } else { FAINT };
        let line_y = y + 4 + i as u32 * 24;
        raster::label(on, GAP, line_y, &raster::cut(line, limit), colour, Size::Large);
    }
    let picture = image::imageops::resize(&row.picture, PANEL, PANEL, FilterType::CatmullRom);
    image::imageops::replace(on, &picture, column(0).into(), y.into());
    for (i, map) in row.maps.iter().enumerate() {
        let full = match rule {
            ScaleRule::EachMap => map.largest(),
            ScaleRule::EachTap => largest[i],
        };
        let mut panel = overlay(&picture, map, full);
        if !map.has_positive() {
            for pixel in panel.pixels_mut() {
                raster::blend(pixel, raster::GROUND, 0.55);
            }
            let (text, (width, height)) = ("no evidence", Size::Large.cell());
            let x = (PANEL - text.len() as u32 * width) / 2;
            raster::label(&mut panel, x, (PANEL - height) / 2, text, TEXT, Size::Large);
        }
        image::imageops::replace(on, &panel, column(i + 1).into(), y.into());
    }
}

/// Short enough for a strip of one tap.
fn words(rule: ScaleRule) -> String {
    format!("heat: {}", rule.in_words())
}

/// The scale in words, and under them the bar, as wide as all panels but the input's.
fn colour_bar(on: &mut RgbImage, y: u32, rule: ScaleRule) {
    raster::label(on, GAP, y, &words(rule), FAINT, Size::Small);
    let (left, right) = (column(1), on.width() - GAP);
    for x in left..right {
        // Over a middle grey, as heat lies over a picture.
        let colour = heated(110, (x - left) as f32 / (right - left - 1) as f32);
        for dy in 0..BAR {
            on.put_pixel(x, y + Size::Small.cell().1 + GAP + dy, colour);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn row(values: &[f32]) -> StripRow {
        StripRow {
            label: vec!["right cat".to_owned()],
            picture: RgbImage::from_pixel(16, 16, Rgb([90, 120, 150])),
            maps: values.iter().map(|v| Map { height: 1, width: 1, signed: vec![*v] }).collect(),
        }
    }

    /// The panel's upper left corner, away from any words.
    fn corner(image: &RgbImage, i: usize, y: u32) -> Rgb<u8> {
        *image.get_pixel(column(i) + 3, y + 3)
    }

    #[test]
    fn the_words_under_a_strip_of_one_tap_are_not_cut() {
        for rule in [ScaleRule::EachMap, ScaleRule::EachTap] {
            assert!(words(rule).len() <= Size::Small.fitting(column(2) - GAP), "{}", words(rule));
        }
    }

    #[test]
    fn arms_share_a_scale_per_tap_when_asked_to() {
        let taps = ["features.pool0".to_owned()];
        let arm =
            |name: &str, value: f32| StripArm { name: name.to_owned(), rows: vec![row(&[value])] };
        let arms = [arm("avg", 1.0), arm("max", 4.0)];
        let (first, second) = (GAP + 2 * LINE, GAP + 4 * LINE + PANEL + GAP + APART);
        let own = strip(&arms, &taps, ScaleRule::EachMap).unwrap();
        assert_eq!(corner(&own, 1, first), corner(&own, 1, second));
        let shared = strip(&arms, &taps, ScaleRule::EachTap).unwrap();
        assert_ne!(corner(&shared, 1, first), corner(&shared, 1, second));
        assert_eq!(corner(&shared, 1, second), corner(&own, 1, second));
    }

    #[test]
    fn an_empty_map_is_marked_and_a_missing_one_refused() {
        let taps = ["a".to_owned()];
        let arm = StripArm { name: "avg".into(), rows: vec![row(&[-1.0])] };
        let image = strip(std::slice::from_ref(&arm), &taps, ScaleRule::EachMap).unwrap();
        let grey = corner(&image, 1, GAP + 2 * LINE);
        assert!(grey[0] < 90, "darkened");
        let two = ["a".to_owned(), "b".to_owned()];
        let error = strip(&[arm], &two, ScaleRule::EachMap).unwrap_err();
        assert!(error.to_string().contains("got 1 maps, want 2"), "{error}");
    }
}
