//! A picture made square: squashed, aspect ignored, as the published study does; or its middle, as
//! torchvision's `CenterCrop`.
//!
//! `nearest` is Pillow's, which is what Keras' `load_img(interpolation="nearest")` calls; a golden
//! made by Pillow stands in `tests/golden/pillow_resize.json`. The other filters are convolutions
//! whose support grows when shrinking, as Pillow's; they differ from it by at most one step of 255.
//! For that bicubic and Lanczos take the axes in Pillow's order: what they overshoot is cut off to
//! 0..255 after the first, so that the other order is up to 57 steps away.

use std::cell::RefCell;

use crate::colour::{Colour, Raster};
use crate::config::{DataConfig, Filter};
use crate::decode::MAX_PIXELS;
use fast_image_resize::images::TypedImage;
use fast_image_resize::pixels::{U8, U8x3, U16, U16x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

/// A picture that is in no set, made like those of a set opened with `config`:
/// `[size_px, size_px, C]`.
///
/// # Panics
/// With a `config` that [`DataConfig::validate`] refuses.
pub fn prepare(image: impl Into<Raster>, config: &DataConfig) -> Raster {
    let raster = image.into().into_colour(config.colour);
    match config.centre_crop_of_px {
        None => resize(raster, (config.size_px, config.size_px), config.filter),
        Some(short_px) => middle_of(raster, short_px, config.size_px, config.filter),
    }
}

/// The shorter side to `short_px`, then the middle square of `size_px`, at most as large; roundings
/// are torchvision's.
///
/// # Panics
/// Where `size_px` is 0 or larger than `short_px`.
pub fn middle(image: &Raster, short_px: u32, size_px: u32, filter: Filter) -> Raster {
    middle_of(image.clone(), short_px, size_px, filter)
}

fn middle_of(image: Raster, short_px: u32, size_px: u32, filter: Filter) -> Raster {
    assert!(size_px <= short_px, "middle: {size_px} of {short_px} pixels");
    let image = narrowed(image, short_px);
    let (w, h) = (image.width(), image.height());
    let long =
        |long: u32, short: u32| (u64::from(short_px) * u64::from(long) / u64::from(short)) as u32;
    let to = if w <= h { (short_px, long(h, w)) } else { (long(w, h), short_px) };
    let colour = image.colour();
    let whole = resize(image, to, filter);
    let from = |side: u32| (f64::from(side - size_px) / 2.0).round_ties_even() as usize;
    let (left, top) = (from(to.0), from(to.1));
    let channels = colour.channels();
    let bytes = size_px as usize * channels;
    let line = |row: usize| (row * to.0 as usize + left) * channels;
    let rows = (top..top + size_px as usize).map(|row| &whole.pixels()[line(row)..][..bytes]);
    Raster::new(size_px, size_px, colour, rows.flatten().copied().collect())
}

/// The picture, unless it is so narrow that all of it at that size were more pixels than a picture
/// may have: then its middle, four times as long as wide or one pixel more.
fn narrowed(image: Raster, short_px: u32) -> Raster {
    let (w, h) = (image.width(), image.height());
    let (short, long) = (u64::from(w.min(h)), u64::from(w.max(h)));
    let pixels = u64::from(short_px) * (u64::from(short_px) * long / short);
    if pixels <= MAX_PIXELS || long <= 4 * short + 1 {
        return image;
    }
    // As even or odd as the whole, so that the middle stays where it is.
    let kept = 4 * short + (long - 4 * short) % 2;
    let from = ((long - kept) / 2) as u32;
    let (kept, channels) = (kept as u32, image.colour().channels());
    let (left, top, width, height) = if w > h { (from, 0, kept, h) } else { (0, from, w, kept) };
    let row = |row: u32| {
        let start = (row as usize * w as usize + left as usize) * channels;
        &image.pixels()[start..][..width as usize * channels]
    };
    let pixels = (top..top + height).flat_map(row).copied().collect();
    Raster::new(width, height, image.colour(), pixels)
}

/// Any picture to a square of `size_px`, its channels kept.
///
/// # Panics
/// Where `size_px` is 0.
pub fn squash(image: &Raster, size_px: u32, filter: Filter) -> Raster {
    resize(image.clone(), (size_px, size_px), filter)
}

/// To this width and height.
fn resize(image: Raster, to: (u32, u32), filter: Filter) -> Raster {
    assert!(to.0 > 0 && to.1 > 0, "resize: to {} x {} pixels", to.0, to.1);
    if (image.width(), image.height()) == to {
        return image;
    }
    let kernel = match filter {
        Filter::Nearest => return nearest(&image, to),
        Filter::Box => FilterType::Box,
        Filter::Bilinear => FilterType::Bilinear,
        Filter::Bicubic => FilterType::CatmullRom,
        Filter::Lanczos => FilterType::Lanczos3,
    };
    convolve(image, to, kernel)
}

fn nearest(image: &Raster, to: (u32, u32)) -> Raster {
    let pixels = match image.colour() {
        Colour::Rgb => nearest_of::<3>(image, to),
        Colour::Grey => nearest_of::<1>(image, to),
    };
    Raster::new(to.0, to.1, image.colour(), pixels)
}

/// Of pixels of `C` bytes: a number known to the compiler, so that a pixel is a move and no call.
fn nearest_of<const C: usize>(image: &Raster, to: (u32, u32)) -> Vec<u8> {
    let columns = nearest_sources(image.width(), to.0);
    let (from, _) = image.pixels().as_chunks::<C>();
    let mut pixels = Vec::with_capacity(to.0 as usize * to.1 as usize);
    for row in nearest_sources(image.height(), to.1) {
        let line = &from[row * image.width() as usize..][..image.width() as usize];
        pixels.extend(columns.iter().map(|column| line[*column]));
    }
    pixels.into_flattened()
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

fn convolve(image: Raster, to: (u32, u32), kernel: FilterType) -> Raster {
    let overshoots = matches!(kernel, FilterType::CatmullRom | FilterType::Lanczos3);
    let from = (image.width(), image.height());
    if !overshoots {
        return coarse(image, to, kernel);
    }
    if from.0 == to.0 || from.1 == to.1 {
        return fine(&image, to, kernel);
    }
    let between = if columns_first(from, to) { (from.0, to.1) } else { (to.0, from.1) };
    fine(&fine(&image, between, kernel), to, kernel)
}

/// Whether Pillow 13 changes the height before the width. Its rule as seen from outside: of 11,747
/// random shapes in which the order shows none is otherwise.
fn columns_first(from: (u32, u32), to: (u32, u32)) -> bool {
    let less = |from: u32, to: u32| i64::from(from) - i64::from(to);
    let (width, height) = (less(from.0, to.0), less(from.1, to.1));
    height > 0 && height > 2 * width
}

/// In bytes; where both sides change, the library changes the height first.
fn coarse(mut image: Raster, to: (u32, u32), kernel: FilterType) -> Raster {
    let pixels = match image.colour() {
        Colour::Rgb => coarse_of::<U8x3>(&mut image, to, kernel),
        Colour::Grey => coarse_of::<U8>(&mut image, to, kernel),
    };
    Raster::new(to.0, to.1, image.colour(), pixels)
}

fn coarse_of<P: PixelTrait>(image: &mut Raster, to: (u32, u32), kernel: FilterType) -> Vec<u8> {
    let (width, height, channels) = (image.width(), image.height(), image.colour().channels());
    let source = TypedImage::<P>::from_buffer(width, height, image.pixels_mut())
        .expect("a Raster holds width x height x C bytes");
    let mut pixels = vec![0; to.0 as usize * to.1 as usize * channels];
    let mut target =
        TypedImage::<P>::from_buffer(to.0, to.1, &mut pixels).expect("as many bytes as it needs");
    run(&source, &mut target, kernel);
    pixels
}

/// One side, rounded as Pillow rounds it. The library's weights for bytes are coarser, and what is
/// a step off after the first side is two after the second; hence in 16 bits, of which 257 are a
/// step.
fn fine(image: &Raster, to: (u32, u32), kernel: FilterType) -> Raster {
    let finer = |value: u8| u16::from(value) * 257;
    let coarser = |value: u16| ((u32::from(value) + 128) / 257) as u8;
    let pixels = match image.colour() {
        Colour::Rgb => {
            let (rgb, _) = image.pixels().as_chunks::<3>();
            let pixels = rgb.iter().map(|pixel| U16x3::new(pixel.map(finer))).collect();
            let done = fine_of(pixels, (image.width(), image.height()), to, kernel);
            done.pixels().iter().flat_map(|pixel| pixel.0.map(coarser)).collect()
        }
        Colour::Grey => {
            let pixels = image.pixels().iter().map(|value| U16::new(finer(*value))).collect();
            let done = fine_of(pixels, (image.width(), image.height()), to, kernel);
            done.pixels().iter().map(|pixel| coarser(pixel.0)).collect()
        }
    };
    Raster::new(to.0, to.1, image.colour(), pixels)
}

fn fine_of<P: PixelTrait>(
    pixels: Vec<P>,
    from: (u32, u32),
    to: (u32, u32),
    kernel: FilterType,
) -> TypedImage<'static, P> {
    let source = TypedImage::from_pixels(from.0, from.1, pixels).expect("width x height pixels");
    let mut target = TypedImage::new(to.0, to.1);
    run(&source, &mut target, kernel);
    target
}

/// By the kind of pixel: `Resizer::resize`, which asks at run time, would compile the library's
/// kernels for all thirteen kinds into this crate (three quarters of its code, once). And by the
/// one kind of view that the library itself makes between its two passes, hence mutable where
/// nothing is changed: with another, every kernel of the second pass is compiled twice.
fn run<P: PixelTrait>(source: &TypedImage<P>, target: &mut TypedImage<P>, kernel: FilterType) {
    thread_local! {
        // Keeps its scratch buffers from picture to picture.
        static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
    }
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(kernel));
    RESIZER
        .with_borrow_mut(|resizer| resizer.resize_typed(source, target, &options))
        .expect("neither picture is empty");
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
    fn the_middle_of_the_narrowest_picture_is_its_middle() {
        for rows in [20_000u32, 20_001] {
            let line: Vec<u8> = (0..rows).map(|row| (row % 251) as u8).collect();
            let picture = Raster::new(1, rows, Colour::Grey, line.clone());
            let kept = narrowed(picture.clone(), 256);
            let from = (rows - kept.height()) / 2;
            assert_eq!(2 * from + kept.height(), rows, "as much is gone on either side");
            assert_eq!(kept.pixels(), &line[from as usize..][..kept.height() as usize]);
            let middle = middle(&picture, 256, 224, Filter::Nearest);
            assert_eq!((middle.width(), middle.height()), (224, 224));
            let seen = middle.pixels()[112 * 224];
            assert!(u32::from(seen).abs_diff(rows / 2 % 251) <= 1, "{seen}");
            // Where the whole is small enough, nothing is cut.
            assert_eq!(narrowed(picture.clone(), 32), picture);
        }
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
