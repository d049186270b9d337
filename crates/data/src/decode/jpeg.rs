//! JPEG: is it complete, then zune-jpeg in strict mode.
//!
//! Decoders forgive a file that ends early. So the walk over the markers comes first (no
//! end-of-image marker, no picture), and then the data must last to the last row.

use image::metadata::Orientation;
use image::{DynamicImage, RgbImage};
use memchr::memchr;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

const SOS: u8 = 0xDA;
const EOI: u8 = 0xD9;
/// Baseline and extended sequential frames.
const SOF0: u8 = 0xC0;
const SOF1: u8 = 0xC1;

pub(super) fn decode(bytes: &[u8]) -> Result<(DynamicImage, Orientation), String> {
    let frame = check_complete(bytes)?;
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(65_535)
        .set_max_height(65_535)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    // A scan that stops early is padded with zero bits for as long as an end marker follows: such
    // a picture turns grey and no error is told. Where one scan holds everything, the decoder is
    // shown the data without the marker, so that it must get by with what is there. It looks up
    // to 8 bytes ahead; 16 bytes of padding keep that from looking like a shortage.
    let mut without_end = Vec::new();
    let shown = if frame.one_scan {
        without_end.reserve_exact(frame.end + 16);
        without_end.extend_from_slice(&bytes[..frame.end]);
        without_end.extend([0; 16]);
        &without_end
    } else {
        bytes
    };
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(shown), options);
    let broken = |error| format!("is a broken JPEG: {error}");
    decoder.decode_headers().map_err(broken)?;
    let info = decoder.info().ok_or("is a JPEG without a frame header")?;
    super::check_pixels("JPEG", info.width.into(), info.height.into())?;
    let exif = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let rgb = decoder.decode().map_err(broken)?;
    let picture = RgbImage::from_raw(info.width.into(), info.height.into(), rgb)
        .ok_or("is a JPEG of a colour space that does not become RGB")?;
    Ok((DynamicImage::ImageRgb8(picture), exif.unwrap_or(Orientation::NoTransforms)))
}

struct Frame {
    /// Where the end-of-image marker stands.
    end: usize,
    /// Not progressive, all components in one scan: nearly every photograph.
    one_scan: bool,
}

/// Walks from marker to marker (ITU-T T.81, annex B) until the end of the image. Thumbnails inside
/// a segment are stepped over with it, so their end is not taken for the picture's.
fn check_complete(bytes: &[u8]) -> Result<Frame, String> {
    let cut = || format!("is a JPEG cut short: no end-of-image marker in {} bytes", bytes.len());
    let mut at = 2;
    let (mut scans, mut baseline) = (0, false);
    loop {
        // Up to the next marker: fill bytes, and the entropy-coded data after a scan's header.
        let marker = loop {
            let rest = bytes.get(at..).ok_or_else(cut)?;
            at += memchr(0xFF, rest).ok_or_else(cut)? + 1;
            match *bytes.get(at).ok_or_else(cut)? {
                // A stuffed byte, a restart marker, another fill byte, a marker without length.
                0x00 | 0xD0..=0xD7 | 0xFF | 0x01 => {}
                marker => break marker,
            }
        };
        at += 1;
        match marker {
            EOI if scans > 0 => {
                return Ok(Frame { end: at - 2, one_scan: baseline && scans == 1 });
            }
            EOI => return Err("is a JPEG that ends before its first scan".into()),
            SOS => scans += 1,
            SOF0 | SOF1 => baseline = true,
            _ => {}
        }
        let length = bytes.get(at..at + 2).ok_or_else(cut)?;
        at += usize::from(u16::from_be_bytes([length[0], length[1]]));
    }
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
    fn a_cut_scan_with_an_end_marker_glued_on_is_refused() {
        let bytes = encode(&picture(256, 192), ImageFormat::Jpeg);
        for percent in [30, 50, 80, 95] {
            let mut cut = bytes[..bytes.len() * percent / 100].to_vec();
            if cut.last() == Some(&0xFF) {
                cut.pop();
            }
            cut.extend([0xFF, 0xD9]);
            assert!(read_rgb(&cut, "repaired").is_err(), "{percent} %");
        }
    }

    #[test]
    fn the_exif_orientation_is_applied() {
        let bytes = encode(&picture(40, 24), ImageFormat::Jpeg);
        let plain = read_rgb(&bytes, "plain").unwrap();
        // APP1 with one tag, 0x0112 = 6: "turn right by 90 degrees to show".
        let mut exif =
            b"Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0".to_vec();
        exif.extend([0; 4]);
        let mut turned = bytes[..2].to_vec();
        turned.extend([0xFF, 0xE1]);
        turned.extend((exif.len() as u16 + 2).to_be_bytes());
        turned.extend(&exif);
        turned.extend(&bytes[2..]);
        let turned = read_rgb(&turned, "turned").unwrap();
        assert_eq!(turned, image::imageops::rotate90(&plain));
    }
}
