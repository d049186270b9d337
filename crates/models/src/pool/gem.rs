//! Generalised-mean pooling, GeM: `y = ((1 / |R|) Σ x_i^p)^(1/p)` with one learned exponent p a
//! layer (Radenović, Tolias & Chum 2018, *Fine-tuning CNN Image Retrieval with No Human
//! Annotation*, arXiv:1711.02512, equation 3).
//!
//! `[N, C, H, W] -> [N, C, H', W']`, or `[N, C]`. p = 1 is the mean, p → ∞ the maximum; it starts
//! at 3, as in the paper. The paper pools the output of a ReLU; values below `1e-6`, so all
//! negative ones, are raised to that, as in the authors' code, and get no gradient. Padding counts
//! as zeros. The card is `docs/layers/gem.md`.
//!
//! What we do differently: it is computed from logarithms, `y = exp((1/p) log mean exp(p log x))`,
//! which no p and no x overflow, and whose gradients are finite everywhere. The values are equal,
//! and it is faster than the two powers.

use tch::Tensor;

use crate::builder::Builder;
use crate::init::Values;
use crate::mode::Mode;
use crate::pool::windows::{OUTSIDE, WINDOW, widen};
use crate::pool::{Extent, PoolLayer, Site};

/// What every value is at least.
const EPS: f64 = 1e-6;

/// The generalised mean of each window, or of the whole map.
#[derive(Debug)]
pub struct GemPool {
    /// What it pools over.
    pub extent: Extent,
    /// `p`, `[1]`.
    pub p: Tensor,
}

/// The row's constructor.
pub(crate) fn build(builder: &mut Builder, site: Site) -> Box<dyn PoolLayer> {
    let p = builder.parameter(format!("{}.p", site.name), &[1], Values::Constant(3));
    Box::new(GemPool { extent: site.extent, p })
}

impl PoolLayer for GemPool {
    fn forward(&self, x: &Tensor, _mode: Mode) -> Tensor {
        let logs = self.extent.gather(&widen(x).clamp_min(EPS).log(), OUTSIDE);
        let p = self.p.to_kind(logs.kind());
        let log_sum = (&logs * &p).logsumexp(WINDOW, false);
        let log_mean = log_sum - (logs.size()[WINDOW as usize] as f64).ln();
        self.extent.place(&(log_mean / p).exp(), x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_maps_by_hand() {
        let x = Tensor::from_slice(&[1f32, 7.0, 5.0, -5.0]).view([1, 1, 2, 2]);
        let mean_of = |p: f64| ((1.0 + 7f64.powf(p) + 5f64.powf(p)) / 4.0).powf(1.0 / p);
        for (extent, p, want) in [
            (Extent::TRANSITION, 3.0, mean_of(3.0)),
            (Extent::Global, 3.0, mean_of(3.0)),
            (Extent::TRANSITION, 1.0, 3.25),
            (Extent::TRANSITION, 400.0, 7.0),
        ] {
            let layer = GemPool { extent, p: Tensor::from_slice(&[p as f32]) };
            let y = layer.forward(&x, Mode::Eval).view(-1).double_value(&[0]);
            assert!((y - want).abs() < 0.03, "{extent:?} {p}: {y}, want {want}");
        }
    }
}
