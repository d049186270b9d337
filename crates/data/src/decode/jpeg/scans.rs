//! Whether the scans of a JPEG hold all that they announce, for files with several of them
//! (progressive ones above all) or with restart markers.
//!
//! Decoders pad a scan that meets a marker too early with zero bits, and take a picture whose last
//! scans are missing for one of less detail. So this walks over the entropy-coded data (ITU-T T.81,
//! F.2.2 and G.2) before they do. Each scan must hold each of its blocks; and in the end each
//! coefficient of each component must have come, down to its last bit. Of a coefficient only is
//! kept whether it is zero, as refining scans hold no bits for those that are.

mod bits;
mod block;

use super::{DRI, EOI, SOS, broken, next_marker};
use bits::{Bits, Table};
use block::Scan;

/// As many as the decoder reads.
const MOST_SCANS: usize = 100;

/// Bits of a coefficient that are missing: none of it has come yet.
const ALL: u8 = 16;

/// `bytes` have passed the walk over the markers, and their frame was found small enough.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    let mut walk = Walk { bytes, at: 2, ..Walk::default() };
    while walk.segment()? {}
    walk.covered()
}

#[derive(Default)]
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    /// DC and AC, by number.
    tables: [[Option<Table>; 4]; 2],
    /// MCUs between two restart markers; 0: none.
    restart: usize,
    frame: Option<Frame>,
    scans: usize,
}

struct Frame {
    progressive: bool,
    /// In MCUs.
    across: usize,
    down: usize,
    components: Vec<Component>,
}

struct Component {
    id: u8,
    /// Blocks of an MCU.
    h: usize,
    v: usize,
    /// Blocks that hold pixels: of a scan that has this component alone.
    across: usize,
    down: usize,
    /// By block, row after row: a bit for each coefficient that is not 0.
    nonzero: Vec<u64>,
    /// By coefficient: how many of its lowest bits have not come.
    missing: [u8; 64],
}

impl Walk<'_> {
    /// Reads one; false at the end of the image.
    fn segment(&mut self) -> Result<bool, String> {
        let marker = next_marker(self.bytes, &mut self.at).ok_or_else(|| broken("no end"))?;
        if marker == EOI {
            return Ok(false);
        }
        let cut = || broken("a segment is longer than the file");
        let head = self.bytes.get(self.at..self.at + 2).ok_or_else(cut)?;
        let end = self.at + usize::from(u16::from_be_bytes([head[0], head[1]]));
        let body = self.bytes.get(self.at + 2..end).ok_or_else(cut)?;
        self.at = end;
        match marker {
            // A second one could be of any size.
            0xC0..=0xC2 if self.frame.is_some() => return Err(broken("two frames")),
            0xC0..=0xC2 => self.frame = Some(Frame::read(body, marker == 0xC2)?),
            0xC4 => self.read_tables(body)?,
            DRI => {
                let interval = body.first_chunk().ok_or_else(cut)?;
                self.restart = u16::from_be_bytes(*interval).into();
            }
            SOS => self.scan(body)?,
            _ => {}
        }
        Ok(true)
    }

    fn read_tables(&mut self, mut body: &[u8]) -> Result<(), String> {
        while let Some((kind, rest)) = body.split_first() {
            let (table, rest) = Table::read(rest).ok_or_else(|| broken("a Huffman table"))?;
            let class = self.tables.get_mut(usize::from(kind >> 4));
            let place = class.and_then(|class| class.get_mut(usize::from(kind & 15)));
            *place.ok_or_else(|| broken("a Huffman table's number"))? = Some(table);
            body = rest;
        }
        Ok(())
    }

    fn scan(&mut self, body: &[u8]) -> Result<(), String> {
        self.scans += 1;
        if self.scans > MOST_SCANS {
            return Err(format!("is a JPEG of more than {MOST_SCANS} scans"));
        }
        let frame = self.frame.as_mut().ok_or_else(|| broken("a scan before the frame"))?;
        let bad = || broken("a scan's header");
        let (&n, rest) = body.split_first().ok_or_else(bad)?;
        let (names, rest) = rest.split_at_checked(2 * usize::from(n)).ok_or_else(bad)?;
        let [from, to, bits] = *rest.first_chunk().ok_or_else(bad)?;
        let mut parts = Vec::new();
        for name in names.chunks_exact(2) {
            let which = frame.components.iter().position(|c| c.id == name[0]).ok_or_else(bad)?;
            let table = |class: usize, number: u8| {
                self.tables[class].get(usize::from(number)).and_then(Option::as_ref)
            };
            parts.push((which, table(0, name[1] >> 4), table(1, name[1] & 15)));
        }
        let (high, low) = (bits >> 4, bits & 15);
        let (from, to, high, low) =
            if frame.progressive { (from, to, high, low) } else { (0, 63, 0, 0) };
        if parts.is_empty()
            || from > to
            || to > 63
            || (from == 0) != (to == 0 || !frame.progressive)
        {
            return Err(bad());
        }
        let (from, to) = (usize::from(from), usize::from(to));
        let scan = Scan { progressive: frame.progressive, from, to, refines: high > 0, parts };
        let mut bits = Bits::from(self.bytes, self.at);
        let (met, all) = frame.walk(&scan, &mut bits, self.restart);
        if met < all {
            let n = self.scans;
            return Err(format!("is a JPEG cut short: its scan {n} holds {met} of {all} blocks"));
        }
        self.at = bits.at;
        for (which, ..) in &scan.parts {
            let coefficients = &mut frame.components[*which].missing[from..=to];
            let reached = |missing: &&mut u8| high == 0 || **missing == high;
            coefficients.iter_mut().filter(reached).for_each(|missing| *missing = low);
        }
        Ok(())
    }

    /// Whether all coefficients have come to their last bit.
    fn covered(&self) -> Result<(), String> {
        let components = self.frame.iter().flat_map(|frame| &frame.components);
        for (i, component) in (1..).zip(components) {
            if let Some(k) = component.missing.iter().position(|missing| *missing > 0) {
                let n = self.scans;
                return Err(format!(
                    "is a JPEG cut short: after its {n} scans coefficient {k} of component {i} \
                     is not there in full"
                ));
            }
        }
        Ok(())
    }
}

