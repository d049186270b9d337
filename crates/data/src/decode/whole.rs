//! Is a GIF, a WebP or a TIFF there to its end? Decoders stop where the first picture ends, so an
//! animation or a TIFF of several pages that is cut behind it would pass.
//!
//! A GIF must reach its trailer, block by block; a WebP have the length that its header announces;
//! each page of a TIFF have its directory and its data. (A PNG's chunks are summed to the last one
//! by [`super::png`].) Of a JPEG of several pictures (MPO) the others are not asked for: programs
//! that take them away leave the table that names them, and the picture is whole.

use image::ImageFormat;

pub(super) fn check(bytes: &[u8], format: ImageFormat) -> Result<(), String> {
    match format {
        ImageFormat::Gif => gif(bytes),
        ImageFormat::WebP => webp(bytes),
        ImageFormat::Tiff => tiff(bytes),
        _ => Ok(()),
    }
}

/// GIF89a, appendix A.
fn gif(bytes: &[u8]) -> Result<(), String> {
    let cut = || format!("is a GIF cut short: no trailer in {} bytes", bytes.len());
    let byte = |at: usize| bytes.get(at).copied().ok_or_else(cut);
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = 13 + table(byte(10)?);
    loop {
        match byte(at)? {
            b';' => return Ok(()),
            // An extension has a label.
            b'!' => at += 2,
            // A picture has a place, a size, perhaps a table, and the size of its codes.
            b',' => at += 11 + table(byte(at + 9)?),
            // Decoders step over what stands between blocks.
            _ => {
                at += 1;
                continue;
            }
        }
        // The data, in blocks that tell their length; one of length 0 is the last.
        while byte(at)? != 0 {
            at += 1 + usize::from(byte(at)?);
        }
        at += 1;
    }
}

/// RIFF: four letters, and how many bytes follow.
fn webp(bytes: &[u8]) -> Result<(), String> {
    let announced = bytes.get(4..8).and_then(|length| length.try_into().ok());
    let want = 8 + u64::from(announced.map_or(0, u32::from_le_bytes));
    let have = bytes.len() as u64;
    if have >= want {
        return Ok(());
    }
    Err(format!("is a WebP cut short: {have} bytes of the {want} that it announces"))
}

/// TIFF 6.0, section 2: a chain of directories, each of which says where its page's data lie.
fn tiff(bytes: &[u8]) -> Result<(), String> {
    let file = Tiff { bytes, little: bytes.starts_with(b"II") };
    let cut = |page: usize| {
        let n = bytes.len();
        format!("is a TIFF cut short: page {page} is not all within its {n} bytes")
    };
    let (mut at, mut page) = (file.long(4).ok_or_else(|| cut(1))?, 0);
    // Each number that is read takes two bytes at least, so that a file which makes us read more of
    // them than it has bytes leads in a circle.
    let mut left = bytes.len();
    while at != 0 {
        page += 1;
        let Some(directory) = file.directory(at, &mut left) else {
            if left == 0 {
                return Err(format!("is a broken TIFF: its {page} pages name each other"));
            }
            return Err(cut(page));
        };
        // The decoder has read the first page's.
        if page > 1 && directory.data_end > bytes.len() as u64 {
            return Err(cut(page));
        }
        at = directory.next;
    }
    Ok(())
}

struct Directory {
    /// Behind the last byte of its page's strips or tiles.
    data_end: u64,
    /// Where the next page's directory lies; 0 is none.
    next: u32,
}

