//! PNG: every chunk's checksum, up to the last chunk. The decoder alone is content with less: it
//! stops at the last row, and passes over damaged chunks that it does not need; and it relies on a
//! palette being one.

/// Walks the chunks (length, type, data, CRC) to IEND.
pub(super) fn check_complete(bytes: &[u8]) -> Result<(), String> {
    let cut = || format!("is a PNG cut short: no IEND in {} bytes", bytes.len());
    let (mut at, mut palette) = (8, Palette::of(bytes));
    loop {
        let head = bytes.get(at..at + 8).ok_or_else(cut)?;
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let end = at.checked_add(12 + length).ok_or_else(cut)?;
        let chunk = bytes.get(at + 4..end).ok_or_else(cut)?;
        let (data, sum) = chunk.split_at(4 + length);
        let (have, want) = (crc(data), u32::from_be_bytes([sum[0], sum[1], sum[2], sum[3]]));
        if have != want {
            let kind = String::from_utf8_lossy(&head[4..8]).into_owned();
            return Err(format!(
                "is a broken PNG: chunk {kind} sums to {have:08x}, not {want:08x}"
            ));
        }
        match &head[4..8] {
            b"IEND" => return Ok(()),
            b"PLTE" => palette.colours(length)?,
            b"tRNS" => palette.alphas(length)?,
            _ => {}
        }
        at = end;
    }
}

/// What the chunks so far say of a palette picture's colours; of others a palette is a suggestion.
struct Palette {
    indexed: bool,
    entries: usize,
}

impl Palette {
    fn of(bytes: &[u8]) -> Palette {
        const COLOUR_TYPE_AT: usize = 25;
        Palette { indexed: bytes.get(COLOUR_TYPE_AT) == Some(&3), entries: 0 }
    }

    /// A PLTE chunk of so many bytes (PNG's 11.2.2: three an entry, at most 256 of them).
    fn colours(&mut self, bytes: usize) -> Result<(), String> {
        if self.indexed && !(bytes.is_multiple_of(3) && bytes <= 3 * 256) {
            return Err(format!("is a broken PNG: a palette of {bytes} bytes, want 3 an entry"));
        }
        self.entries = bytes / 3;
        Ok(())
    }

    /// A tRNS chunk of so many bytes (PNG's 11.3.1.1: no more than there are entries).
    fn alphas(&self, bytes: usize) -> Result<(), String> {
        if self.indexed && bytes > self.entries {
            let entries = self.entries;
            return Err(format!("is a broken PNG: {bytes} alphas of {entries} palette entries"));
        }
        Ok(())
    }
}

/// CRC-32 as PNG's annex D writes it, eight bits at a time.
pub(super) fn crc(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc, byte| (crc >> 8) ^ TABLE[((crc ^ u32::from(*byte)) & 255) as usize])
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut crc = n as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::super::tests::{encode, picture};
    use crate::decode::read_rgb;
    use image::ImageFormat;

    #[test]
    fn the_checksum_is_the_known_one() {
        assert_eq!(super::crc(b"IEND"), 0xAE42_6082);
    }

    #[test]
    fn one_flipped_bit_is_found() {
        let mut bytes = encode(&picture(40, 30), ImageFormat::Png);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        let error = read_rgb(&bytes, "flipped.png").unwrap_err();
        assert!(error.reason.contains("chunk IDAT sums to"), "{error}");
    }

    /// A picture of one pixel with these chunks before its data.
    fn indexed(chunks: &[(&[u8; 4], usize)]) -> Vec<u8> {
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut chunk = |kind: &[u8], data: &[u8]| {
            let body = [kind, data].concat();
            png.extend((data.len() as u32).to_be_bytes());
            png.extend(&body);
            png.extend(super::crc(&body).to_be_bytes());
        };
        // 1 x 1, eight bits, indexed.
        chunk(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 3, 0, 0, 0]);
        for (kind, length) in chunks {
            chunk(*kind, &vec![7; *length]);
        }
        // Zlib's stored block of a row: filter 0, index 0.
        chunk(b"IDAT", &[0x78, 1, 1, 2, 0, 253, 255, 0, 0, 0, 2, 0, 1]);
        chunk(b"IEND", &[]);
        png
    }

    #[test]
    fn a_palette_that_is_none_is_refused_before_its_decoder_panics() {
        let says = |chunks: &[(&[u8; 4], usize)]| {
            let read = read_rgb(&indexed(chunks), "x.png");
            read.map(|picture| picture.get_pixel(0, 0).0).map_err(|bad| bad.reason)
        };
        assert_eq!(says(&[(b"PLTE", 6), (b"tRNS", 2)]).unwrap(), [7, 7, 7]);
        assert_eq!(says(&[(b"PLTE", 768)]).unwrap(), [7, 7, 7]);
        for (chunks, want) in [
            (&[(b"PLTE", 49)][..], "a palette of 49 bytes, want 3 an entry"),
            (&[(b"PLTE", 771)], "a palette of 771 bytes"),
            (&[(b"PLTE", 6), (b"tRNS", 3)], "3 alphas of 2 palette entries"),
        ] {
            let reason = says(chunks).unwrap_err();
            assert!(reason.contains(want), "{reason}");
        }
    }

    #[test]
    fn a_missing_last_chunk_is_found() {
        let bytes = encode(&picture(40, 30), ImageFormat::Png);
        assert!(read_rgb(&bytes[..bytes.len() - 12], "no IEND").is_err());
    }
}
