//! The mean and the maximum of the whole map side by side, `[mean, max]`: fast.ai's
//! `AdaptiveConcatPool2d` (Howard & Gugger 2020, arXiv:2002.04688), timm's `catavgmax`.
//!
//! `[N, C, H, W] -> [N, 2C]`: the means of all channels, then the maxima (timm's order; fast.ai's
//! is the other). The classifier after it has twice the inputs. Only for the head: elsewhere the
//! doubled channels would change the network behind it and not the pooling alone. The card is
//! `docs/layers/catavgmax.md`.

use tch::Tensor;

use crate::builder::Builder;
use crate::mode::Mode;
use crate::pool::average::AveragePool;
use crate::pool::max::MaxPool;
use crate::pool::{PoolLayer, Site};

/// The means, then the maxima.
#[derive(Debug)]
pub struct ConcatPool {
    /// The first half of the output.
    pub average: AveragePool,
    /// The second half.
    pub max: MaxPool,
}

/// The row's constructor.
pub(crate) fn build(_: &mut Builder, site: Site) -> Box<dyn PoolLayer> {
    let extent = site.extent;
    Box::new(ConcatPool { average: AveragePool { extent }, max: MaxPool { extent } })
}

impl PoolLayer for ConcatPool {
    fn out_channels(&self, channels: i64) -> i64 {
        2 * channels
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        Tensor::cat(&[self.average.forward(x, mode), self.max.forward(x, mode)], 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Extent;

    #[test]
    fn means_come_first() {
        let extent = Extent::Global;
        let layer = ConcatPool { average: AveragePool { extent }, max: MaxPool { extent } };
        let x = Tensor::from_slice(&[1f32, 2.0, 3.0, -6.0]).view([1, 2, 1, 2]);
        let y = Vec::<f32>::try_from(layer.forward(&x, Mode::Eval).view(-1)).unwrap();
        assert_eq!(y, [1.5, -1.5, 2.0, 3.0]);
        assert_eq!(layer.out_channels(2), 4);
    }
}
