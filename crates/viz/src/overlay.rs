//! Heat over a picture. The map's positive part is enlarged bilinearly (half-pixel centres, edges
//! repeated: PyTorch's `interpolate(mode="bilinear", align_corners=False)`), divided by the value
//! that means full heat, and laid in inferno's colours over the picture in grey: the hotter, the
//! denser, so that a cold place shows the picture as it is. (Colour over colour cannot be read.)

use crate::cam::Map;
use crate::colormap::Colormap;
use crate::raster::blend;
use image::{Rgb, RgbImage};

/// The share of heat at full heat; the rest is picture.
const DENSEST: f32 = 0.82;

/// `picture` in grey under the positive part of `map`. `largest` is the value drawn as full heat;
/// where it is 0 there is no heat at all.
pub fn overlay(picture: &RgbImage, map: &Map, largest: f32) -> RgbImage {
    let heat = scaled(map, picture.dimensions(), largest);
    let mut out = picture.clone();
    for (pixel, value) in out.pixels_mut().zip(heat) {
        *pixel = heated(luminance(*pixel), value);
    }
    out
}

/// The positive part of `map`, enlarged to (width, height) and divided by its largest value: 0..=1,
/// row by row; zero everywhere where nothing is positive.
pub fn heat(map: &Map, size: (u32, u32)) -> Vec<f32> {
    scaled(map, size, map.largest())
}

fn scaled(map: &Map, size: (u32, u32), largest: f32) -> Vec<f32> {
    let mut heat = enlarge(&map.positive(), (map.width, map.height), size);
    for value in &mut heat {
        *value = if largest > 0.0 { (*value / largest).min(1.0) } else { 0.0 };
    }
    heat
}

/// `picture` no larger than a gallery shows it: 128 pixels on its longer side.
pub fn thumbnail(picture: &RgbImage) -> RgbImage {
    const SIDE: u32 = 128;
    let (width, height) = picture.dimensions();
    let longer = width.max(height);
    if longer <= SIDE {
        return picture.clone();
    }
    let side = |px: u32| (px * SIDE / longer).max(1);
    let filter = image::imageops::FilterType::Triangle;
    image::imageops::resize(picture, side(width), side(height), filter)
}

/// A grey of `luminance` under heat of `value` in 0..=1; the colour bar uses it too.
pub(crate) fn heated(luminance: u8, value: f32) -> Rgb<u8> {
    let mut pixel = Rgb([luminance; 3]);
    blend(&mut pixel, Rgb(Colormap::Inferno.colour(value)), DENSEST * value.sqrt());
    pixel
}

/// ITU-R BT.601's luminance, as picture libraries turn colour into grey.
fn luminance(Rgb([r, g, b]): Rgb<u8>) -> u8 {
    let [r, g, b] = [r, g, b].map(f32::from);
    (0.299 * r + 0.587 * g + 0.114 * b).round() as u8
}

/// Bilinear enlargement (or reduction, without averaging) of row-major `values`; sizes are (width,
/// height).
pub(crate) fn enlarge(values: &[f32], from: (u32, u32), to: (u32, u32)) -> Vec<f32> {
    let axis = |i: u32, from: u32, to: u32| {
        let at = (i as f32 + 0.5) * from as f32 / to as f32 - 0.5;
        let at = at.clamp(0.0, (from - 1) as f32);
        let low = at.floor();
        (low as usize, (low as usize + 1).min(from as usize - 1), at - low)
    };
    let columns: Vec<_> = (0..to.0).map(|x| axis(x, from.0, to.0)).collect();
    let mut out = Vec::with_capacity((to.0 * to.1) as usize);
    for y in 0..to.1 {
        let (top, bottom, down) = axis(y, from.1, to.1);
        let row = |y: usize| &values[y * from.0 as usize..][..from.0 as usize];
        let (above, below) = (row(top), row(bottom));
        for (left, right, across) in &columns {
            let mix = |row: &[f32]| row[*left] * (1.0 - across) + row[*right] * across;
            out.push(mix(above) * (1.0 - down) + mix(below) * down);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Tensor;

    #[test]
    fn enlarging_is_pytorchs_bilinear_interpolation() {
        let values = [0.0f32, 1.0, -2.0, 3.0, 5.0, 0.5];
        let tensor = Tensor::from_slice(&values).view([1, 1, 2, 3]);
        for to in [(3, 2), (7, 5), (1, 1)] {
            let size = [i64::from(to.1), i64::from(to.0)];
            let theirs = tensor.upsample_bilinear2d(size, false, None, None);
            let ours = enlarge(&values, (3, 2), to);
            for (a, b) in ours.iter().zip(crate::cam::values(&theirs)) {
                assert!((a - b).abs() < 1e-5, "{to:?}: {a} {b}");
            }
        }
    }

    #[test]
    fn heat_lies_where_the_map_is_positive_and_nowhere_else() {
        let picture = RgbImage::from_pixel(8, 8, Rgb([200, 100, 50]));
        let map = Map { height: 1, width: 2, signed: vec![-5.0, 2.0] };
        let hot = overlay(&picture, &map, 2.0);
        let Rgb([r, g, b]) = *hot.get_pixel(0, 0);
        assert!(r == g && g == b, "the cold side is the picture in grey");
        let Rgb([r, _, b]) = *hot.get_pixel(7, 7);
        assert!(r > b, "full heat is pale yellow");
        let none = overlay(&picture, &map, 0.0);
        assert_eq!(none.get_pixel(7, 7), none.get_pixel(0, 0));
    }
}
