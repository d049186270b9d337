//! Strict decoding: a picture is there in full, or it is refused with the reason.
//!
//! Common decoders fill what is missing with grey and say nothing; a network then learns grey. Here
//! - the format is told by the content, never by the extension;
//! - the number of pixels is checked in the header, before memory is taken;
//! - a JPEG must reach its end-of-image marker, a PNG its IEND, and every block in between must
//!   decode (checksums included); other formats must be there to their end too (`whole`), also
//!   behind their first picture;
//! - what may be whole but is of a kind that no decoder here reads is told apart from what is
//!   broken;
//! - the EXIF orientation is applied;
//! - the result is RGB, 8 bits: grey is repeated, palettes are looked up, 16-bit values are rounded
//!   to 8, alpha is dropped (as Keras and Pillow's `convert("RGB")` do, so what lies under
//!   transparent pixels shows; transparent pixels of a GIF are black), of an animation the first
//!   frame counts, CMYK JPEGs are read in Adobe's inverted convention as Pillow reads them.

mod jpeg;
mod png;
mod whole;

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::error::{UnsupportedError, UnsupportedErrorKind};
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageError, ImageFormat, ImageReader};

pub use image::RgbImage;

use crate::error::BadImage;

/// Most pixels a picture may have.
pub const MAX_PIXELS: u64 = 100_000_000;

/// Most bytes a picture may take as its decoder makes it: so many pixels of three channels.
const MAX_DECODED_BYTES: u64 = 3 * MAX_PIXELS;

/// Most bytes a picture's file may have.
pub const MAX_BYTES: u64 = 1 << 29;

/// The bytes of one picture's file to RGB; `name` is for the message only.
///
/// # Errors
/// Bytes that are not a whole picture of a kind that is read here; [`BadImage::fault`] says what
/// helps.
pub fn read_rgb(bytes: &[u8], name: &str) -> Result<RgbImage, BadImage> {
    let told = |why| match why {
        Why::Broken(reason) => BadImage::new(name, reason),
        Why::OtherKind(reason) => BadImage::other_kind(name, reason),
    };
    caught(name, || decode(bytes).map_err(told))
}

/// A decoder that panics on a strange file costs that picture, not the program.
pub(crate) fn caught<T>(
    name: &str,
    read: impl FnOnce() -> Result<T, BadImage>,
) -> Result<T, BadImage> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(BadImage::new(name, "made its decoder panic")))
}

/// Why bytes do not become a picture.
enum Why {
    Broken(String),
    /// For all that is known it is whole.
    OtherKind(String),
}

impl From<String> for Why {
    fn from(reason: String) -> Why {
        Why::Broken(reason)
    }
}

impl Why {
    /// `kind`: with its article, as in "a TIFF".
    fn other_kind(kind: &str, what: impl std::fmt::Display) -> Why {
        Why::OtherKind(format!("is {kind} of a kind that is not read ({what}); save it as PNG"))
    }
}

/// A picture's file to RGB.
///
/// # Errors
/// As [`read_rgb`], and a file that cannot be read or is none.
pub fn open_rgb(path: &Path) -> Result<RgbImage, BadImage> {
    let name = path.display().to_string();
    read_rgb(&read_file(path, &name)?, &name)
}

/// A whole file in memory, or why not.
pub(crate) fn read_file(path: &Path, name: &str) -> Result<Vec<u8>, BadImage> {
    let unreadable = |error: std::io::Error| BadImage::unreadable(name, error.to_string());
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if meta.is_dir() {
        return Err(BadImage::new(name, "is a folder, want a picture"));
    }
    if !meta.is_file() {
        return Err(BadImage::new(name, "is a device or a pipe, want a picture"));
    }
    if meta.len() > MAX_BYTES {
        return Err(BadImage::new(name, too_long(meta.len())));
    }
    std::fs::read(path).map_err(unreadable)
}

pub(crate) fn too_long(bytes: u64) -> String {
    format!("has {bytes} bytes, at most {MAX_BYTES} are read")
}

fn decode(bytes: &[u8]) -> Result<RgbImage, Why> {
    let format = tell_format(bytes)?;
    let (mut picture, orientation) = match format {
        ImageFormat::Jpeg => jpeg::decode(bytes)?,
        _ => {
            if format == ImageFormat::Png {
                png::check_complete(bytes)?;
            }
            decode_other(bytes, format)?
        }
    };
    picture.apply_orientation(orientation);
    Ok(picture.into_rgb8())
}

fn decode_other(bytes: &[u8], format: ImageFormat) -> Result<(DynamicImage, Orientation), Why> {
    let name = called(format);
    let broken = |error: ImageError| match error {
        ImageError::Unsupported(error) => Why::other_kind(&format!("a {name}"), feature(&error)),
        error => Why::Broken(format!("is a broken {name}: {error}")),
    };
    let reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    check_pixels(name, width.into(), height.into())?;
    if decoder.total_bytes() > MAX_DECODED_BYTES {
        let [have, most] =
            [decoder.total_bytes(), MAX_DECODED_BYTES].map(|n| n.div_ceil(1_000_000));
        return Err(Why::Broken(format!(
            "is a {name} of {width} x {height} that takes {have} MB once decoded, at most {most} \
             are read"
        )));
    }
    let orientation = decoder.orientation().map_err(broken)?;
    let picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    whole::check(bytes, format)?;
    Ok((picture, orientation))
}

