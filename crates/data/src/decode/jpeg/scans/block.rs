//! One block of a JPEG's scan, read for nothing but its length and where it is not zero.

use super::bits::{Bits, Table};

/// What a scan says of itself.
pub(super) struct Scan<'a> {
    pub progressive: bool,
    pub from: usize,
    pub to: usize,
    /// Bits that came before are refined by one.
    pub refines: bool,
    /// Which component, its DC and its AC table.
    pub parts: Vec<(usize, Option<&'a Table>, Option<&'a Table>)>,
}

impl Scan<'_> {
    /// Reads one block, if it is there. `run` counts blocks that are known to hold nothing new.
    pub fn block(
        &self,
        (dc, ac): (Option<&Table>, Option<&Table>),
        bits: &mut Bits,
        nonzero: &mut u64,
        run: &mut u32,
    ) -> Option<()> {
        if !self.progressive {
            let size = bits.symbol(dc?)?;
            bits.take(size.into())?;
            return self.first(ac?, 1, bits, nonzero, run);
        }
        match (self.from, self.refines) {
            (0, false) => {
                let size = bits.symbol(dc?)?;
                bits.take(size.into()).map(drop)
            }
            (0, true) => bits.take(1).map(drop),
            (from, false) => self.first(ac?, from, bits, nonzero, run),
            (from, true) => self.refine(ac?, from, bits, nonzero, run),
        }
    }

    /// The first bits of AC coefficients (F.2.2.2, G.1.2.2). In a sequential frame the symbols of a
    /// run of blocks do not occur, but for a run of one.
    fn first(
        &self,
        ac: &Table,
        from: usize,
        bits: &mut Bits,
        nonzero: &mut u64,
        run: &mut u32,
    ) -> Option<()> {
        if *run > 0 {
            *run -= 1;
            return Some(());
        }
        let mut k = from;
        while k <= self.to {
            let symbol = bits.symbol(ac)?;
            let (zeros, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if size == 0 && zeros < 15 {
                *run = if self.progressive { (1 << zeros) - 1 + bits.take(zeros)? } else { 0 };
                return Some(());
            }
            k += zeros as usize;
            if size > 0 {
                bits.take(size)?;
                *nonzero |= 1u64.checked_shl(k as u32)?;
            }
            k += 1;
        }
        Some(())
    }

    /// One more bit of AC coefficients (G.1.2.3): of those that were not 0 in any case, and of some
    /// that were.
    fn refine(
        &self,
        ac: &Table,
        from: usize,
        bits: &mut Bits,
        nonzero: &mut u64,
        run: &mut u32,
    ) -> Option<()> {
        let mut k = from;
        while *run == 0 && k <= self.to {
            let symbol = bits.symbol(ac)?;
            let (mut zeros, size) = (u32::from(symbol >> 4), symbol & 15);
            if size == 0 && zeros < 15 {
                *run = (1 << zeros) + bits.take(zeros)?;
                break;
            }
            if size > 0 {
                bits.take(1)?;
            }
            while k <= self.to {
                if *nonzero >> k & 1 == 1 {
                    bits.take(1)?;
                } else if zeros == 0 {
                    break;
                } else {
                    zeros -= 1;
                }
                k += 1;
            }
            if size > 0 && k <= self.to {
                *nonzero |= 1 << k;
            }
            k += 1;
        }
        if *run > 0 {
            *run -= 1;
            let left = u64::MAX.checked_shl(k as u32).unwrap_or(0) & (u64::MAX >> (63 - self.to));
            (0..(*nonzero & left).count_ones()).try_for_each(|_| bits.take(1).map(drop))?;
        }
        Some(())
    }
}
