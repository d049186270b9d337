//! A canvas of pixels with labels, for figures made of pictures: feature maps and depth strips.
//!
//! The figures are PNG or JPEG files that open anywhere, so their labels are pixels too. The font
//! is a small grey strip drawn once by `scripts/golden/viz_tables.py`; no font library is needed.

use image::{GrayImage, Rgb, RgbImage};
use std::sync::OnceLock;

/// Behind the panels. Near black: the colormaps and photographs stand out, and the figure looks the
/// same on a light and on a dark page.
pub(crate) const GROUND: Rgb<u8> = Rgb([0x14, 0x17, 0x1c]);
/// Labels.
pub(crate) const TEXT: Rgb<u8> = Rgb([0xe8, 0xea, 0xed]);
/// Less important labels.
pub(crate) const FAINT: Rgb<u8> = Rgb([0xa5, 0xab, 0xb5]);

/// One character of the strip, pixels.
const CELL_WIDTH: u32 = 10;
const CELL_HEIGHT: u32 = 20;

/// How large a label is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// 7 × 14 pixels a character.
    Small,
    /// 10 × 20 pixels a character.
    Large,
}

impl Size {
    /// Width and height of a character, pixels.
    pub(crate) fn cell(self) -> (u32, u32) {
        match self {
            Size::Small => (7, 14),
            Size::Large => (CELL_WIDTH, CELL_HEIGHT),
        }
    }

    /// How many characters fit into `width_px`.
    pub(crate) fn fitting(self, width_px: u32) -> usize {
        (width_px / self.cell().0) as usize
    }

    fn strip(self) -> &'static GrayImage {
        static LARGE: OnceLock<GrayImage> = OnceLock::new();
        static SMALL: OnceLock<GrayImage> = OnceLock::new();
        let large = || {
            image::load_from_memory(include_bytes!("raster/font.png"))
                .expect("the font was compiled in")
                .to_luma8()
        };
        match self {
            Size::Large => LARGE.get_or_init(large),
            Size::Small => SMALL.get_or_init(|| {
                let (width, height) = Size::Small.cell();
                let filter = image::imageops::FilterType::CatmullRom;
                image::imageops::resize(Size::Large.strip(), 95 * width, height, filter)
            }),
        }
    }
}

/// A canvas of `width` × `height` pixels of ground.
pub(crate) fn canvas(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width, height, GROUND)
}

/// Writes `text` with its upper left corner at (`x`, `y`); what does not fit is cut off. Characters
/// that the font lacks (it knows ASCII) become `?`.
pub(crate) fn label(on: &mut RgbImage, x: u32, y: u32, text: &str, colour: Rgb<u8>, size: Size) {
    let (cell_width, cell_height) = size.cell();
    let strip = size.strip();
    for (i, c) in text.chars().enumerate() {
        let glyph = if (' '..='~').contains(&c) { c as u32 } else { '?' as u32 } - 32;
        for dy in 0..cell_height {
            for dx in 0..cell_width {
                let ink = strip.get_pixel(glyph * cell_width + dx, dy)[0];
                let at = (x + i as u32 * cell_width + dx, y + dy);
                if ink > 0 && at.0 < on.width() && at.1 < on.height() {
                    blend(on.get_pixel_mut(at.0, at.1), colour, f32::from(ink) / 255.0);
                }
            }
        }
    }
}

/// Moves `pixel` towards `colour` by `share` in 0..=1.
pub(crate) fn blend(pixel: &mut Rgb<u8>, colour: Rgb<u8>, share: f32) {
    for (below, above) in pixel.0.iter_mut().zip(colour.0) {
        *below = (f32::from(*below) * (1.0 - share) + f32::from(above) * share).round() as u8;
    }
}

/// `text` in at most `limit` characters, its end replaced by `~` where it is cut.
pub(crate) fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(limit.saturating_sub(1)).collect();
    short.push('~');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_leaves_ink_where_it_stands_and_nowhere_else() {
        let mut on = canvas(60, 30);
        label(&mut on, 10, 5, "Ab", TEXT, Size::Large);
        let inked = |x: u32, y: u32| on.get_pixel(x, y) != &GROUND;
        assert!((10..30).any(|x| (5..25).any(|y| inked(x, y))));
        assert!((0..10).all(|x| (0..30).all(|y| !inked(x, y))));
        assert!((30..60).all(|x| (0..30).all(|y| !inked(x, y))));
    }

    #[test]
    fn labels_that_do_not_fit_are_cut_without_a_panic() {
        let mut on = canvas(15, 10);
        label(&mut on, 8, 4, "Grüße", TEXT, Size::Small);
        assert_eq!(cut("denselayer", 6), "dense~");
        assert_eq!(cut("cat", 6), "cat");
    }
}