/// What it is that the decoder does not support.
fn feature(error: &UnsupportedError) -> String {
    match error.kind() {
        UnsupportedErrorKind::GenericFeature(what) => what.clone(),
        UnsupportedErrorKind::Color(ExtendedColorType::Unknown(bits)) => {
            format!("colours of {bits} bits a pixel")
        }
        _ => error.to_string(),
    }
}

fn check_pixels(format: &str, width: u64, height: u64) -> Result<(), String> {
    if width * height == 0 {
        return Err(format!("is a {format} of {width} x {height} pixels"));
    }
    if width * height > MAX_PIXELS {
        let most = MAX_PIXELS / 1_000_000;
        let have = (width * height).div_ceil(1_000_000);
        return Err(format!(
            "is a {format} of {width} x {height} = {have} million pixels, at most {most} are read"
        ));
    }
    Ok(())
}

/// What the content says it is.
pub(crate) fn format(bytes: &[u8]) -> &'static str {
    tell_format(bytes).map_or("unknown", called)
}

fn called(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::Gif => "GIF",
        ImageFormat::Bmp => "BMP",
        ImageFormat::WebP => "WebP",
        ImageFormat::Tiff => "TIFF",
        _ => "unknown",
    }
}

/// By the first bytes. Anything else is described, so that the message helps.
fn tell_format(bytes: &[u8]) -> Result<ImageFormat, Why> {
    if bytes.is_empty() {
        return Err(Why::Broken("ends after 0 bytes, want a picture".into()));
    }
    if let Ok(format) = image::guess_format(bytes)
        && called(format) != "unknown"
    {
        return Ok(format);
    }
    if let Some(other) = other_format(bytes) {
        let what = format!("is {other}, which is not read; save it as PNG");
        return Err(Why::OtherKind(what));
    }
    let head = &bytes[..bytes.len().min(512)];
    let text = String::from_utf8_lossy(head).trim_start().to_ascii_lowercase();
    if text.starts_with("<!doctype html") || text.starts_with("<html") {
        return Err(Why::Broken("is an HTML page, want a picture".into()));
    }
    let start: Vec<String> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
    let (start, n) = (start.join(" "), bytes.len());
    let want = "want a JPEG, PNG, GIF, BMP, WebP or TIFF";
    Err(Why::Broken(format!("starts with bytes {start} ({n} in all), {want}")))
}

