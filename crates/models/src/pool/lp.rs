//! Lp pooling: `y = ((1 / |R|) Σ |x_i|^p)^(1/p)` (Sermanet, Chintala & LeCun 2012, *Convolutional
//! Neural Networks Applied to House Numbers Digit Classification*, arXiv:1204.3968, §1.1; with the
//! mean and the magnitude, as Gulcehre et al. 2014, *Learned-Norm Pooling*, arXiv:1311.1780).
//!
//! `[N, C, H, W] -> [N, C, H', W']`, or `[N, C]`. A signed map gives its magnitude: the sign is
//! lost, and a window of -3 answers 3. Padding counts as zeros, as in average pooling. The card is
//! `docs/layers/lp.md`.
//!
//! What we do differently: p is 2, the case the paper draws (its figure 2); a square weighs every
//! value alike where the paper has a Gaussian. torch's `lp_pool2d` is the sum without `1 / |R|`,
//! and NaN at some windows of zeros. The picture's largest magnitude is divided out before and
//! multiplied in again after, so that no power overflows; `1e-37` under the root keeps the gradient
//! of a window of zeros finite (0), and the value of one at 3e-19 of that largest magnitude.

use tch::Tensor;

use crate::builder::Builder;
use crate::mode::Mode;
use crate::pool::average::AveragePool;
use crate::pool::{Extent, PoolLayer, Site};

/// The exponent of a network's Lp pooling: the root mean square.
pub const P: f64 = 2.0;

/// What a mean of powers is at least: the smallest normal number of 32 bits is 1.2e-38.
const SMALLEST: f64 = 1e-37;

/// The p-th root of the mean p-th power of each window, or of the whole map.
#[derive(Debug)]
pub struct LpPool {
    /// What it pools over.
    pub extent: Extent,
    /// `p`. In 32-bit, values below `10^(-37/p)` of the picture's largest count as nothing.
    pub p: f64,
}

/// The row's constructor.
pub(crate) fn build(_: &mut Builder, site: Site) -> Box<dyn PoolLayer> {
    Box::new(LpPool { extent: site.extent, p: P })
}

impl PoolLayer for LpPool {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let magnitude = x.abs();
        let largest = magnitude.detach().amax([1, 2, 3], true); // [N, 1, 1, 1]
        let largest = largest.where_scalarother(&largest.gt(0.0), 1.0);
        let powers = (magnitude / &largest).pow_tensor_scalar(self.p);
        let mean = AveragePool { extent: self.extent }.forward(&powers, mode);
        let root = mean.clamp_min(SMALLEST).pow_tensor_scalar(1.0 / self.p);
        match self.extent {
            Extent::Window { .. } => root * largest,
            Extent::Global => root * largest.view([-1, 1]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_maps_by_hand() {
        let x = Tensor::from_slice(&[1f32, -7.0, 5.0, 5.0]).view([1, 1, 2, 2]);
        for (extent, p, want) in [
            (Extent::TRANSITION, 2.0, 5.0),
            (Extent::Global, 2.0, 5.0),
            (Extent::TRANSITION, 1.0, 4.5),
            (Extent::STEM, 2.0, 10.0 / 3.0), // five of nine are padding: √(100 / 9)
        ] {
            let y = LpPool { extent, p }.forward(&x, Mode::Eval).view(-1).double_value(&[0]);
            assert!((y - want).abs() < 1e-6, "{extent:?} {p}: {y}");
        }
    }
}
