//! Stochastic pooling (Zeiler & Fergus 2013, *Stochastic Pooling for Regularization of Deep
//! Convolutional Neural Networks*, arXiv:1301.3557, §3): in training each window answers with one
//! of its values, drawn with probabilities proportional to the values, `p_i = x_i / Σ_j x_j`; in
//! evaluation with the expectation of that, `y = Σ p_i x_i`.
//!
//! `[N, C, H, W] -> [N, C, H', W']`, or `[N, C]`. The gradient of a draw goes to the drawn value.
//! The card is `docs/layers/stochastic.md`.
//!
//! What we do differently: the paper's maps are not negative, ours can be, where a transition pools
//! the output of a convolution. So the probabilities are those of the positive part,
//! `p_i = max(0, x_i) / Σ_j max(0, x_j)`: on the paper's maps the same, and a negative value is
//! never drawn. A window whose positive part is (all but) nothing draws uniformly, so that its
//! expectation is its mean. Padding is never drawn.

use tch::{Kind, Tensor};

use crate::builder::Builder;
use crate::mode::{Draws, Mode};
use crate::pool::windows::{WINDOW, widen};
use crate::pool::{Extent, PoolLayer, Site};

/// A window with a positive part of at most this much has none: a quotient by less could overflow.
const NOTHING: f64 = 1e-30;

/// A value of each window, or of the whole map, drawn in proportion to its size.
#[derive(Debug)]
pub struct StochasticPool {
    /// What it draws under.
    pub name: String,
    /// What it pools over.
    pub extent: Extent,
}

/// The row's constructor.
pub(crate) fn build(_: &mut Builder, site: Site) -> Box<dyn PoolLayer> {
    Box::new(StochasticPool { name: site.name.to_string(), extent: site.extent })
}

impl PoolLayer for StochasticPool {
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let values = self.extent.gather(&widen(x), 0.0);
        let weights = self.weights(&values, x);
        let y = match mode {
            Mode::Train(draws) => {
                let chosen = self.draw(draws, &weights.detach());
                values.gather(WINDOW, &chosen, false).squeeze_dim(WINDOW)
            }
            Mode::Eval => {
                let total = weights.sum_dim_intlist(WINDOW, true, None::<Kind>);
                (weights / total * values).sum_dim_intlist(WINDOW, false, None::<Kind>)
            }
        };
        self.extent.place(&y, x)
    }
}

impl StochasticPool {
    /// What the values of each window are drawn in proportion to: their positive part, or 1 for
    /// each that is not padding where the window has none.
    fn weights(&self, values: &Tensor, x: &Tensor) -> Tensor {
        let positive = values.relu();
        let some = positive.sum_dim_intlist(WINDOW, true, None::<Kind>).gt(NOTHING);
        let map = [1, 1, x.size()[2], x.size()[3]];
        let real = self.extent.gather(&Tensor::ones(map, (values.kind(), x.device())), 0.0);
        positive.where_self(&some, &real)
    }

    /// The index of the value that each window drew: the first at which the running sum of the
    /// weights exceeds `u` times their total. As `u < 1`, there is one, and its weight is not 0.
    fn draw(&self, draws: Draws, weights: &Tensor) -> Tensor {
        let sums = weights.cumsum(WINDOW, None::<Kind>);
        let total = sums.select(WINDOW, -1);
        let u = draws.uniform(&self.name, &total.size(), total.device());
        let passed = sums.le_tensor(&(u * total));
        passed.sum_dim_intlist(WINDOW, true, Kind::Int64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(extent: Extent) -> StochasticPool {
        StochasticPool { name: "pool".into(), extent }
    }

    fn eval(values: &[f32; 4], extent: Extent) -> f64 {
        let x = Tensor::from_slice(values).view([1, 1, 2, 2]);
        layer(extent).forward(&x, Mode::Eval).view(-1).double_value(&[0])
    }

    #[test]
    fn evaluation_weighs_by_size_and_drops_what_is_negative() {
        for extent in [Extent::TRANSITION, Extent::Global] {
            assert_eq!(eval(&[1.0, 3.0, 0.0, 0.0], extent), 2.5); // (1 · 1 + 3 · 3) / 4
            assert_eq!(eval(&[1.0, 3.0, -8.0, -1.0], extent), 2.5);
            assert_eq!(eval(&[-1.0, -3.0, -4.0, 0.0], extent), -2.0); // no positive part: the mean
        }
        assert_eq!(eval(&[-1.0, -3.0, -4.0, 0.0], Extent::STEM), -2.0); // padding does not count
    }

    #[test]
    fn a_draw_is_the_inverse_of_the_running_sum() {
        let samples: Vec<u32> = (0..50).collect();
        let draws = Draws { seed: 1, epoch: 2, samples: &samples };
        let window = [1f32, -5.0, 3.0, 4.0];
        let x = Tensor::from_slice(&window).view([1, 1, 2, 2]).repeat([50, 1, 1, 1]);
        let y = layer(Extent::TRANSITION).forward(&x, Mode::Train(draws)).view(-1);
        let u = draws.uniform("pool", &[50, 1, 1, 1], tch::Device::Cpu).view(-1);
        for i in 0..50 {
            let want = match u.double_value(&[i]) * 8.0 {
                below if below < 1.0 => 1.0,
                below if below < 4.0 => 3.0,
                _ => 4.0,
            };
            assert_eq!(y.double_value(&[i]), want, "picture {i}");
        }
    }
}
