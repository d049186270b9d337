//! What a picture looks like in 256 bytes: its grey thumbnail of 16 × 16 areas, aspect ignored.
//!
//! Two pictures are near doubles when their thumbnails differ by at most [`MOST`] steps of 255 in
//! the mean, or a tenth of their contrast where that is less (flat pictures are all alike). A copy
//! that was compressed again or resized differs by about 1. Pairs are found, not guessed: sums
//! of areas cannot differ by more than the areas do, so pictures are sorted into cells by the
//! brightness of their quarters and compared with those in cells within reach, by 16 coarse areas
//! first. Of the pairs only some are kept, the grave ones and then the nearest; all are counted.

use std::collections::{BinaryHeap, HashMap};

use rayon::prelude::*;

use crate::colour::{Colour, Raster};
use crate::config::Filter;
use crate::resize;

const SIDE: u32 = 16;
/// In steps of 255.
pub const MOST: f64 = 2.0;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    fine: [u8; 256],
    /// Sums of 4 × 4 of them.
    coarse: [u16; 16],
    contrast: f32,
}

impl Signature {
    /// Of any picture.
    #[expect(clippy::missing_panics_doc, reason = "the thumbnail's size is a constant")]
    pub fn of(picture: &Raster) -> Signature {
        let grey = picture.clone().into_colour(Colour::Grey);
        let small = resize::squash(&grey, SIDE, Filter::Box);
        let fine: [u8; 256] = small.pixels().try_into().expect("16 x 16 of one channel");
        let mut coarse = [0; 16];
        for (i, value) in fine.iter().enumerate() {
            coarse[i / 64 * 4 + i % 16 / 4] += u16::from(*value);
        }
        let sum: u32 = fine.iter().map(|value| u32::from(*value)).sum();
        let mean = sum as f32 / 256.0;
        let square = fine.iter().map(|value| (f32::from(*value) - mean).powi(2)).sum::<f32>();
        Signature { fine, coarse, contrast: (square / 256.0).sqrt() }
    }

    /// Standard deviation of the thumbnail, in steps of 255.
    pub fn contrast(&self) -> f64 {
        self.contrast.into()
    }

    /// Sum of differences that two near doubles may have at most.
    fn allowed(&self, other: &Signature) -> u32 {
        let contrast = f64::from(self.contrast.min(other.contrast));
        (256.0 * MOST.min(contrast / 10.0)) as u32
    }

    /// Sum of differences, if they are near doubles.
    fn apart(&self, other: &Signature) -> Option<u32> {
        let allowed = self.allowed(other);
        let coarse = self.coarse.iter().zip(&other.coarse).map(|(a, b)| u32::from(a.abs_diff(*b)));
        if coarse.sum::<u32>() > allowed {
            return None;
        }
        let fine = self.fine.iter().zip(&other.fine).map(|(a, b)| u32::from(a.abs_diff(*b)));
        let sum: u32 = fine.sum();
        (sum <= allowed).then_some(sum)
    }

    /// Where near doubles are looked for: cells of near doubles are the same or neighbours.
    fn cell(&self) -> Cell {
        let mut cell = [0; 4];
        for (i, value) in self.coarse.iter().enumerate() {
            cell[i / 8 * 2 + i % 4 / 2] += i32::from(*value);
        }
        cell.map(|sum| sum / REACH)
    }
}

/// Brightness of the four quarters, in steps of [`REACH`].
type Cell = [i32; 4];

/// What the sums of two near doubles' quarters differ by at most.
const REACH: i32 = (256.0 * MOST) as i32;

/// Two of the pictures (a < b), and by how many steps of 255 they differ in the mean.
pub type Pair = (usize, usize, f64);

/// What is wrong with a pair besides being one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// The two lie in different parts of the split.
    pub across_parts: bool,
    /// They have different labels.
    pub contradicts: bool,
}

/// Pairs of near doubles.
#[derive(Debug, Default, PartialEq)]
pub struct Pairs {
    /// Those with a fault first, the nearest of them first; then the others, the nearest first.
    pub listed: Vec<Pair>,
    /// Listed or not.
    pub count: usize,
    /// Of these.
    pub across_parts: usize,
    /// Of these.
    pub contradicting: usize,
}

