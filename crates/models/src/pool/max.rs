//! Max pooling: the largest value of each window, `y = max_{i ∈ R} x_i` (Riesenhuber & Poggio 1999,
//! *Hierarchical Models of Object Recognition in Cortex*; Zhou & Chellappa 1988).
//!
//! `[N, C, H, W] -> [N, C, H', W']`, or `[N, C]` over the whole map. Padding counts as -∞, so it is
//! never chosen. The card is `docs/layers/max.md`.
//!
//! What we do differently: the global maximum is `amax([2, 3])`, which is deterministic on CUDA but
//! shares the gradient equally among ties, where torch's adaptive max pooling gives all of it to
//! one of them. Ties are common only at 0, after a ReLU, where the gradient is then stopped.

use tch::Tensor;

use crate::builder::Builder;
use crate::mode::Mode;
use crate::pool::{Extent, PoolLayer, Site};

/// The largest value of each window, or of the whole map.
#[derive(Debug)]
pub struct MaxPool {
    /// What it pools over.
    pub extent: Extent,
}

/// The row's constructor.
pub(crate) fn build(_: &mut Builder, site: Site) -> Box<dyn PoolLayer> {
    Box::new(MaxPool { extent: site.extent })
}

impl PoolLayer for MaxPool {
    fn forward(&self, x: &Tensor, _mode: Mode) -> Tensor {
        match self.extent {
            Extent::Window { size, stride, padding } => x.max_pool2d(
                [size, size],
                [stride, stride],
                [padding, padding],
                /* dilation */ [1, 1],
                /* ceil_mode */ false,
            ),
            Extent::Global => x.amax([2, 3].as_slice(), false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_maps_by_hand() {
        let x = Tensor::from_slice(&[-1f32, -2.0, 3.0, -4.0, -5.0, 6.0]).view([1, 1, 2, 3]);
        let window = MaxPool { extent: Extent::TRANSITION }.forward(&x, Mode::TRAIN);
        assert_eq!(window.size(), [1, 1, 1, 1]);
        assert_eq!(window.double_value(&[0, 0, 0, 0]), -1.0);
        let global = MaxPool { extent: Extent::Global }.forward(&x, Mode::TRAIN);
        assert_eq!(global.size(), [1, 1]);
        assert_eq!(global.double_value(&[0, 0]), 6.0);
    }

    #[test]
    fn padding_is_never_chosen() {
        let x = Tensor::from_slice(&[-7f32]).view([1, 1, 1, 1]);
        let y = MaxPool { extent: Extent::STEM }.forward(&x, Mode::Eval);
        assert_eq!(y.double_value(&[0, 0, 0, 0]), -7.0);
    }
}
