//! A picture squashed to a square: aspect ignored, as the published study does.

use image::RgbImage;

use crate::config::Filter;

/// Any picture to `[size_px, size_px, 3]` bytes.
pub fn squash(image: &RgbImage, size_px: u32, filter: Filter) -> Vec<u8> {
    let _ = (image, size_px, filter);
    todo!()
}