/// All pairs of near doubles are counted, `most` of them listed; `fault` is asked about each.
/// Memory does not grow with their number.
pub fn nearest(
    signatures: &[&Signature],
    most: usize,
    fault: impl Fn(usize, usize) -> Fault + Sync,
) -> Pairs {
    let mut cells: HashMap<Cell, Vec<usize>> = HashMap::new();
    for (i, signature) in signatures.iter().enumerate() {
        cells.entry(signature.cell()).or_default().push(i);
    }
    let ahead = neighbours_ahead();
    let meet = |mut found: Nearest, a: usize| {
        let cell = signatures[a].cell();
        let own = &cells[&cell];
        let behind = own.partition_point(|b| *b <= a);
        let there = |by: &Cell| cells.get(&std::array::from_fn(|axis| cell[axis] + by[axis]));
        for b in own[behind..].iter().chain(ahead.iter().filter_map(there).flatten()) {
            if let Some(sum) = signatures[a].apart(signatures[*b]) {
                found.add(sum, (a.min(*b), a.max(*b)), fault(a, *b));
            }
        }
        found
    };
    let found = (0..signatures.len()).into_par_iter().fold(|| Nearest::new(most), meet);
    let Nearest { heap, found, .. } = found.reduce(|| Nearest::new(most), Nearest::and);
    let pair = |(_, sum, a, b): Key| (a, b, f64::from(sum) / 256.0);
    Pairs { listed: heap.into_sorted_vec().into_iter().map(pair).collect(), ..found }
}

/// Of a cell's 80 neighbours one of each two that face each other.
fn neighbours_ahead() -> Vec<Cell> {
    let all = (0..81).map(|n| [n / 27, n / 9 % 3, n / 3 % 3, n % 3].map(|step| step - 1));
    all.filter(|by| *by > [0; 4]).collect()
}

/// Without a fault, difference, one, other.
type Key = (bool, u32, usize, usize);

/// The pairs that are listed, the last of them on top, and the numbers of all.
struct Nearest {
    most: usize,
    heap: BinaryHeap<Key>,
    found: Pairs,
}

impl Nearest {
    fn new(most: usize) -> Nearest {
        Nearest { most, heap: BinaryHeap::new(), found: Pairs::default() }
    }

    fn add(&mut self, sum: u32, (a, b): (usize, usize), fault: Fault) {
        self.found.count += 1;
        self.found.across_parts += usize::from(fault.across_parts);
        self.found.contradicting += usize::from(fault.contradicts);
        self.keep((fault == Fault::default(), sum, a, b));
    }

    fn keep(&mut self, pair: Key) {
        if self.heap.len() < self.most {
            self.heap.push(pair);
        } else if let Some(mut last) = self.heap.peek_mut()
            && pair < *last
        {
            *last = pair;
        }
    }

    fn and(mut self, other: Nearest) -> Nearest {
        self.found.count += other.found.count;
        self.found.across_parts += other.found.across_parts;
        self.found.contradicting += other.found.contradicting;
        other.heap.into_iter().for_each(|pair| self.keep(pair));
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(bytes: Vec<u8>) -> Signature {
        Signature::of(&Raster::new(16, 16, Colour::Grey, bytes))
    }

    proptest! {
        #[test]
        fn no_pair_is_missed(
            base in prop::collection::vec(any::<u8>(), 256),
            noise in prop::collection::vec(prop::collection::vec(-6i16..6, 256), 1..12),
            most in 0..20usize,
        ) {
            // Copies with noise of every strength: some near, some not.
            let copy = |(strength, noise): (usize, &Vec<i16>)| {
                let noisy = base.iter().zip(noise);
                let step = |by: i16| by * strength as i16 / 4;
                of(noisy.map(|(v, by)| (i16::from(*v) + step(*by)).clamp(0, 255) as u8).collect())
            };
            let all: Vec<Signature> = noise.iter().enumerate().map(copy).collect();
            let all: Vec<&Signature> = all.iter().collect();
            let fault = |a: usize, b: usize| Fault {
                across_parts: (a + b).is_multiple_of(3),
                contradicts: (a + b).is_multiple_of(4),
            };
            let (mut want, mut faults) = (Vec::new(), Vec::new());
            for b in 0..all.len() {
                for a in 0..b {
                    let pairs = all[a].fine.iter().zip(&all[b].fine);
                    let sum: u32 = pairs.map(|(x, y)| u32::from(x.abs_diff(*y))).sum();
                    if sum <= all[a].allowed(all[b]) {
                        want.push((fault(a, b) == Fault::default(), sum, a, b));
                        faults.push(fault(a, b));
                    }
                }
            }
            want.sort_unstable();
            let want: Vec<Pair> =
                want.into_iter().map(|(_, sum, a, b)| (a, b, f64::from(sum) / 256.0)).collect();
            let found = nearest(&all, most, fault);
            prop_assert_eq!(found.count, want.len());
            prop_assert_eq!(&found.listed, &want[..most.min(want.len())]);
            let across = faults.iter().filter(|fault| fault.across_parts).count();
            let contradicting = faults.iter().filter(|fault| fault.contradicts).count();
            prop_assert_eq!((found.across_parts, found.contradicting), (across, contradicting));
        }
    }

    #[test]
    fn flat_pictures_are_not_all_doubles() {
        let (dark, grey) = (of(vec![100; 256]), of(vec![101; 256]));
        assert_eq!(dark.apart(&grey), None);
        assert_eq!(dark.apart(&dark), Some(0));
    }
}