impl Frame {
    fn read(body: &[u8], progressive: bool) -> Result<Frame, String> {
        let bad = || broken("a frame's header");
        let [_, h1, h0, w1, w0, n] = *body.first_chunk().ok_or_else(bad)?;
        let (height, width) = (u16::from_be_bytes([h1, h0]), u16::from_be_bytes([w1, w0]));
        let (height, width) = (usize::from(height), usize::from(width));
        let told = body.get(6..6 + 3 * usize::from(n)).ok_or_else(bad)?;
        let sampling = |told: &[u8]| (usize::from(told[1] >> 4), usize::from(told[1] & 15));
        let all = || told.chunks_exact(3).map(sampling);
        if n == 0 || all().any(|(h, v)| !(1..=4).contains(&h) || !(1..=4).contains(&v)) {
            return Err(bad());
        }
        let h_most = all().map(|(h, _)| h).max().unwrap_or(1);
        let v_most = all().map(|(_, v)| v).max().unwrap_or(1);
        let (across, down) = (width.div_ceil(8 * h_most), height.div_ceil(8 * v_most));
        let component = |told: &[u8]| {
            let (h, v) = sampling(told);
            Component {
                id: told[0],
                h,
                v,
                across: (width * h).div_ceil(8 * h_most),
                down: (height * v).div_ceil(8 * v_most),
                nonzero: vec![0; if progressive { across * h * down * v } else { 0 }],
                missing: [ALL; 64],
            }
        };
        let components = told.chunks_exact(3).map(component).collect();
        Ok(Frame { progressive, across, down, components })
    }