struct Tiff<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl Tiff<'_> {
    fn short(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    /// Nothing where it is not all there, or no number is `left` to be read.
    fn directory(&self, at: u32, left: &mut usize) -> Option<Directory> {
        const STRIPS: [u16; 2] = [273, 279];
        const TILES: [u16; 2] = [324, 325];
        let at = at as usize;
        *left = left.checked_sub(1)?;
        let entries = usize::from(self.short(at)?);
        let (mut starts, mut lengths) = (Vec::new(), Vec::new());
        for i in 0..entries {
            *left = left.checked_sub(1)?;
            let entry = at + 2 + 12 * i;
            let tag = self.short(entry)?;
            if [STRIPS[0], TILES[0]].contains(&tag) {
                starts = self.numbers(entry, left)?;
            } else if [STRIPS[1], TILES[1]].contains(&tag) {
                lengths = self.numbers(entry, left)?;
            }
        }
        let ends = starts.iter().zip(&lengths).map(|(start, n)| u64::from(*start) + u64::from(*n));
        let data_end = ends.max().unwrap_or(0);
        Some(Directory { data_end, next: self.long(at + 2 + 12 * entries)? })
    }

    /// An entry's values of 16 or 32 bits: within it where four bytes hold them, else where it
    /// says.
    fn numbers(&self, entry: usize, left: &mut usize) -> Option<Vec<u32>> {
        let (short, count) = (self.short(entry + 2)? == 3, self.long(entry + 4)? as usize);
        let size = if short { 2 } else { 4 };
        let at = match count.checked_mul(size)? {
            0..=4 => entry + 8,
            _ => self.long(entry + 8)? as usize,
        };
        let mut numbers = Vec::new();
        for i in 0..count {
            *left = left.checked_sub(1)?;
            let at = at.checked_add(i * size)?;
            numbers.push(if short { self.short(at)?.into() } else { self.long(at)? });
        }
        Some(numbers)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use image::codecs::gif::GifEncoder;
    use image::{DynamicImage, Frame};

    use super::super::tests::{encode, picture};
    use super::*;
    use crate::decode::read_rgb;

    /// Grey pages of 2 x 2 pixels in one strip each, every page's directory before its data;
    /// further entries are (tag, value).
    pub fn tiff_of(pages: usize, more: &[(u16, u16)]) -> Vec<u8> {
        let mut file = b"II\x2A\0\x08\0\0\0".to_vec();
        for page in 1..=pages {
            let data = file.len() + 2 + 12 * (8 + more.len()) + 4;
            let mut entries = vec![(256, 2), (257, 2), (258, 8), (259, 1), (262, 1)];
            entries.extend([(273, data as u16), (278, 2), (279, 4)]);
            entries.retain(|(tag, _)| more.iter().all(|(other, _)| other != tag));
            entries.extend(more);
            entries.sort_unstable();
            let data = file.len() + 2 + 12 * entries.len() + 4;
            let next = if page < pages { data as u32 + 4 } else { 0 };
            file.extend((entries.len() as u16).to_le_bytes());
            for (tag, value) in entries {
                let value = if tag == 273 { data as u16 } else { value };
                file.extend(tag.to_le_bytes());
                file.extend([3, 0, 1, 0, 0, 0]);
                file.extend(value.to_le_bytes());
                file.extend([0, 0]);
            }
            file.extend(next.to_le_bytes());
            file.extend([10 * page as u8; 4]);
        }
        file
    }

    fn reason(bytes: &[u8]) -> String {
        read_rgb(bytes, "x").expect_err("must be refused").reason
    }

    #[test]
    fn a_gif_of_several_pictures_is_there_to_its_trailer() {
        let mut gif = Vec::new();
        let frame = |turn: u32| Frame::new(picture(20 + turn, 15).to_rgba8());
        GifEncoder::new(&mut gif).encode_frames((0..3).map(frame)).unwrap();
        for whole in [gif, encode(&picture(30, 20), ImageFormat::Gif)] {
            assert!(read_rgb(&whole, "whole").is_ok());
            for end in whole.len() / 2..whole.len() {
                assert!(read_rgb(&whole[..end], "cut").is_err(), "{end} of {}", whole.len());
            }
            assert!(
                reason(&whole[..whole.len() - 1]).starts_with("is a GIF cut short: no trailer")
            );
            let mut more = whole.clone();
            more.extend(b"behind the trailer");
            assert!(read_rgb(&more, "more").is_ok());
            // Some encoders leave a zero too many before it.
            more.truncate(whole.len() - 1);
            more.extend(b"\0\0;");
            assert!(read_rgb(&more, "stray zeros").is_ok());
        }
    }

    #[test]
    fn a_webp_has_the_length_it_announces() {
        let whole = encode(&picture(30, 20), ImageFormat::WebP);
        let cut = &whole[..whole.len() - 1];
        let n = whole.len();
        let want = format!("is a WebP cut short: {} bytes of the {n} that it announces", n - 1);
        assert_eq!(webp(cut), Err(want));
        assert!(read_rgb(cut, "cut").is_err());
        assert!(read_rgb(&[&whole[..], b"more"].concat(), "more").is_ok());
    }

    #[test]
    fn every_page_of_a_tiff_is_there() {
        let whole = tiff_of(3, &[]);
        let first = tiff_of(1, &[]).len();
        assert_eq!(read_rgb(&whole, "whole").unwrap().get_pixel(1, 1).0, [10; 3]);
        for end in 0..whole.len() {
            assert!(read_rgb(&whole[..end], "cut").is_err(), "{end} of {}", whole.len());
        }
        let cut = &whole[..whole.len() - 1];
        assert!(
            reason(cut).starts_with("is a TIFF cut short: page 3 is not all"),
            "{}",
            reason(cut)
        );
        assert!(reason(&whole[..first]).starts_with("is a TIFF cut short: page 2"));
        // Both ends of the bytes' order, and one that the encoder makes.
        let grey = DynamicImage::ImageRgb8(picture(20, 10).to_rgb8());
        assert!(read_rgb(&encode(&grey, ImageFormat::Tiff), "whole").is_ok());
        let big = b"MM\0\x2A\0\0\0\x08\0\0\0\0\0\0".to_vec();
        assert_eq!(tiff(&big), Ok(()));
        assert!(tiff(&big[..big.len() - 1]).is_err());
    }

    #[test]
    fn pages_in_a_circle_come_to_an_end() {
        let mut circle = tiff_of(2, &[]);
        let one = tiff_of(1, &[]).len();
        let next = one - 8;
        assert_eq!(circle[next..next + 4], (one as u32).to_le_bytes());
        circle[next..next + 4].copy_from_slice(&8u32.to_le_bytes());
        // Before us, the decoder tells it as well.
        // One of a page without a single entry too.
        for circle in [&circle[..], b"II\x2A\0\x08\0\0\0\0\0\x08\0\0\0"] {
            let reason = tiff(circle).unwrap_err();
            assert!(reason.contains("pages name each other"), "{reason}");
        }
    }
}
