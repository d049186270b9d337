//! A picture squashed to a square: aspect ignored, as the published study does.
//!
//! `nearest` is Pillow's, which is what Keras' `load_img(interpolation="nearest")` calls; a golden
//! made by Pillow stands in `tests/golden/pillow_resize.json`. The other filters are convolutions
//! whose support grows when shrinking, as Pillow's; they differ from it by at most one step of 255.

use std::cell::RefCell;

use crate::colour::{Colour, Raster};
use crate::config::{DataConfig, Filter};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

/// A picture that is in no set, made like those of a set opened with `config`:
/// `[size_px, size_px, C]`.
pub fn prepare(image: impl Into<Raster>, config: &DataConfig) -> Raster {
    let raster = image.into().into_colour(config.colour);
    squash(&raster, config.size_px, config.filter)
}

/// Any picture to a square of `size_px`, its channels kept.
pub fn squash(image: &Raster, size_px: u32, filter: Filter) -> Raster {
    assert!(size_px > 0, "squash: to 0 pixels");
    if (image.width(), image.height()) == (size_px, size_px) {
        return image.clone();
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

fn nearest(image: &Raster, size_px: u32) -> Raster {
    let channels = image.colour().channels();
    let columns = nearest_sources(image.width(), size_px);
    let width_bytes = image.width() as usize * channels;
    let mut out = Vec::with_capacity(size_px as usize * size_px as usize * channels);
    for row in nearest_sources(image.height(), size_px) {
        let line = &image.pixels()[row * width_bytes..][..width_bytes];
        for column in &columns {
            out.extend_from_slice(&line[column * channels..][..channels]);
        }
    }
    Raster::new(size_px, size_px, image.colour(), out)
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

fn convolve(image: &Raster, size_px: u32, kernel: FilterType) -> Raster {
    thread_local! {
        // Keeps its scratch buffers from picture to picture.
        static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
    }
    let kind = match image.colour() {
        Colour::Rgb => PixelType::U8x3,
        Colour::Grey => PixelType::U8,
    };
    let source = ImageRef::new(image.width(), image.height(), image.pixels(), kind)
        .expect("a Raster holds width x height x C bytes");
    let mut target = Image::new(size_px, size_px, kind);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(kernel));
    RESIZER
        .with_borrow_mut(|resizer| resizer.resize(&source, &mut target, &options))
        .expect("both pictures are of one kind and not empty");
    Raster::new(size_px, size_px, image.colour(), target.into_vec())
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::*;

    #[test]
    fn nearest_takes_pixel_centres() {
        assert_eq!(nearest_sources(4, 2), [1, 3]);
        assert_eq!(nearest_sources(2, 4), [0, 0, 1, 1]);
        assert_eq!(nearest_sources(1, 3), [0, 0, 0]);
    }

    #[test]
    fn every_filter_keeps_a_flat_picture_flat_and_the_same_size_alone() {
        let flat = Raster::from(RgbImage::from_pixel(31, 17, image::Rgb([9, 99, 199])));
        let grey = Raster::new(31, 17, Colour::Grey, vec![77; 31 * 17]);
        let filters =
            [Filter::Nearest, Filter::Box, Filter::Bilinear, Filter::Bicubic, Filter::Lanczos];
        for filter in filters {
            let small = squash(&flat, 8, filter);
            assert!(small.pixels().chunks(3).all(|pixel| pixel == [9, 99, 199]), "{filter:?}");
            let small = squash(&grey, 8, filter);
            assert_eq!(small.pixels(), [77; 64], "{filter:?}");
            let square = RgbImage::from_fn(8, 8, |x, y| image::Rgb([x as u8, y as u8, 7]));
            let square = Raster::from(square);
            assert_eq!(squash(&square, 8, filter), square, "{filter:?}");
        }
    }
}
