//! Mixed max-average pooling: `y = a · max + (1 - a) · mean` with one learned proportion `a` for a
//! layer (Lee, Gallagher & Tu 2016, *Generalizing Pooling Functions in Convolutional Neural
//! Networks: Mixed, Gated, and Tree*, arXiv:1509.08985, §3.1).
//!
//! `[N, C, H, W] -> [N, C, H', W']`, or `[N, C]`. Padding counts as zeros in the mean and as -∞ in
//! the maximum. The card is `docs/layers/mixed.md`.
//!
//! What we do differently: the paper asks for a in [0, 1]; we learn α with `a = sigmoid(α)`, which
//! cannot leave it. α starts at 0, so a at ½.

use tch::Tensor;

use crate::builder::Builder;
use crate::init::Values;
use crate::mode::Mode;
use crate::pool::average::AveragePool;
use crate::pool::max::MaxPool;
use crate::pool::{PoolLayer, Site};

/// A learned proportion of the maximum and the mean of each window, or of the whole map.
#[derive(Debug)]
pub struct MixedPool {
    /// `α`, `[1]`: the proportion of the maximum is `sigmoid(α)`.
    pub alpha: Tensor,
    /// What `α → -∞` leaves.
    pub average: AveragePool,
    /// What `α → ∞` leaves.
    pub max: MaxPool,
}

/// The row's constructor.
pub(crate) fn build(builder: &mut Builder, site: Site) -> Box<dyn PoolLayer> {
    let extent = site.extent;
    let alpha = builder.parameter(format!("{}.alpha", site.name), &[1], Values::Zeros);
    Box::new(MixedPool { alpha, average: AveragePool { extent }, max: MaxPool { extent } })
}

impl PoolLayer for MixedPool {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let a = self.alpha.sigmoid().to_kind(x.kind());
        let mean = self.average.forward(x, mode);
        &mean + a * (self.max.forward(x, mode) - &mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Extent;

    #[test]
    fn the_proportion_goes_from_mean_to_maximum() {
        let x = Tensor::from_slice(&[1f32, 2.0, 3.0, -6.0]).view([1, 1, 2, 2]);
        for (alpha, want) in [(-50f32, 0.0), (0.0, 1.5), (50.0, 3.0)] {
            let extent = Extent::TRANSITION;
            let (average, max) = (AveragePool { extent }, MaxPool { extent });
            let layer = MixedPool { alpha: Tensor::from_slice(&[alpha]), average, max };
            let y = layer.forward(&x, Mode::Eval).double_value(&[0, 0, 0, 0]);
            assert!((y - want).abs() < 1e-6, "{alpha}: {y}");
        }
    }
}
