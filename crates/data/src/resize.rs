//! A picture squashed to a square: aspect ignored, as the published study does.
//!
//! `nearest` is Pillow's, which is what Keras' `load_img(interpolation="nearest")` calls; a golden
//! made by Pillow stands in `tests/golden/pillow_resize.json`. The other filters are convolutions
//! whose support grows when shrinking, as Pillow's; they differ from it by at most one step of 255.

use std::cell::RefCell;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;

use crate::config::Filter;

/// Any picture to `[size_px, size_px, 3]` bytes.
pub fn squash(image: &RgbImage, size_px: u32, filter: Filter) -> Vec<u8> {
    assert!(size_px > 0 && image.width() > 0 && image.height() > 0, "squash: an empty picture");
    if image.dimensions() == (size_px, size_px) {
        return image.as_raw().clone();
    }
    let kernel = match filter {
        Filter::Nearest => return nearest(image, size_px),
        Filter::Box => FilterType::Box,
        Filter::Bilinear => FilterType::Bilinear,
        Filter::Bicubic => FilterType::CatmullRom,
        Filter::Lanczos => FilterType::Lanczos3,
    };
    convolve(image, size_px, kernel)
}

fn nearest(image: &RgbImage, size_px: u32) -> Vec<u8> {
    let columns = nearest_sources(image.width(), size_px);
    let width_bytes = image.width() as usize * 3;
    let mut out = Vec::with_capacity((size_px * size_px * 3) as usize);
    for row in nearest_sources(image.height(), size_px) {
        let line = &image.as_raw()[row * width_bytes..][..width_bytes];
        for column in &columns {
            out.extend_from_slice(&line[column * 3..column * 3 + 3]);
        }
    }
    out
}

/// Which source pixel each of `to` target pixels takes. Pillow adds the step up in doubles
/// (`ImagingScaleAffine`), and so do we: multiplying instead picks other pixels where a centre
/// falls on an edge.
fn nearest_sources(from: u32, to: u32) -> Vec<usize> {
    let step = f64::from(from) / f64::from(to);
    let mut at = step * 0.5;
    let mut sources = Vec::with_capacity(to as usize);
    for _ in 0..to {
        sources.push((at as usize).min(from as usize - 1));
        at += step;
    }
    sources
}

fn convolve(image: &RgbImage, size_px: u32, kernel: FilterType) -> Vec<u8> {
    thread_local! {
        // Keeps its scratch buffers from picture to picture.
        static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
    }
    let source = ImageRef::new(image.width(), image.height(), image.as_raw(), PixelType::U8x3)
        .expect("an RgbImage holds width x height x 3 bytes");
    let mut target = Image::new(size_px, size_px, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(kernel));
    RESIZER
        .with_borrow_mut(|resizer| resizer.resize(&source, &mut target, &options))
        .expect("both pictures are U8x3 and not empty");
    target.into_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_takes_pixel_centres() {
        assert_eq!(nearest_sources(4, 2), [1, 3]);
        assert_eq!(nearest_sources(2, 4), [0, 0, 1, 1]);
        assert_eq!(nearest_sources(1, 3), [0, 0, 0]);
    }

    #[test]
    fn every_filter_keeps_a_flat_picture_flat_and_the_same_size_alone() {
        let flat = RgbImage::from_pixel(31, 17, image::Rgb([9, 99, 199]));
        let filters =
            [Filter::Nearest, Filter::Box, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos];
        for filter in filters {
            let small = squash(&flat, 8, filter);
            assert!(small.chunks(3).all(|pixel| pixel == [9, 99, 199]), "{filter:?}");
            let square = RgbImage::from_fn(8, 8, |x, y| image::Rgb([x as u8, y as u8, 7]));
            assert_eq!(squash(&square, 8, filter), square.into_raw(), "{filter:?}");
        }
    }
}
