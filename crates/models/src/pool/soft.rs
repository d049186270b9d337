//! SoftPool: the mean of each window weighted by the exponential of each value,
//! `y = Σ w_i x_i, w_i = e^{x_i} / Σ_j e^{x_j}` (Stergiou, Poppe & Kalliatakis 2021, *Refining
//! Activation Downsampling with SoftPool*, arXiv:2101.00440, equations 1 and 2).
//!
//! `[N, C, H, W] -> [N, C, H', W']`, or `[N, C]`. Padding weighs nothing. The card is
//! `docs/layers/soft.md`.
//!
//! What we do differently: the weights are a softmax of each window, shifted by the window's own
//! maximum. As `avg(e^x x) / avg(e^x)` it would be one number for the shift of a whole map, and a
//! window 88 below it 0 / 0 in 32-bit.

use tch::{Kind, Tensor};

use crate::builder::Builder;
use crate::mode::Mode;
use crate::pool::windows::{OUTSIDE, WINDOW, widen};
use crate::pool::{Extent, PoolLayer, Site};

/// The softmax-weighted mean of each window, or of the whole map.
#[derive(Debug)]
pub struct SoftPool {
    /// What it pools over.
    pub extent: Extent,
}

/// The row's constructor.
pub(crate) fn build(_: &mut Builder, site: Site) -> Box<dyn PoolLayer> {
    Box::new(SoftPool { extent: site.extent })
}

impl PoolLayer for SoftPool {
    fn forward(&self, x: &Tensor, _mode: Mode) -> Tensor {
        let values = self.extent.gather(&widen(x), OUTSIDE);
        let weights = values.softmax(WINDOW, None::<Kind>);
        let y = (weights * values).sum_dim_intlist(WINDOW, false, None::<Kind>);
        self.extent.place(&y, x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_maps_by_hand() {
        // Weights in the proportion 1 : 2 : 4 : 1.
        let x = Tensor::from_slice(&[0.0, 2f32.ln(), 4f32.ln(), 0.0]).view([1, 1, 2, 2]);
        let want = (2.0 * 2f64.ln() + 4.0 * 4f64.ln()) / 8.0;
        for extent in [Extent::TRANSITION, Extent::Global] {
            let y = SoftPool { extent }.forward(&x, Mode::Eval).view(-1).double_value(&[0]);
            assert!((y - want).abs() < 1e-6, "{extent:?}: {y}, want {want}");
        }
    }

    #[test]
    fn padding_weighs_nothing() {
        let x = Tensor::from_slice(&[-7f32]).view([1, 1, 1, 1]);
        let y = SoftPool { extent: Extent::STEM }.forward(&x, Mode::Eval);
        assert_eq!(y.double_value(&[0, 0, 0, 0]), -7.0);
    }
}
