//! Decoding and resizing against Pillow: values made by `scripts/golden/pillow_pictures.py`.

use std::collections::HashMap;

use catscan_data::{Colour, Filter, Raster, RgbImage, decode, resize};
use serde::Deserialize;

#[derive(Deserialize)]
struct Resizing {
    nearest: Vec<Nearest>,
    convolved: Vec<Convolved>,
}

#[derive(Deserialize)]
struct Nearest {
    from: u32,
    to: u32,
    sources: Vec<u32>,
}

#[derive(Deserialize)]
struct Convolved {
    picture: String,
    filter: Filter,
    width: u32,
    height: u32,
    to: u32,
    want: String,
}

#[derive(Deserialize)]
struct Grey {
    width: u32,
    height: u32,
    want: String,
    to: u32,
    small: HashMap<Filter, String>,
}

#[derive(Deserialize)]
struct Formats {
    files: Vec<Format>,
}

#[derive(Deserialize)]
struct Format {
    name: String,
    file: String,
    width: u32,
    height: u32,
    want: String,
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn worst(got: &[u8], want: &[u8]) -> u8 {
    assert_eq!(got.len(), want.len());
    got.iter().zip(want).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

#[test]
fn nearest_is_pillows_to_the_pixel() {
    let golden: Resizing =
        serde_json::from_str(include_str!("../golden/pillow_resize.json")).unwrap();
    assert!(golden.nearest.len() > 10);
    for case in golden.nearest {
        // A picture that tells its columns, as high as wide so that rows are tested as well.
        let pixel =
            |x: u32, y: u32| image::Rgb([(x % 256) as u8, (x / 256) as u8, (y % 256) as u8]);
        let picture = RgbImage::from_fn(case.from, case.from, pixel);
        let small = resize::squash(&Raster::from(picture), case.to, Filter::Nearest).into_pixels();
        let (first_row, _) = small.split_at(case.to as usize * 3);
        let columns: Vec<u32> =
            first_row.chunks(3).map(|p| u32::from(p[0]) + 256 * u32::from(p[1])).collect();
        assert_eq!(columns, case.sources, "columns, {} to {}", case.from, case.to);
        let rows: Vec<u8> = small.chunks(3).step_by(case.to as usize).map(|p| p[2]).collect();
        let want: Vec<u8> = case.sources.iter().map(|row| (row % 256) as u8).collect();
        assert_eq!(rows, want, "rows, {} to {}", case.from, case.to);
    }
}

#[test]
fn convolutions_are_pillows_within_one_step() {
    let golden: Resizing =
        serde_json::from_str(include_str!("../golden/pillow_resize.json")).unwrap();
    assert_eq!(golden.convolved.len(), 24);
    for case in golden.convolved {
        let Convolved { filter, width, height, to, .. } = case;
        let picture = match case.picture.as_str() {
            "busy" => busy(width, height),
            _ => sharp(width, height),
        };
        let got = resize::squash(&picture, to, filter);
        let worst = worst(got.pixels(), &bytes(&case.want));
        assert!(worst <= 1, "{filter:?}, {width} x {height} to {to}: off by {worst}");
    }
}

/// As `busy` in the script.
fn busy(width: u32, height: u32) -> Raster {
    let value = |x: u32, y: u32, c: u32| ((x * 37 + y * 91 + c * 50 + x * y) % 256) as u8;
    let pixel = |x, y| image::Rgb([value(x, y, 0), value(x, y, 1), value(x, y, 2)]);
    RgbImage::from_fn(width, height, pixel).into()
}

/// As `sharp` in the script: black and white, so that kernels overshoot on both axes.
fn sharp(width: u32, height: u32) -> Raster {
    let value = |x: u32, y: u32, c: u32| {
        if (x * 7 + y * 5 + x * y + c).is_multiple_of(3) { 255 } else { 0 }
    };
    let pixel = |x, y| image::Rgb([value(x, y, 0), value(x, y, 1), value(x, y, 2)]);
    RgbImage::from_fn(width, height, pixel).into()
}

#[test]
fn grey_is_pillows_to_the_bit_and_then_resized_as_colour_is() {
    let golden: Grey = serde_json::from_str(include_str!("../golden/pillow_grey.json")).unwrap();
    let grey = busy(golden.width, golden.height).into_colour(Colour::Grey);
    assert_eq!(grey.pixels(), bytes(&golden.want));
    assert_eq!(golden.small.len(), 5);
    for (filter, want) in golden.small {
        let got = resize::squash(&grey, golden.to, filter);
        let worst = worst(got.pixels(), &bytes(&want));
        let most = u8::from(filter != Filter::Nearest);
        assert!(worst <= most, "{filter:?}: off by {worst}, at most {most} expected");
    }
}

#[test]
fn every_format_is_read_as_pillow_reads_it() {
    let golden: Formats =
        serde_json::from_str(include_str!("../golden/pillow_formats.json")).unwrap();
    assert!(golden.files.len() > 15);
    compare(golden);
}

#[test]
fn odd_pictures_are_read_as_pillow_shows_them() {
    let mut golden = odd_pictures();
    golden.files.retain(|case| !case.name.starts_with("half chroma"));
    assert!(golden.files.len() > 20);
    compare(golden);
}

#[test]
fn no_beginning_of_a_picture_is_one() {
    let mut cuts = 0;
    for case in odd_pictures().files {
        let whole = bytes(&case.file);
        for end in 0..whole.len() {
            assert!(decode::read_rgb(&whole[..end], &case.name).is_err(), "{}: {end}", case.name);
            cuts += 1;
        }
    }
    assert!(cuts > 15_000, "{cuts} cuts");
}

#[test]
fn half_size_chroma_is_smoothed_as_in_libjpeg_turbo_but_at_an_uneven_edge() {
    let mut golden = odd_pictures();
    golden.files.retain(|case| case.name.starts_with("half chroma"));
    assert_eq!(golden.files.len(), 6);
    for case in golden.files {
        let image = decode::read_rgb(&bytes(&case.file), &case.name).unwrap();
        assert_eq!(image.dimensions(), (case.width, case.height), "{}", case.name);
        let want = RgbImage::from_raw(case.width, case.height, bytes(&case.want)).unwrap();
        let (mut inside, mut edge) = (0, 0);
        for (x, y, pixel) in image.enumerate_pixels() {
            let off = worst(&pixel.0, &want.get_pixel(x, y).0);
            let at_edge = (x + 1 == case.width && !case.width.is_multiple_of(16))
                || (y + 1 == case.height && !case.height.is_multiple_of(16));
            let most = if at_edge { &mut edge } else { &mut inside };
            *most = off.max(*most);
        }
        // Ours takes for the last pixel what the file has beyond it, theirs the last sample inside.
        let most = if case.name.ends_with("edge cut") { 20 } else { 6 };
        assert!(inside <= 3, "{}: off by {inside}", case.name);
        assert!(edge <= most, "{}: off by {edge} at the edge", case.name);
    }
}

fn odd_pictures() -> Formats {
    serde_json::from_str(include_str!("../golden/odd_pictures.json")).unwrap()
}

fn compare(golden: Formats) {
    for case in golden.files {
        let image = decode::read_rgb(&bytes(&case.file), &case.name).unwrap();
        assert_eq!(image.dimensions(), (case.width, case.height), "{}", case.name);
        // Lossless formats are equal; JPEG decoders may round their transforms differently, and
        // those that smooth half-size chroma do it each in their own way.
        let most = match case.name.as_str() {
            "jpeg half chroma" => 6,
            name if name.starts_with("jpeg") => 3,
            _ => 0,
        };
        let worst = worst(image.as_raw(), &bytes(&case.want));
        assert!(worst <= most, "{}: off by {worst}, at most {most} expected", case.name);
    }
}
