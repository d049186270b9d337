//! One layer at a time: all arms (rows) on the same pictures (columns) at one tap, as a frame of
//! the report's slider. The first row is the pictures themselves. Frames of one slider have one
//! size.

use crate::overlay::overlay;
use crate::raster::{self, FAINT, GROUND, Size, TEXT};
use crate::strip::{ScaleRule, StripArm};
use image::RgbImage;
use image::imageops::FilterType;

/// A panel's side.
const PANEL: u32 = 160;
const GAP: u32 = 6;
/// Height of a line of words.
const LINE: u32 = 22;

/// Draws the maps at place `tap` of each row's list. Rows must stand for the same pictures in every
/// arm. With [`ScaleRule::EachTap`] full heat is the largest value at this tap, over all arms.
pub fn layer(arms: &[StripArm], tap: usize, rule: ScaleRule) -> RgbImage {
    let pictures = arms.iter().map(|arm| arm.rows.len()).max().unwrap_or(0) as u32;
    let largest = (arms.iter().flat_map(|arm| &arm.rows))
        .map(|row| row.maps[tap].largest())
        .fold(0.0, f32::max);
    let width = GAP + pictures.max(2) * (PANEL + GAP);
    let row_height = LINE + PANEL + LINE + GAP;
    let mut on = raster::canvas(width, GAP + PANEL + GAP + arms.len() as u32 * row_height);
    let column = |i: usize| GAP + i as u32 * (PANEL + GAP);
    let fit = |text: &str, width: u32| raster::cut(text, Size::Small.fitting(width));
    for (i, row) in arms.first().map_or(&[][..], |arm| &arm.rows).iter().enumerate() {
        let picture = image::imageops::resize(&row.picture, PANEL, PANEL, FilterType::CatmullRom);
        image::imageops::replace(&mut on, &picture, column(i).into(), GAP.into());
    }
    for (a, arm) in arms.iter().enumerate() {
        let top = GAP + PANEL + GAP + a as u32 * row_height;
        let name = raster::cut(&arm.name, Size::Large.fitting(width - 2 * GAP));
        raster::label(&mut on, GAP, top, &name, TEXT, Size::Large);
        for (i, row) in arm.rows.iter().enumerate() {
            let filter = FilterType::CatmullRom;
            let picture = image::imageops::resize(&row.picture, PANEL, PANEL, filter);
            let map = &row.maps[tap];
            let full = if rule == ScaleRule::EachTap { largest } else { map.largest() };
            let mut panel = overlay(&picture, map, full);
            if !map.has_positive() {
                panel.pixels_mut().for_each(|pixel| raster::blend(pixel, GROUND, 0.55));
                raster::label(&mut panel, 26, PANEL / 2 - 10, "no evidence", TEXT, Size::Large);
            }
            image::imageops::replace(&mut on, &panel, column(i).into(), (top + LINE).into());
            let says = row.label.iter().take(2).map(String::as_str).collect::<Vec<_>>().join(", ");
            let y = top + LINE + PANEL + 2;
            raster::label(&mut on, column(i), y, &fit(&says, PANEL), FAINT, Size::Small);
        }
    }
    on
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cam::Map;
    use crate::strip::StripRow;
    use image::Rgb;

    #[test]
    fn frames_of_one_slider_have_one_size_and_show_their_own_layer() {
        let map = |v: f32| Map { height: 1, width: 1, signed: vec![v] };
        let row = StripRow {
            label: vec!["right cat".into(), "P(cat) 0.9".into(), "a.jpg".into()],
            picture: RgbImage::from_pixel(8, 8, Rgb([90, 120, 150])),
            maps: vec![map(1.0), map(-1.0)],
        };
        let arm = |name: &str| StripArm { name: name.into(), rows: vec![row.clone(); 3] };
        let arms = [arm("avg"), arm("max")];
        let frames = [0, 1].map(|tap| layer(&arms, tap, ScaleRule::EachMap));
        assert_eq!(frames[0].dimensions(), frames[1].dimensions());
        assert_eq!(frames[0].dimensions(), (6 + 3 * 166, 6 + 166 + 2 * 210));
        let place = (20, 6 + 166 + 22 + 10);
        let [hot, cold] = frames.map(|frame| *frame.get_pixel(place.0, place.1));
        assert!(hot[0] > cold[0], "{hot:?} {cold:?}");
    }
}