    /// How many of the scan's blocks are there, and how many should be.
    fn walk(&mut self, scan: &Scan, bits: &mut Bits, restart: usize) -> (usize, usize) {
        let alone = scan.parts.len() == 1;
        let of = |part: &(usize, _, _)| &self.components[part.0];
        // A component alone is not padded to whole MCUs, and each block is one.
        let (across, down, a_time) = if alone {
            (of(&scan.parts[0]).across, of(&scan.parts[0]).down, 1)
        } else {
            (self.across, self.down, scan.parts.iter().map(|part| of(part).h * of(part).v).sum())
        };
        let (all, mut met, mut run) = (across * down * a_time, 0, 0);
        for mcu in 0..across * down {
            if restart > 0 && mcu > 0 && mcu % restart == 0 {
                run = 0;
                if bits.restart().is_none() {
                    return (met, all);
                }
            }
            let (x, y) = (mcu % across, mcu / across);
            for &(which, dc, ac) in &scan.parts {
                let component = &mut self.components[which];
                let (h, v) = if alone { (1, 1) } else { (component.h, component.v) };
                for block in 0..h * v {
                    let at = (y * v + block / h) * (self.across * component.h) + x * h + block % h;
                    let mut none = 0;
                    let nonzero = component.nonzero.get_mut(at).unwrap_or(&mut none);
                    if scan.block((dc, ac), bits, nonzero, &mut run).is_none() {
                        return (met, all);
                    }
                    met += 1;
                }
            }
        }
        (met, all)
    }
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma};

    use crate::decode::read_rgb;
    use crate::decode::tests::{encode, picture};

    const PROGRESSIVE: &[u8] = include_bytes!("../../../fuzz/corpus/decode/progressive.jpg");
    const RESTARTS: &[u8] = include_bytes!("../../../fuzz/corpus/decode/restarts.jpg");
    const BOTH: &[u8] = include_bytes!("../../../fuzz/corpus/decode/progressive_restarts.jpg");
    const CMYK: &[u8] = include_bytes!("../../../fuzz/corpus/decode/cmyk.jpg");

    /// Three grey pictures, one a component of a sequential picture: a scan each.
    fn of_three_scans() -> Vec<u8> {
        let grey = |c: usize| {
            let value = |x, y| Luma([picture(40, 24).to_rgb8().get_pixel(x, y).0[c]]);
            let grey = GrayImage::from_fn(40, 24, value);
            encode(&image::DynamicImage::ImageLuma8(grey), image::ImageFormat::Jpeg)
        };
        let place =
            |file: &[u8], marker| file.windows(2).position(|w| w == [0xFF, marker]).unwrap();
        let first = grey(0);
        let frame = place(&first, 0xC0);
        let (head, rest) = first.split_at(frame);
        let size = &rest[5..9];
        let components = [3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];
        let mut file = [head, &[0xFF, 0xC0, 0, 17, 8], size, &components].concat();
        // Huffman tables and other segments between the frame and the scan.
        file.extend(&first[frame + 13..place(&first, 0xDA)]);
        for c in 0..3 {
            let one = grey(c);
            let data = &one[place(&one, 0xDA) + 10..one.len() - 2];
            file.extend([0xFF, 0xDA, 0, 8, 1, c as u8 + 1, 0, 0, 63, 0]);
            file.extend(data);
        }
        file.extend([0xFF, 0xD9]);
        file
    }

    #[test]
    fn whichever_byte_it_is_cut_at_a_file_with_an_end_glued_on_is_refused() {
        let plain = encode(&picture(64, 48), image::ImageFormat::Jpeg);
        let separate = of_three_scans();
        let files: [(&str, &[u8]); 6] = [
            ("progressive", PROGRESSIVE),
            ("restarts", RESTARTS),
            ("progressive with restarts", BOTH),
            ("CMYK", CMYK),
            ("plain", &plain),
            ("a scan a component", &separate),
        ];
        for (name, whole) in files {
            let reason = read_rgb(whole, name).err();
            assert_eq!(reason, None, "{name}");
            let first_scan = whole.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap();
            for at in first_scan + 14..whole.len() - 2 {
                // The end would not be one behind half a marker.
                let cut = whole[..at].strip_suffix(&[0xFF]).unwrap_or(&whole[..at]);
                let glued = [cut, &[0xFF, 0xD9]].concat();
                assert!(read_rgb(&glued, name).is_err(), "{name}, cut at {at} of {}", whole.len());
            }
        }
    }

    #[test]
    fn scans_that_are_missing_are_told_by_what_they_would_have_brought() {
        let last = PROGRESSIVE.windows(2).rposition(|w| w == [0xFF, 0xDA]).unwrap();
        let glued = [&PROGRESSIVE[..last], &[0xFF, 0xD9]].concat();
        let reason = read_rgb(&glued, "x").unwrap_err().reason;
        assert!(
            reason.starts_with("is a JPEG cut short: after its 9 scans coefficient 1 of component"),
            "{reason}"
        );
        let glued = [&PROGRESSIVE[..PROGRESSIVE.len() - 6], &[0xFF, 0xD9]].concat();
        let reason = read_rgb(&glued, "x").unwrap_err().reason;
        assert!(reason.starts_with("is a JPEG cut short: its scan 10 holds "), "{reason}");
    }

    #[test]
    fn a_second_frame_is_refused_before_it_takes_memory() {
        let frame = PROGRESSIVE.windows(2).position(|w| w == [0xFF, 0xC2]).unwrap();
        let scan = PROGRESSIVE.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap();
        let length = 2 + usize::from(PROGRESSIVE[frame + 3]);
        let mut second = PROGRESSIVE[frame..frame + length].to_vec();
        second[5..9].fill(0xFF);
        assert_eq!(super::check(PROGRESSIVE), Ok(()));
        let twice = [&PROGRESSIVE[..scan], &second, &PROGRESSIVE[scan..]].concat();
        assert_eq!(super::check(&twice), Err("is a broken JPEG: two frames".into()));
    }
}
