//! Entropy-coded data of a JPEG, bit by bit: as many as there are, and not one more.

use memchr::memchr;

/// A Huffman code: by length the codes' end, filled up to 16 bits, and where values begin.
pub(super) struct Table {
    ends: [u32; 17],
    starts: [i32; 17],
    values: Vec<u8>,
}

impl Table {
    /// From a segment, and what of that is left (B.2.4.2, annex C).
    pub fn read(body: &[u8]) -> Option<(Table, &[u8])> {
        let (counts, rest) = body.split_at_checked(16)?;
        let all: usize = counts.iter().map(|count| usize::from(*count)).sum();
        let (values, rest) = rest.split_at_checked(all)?;
        let (mut ends, mut starts) = ([0; 17], [0; 17]);
        let (mut code, mut value) = (0u32, 0i32);
        for (length, count) in (1..).zip(counts) {
            starts[length] = value - code as i32;
            code += u32::from(*count);
            value += i32::from(*count);
            ends[length] = code << (16 - length);
            code <<= 1;
        }
        Some((Table { ends, starts, values: values.into() }, rest))
    }
}

/// Entropy-coded data up to the next marker.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// Nothing before it belongs to what follows the scan.
    pub at: usize,
    /// The lowest `held` bits are next.
    window: u64,
    held: u32,
}

impl<'a> Bits<'a> {
    pub fn from(bytes: &'a [u8], at: usize) -> Bits<'a> {
        Bits { bytes, at, window: 0, held: 0 }
    }

    fn fill(&mut self) {
        while self.held <= 56 {
            let Some(&byte) = self.bytes.get(self.at) else { return };
            self.at += 1;
            if byte == 0xFF {
                let fill = self.bytes[self.at..].iter().take_while(|byte| **byte == 0xFF).count();
                if self.bytes.get(self.at + fill) != Some(&0) {
                    self.at -= 1;
                    return;
                }
                self.at += fill + 1;
            }
            self.window = self.window << 8 | u64::from(byte);
            self.held += 8;
        }
    }

    /// At most 16, which is more than any value has.
    pub fn take(&mut self, n: u32) -> Option<u32> {
        if n > 16 {
            return None;
        }
        if self.held < n {
            self.fill();
        }
        self.held = self.held.checked_sub(n)?;
        Some((self.window >> self.held) as u32 & ((1 << n) - 1))
    }

    pub fn symbol(&mut self, table: &Table) -> Option<u8> {
        if self.held < 16 {
            self.fill();
        }
        let ahead = if self.held >= 16 {
            self.window >> (self.held - 16)
        } else {
            self.window << (16 - self.held)
        };
        let ahead = (ahead & 0xFFFF) as u32;
        let length = (1..=16).find(|length| ahead < table.ends[*length])?;
        self.held = self.held.checked_sub(length as u32)?;
        let value = table.starts[length] + (ahead >> (16 - length)) as i32;
        table.values.get(value as usize).copied()
    }

    /// Goes on behind the next marker, if that is a restart.
    pub fn restart(&mut self) -> Option<()> {
        (self.window, self.held) = (0, 0);
        loop {
            self.at += memchr(0xFF, self.bytes.get(self.at..)?)? + 1;
            match self.bytes.get(self.at)? {
                0x00 | 0xFF => {}
                0xD0..=0xD7 => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_end_before_the_marker_and_stuffing_is_none_of_them() {
        let mut bits = Bits::from(&[0xA5, 0xFF, 0x00, 0xFF, 0xFF, 0xD9], 0);
        assert_eq!([4, 8, 3].map(|n| bits.take(n)), [Some(0xA), Some(0x5F), Some(7)]);
        assert_eq!((bits.take(2), bits.take(17)), (None, None));
        assert_eq!(bits.at, 3);
    }

    #[test]
    fn codes_are_read_by_their_length() {
        // 0 is 7, 10 is 8, 110 is 9; 111 is no code.
        let mut counts = [0; 16];
        counts[..3].copy_from_slice(&[1, 1, 1]);
        let segment = [&counts[..], &[7, 8, 9, 1, 2]].concat();
        let (table, rest) = Table::read(&segment).unwrap();
        assert_eq!(rest, [1, 2]);
        let mut bits = Bits::from(&[0b1100_1011, 0b1000_0000], 0);
        let symbols: Vec<u8> = std::iter::from_fn(|| bits.symbol(&table)).collect();
        assert_eq!(symbols, [9, 7, 8]);
    }
}
