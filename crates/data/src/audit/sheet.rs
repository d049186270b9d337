//! A contact sheet: small copies of pictures side by side, for a look at what numbers found.

use image::{Rgb, RgbImage, imageops};

use super::Odd;
use crate::colour::Colour;
use crate::config::Filter;
use crate::resize;
use crate::source::Source;

/// Columns, and the side of a small copy.
const COLUMNS: u32 = 8;
const SIDE_PX: u32 = 96;
const GAP_PX: u32 = 4;

/// Pictures side by side, in the order of the report.
pub struct Sheet {
    /// White between them; empty places where a picture could not be read again.
    pub picture: RgbImage,
}

impl Sheet {
    pub(super) fn of(odd: &[Odd], source: &dyn Source) -> Sheet {
        let n = odd.len() as u32;
        let (columns, rows) = (n.clamp(1, COLUMNS), n.div_ceil(COLUMNS).max(1));
        let side = |count: u32| count * (SIDE_PX + GAP_PX) + GAP_PX;
        let mut picture = RgbImage::from_pixel(side(columns), side(rows), Rgb([255; 3]));
        let mut reader = source.reader();
        for (odd, at) in odd.iter().zip(0..) {
            let Ok(look) = reader.look(odd.entry) else { continue };
            let small = resize::squash(&look.raster.into_colour(Colour::Rgb), SIDE_PX, Filter::Box);
            let (left, top) = (side(at % COLUMNS), side(at / COLUMNS));
            imageops::replace(&mut picture, &small.into_shown(), left.into(), top.into());
        }
        Sheet { picture }
    }

    /// As a file.
    pub fn png(&self) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        self.picture
            .write_to(&mut bytes, image::ImageFormat::Png)
            .expect("a picture in memory can be written to memory");
        bytes.into_inner()
    }
}
