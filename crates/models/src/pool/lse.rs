//! Log-sum-exp pooling, LSE: `y = (1/r) log((1 / |R|) Σ e^{r x_i})` (Pinheiro & Collobert 2015,
//! *From Image-level to Pixel-level Labeling with Convolutional Networks*, arXiv:1411.6228, §3.1).
//!
//! `[N, C, H, W] -> [N, C, H', W']`, or `[N, C]`. r → 0 is the mean, r → ∞ the maximum. Padding
//! counts as nothing: |R| is the number of real values in a window, because a padding of zeros
//! would shift what it touches. The card is `docs/layers/lse.md`.
//!
//! The paper has r as a hyper-parameter; 5 is our choice. Between values 1 apart the larger then
//! all but wins, and values 0.1 apart are all but averaged; maps behind a batch norm spread by
//! about 1.

use tch::Tensor;

use crate::builder::Builder;
use crate::mode::Mode;
use crate::pool::windows::{OUTSIDE, WINDOW, widen};
use crate::pool::{Extent, PoolLayer, Site};

/// The sharpness of a network's LSE pooling.
pub const R: f64 = 5.0;

/// The log of the mean exponential of each window, or of the whole map.
#[derive(Debug)]
pub struct LsePool {
    /// What it pools over.
    pub extent: Extent,
    /// `r`, above 0.
    pub r: f64,
}

/// The row's constructor.
pub(crate) fn build(_: &mut Builder, site: Site) -> Box<dyn PoolLayer> {
    Box::new(LsePool { extent: site.extent, r: R })
}

impl PoolLayer for LsePool {
    fn forward(&self, x: &Tensor, _mode: Mode) -> Tensor {
        let log_sum = |x: &Tensor| self.extent.gather(x, OUTSIDE).logsumexp(WINDOW, false);
        let x_wide = widen(x);
        let (_, _, h, w) = x_wide.size4().expect("a map has four axes");
        let zeros = Tensor::zeros([1, 1, h, w], (x_wide.kind(), x_wide.device()));
        let log_counts = log_sum(&zeros); // log |R| of each window
        let y = (log_sum(&(x_wide * self.r)) - log_counts) / self.r;
        self.extent.place(&y, x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_maps_by_hand() {
        let x = Tensor::from_slice(&[0.0, 2f32.ln(), 4f32.ln(), 0.0]).view([1, 1, 2, 2]);
        for (r, want) in [(1.0, 2f64.ln()), (2.0, (22f64 / 4.0).ln() / 2.0)] {
            for extent in [Extent::TRANSITION, Extent::Global] {
                let y = LsePool { extent, r }.forward(&x, Mode::Eval).view(-1).double_value(&[0]);
                assert!((y - want).abs() < 1e-6, "{extent:?} {r}: {y}, want {want}");
            }
        }
    }

    #[test]
    fn padding_counts_as_nothing() {
        let x = Tensor::from_slice(&[-7f32]).view([1, 1, 1, 1]);
        let y = LsePool { extent: Extent::STEM, r: R }.forward(&x, Mode::Eval);
        assert_eq!(y.double_value(&[0, 0, 0, 0]), -7.0);
    }
}
