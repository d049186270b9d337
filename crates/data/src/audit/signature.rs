//! What a picture looks like in 256 bytes: its grey thumbnail of 16 × 16 areas, aspect ignored.
//!
//! Two pictures are near doubles when their thumbnails differ by at most [`MOST`] steps of 255 in
//! the mean, or a tenth of their contrast where that is less (flat pictures are all alike). A copy
//! that was compressed again or resized differs by about 1. Pairs are found, not guessed: means of
//! areas cannot differ by more than the areas do, so pictures are sorted by brightness, compared
//! with those within reach, by 16 coarse areas first.

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
    sum: u32,
    contrast: f32,
}

impl Signature {
    /// Of any picture.
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
        Signature { fine, coarse, sum, contrast: (square / 256.0).sqrt() }
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

    /// Mean difference in steps of 255, if they are near doubles.
    pub fn difference(&self, other: &Signature) -> Option<f64> {
        let allowed = self.allowed(other);
        let coarse = self.coarse.iter().zip(&other.coarse).map(|(a, b)| u32::from(a.abs_diff(*b)));
        if coarse.sum::<u32>() > allowed {
            return None;
        }
        let fine = self.fine.iter().zip(&other.fine).map(|(a, b)| u32::from(a.abs_diff(*b)));
        let sum: u32 = fine.sum();
        (sum <= allowed).then(|| f64::from(sum) / 256.0)
    }
}

/// All pairs of near doubles (a < b), the nearest first.
pub fn near(signatures: &[&Signature]) -> Vec<(usize, usize, f64)> {
    let mut order: Vec<usize> = (0..signatures.len()).collect();
    order.sort_by_key(|i| (signatures[*i].sum, *i));
    let reach = (256.0 * MOST) as u32;
    let of = |at: usize| {
        let one = signatures[order[at]];
        let within = |other: &&usize| signatures[**other].sum - one.sum <= reach;
        let rest = order[at + 1..].iter().take_while(within);
        let pair = |other: &usize| {
            let difference = one.difference(signatures[*other])?;
            Some((order[at].min(*other), order[at].max(*other), difference))
        };
        rest.filter_map(pair).collect::<Vec<_>>()
    };
    let mut pairs: Vec<_> = (0..order.len()).into_par_iter().flat_map_iter(of).collect();
    pairs.sort_by(|a, b| a.2.total_cmp(&b.2).then((a.0, a.1).cmp(&(b.0, b.1))));
    pairs
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
        ) {
            // Copies with noise of every strength: some near, some not.
            let copy = |(strength, noise): (usize, &Vec<i16>)| {
                let noisy = base.iter().zip(noise);
                let step = |by: i16| by * strength as i16 / 4;
                of(noisy.map(|(v, by)| (i16::from(*v) + step(*by)).clamp(0, 255) as u8).collect())
            };
            let all: Vec<Signature> = noise.iter().enumerate().map(copy).collect();
            let all: Vec<&Signature> = all.iter().collect();
            let mut want = Vec::new();
            for b in 0..all.len() {
                for a in 0..b {
                    let pairs = all[a].fine.iter().zip(&all[b].fine);
                    let sum: u32 = pairs.map(|(x, y)| u32::from(x.abs_diff(*y))).sum();
                    if sum <= all[a].allowed(all[b]) {
                        want.push((a, b));
                    }
                }
            }
            let mut got: Vec<_> = near(&all).iter().map(|(a, b, _)| (*a, *b)).collect();
            got.sort_unstable();
            want.sort_unstable();
            prop_assert_eq!(got, want);
        }
    }

    #[test]
    fn flat_pictures_are_not_all_doubles() {
        let (dark, grey) = (of(vec![100; 256]), of(vec![101; 256]));
        assert_eq!(dark.difference(&grey), None);
        assert_eq!(dark.difference(&dark), Some(0.0));
    }
}
