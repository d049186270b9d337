//! JPEG decoders and resizers side by side: the same pictures, in turns, one thread.
//!
//!     cargo xtask bench decoders FOLDER [SIZE_PX]                      # FOLDER/class/picture.jpg
//!     cargo xtask bench decoders --features turbo FOLDER [SIZE_PX]     # needs cmake and nasm
//!
//! A figure is the median of nine turns, by the thread's own processor time, so that others who use
//! the machine spoil little. `turbo` adds libjpeg-turbo, what all others are held against, and its
//! decoding at half size: how many of the pictures are large enough for it, what it gains and how
//! far the resized result is from that of the whole picture.

use std::hint::black_box;

use cpu_time::ThreadTime;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;

const TURNS: usize = 9;

#[derive(Clone, PartialEq)]
struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

type Decode = fn(&[u8]) -> Option<Picture>;
type Resize = fn(&Picture, u32) -> Picture;

fn main() {
    let mut words = std::env::args().skip(1);
    let folder = words.next().expect("which folder of class/picture.jpg?");
    let size: u32 = words.next().map_or(224, |word| word.parse().expect("a size in pixels"));
    let files = read(&folder);
    let bytes: usize = files.iter().map(Vec::len).sum();
    println!("{} pictures of {} KB, to {size} px\n", files.len(), bytes / files.len() / 1000);
    let decoders: Vec<(&str, Decode)> = vec![
        #[cfg(feature = "turbo")]
        ("libjpeg-turbo", turbo::whole),
        ("zune-jpeg, strict", zune),
        ("jpeg-decoder", jpeg_decoder),
    ];
    let first = decoders[0].1;
    println!("| decoder | pictures/s | of the first | largest difference |\n|---|---|---|---|");
    let seconds = in_turns(decoders.len(), |k| {
        files.iter().for_each(|file| drop(black_box(decoders[k].1(black_box(file)))));
    });
    for (k, (name, decode)) in decoders.iter().enumerate() {
        let worst = files.iter().map(|file| worst(decode(file), first(file))).max();
        row(name, files.len(), seconds[k], seconds[0], &format!("{}", worst.unwrap_or(0)));
    }
    let pictures: Vec<Picture> = files.iter().filter_map(|file| first(file)).collect();
    let resizers: [(&str, Resize); 2] =
        [("fast_image_resize", fast), ("image's imageops", imageops)];
    println!(
        "\n| resizer, bilinear | pictures/s | of the first | largest difference |\n|---|---|---|---|"
    );
    let seconds = in_turns(resizers.len(), |k| {
        pictures.iter().for_each(|picture| drop(black_box(resizers[k].1(picture, size))));
    });
    for (k, (name, resize)) in resizers.iter().enumerate() {
        let gap = |p: &Picture| worst(Some(resize(p, size)), Some(fast(p, size)));
        let worst = pictures.iter().map(gap).max();
        row(name, pictures.len(), seconds[k], seconds[0], &format!("{}", worst.unwrap_or(0)));
    }
    #[cfg(feature = "turbo")]
    turbo::at_half_size(&files, size);
}

/// All that every decoder here can read.
fn read(folder: &str) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for class in std::fs::read_dir(folder).expect("a folder") {
        for file in std::fs::read_dir(class.expect("an entry").path()).expect("a class folder") {
            let bytes = std::fs::read(file.expect("an entry").path()).expect("a file");
            if zune(&bytes).is_some() && jpeg_decoder(&bytes).is_some() {
                files.push(bytes);
            }
        }
    }
    assert!(!files.is_empty(), "{folder}: no JPEG in class/picture.jpg");
    files
}

/// Median seconds of the processor's time for each; the first turn warms up.
fn in_turns(count: usize, work: impl Fn(usize)) -> Vec<f64> {
    let mut seconds = vec![Vec::new(); count];
    for turn in 0..=TURNS {
        for (k, seconds) in seconds.iter_mut().enumerate() {
            let began = ThreadTime::now();
            work(k);
            if turn > 0 {
                seconds.push(began.elapsed().as_secs_f64());
            }
        }
    }
    seconds.iter_mut().for_each(|seconds| seconds.sort_by(f64::total_cmp));
    seconds.iter().map(|seconds| seconds[TURNS / 2]).collect()
}

