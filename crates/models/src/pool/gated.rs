//! Gated max-average pooling: `y = a · max + (1 - a) · mean` where `a = sigmoid(ωᵀ x)` is read off
//! each window by a learned mask ω (Lee, Gallagher & Tu 2016, *Generalizing Pooling Functions in
//! Convolutional Neural Networks: Mixed, Gated, and Tree*, arXiv:1509.08985, §3.1; one mask a
//! layer, shared by its channels).
//!
//! `[N, C, H, W] -> [N, C, H', W']`, windows only: a mask over the whole map would have as many
//! entries as the map, which a network for any picture size does not know. Padding counts as zeros
//! in the mask's product and in the mean, and as -∞ in the maximum. The card is
//! `docs/layers/gated.md`.
//!
//! What we do differently: ω starts at 0, so a at ½ in every window; the paper does not say. The
//! mask's product is taken in 32-bit for bf16 maps: that is the faster one.

use tch::Tensor;

use crate::builder::Builder;
use crate::init::Values;
use crate::mode::Mode;
use crate::pool::average::AveragePool;
use crate::pool::max::MaxPool;
use crate::pool::windows::widen;
use crate::pool::{PoolLayer, Site};

/// A proportion of the maximum and the mean that each window decides.
#[derive(Debug)]
pub struct GatedPool {
    /// `ω`, `[1, 1, size, size]`.
    pub mask: Tensor,
    /// What a closed gate leaves.
    pub average: AveragePool,
    /// What an open gate leaves.
    pub max: MaxPool,
}

/// The row's constructor.
pub(crate) fn build(builder: &mut Builder, site: Site) -> Box<dyn PoolLayer> {
    let extent = site.extent;
    let [size, _, _] = extent.window();
    let dims = [1, 1, size, size];
    let mask = builder.parameter(format!("{}.mask", site.name), &dims, Values::Zeros);
    Box::new(GatedPool { mask, average: AveragePool { extent }, max: MaxPool { extent } })
}

impl PoolLayer for GatedPool {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let a = self.gate(&widen(x)).to_kind(x.kind());
        let mean = self.average.forward(x, mode);
        &mean + a * (self.max.forward(x, mode) - &mean)
    }
}

impl GatedPool {
    /// `sigmoid(ωᵀ x)` of each window of each channel: `[N, C, H, W] -> [N, C, H', W']`.
    fn gate(&self, x: &Tensor) -> Tensor {
        let [size, stride, padding] = self.average.extent.window();
        let channels = x.size()[1];
        let mask = self.mask.to_kind(x.kind()).expand([channels, 1, size, size], false);
        let none = None::<&Tensor>;
        x.conv2d(&mask, none, [stride; 2], [padding; 2], [1, 1], channels).sigmoid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Extent;

    #[test]
    fn each_window_opens_its_own_gate() {
        // The mask looks at the upper left value alone: +40 opens the gate, -40 closes it.
        let mask = Tensor::from_slice(&[1f32, 0.0, 0.0, 0.0]).view([1, 1, 2, 2]);
        let extent = Extent::TRANSITION;
        let layer = GatedPool { mask, average: AveragePool { extent }, max: MaxPool { extent } };
        let x = Tensor::from_slice(&[40f32, 0.0, -40.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        let y = layer.forward(&x.view([1, 1, 2, 4]), Mode::Eval);
        assert_eq!(Vec::<f32>::try_from(y.view(-1)).unwrap(), [40.0, -10.0]);
    }
}
