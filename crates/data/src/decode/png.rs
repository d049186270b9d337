//! PNG: every chunk's checksum, up to the last chunk. The decoder alone is content with less: it
//! stops at the last row, and passes over damaged chunks that it does not need.

/// Walks the chunks (length, type, data, CRC) to IEND.
pub(super) fn check_complete(bytes: &[u8]) -> Result<(), String> {
    let cut = || format!("is a PNG cut short: no IEND in {} bytes", bytes.len());
    let mut at = 8;
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
        if &head[4..8] == b"IEND" {
            return Ok(());
        }
        at = end;
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

    #[test]
    fn a_missing_last_chunk_is_found() {
        let bytes = encode(&picture(40, 30), ImageFormat::Png);
        assert!(read_rgb(&bytes[..bytes.len() - 12], "no IEND").is_err());
    }
}
