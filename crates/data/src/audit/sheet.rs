//! A contact sheet: small copies of pictures side by side, for a look at what numbers found.

use image::{Rgb, RgbImage, imageops};

use crate::colour::{Colour, Raster};
use crate::config::Filter;
use crate::resize;

/// Columns, and the side of a small copy.
const COLUMNS: u32 = 8;
const SIDE_PX: u32 = 96;
const GAP_PX: u32 = 4;

/// Pictures side by side, in the order of the report.
pub struct Sheet {
    /// White between them.
    pub picture: RgbImage,
}

impl Sheet {
    /// Each in its place, on white; a place stays empty where there is `None`.
    pub fn of(pictures: Vec<Option<Raster>>) -> Sheet {
        let n = pictures.len() as u32;
        let (columns, rows) = (n.clamp(1, COLUMNS), n.div_ceil(COLUMNS).max(1));
        let side = |count: u32| count * (SIDE_PX + GAP_PX) + GAP_PX;
        let mut picture = RgbImage::from_pixel(side(columns), side(rows), Rgb([255; 3]));
        for (raster, at) in pictures.into_iter().zip(0..) {
            let Some(raster) = raster else { continue };
            let small = resize::squash(&raster.into_colour(Colour::Rgb), SIDE_PX, Filter::Box);
            let (left, top) = (side(at % COLUMNS), side(at / COLUMNS));
            imageops::replace(&mut picture, &small.into_shown(), left.into(), top.into());
        }
        Sheet { picture }
    }

    /// As a file.
    #[expect(clippy::missing_panics_doc, reason = "memory does not fail")]
    pub fn png(&self) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        self.picture
            .write_to(&mut bytes, image::ImageFormat::Png)
            .expect("a picture in memory can be written to memory");
        bytes.into_inner()
    }
}
