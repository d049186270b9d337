//! Average pooling: the mean of each window, `y = (1 / |R|) Σ_{i ∈ R} x_i` (LeCun et al. 1998,
//! *Gradient-Based Learning Applied to Document Recognition*, §II.B, without its trainable scale).
//!
//! `[N, C, H, W] -> [N, C, H', W']`, or `[N, C]` over the whole map. Padding counts as zeros in the
//! mean, as in torch and Keras. The card is `docs/layers/avg.md`.
//!
//! What we do differently: the global mean is `mean([2, 3])`, because the backward of torch's
//! adaptive pooling is not deterministic on CUDA. The values are the same.

use tch::{Kind, Tensor};

use crate::builder::Builder;
use crate::mode::Mode;
use crate::pool::{Extent, PoolLayer, Site};

/// The mean of each window, or of the whole map.
#[derive(Debug)]
pub struct AveragePool {
    /// What it pools over.
    pub extent: Extent,
}

/// The row's constructor.
pub(crate) fn build(_: &mut Builder, site: Site) -> Box<dyn PoolLayer> {
    Box::new(AveragePool { extent: site.extent })
}

impl PoolLayer for AveragePool {
    fn forward(&self, x: &Tensor, _mode: Mode) -> Tensor {
        match self.extent {
            Extent::Window { size, stride, padding } => x.avg_pool2d(
                [size, size],
                [stride, stride],
                [padding, padding],
                /* ceil_mode */ false,
                /* count_include_pad */ true,
                /* divisor_override */ None,
            ),
            Extent::Global => x.mean_dim([2, 3].as_slice(), false, None::<Kind>),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_maps_by_hand() {
        let x = Tensor::from_slice(&[1f32, 2.0, 3.0, 4.0, 5.0, -6.0]).view([1, 1, 2, 3]);
        let window = AveragePool { extent: Extent::TRANSITION }.forward(&x, Mode::TRAIN);
        assert_eq!(window.size(), [1, 1, 1, 1]); // the third column has no full window
        assert_eq!(window.double_value(&[0, 0, 0, 0]), 3.0);
        let global = AveragePool { extent: Extent::Global }.forward(&x, Mode::TRAIN);
        assert_eq!(global.size(), [1, 1]);
        assert_eq!(global.double_value(&[0, 0]), 1.5);
    }

    #[test]
    fn padding_counts_as_zeros() {
        let x = Tensor::ones([1, 1, 2, 2], (Kind::Float, tch::Device::Cpu));
        let y = AveragePool { extent: Extent::STEM }.forward(&x, Mode::Eval);
        assert_eq!(y.size(), [1, 1, 1, 1]);
        assert!((y.double_value(&[0, 0, 0, 0]) - 4.0 / 9.0).abs() < 1e-7);
    }
}