/// A kind of picture that is met and not read, by what its first bytes promise.
fn other_format(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [b'I', b'I', 0x2B, 0, 8, 0, ..] | [b'M', b'M', 0, 0x2B, 0, 8, ..] => Some("a BigTIFF"),
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => match brand.first_chunk()? {
            b"heic" | b"heix" | b"hevc" | b"mif1" | b"msf1" => Some("a HEIC"),
            b"avif" | b"avis" => Some("an AVIF"),
            _ => None,
        },
        [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => Some("a JPEG XL"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;

    pub(crate) fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// Smooth colours with some texture, so that JPEGs have real entropy data.
    pub(crate) fn picture(width: u32, height: u32) -> DynamicImage {
        let value = |x: u32, y: u32, c: u32| ((x * 5 + y * 3 + c * 60 + (x * y) % 23) % 256) as u8;
        let pixel = |x, y| image::Rgb([value(x, y, 0), value(x, y, 1), value(x, y, 2)]);
        DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, pixel))
    }

    fn reason(bytes: &[u8]) -> String {
        read_rgb(bytes, "x.jpg").expect_err("must be refused").reason
    }

    #[test]
    fn lossless_formats_come_back_whatever_they_are_called() {
        let want = picture(37, 21);
        for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP] {
            let got = read_rgb(&encode(&want, format), "called.jpg").unwrap();
            assert_eq!(got, want.to_rgb8(), "{format:?}");
        }
    }

    /// A flipped bit may make another valid code. What is read is then whole, with a blemish.
    #[test]
    fn no_flipped_bit_of_a_jpeg_makes_another_size_or_a_panic() {
        let bytes = encode(&picture(40, 30), ImageFormat::Jpeg);
        let sizes = bytes.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap() + 5;
        let (mut refused, mut read) = (0, 0);
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match read_rgb(&flipped, "flipped") {
                Err(_) => refused += 1,
                Ok(_) if (sizes..sizes + 4).contains(&(bit / 8)) => {}
                Ok(picture) => {
                    assert_eq!(picture.dimensions(), (40, 30), "bit {bit}");
                    read += 1;
                }
            }
        }
        assert!(refused > 0 && read > 0, "{refused} refused, {read} read");
    }

    /// Forty bytes of a file may announce four hundred megabytes.
    #[test]
    fn what_would_take_more_than_so_much_memory_is_refused_from_its_header() {
        let side = 9_999u16.to_le_bytes();
        let mut gif = b"GIF89a".to_vec();
        gif.extend([side, side].concat());
        gif.extend([0x80, 0, 0, 0, 0, 0, 255, 255, 255]); // two colours
        gif.extend([0x2C, 0, 0, 0, 0, 1, 0, 1, 0, 0]); // a frame of one pixel
        gif.extend([2, 2, 0x44, 1, 0, 0x3B]);
        let said = reason(&gif);
        let want = "is a GIF of 9999 x 9999 that takes 400 MB once decoded, at most 300 are read";
        assert_eq!(said, want);
    }

    #[test]
    fn every_cut_of_every_format_is_refused() {
        let whole = picture(120, 90);
        let formats = [
            ImageFormat::Jpeg,
            ImageFormat::Png,
            ImageFormat::Bmp,
            ImageFormat::Gif,
            ImageFormat::Tiff,
            ImageFormat::WebP,
        ];
        for format in formats {
            let bytes = encode(&whole, format);
            assert!(read_rgb(&bytes, "whole").is_ok(), "{format:?}");
            let percents = [1, 10, 50, 90, 99].map(|percent| bytes.len() * percent / 100);
            for end in percents.into_iter().chain(bytes.len() - 3..bytes.len()) {
                let bad = read_rgb(&bytes[..end], "cut");
                assert!(bad.is_err(), "{format:?} cut after {end} of {} bytes", bytes.len());
            }
        }
    }

    #[test]
    fn what_is_not_a_picture_is_called_by_name() {
        assert_eq!(reason(b""), "ends after 0 bytes, want a picture");
        assert!(reason(b"\n <!DOCTYPE html><html>").contains("HTML page"));
        assert!(reason(b"plain text").contains("70 6c 61 69 6e"), "{}", reason(b"plain text"));
    }

    #[test]
    fn what_is_whole_but_not_read_is_not_called_broken() {
        let other = |bytes: &[u8]| {
            let bad = read_rgb(bytes, "x.tif").expect_err("must be refused");
            assert_eq!(bad.fault, Fault::OtherKind, "{bad}");
            assert!(bad.reason.ends_with("; save it as PNG"), "{bad}");
            bad.reason
        };
        let (photometric, bits, compression, palette) = (262, 258, 259, 3);
        let not_read: [&[(u16, u16)]; 4] = [
            &[(photometric, palette), (320, 0)],
            &[(bits, 32)],
            &[(bits, 32), (339, 3)],
            &[(compression, 50_000)],
        ];
        for entries in not_read {
            let reason = other(&whole::tests::tiff_of(1, entries));
            assert!(reason.starts_with("is a TIFF of a kind that is not read ("), "{reason}");
        }
        assert_eq!(other(b"II\x2B\0\x08\0\0\0"), "is a BigTIFF, which is not read; save it as PNG");
        assert!(other(b"\0\0\0\x18ftypheic\0\0").starts_with("is a HEIC, "));
        let broken = read_rgb(&whole::tests::tiff_of(1, &[])[..20], "cut.tif").unwrap_err();
        assert_eq!(broken.fault, Fault::Broken, "{broken}");
    }

    #[test]
    fn a_huge_header_is_refused_before_memory_is_taken() {
        let mut bytes = encode(&picture(1, 1), ImageFormat::Png);
        for (side, at) in [(100_000u32, 16), (100_000, 20)] {
            bytes[at..at + 4].copy_from_slice(&side.to_be_bytes());
        }
        let crc = png::crc(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        let text = reason(&bytes);
        assert!(text.contains("100000 x 100000 = 10000 million pixels, at most 100"), "{text}");
    }

    #[test]
    fn grey_alpha_palette_and_sixteen_bits_become_rgb() {
        let grey = DynamicImage::ImageLuma8(image::GrayImage::from_pixel(3, 2, image::Luma([77])));
        let decode = |p: &DynamicImage| read_rgb(&encode(p, ImageFormat::Png), "p").unwrap();
        assert_eq!(decode(&grey).get_pixel(1, 1).0, [77; 3]);
        let alpha = image::RgbaImage::from_pixel(2, 2, image::Rgba([10, 20, 30, 0]));
        assert_eq!(decode(&DynamicImage::ImageRgba8(alpha)).get_pixel(0, 0).0, [10, 20, 30]);
        let deep = image::ImageBuffer::from_pixel(2, 2, image::Rgb([0u16, 32_768, 65_535]));
        assert_eq!(decode(&DynamicImage::ImageRgb16(deep)).get_pixel(0, 0).0, [0, 128, 255]);
        for (width, height) in [(1, 20_000), (20_000, 1), (1, 1)] {
            let narrow = picture(width, height);
            assert_eq!(decode(&narrow), narrow.to_rgb8(), "{width} x {height}");
        }
    }
}
