//! ROAD, "remove and debias": Rong et al. 2022, "A Consistent and Efficient Evaluation Strategy for
//! Attribution Methods", <https://arxiv.org/abs/2202.00449>, §4.
//!
//! Pixels are removed, but what is left must not tell their shape: each becomes the weighted mean
//! of its neighbours (1/6 beside, 1/12 across), removed ones among them, which is one linear
//! system; then a little noise. Removing the least hot pixels should cost nothing and removing the
//! hottest everything: the score is half the difference of the probabilities, averaged over the
//! shares in [`SHARES`], as pytorch-grad-cam's `ROADCombined`. Large is good, 0 is what a random
//! map gets. What we do differently: the system is solved by conjugate gradients (it is symmetric),
//! and the noise is a formula of the pixel.

use super::{Pictures, mean};
use crate::VizError;
use crate::cam::Map;
use tch::Tensor;

/// The shares of the pixels that are removed in turn.
pub const SHARES: [f64; 4] = [0.2, 0.4, 0.6, 0.8];
/// The noise's deviation, of a picture's own; the paper's is 0.01 of the range.
const NOISE: f64 = 0.01;
/// Where the solution stops: far below the noise.
const CLOSE: f64 = 1e-4;

/// Row and column of a neighbour, and its weight.
const NEIGHBOURS: [(i32, i32, f64); 8] = [
    (-1, -1, 1.0 / 12.0),
    (-1, 0, 1.0 / 6.0),
    (-1, 1, 1.0 / 12.0),
    (0, -1, 1.0 / 6.0),
    (0, 1, 1.0 / 6.0),
    (1, -1, 1.0 / 12.0),
    (1, 0, 1.0 / 6.0),
    (1, 1, 1.0 / 12.0),
];

/// The score of a map of each picture: −1..=1.
///
/// # Errors
/// Maps that are not one a picture.
pub fn road(asked: &Pictures, maps: &[Map]) -> Result<f64, VizError> {
    asked.check(maps)?;
    let order = asked.hottest_first(maps);
    let (width, height) = asked.size();
    let pixels = (width * height) as usize;
    let mut scores = Vec::new();
    for share in SHARES {
        let gone = (share * pixels as f64) as usize;
        let without = |hottest: bool| {
            let pictures = order.iter().enumerate().map(|(n, order)| {
                let removed = if hottest { &order[..gone] } else { &order[pixels - gone..] };
                fill(&asked.batch.get(n as i64), removed, width, NOISE)
            });
            let pictures: Vec<Tensor> = pictures.collect();
            let x = Tensor::stack(&pictures, 0).to_device(asked.batch.device());
            Ok::<_, VizError>(mean(asked.probabilities(&x)?))
        };
        scores.push((without(false)? - without(true)?) / 2.0);
    }
    Ok(mean(scores))
}

/// Picture `[C, H, W]` with the `removed` pixels filled in from their neighbours.
fn fill(picture: &Tensor, removed: &[u32], width: u32, noise: f64) -> Tensor {
    let size = picture.size();
    let pixels = (size[1] * size[2]) as usize;
    let mut values = crate::cam::values(picture);
    let system = System::new(removed, pixels, width);
    for channel in values.chunks_mut(pixels) {
        let spread = noise * f64::from(deviation(channel));
        for (pixel, value) in removed.iter().zip(system.solve(channel)) {
            channel[*pixel as usize] = (value + spread * normal(u64::from(*pixel))) as f32;
        }
    }
    Tensor::from_slice(&values).view(size.as_slice()).to_kind(picture.kind())
}

fn deviation(values: &[f32]) -> f32 {
    let n = values.len() as f32;
    let mean = values.iter().sum::<f32>() / n;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n).sqrt()
}

