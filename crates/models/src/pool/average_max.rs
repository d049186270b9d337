//! Half the mean and half the maximum: `y = ½ (mean + max)`, mixed pooling (Lee, Gallagher & Tu
//! 2016, arXiv:1509.08985, §3.1) with the proportion fixed at ½. Over the whole map it is timm's
//! `avgmax`.
//!
//! `[N, C, H, W] -> [N, C, H', W']`, or `[N, C]`. Padding counts as it does in each half: as zeros
//! in the mean, as -∞ in the maximum. The card is `docs/layers/avgmax.md`.

use tch::Tensor;

use crate::builder::Builder;
use crate::mode::Mode;
use crate::pool::average::AveragePool;
use crate::pool::max::MaxPool;
use crate::pool::{PoolLayer, Site};

/// Half the mean and half the maximum of each window, or of the whole map.
#[derive(Debug)]
pub struct AverageMaxPool {
    /// The one half.
    pub average: AveragePool,
    /// The other half.
    pub max: MaxPool,
}

/// The row's constructor.
pub(crate) fn build(_: &mut Builder, site: Site) -> Box<dyn PoolLayer> {
    let extent = site.extent;
    Box::new(AverageMaxPool { average: AveragePool { extent }, max: MaxPool { extent } })
}

impl PoolLayer for AverageMaxPool {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        (self.average.forward(x, mode) + self.max.forward(x, mode)) * 0.5
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Extent;

    #[test]
    fn small_maps_by_hand() {
        let x = Tensor::from_slice(&[1f32, 2.0, 3.0, -6.0]).view([1, 1, 2, 2]);
        for extent in [Extent::TRANSITION, Extent::Global] {
            let layer = AverageMaxPool { average: AveragePool { extent }, max: MaxPool { extent } };
            assert_eq!(layer.forward(&x, Mode::Eval).view(-1).double_value(&[0]), 1.5);
        }
    }
}
