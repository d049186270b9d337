//! ROAD, "remove and debias": Rong et al. 2022, "A Consistent and Efficient Evaluation Strategy for
//! Attribution Methods", <https://arxiv.org/abs/2202.00449>, §4.
//!
//! Pixels are removed, but what is left must not tell their shape: each is filled in from its
//! neighbours (`fill.rs`), with a little noise. Removing the least hot pixels should cost
//! nothing and removing the hottest everything: the score is half the difference of the
//! probabilities, averaged over the shares in [`SHARES`], as pytorch-grad-cam's `ROADCombined`.
//! Large is good, 0 is what a random map gets. What we do differently: the noise is a formula of
//! the pixel, and the system is solved another way, to the same values.

use super::fill::fill;
use super::{Pictures, mean};
use crate::VizError;
use crate::cam::Map;
use crate::chance::sum_of_twelve;
use rayon::prelude::*;
use tch::Tensor;

/// The shares of the pixels that are removed in turn.
pub const SHARES: [f64; 4] = [0.2, 0.4, 0.6, 0.8];
/// The noise's deviation, of a picture's own; the paper's is 0.01 of the range.
const NOISE: f64 = 0.01;

/// What one picture's class is left with, for each of [`SHARES`]: probabilities.
#[derive(Debug, Clone, PartialEq)]
pub struct Road {
    /// Without the hottest pixels.
    pub hottest: Vec<f64>,
    /// Without the coldest.
    pub coldest: Vec<f64>,
}

impl Road {
    /// How much more the hottest pixels matter than the coldest, −½..=½.
    pub fn score(&self) -> f64 {
        let pairs = self.coldest.iter().zip(&self.hottest);
        mean(pairs.map(|(coldest, hottest)| (coldest - hottest) / 2.0))
    }
}

/// Asks it of a map of each picture.
///
/// # Errors
/// Maps that are not one a picture.
pub fn road(asked: &Pictures, maps: &[Map]) -> Result<Vec<Road>, VizError> {
    asked.check(maps)?;
    let order = asked.hottest_first(maps);
    let size = asked.size();
    let pixels = (size.0 * size.1) as usize;
    let pictures: Vec<Vec<f32>> =
        (0..maps.len()).map(|n| crate::cam::values(&asked.batch.get(n as i64))).collect();
    // Every picture without its hottest and without its coldest pixels, in every share.
    let turns = maps.len() * SHARES.len() * 2;
    let sheet = |turn: usize| {
        let (n, turn) = (turn / (2 * SHARES.len()), turn % (2 * SHARES.len()));
        let gone = (SHARES[turn / 2] * pixels as f64) as usize;
        let removed = match turn % 2 {
            0 => &order[n][..gone],
            _ => &order[n][pixels - gone..],
        };
        with_noise(fill(&pictures[n], size, removed), &pictures[n], removed, pixels)
    };
    let of_turn = |turn: usize| asked.classes[turn / (2 * SHARES.len())];
    let classes: Vec<i64> = (0..turns).map(of_turn).collect();
    let told = asked.probabilities_of(&classes, |some| {
        let count = some.len();
        let sheets: Vec<Vec<f32>> = some.into_par_iter().map(sheet).collect();
        let mut shape = asked.batch.size();
        shape[0] = count as i64;
        Tensor::from_slice(&sheets.concat())
            .view(shape.as_slice())
            .to_kind(asked.batch.kind())
            .to_device(asked.batch.device())
    })?;
    let every = |told: &[f64], first: usize| told.iter().skip(first).step_by(2).copied().collect();
    let one = |told: &[f64]| Road { hottest: every(told, 0), coldest: every(told, 1) };
    Ok(told.chunks(2 * SHARES.len()).map(one).collect())
}

/// A filled picture whose `removed` pixels carry noise by each channel's own deviation.
fn with_noise(mut filled: Vec<f32>, picture: &[f32], removed: &[u32], pixels: usize) -> Vec<f32> {
    for (channel, whole) in filled.chunks_mut(pixels).zip(picture.chunks(pixels)) {
        let spread = NOISE * f64::from(deviation(whole));
        for pixel in removed {
            channel[*pixel as usize] += (spread * sum_of_twelve(u64::from(*pixel))) as f32;
        }
    }
    filled
}

fn deviation(values: &[f32]) -> f32 {
    let n = values.len() as f32;
    let mean = values.iter().sum::<f32>() / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n).sqrt()
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn a_map_and_its_negative_have_opposite_scores() {
        let (model, batch) = (testing::network(), testing::pictures(2));
        let maps = super::super::random::maps(2, 32, 32);
        let turned: Vec<_> = maps.iter().map(|map| map.for_other_class()).collect();
        let pictures = Pictures::new(&model, &batch, &[1, 1]).unwrap();
        let score = |maps: &[Map]| mean(road(&pictures, maps).unwrap().iter().map(Road::score));
        let (one, other) = (score(&maps), score(&turned));
        assert!((one + other).abs() < 1e-3 && one != 0.0, "{one} {other}");
    }

    #[test]
    fn each_picture_is_what_it_is_alone() {
        let (model, batch) = (testing::network(), testing::pictures(3));
        let maps = super::super::random::maps(3, 8, 8);
        let together = road(&Pictures::new(&model, &batch, &[1, 0, 1]).unwrap(), &maps).unwrap();
        let x = batch.narrow(0, 1, 1);
        let alone = road(&Pictures::new(&model, &x, &[0]).unwrap(), &maps[1..2]).unwrap();
        assert_eq!((together.len(), alone.len()), (3, 1));
        for curve in [|road: &Road| road.hottest.clone(), |road: &Road| road.coldest.clone()] {
            let (a, b) = (curve(&together[1]), curve(&alone[0]));
            assert_eq!(a.len(), SHARES.len());
            assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} {b:?}");
        }
    }
}