/// Roughly normal: twelve uniforms of splitmix64.
fn normal(i: u64) -> f64 {
    let uniform = |k: u64| {
        let z = (12 * i + k + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 * 2f64.powi(-53)
    };
    (0..12).map(uniform).sum::<f64>() - 6.0
}

/// Unknown `i` is pixel `removed[i]`: its weights' sum times it, less its removed neighbours'
/// weighted values, is its known neighbours' weighted values.
struct System {
    /// Of each unknown: the sum of the weights of neighbours inside the picture.
    sums: Vec<f64>,
    /// Of each unknown: removed neighbours (as unknowns).
    unknown: Vec<Vec<(u32, f64)>>,
    /// Of each unknown: known neighbours (as pixels).
    known: Vec<Vec<(u32, f64)>>,
}

impl System {
    fn new(removed: &[u32], pixels: usize, width: u32) -> System {
        let mut place = vec![u32::MAX; pixels];
        for (i, pixel) in removed.iter().enumerate() {
            place[*pixel as usize] = i as u32;
        }
        let height = (pixels as u32 / width) as i32;
        let mut system = System { sums: vec![], unknown: vec![], known: vec![] };
        for pixel in removed {
            let (row, column) = ((pixel / width) as i32, (pixel % width) as i32);
            let (mut sum, mut unknown, mut known) = (0.0, Vec::new(), Vec::new());
            for (down, right, weight) in NEIGHBOURS {
                let (y, x) = (row + down, column + right);
                if y < 0 || x < 0 || y >= height || x >= width as i32 {
                    continue;
                }
                sum += weight;
                let neighbour = y as u32 * width + x as u32;
                match place[neighbour as usize] {
                    u32::MAX => known.push((neighbour, weight)),
                    at => unknown.push((at, weight)),
                }
            }
            system.sums.push(sum);
            system.unknown.push(unknown);
            system.known.push(known);
        }
        system
    }

    fn apply(&self, x: &[f64]) -> Vec<f64> {
        let row = |i: usize| {
            let beside: f64 = self.unknown[i].iter().map(|(j, w)| w * x[*j as usize]).sum();
            self.sums[i] * x[i] - beside
        };
        (0..x.len()).map(row).collect()
    }

    /// Conjugate gradients (Hestenes & Stiefel 1952), from the picture's mean.
    fn solve(&self, channel: &[f32]) -> Vec<f64> {
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let right: Vec<f64> = (self.known.iter())
            .map(|known| known.iter().map(|(p, w)| w * f64::from(channel[*p as usize])).sum())
            .collect();
        let start = f64::from(channel.iter().sum::<f32>()) / channel.len() as f64;
        let mut x = vec![start; right.len()];
        let mut residual: Vec<f64> = right.iter().zip(self.apply(&x)).map(|(b, a)| b - a).collect();
        let mut direction = residual.clone();
        let mut square = dot(&residual, &residual);
        let enough = CLOSE * CLOSE * dot(&right, &right).max(1e-12);
        for _ in 0..right.len() {
            if square <= enough {
                break;
            }
            let image = self.apply(&direction);
            let step = square / dot(&direction, &image);
            x.iter_mut().zip(&direction).for_each(|(x, d)| *x += step * d);
            residual.iter_mut().zip(&image).for_each(|(r, a)| *r -= step * a);
            let next = dot(&residual, &residual);
            let turn = next / square;
            direction.iter_mut().zip(&residual).for_each(|(d, r)| *d = r + turn * *d);
            square = next;
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use serde_json::Value;

    /// Against pytorch-grad-cam's imputer without noise; see `scripts/golden/road.py`.
    #[test]
    fn holes_are_filled_as_pytorch_grad_cam_fills_them() {
        let golden: Value =
            serde_json::from_str(include_str!("../../tests/golden/road.json")).unwrap();
        let list = |name: &str| -> Vec<f64> {
            golden[name].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
        };
        let picture: Vec<f32> = list("picture").iter().map(|v| *v as f32).collect();
        let removed: Vec<u32> = list("removed").iter().map(|v| *v as u32).collect();
        let picture = Tensor::from_slice(&picture).view([2, 6, 8]);
        let ours = crate::cam::values(&fill(&picture, &removed, 8, 0.0));
        for (a, b) in ours.iter().zip(list("filled")) {
            assert!((f64::from(*a) - b).abs() < 1e-3, "{a} {b}");
        }
    }

    #[test]
    fn a_map_and_its_negative_have_opposite_scores() {
        let (model, batch) = (testing::network(), testing::pictures(2));
        let maps = super::super::random::maps(2, 32, 32);
        let turned: Vec<_> = maps.iter().map(|map| map.for_other_class()).collect();
        let pictures = Pictures::new(&model, &batch, &[1, 1]).unwrap();
        let score = |maps: &[Map]| road(&pictures, maps).unwrap();
        let (one, other) = (score(&maps), score(&turned));
        assert!((one + other).abs() < 1e-3, "{one} {other}");
    }
}
