//! BlurPool, anti-aliased max pooling: the maximum at every pixel, then a blur, then every second
//! pixel (Zhang 2019, *Making Convolutional Networks Shift-Invariant Again*, arXiv:1904.11486,
//! `MaxPool_{k,s} → Subsample_s ∘ Blur_m ∘ Max_{k,1}`).
//!
//! `[N, C, H, W] -> [N, C, H', W']`, windows only. A transition's 2×2/2 becomes Max 2×2/1, then the
//! blur with stride 2; the stem's 3×3/2 with padding 1 becomes Max 3×3/1 with padding 1 (as -∞),
//! then the blur with stride 2. The sizes are those of max pooling. The card is
//! `docs/layers/blur.md`.
//!
//! The blur is the paper's Triangle-3, [1 2 1]ᵀ [1 2 1] / 16, over a map extended by reflection, as
//! in the authors' code. It is computed as two means of 2×2, because [1 2 1] is [1 1] twice. Of the
//! first means, a reflected map has at its border the same pair twice, so that leaving out what
//! lies outside in the second is that extension, and nothing is padded.
//!
//! What we do differently: the authors' code for DenseNet puts no maximum into the transitions,
//! since there it replaces an average. Here it replaces whatever the arm has, by the paper's rule
//! for max pooling. A dense map of one pixel, which has no reflection, is extended by itself.

use tch::Tensor;

use crate::builder::Builder;
use crate::mode::Mode;
use crate::pool::{PoolLayer, Site};

/// A dense maximum, blurred and subsampled.
#[derive(Debug)]
pub struct BlurPool {
    /// Height and width of the windows of the maximum.
    pub size: i64,
    /// Pixels from one output to the next.
    pub stride: i64,
    /// Pixels that the maximum adds on each side.
    pub padding: i64,
}

/// The row's constructor.
pub(crate) fn build(_: &mut Builder, site: Site) -> Box<dyn PoolLayer> {
    let [size, stride, padding] = site.extent.window();
    Box::new(BlurPool { size, stride, padding })
}

impl PoolLayer for BlurPool {
    fn forward(&self, x: &Tensor, _mode: Mode) -> Tensor {
        let BlurPool { size, stride, padding } = *self;
        let dense =
            x.max_pool2d([size; 2], [1, 1], [padding; 2], [1, 1], /* ceil_mode */ false);
        let pair = [dense.size()[2].min(2), dense.size()[3].min(2)];
        let once = dense.avg_pool2d(pair, [1, 1], [0, 0], /* ceil_mode */ false, false, None);
        let count_include_pad = false;
        once.avg_pool2d(
            [2, 2],
            [stride; 2],
            [1, 1],
            /* ceil_mode */ false,
            count_include_pad,
            None,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_maps_by_hand() {
        let layer = BlurPool { size: 2, stride: 2, padding: 0 };
        // The dense maxima are 2 3 6; their first and last are blurred with a reflected neighbour.
        let x = Tensor::from_slice(&[1f32, 2.0, 3.0, -6.0, 0.0, 1.0, 0.0, 6.0]).view([1, 1, 2, 4]);
        let y = Vec::<f32>::try_from(layer.forward(&x, Mode::Eval).view(-1)).unwrap();
        assert_eq!(y, [(3.0 + 2.0 * 2.0 + 3.0) / 4.0, (3.0 + 2.0 * 6.0 + 3.0) / 4.0]);
    }

    #[test]
    fn a_dense_map_of_one_pixel_is_extended_by_itself() {
        let layer = BlurPool { size: 2, stride: 2, padding: 0 };
        let x = Tensor::from_slice(&[1f32, 2.0, 5.0, -6.0]).view([1, 1, 2, 2]);
        assert_eq!(layer.forward(&x, Mode::Eval).double_value(&[0, 0, 0, 0]), 5.0);
    }
}