fn row(name: &str, count: usize, seconds: f64, first: f64, last: &str) {
    println!("| {name} | {:.0} | {:.2} | {last} |", count as f64 / seconds, first / seconds);
}

fn worst(a: Option<Picture>, b: Option<Picture>) -> u8 {
    match (a, b) {
        (Some(a), Some(b)) if a.rgb.len() == b.rgb.len() => {
            a.rgb.iter().zip(&b.rgb).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
        }
        _ => 255,
    }
}

fn zune(bytes: &[u8]) -> Option<Picture> {
    let options =
        DecoderOptions::default().set_strict_mode(true).jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let rgb = decoder.decode().ok()?;
    let info = decoder.info()?;
    Some(Picture { width: info.width.into(), height: info.height.into(), rgb })
}

fn jpeg_decoder(bytes: &[u8]) -> Option<Picture> {
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    let rgb = decoder.decode().ok()?;
    let info = decoder.info()?;
    let (width, height) = (info.width.into(), info.height.into());
    (info.pixel_format == jpeg_decoder::PixelFormat::RGB24).then_some(Picture {
        width,
        height,
        rgb,
    })
}

fn fast(from: &Picture, size: u32) -> Picture {
    let source = TypedImageRef::<U8x3>::from_buffer(from.width, from.height, &from.rgb);
    let mut rgb = vec![0; size as usize * size as usize * 3];
    let mut target = TypedImage::<U8x3>::from_buffer(size, size, &mut rgb).expect("its size");
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    Resizer::new()
        .resize_typed(&source.expect("its size"), &mut target, &options)
        .expect("neither is empty");
    Picture { width: size, height: size, rgb }
}

fn imageops(from: &Picture, size: u32) -> Picture {
    let image = image::RgbImage::from_raw(from.width, from.height, from.rgb.clone());
    let filter = image::imageops::FilterType::Triangle;
    let small = image::imageops::resize(&image.expect("its size"), size, size, filter);
    Picture { width: size, height: size, rgb: small.into_raw() }
}

#[cfg(feature = "turbo")]
mod turbo {
    use turbojpeg::{Decompressor, Image, PixelFormat, ScalingFactor};

    use super::{Picture, fast, in_turns, row, worst};

    pub fn whole(bytes: &[u8]) -> Option<Picture> {
        decode(bytes, ScalingFactor::ONE)
    }

    fn decode(bytes: &[u8], scale: ScalingFactor) -> Option<Picture> {
        let mut decoder = Decompressor::new().ok()?;
        decoder.set_scaling_factor(scale).ok()?;
        let header = decoder.read_header(bytes).ok()?.scaled(scale);
        let (width, height) = (header.width, header.height);
        let mut rgb = vec![0; width * height * 3];
        let (pixels, pitch) = (&mut rgb[..], width * 3);
        decoder
            .decompress(bytes, Image { pixels, width, pitch, height, format: PixelFormat::RGB })
            .ok()?;
        Some(Picture { width: width as u32, height: height as u32, rgb })
    }

    pub fn at_half_size(files: &[Vec<u8>], size: u32) {
        let large = |file: &&Vec<u8>| {
            whole(file).is_some_and(|picture| picture.width.min(picture.height) >= 2 * size)
        };
        let fit: Vec<&Vec<u8>> = files.iter().filter(large).collect();
        println!("\n{} of {} are at least twice {size} px on both sides\n", fit.len(), files.len());
        if fit.is_empty() {
            return;
        }
        let small = |file: &[u8], scale| decode(file, scale).map(|picture| fast(&picture, size));
        let scales = [ScalingFactor::ONE, ScalingFactor::ONE_HALF];
        let seconds = in_turns(2, |k| fit.iter().for_each(|file| drop(small(file, scales[k]))));
        println!(
            "| decoded and resized | pictures/s | of the first | largest difference |\n|---|---|---|---|"
        );
        for (k, name) in ["whole", "half size"].into_iter().enumerate() {
            let gap = |file: &&Vec<u8>| worst(small(file, scales[k]), small(file, scales[0]));
            let worst = fit.iter().map(gap).max().unwrap_or(0);
            row(name, fit.len(), seconds[k], seconds[0], &worst.to_string());
        }
    }
}
