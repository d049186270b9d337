//! JPEG: is it complete, then zune-jpeg in strict mode.
//!
//! Decoders forgive a file that ends early. So the walk over the markers comes first (no
//! end-of-image marker, no picture), and then the data must last to the last block.

mod scans;

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};
use memchr::memchr;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::Why;

const SOS: u8 = 0xDA;
const EOI: u8 = 0xD9;
const DRI: u8 = 0xDD;
/// Baseline and extended sequential frames.
const SOF0: u8 = 0xC0;
const SOF1: u8 = 0xC1;

pub(super) fn decode(bytes: &[u8]) -> Result<(DynamicImage, Orientation), Why> {
    let frame = check_complete(bytes)?;
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(65_535)
        .set_max_height(65_535)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    // A scan that stops early is padded with zero bits for as long as an end marker follows: such
    // a picture turns grey and no error is told. Where one scan holds everything, the decoder is
    // shown the data without the marker and with one bits behind them, which are no Huffman code.
    // It looks up to 8 bytes ahead; 16 of padding keep that from looking like a shortage. Scans of
    // other files are walked over before, which takes longer.
    let mut without_end = Vec::new();
    let shown = if frame.plain {
        without_end.reserve_exact(frame.end + 32);
        without_end.extend_from_slice(&bytes[..frame.end]);
        without_end.extend([0xFF, 0x00].repeat(16));
        &without_end
    } else {
        bytes
    };
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(shown), options);
    decoder.decode_headers().map_err(broken)?;
    let info = decoder.info().ok_or_else(|| "is a JPEG without a frame header".to_owned())?;
    super::check_pixels("JPEG", info.width.into(), info.height.into())?;
    check_plausible(info.width.into(), info.height.into(), bytes.len() as u64)?;
    if !frame.plain {
        scans::check(bytes)?;
    }
    let exif = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let rgb = decoder.decode().map_err(broken)?;
    let picture = RgbImage::from_raw(info.width.into(), info.height.into(), rgb)
        .ok_or_else(|| "is a JPEG of a colour space that does not become RGB".to_owned())?;
    Ok((DynamicImage::ImageRgb8(picture), exif.unwrap_or(Orientation::NoTransforms)))
}

/// A header is cheap, and a progressive picture's coefficients take 12 bytes a pixel before the
/// first is read. So a file that cannot hold its pixels is refused before: each block of 8 x 8
/// takes a Huffman code of one bit at least, and one component has a block for every 16 x 8 pixels.
fn check_plausible(width: u64, height: u64, bytes: u64) -> Result<(), String> {
    const PIXELS_A_BYTE: u64 = 8 * 16 * 8;
    if width * height <= bytes.saturating_mul(PIXELS_A_BYTE) {
        return Ok(());
    }
    Err(format!(
        "is a JPEG of {width} x {height} pixels in {bytes} bytes, which cannot hold more than \
         {PIXELS_A_BYTE} a byte"
    ))
}

struct Frame {
    /// Where the end-of-image marker stands.
    end: usize,
    /// Not progressive, all in one scan, no restarts: nearly every photograph.
    plain: bool,
}

/// Walks from marker to marker (ITU-T T.81, annex B) until the end of the image. Thumbnails inside
/// a segment are stepped over with it, so their end is not taken for the picture's.
fn check_complete(bytes: &[u8]) -> Result<Frame, Why> {
    let cut = || format!("is a JPEG cut short: no end-of-image marker in {} bytes", bytes.len());
    let mut at = 2;
    let (mut scans, mut sequential, mut restarts) = (0, false, false);
    // Of the frame, and of a scan.
    let (mut components, mut met) = (0, 0);
    loop {
        let marker = next_marker(bytes, &mut at).ok_or_else(cut)?;
        match marker {
            EOI if scans > 0 => {
                let one_scan = scans == 1 && met == components;
                return Ok(Frame { end: at - 2, plain: sequential && one_scan && !restarts });
            }
            EOI => return Err(Why::Broken("is a JPEG that ends before its first scan".into())),
            SOS => (scans, met) = (scans + 1, *bytes.get(at + 2).ok_or_else(cut)?),
            0xC3 | 0xC5..=0xC7 => return Err(Why::other_kind("a JPEG", "lossless, or layered")),
            0xC9..=0xCB | 0xCD..=0xCF => {
                return Err(Why::other_kind("a JPEG", "arithmetic coding"));
            }
            SOF0 | SOF1 => {
                (sequential, components) = (true, *bytes.get(at + 7).ok_or_else(cut)?);
            }
            DRI => restarts |= bytes.get(at + 2..at + 4).is_some_and(|every| every != [0, 0]),
            _ => {}
        }
        let length = bytes.get(at..at + 2).ok_or_else(cut)?;
        at += usize::from(u16::from_be_bytes([length[0], length[1]]));
    }
}

