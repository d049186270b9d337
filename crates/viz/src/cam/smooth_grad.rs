//! SmoothGrad: Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise",
//! <https://arxiv.org/abs/1706.03825>.
//!
//! The mean gradient of [`COPIES`] copies of the picture with Gaussian noise of [`NOISE`] times the
//! picture's range; of the three colours the largest magnitude, as Simonyan et al. 2013 do, so the
//! map has no negative part. The noise is a formula of the place and the copy, the same for every
//! picture and network: nothing is left to chance.

use super::passes::Asked;
use super::{CamRow, How};
use crate::VizError;
use crate::chance::normal;
use tch::{Kind, Tensor};

const COPIES: u64 = 16;
/// Standard deviation, of the range from a picture's least to its greatest number.
const NOISE: f64 = 0.15;

pub(super) const ROW: CamRow = CamRow {
    name: "smooth-grad",
    about: "the size of pixels' gradients, averaged over noisy copies",
    formula: "max_c |mean over 16 copies of ∂score/∂x at x + noise|",
    cost: "16 forwards, 16 backwards",
    paper: "Smilkov et al. 2017, https://arxiv.org/abs/1706.03825",
    how: How::Input(map),
    forwards: |_| 3 * COPIES as usize,
};

fn map(asked: &Asked) -> Result<Tensor, VizError> {
    let x = asked.batch;
    let axes = [1i64, 2, 3];
    let range = x.amax(axes.as_slice(), true) - x.amin(axes.as_slice(), true);
    let mut sum = x.zeros_like().to_kind(Kind::Float);
    for copy in 0..COPIES {
        let noise = noise(copy, &x.size()[1..]).to_device(x.device()).to_kind(x.kind());
        sum += asked.input_gradient(&(x + noise * &range * NOISE))?;
    }
    Ok((sum / COPIES as f64).abs().amax([1i64].as_slice(), false))
}

/// Standard normal numbers `[C, H, W]` for a copy.
fn noise(copy: u64, shape: &[i64]) -> Tensor {
    let count = shape.iter().product::<i64>() as u64;
    let values: Vec<f32> = (0..count).map(|i| normal(copy * count + i) as f32).collect();
    Tensor::from_slice(&values).view(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_noise_is_standard_normal_and_another_for_each_copy() {
        let (a, b) = (noise(0, &[3, 64, 64]), noise(1, &[3, 64, 64]));
        assert!(a.mean(Kind::Double).double_value(&[]).abs() < 0.03);
        assert!((a.std(true).double_value(&[]) - 1.0).abs() < 0.03);
        assert!((a * b).mean(Kind::Double).double_value(&[]).abs() < 0.03);
    }
}