/// Up to behind the next marker that has a length, or the end's: over fill bytes, and the
/// entropy-coded data after a scan's header.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        *at += memchr(0xFF, bytes.get(*at..)?)? + 1;
        match *bytes.get(*at)? {
            // A stuffed byte, a restart marker, another fill byte, a marker without length.
            0x00 | 0xD0..=0xD7 | 0xFF | 0x01 => {}
            marker => {
                *at += 1;
                return Some(marker);
            }
        }
    }
}

fn broken(what: impl std::fmt::Display) -> String {
    format!("is a broken JPEG: {what}")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{encode, picture};
    use crate::decode::read_rgb;
    use image::ImageFormat;

    #[test]
    fn a_missing_end_marker_is_told() {
        let bytes = encode(&picture(64, 48), ImageFormat::Jpeg);
        let error = read_rgb(&bytes[..bytes.len() - 2], "a.jpg").unwrap_err();
        assert!(error.to_string().starts_with("a.jpg: is a JPEG cut short"), "{error}");
        let mut padded = bytes.clone();
        padded.extend([0; 100]);
        assert!(read_rgb(&padded, "trailing bytes are harmless").is_ok());
    }

    #[test]
    fn a_jpeg_of_another_kind_is_not_called_broken() {
        let mut bytes = encode(&picture(64, 48), ImageFormat::Jpeg);
        let at = bytes.windows(2).position(|w| w == [0xFF, super::SOF0]).unwrap();
        for (frame, kind) in [(0xC3, "lossless, or layered"), (0xC9, "arithmetic coding")] {
            bytes[at + 1] = frame;
            let bad = read_rgb(&bytes, "x.jpg").unwrap_err();
            assert_eq!(bad.fault, crate::error::Fault::OtherKind, "{bad}");
            let want = format!("is a JPEG of a kind that is not read ({kind}); save it as PNG");
            assert_eq!(bad.reason, want);
        }
    }

    /// With an APP1 segment that holds one tag, 0x0112.
    fn turned(bytes: &[u8], orientation: u8) -> Vec<u8> {
        let mut exif = b"Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        exif.extend([orientation, 0, 0]);
        exif.extend([0; 4]);
        let mut turned = bytes[..2].to_vec();
        turned.extend([0xFF, 0xE1]);
        turned.extend((exif.len() as u16 + 2).to_be_bytes());
        turned.extend(&exif);
        turned.extend(&bytes[2..]);
        turned
    }

    #[test]
    fn every_exif_orientation_is_applied() {
        use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};
        let bytes = encode(&picture(40, 24), ImageFormat::Jpeg);
        let plain = read_rgb(&bytes, "plain").unwrap();
        // As Pillow's ImageOps.exif_transpose: 5 mirrors along the falling diagonal, 7 the rising.
        let want = [
            plain.clone(),
            flip_horizontal(&plain),
            rotate180(&plain),
            flip_vertical(&plain),
            flip_horizontal(&rotate90(&plain)),
            rotate90(&plain),
            flip_horizontal(&rotate270(&plain)),
            rotate270(&plain),
        ];
        for (orientation, want) in (1..).zip(want) {
            let got = read_rgb(&turned(&bytes, orientation), "turned").unwrap();
            assert_eq!(got, want, "orientation {orientation}");
        }
        assert_eq!(read_rgb(&turned(&bytes, 9), "no such orientation").unwrap(), plain);
    }

    #[test]
    fn a_header_that_the_file_cannot_hold_is_refused() {
        let mut bytes = encode(&picture(64, 48), ImageFormat::Jpeg);
        let at = bytes.windows(2).position(|w| w == [0xFF, super::SOF0]).unwrap();
        bytes[at + 5..at + 9].copy_from_slice(&[0x26, 0xAC, 0x26, 0xAC]);
        let reason = read_rgb(&bytes, "huge.jpg").unwrap_err().reason;
        assert!(reason.starts_with("is a JPEG of 9900 x 9900 pixels in"), "{reason}");
        // The emptiest pictures there are stay far within it.
        let flat = image::GrayImage::from_pixel(4000, 3000, image::Luma([128]));
        let flat = encode(&image::DynamicImage::ImageLuma8(flat), ImageFormat::Jpeg);
        assert!(read_rgb(&flat, "flat").is_ok(), "{} bytes", flat.len());
    }
}
