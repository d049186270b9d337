//! Stochastic gradient descent with momentum. Keras folds the learning rate into the velocity,
//! PyTorch does not; Sutskever et al. 2013, *On the importance of initialization and momentum in
//! deep learning* (equations 1 to 4), is the Keras form.
//!
//! With gradient `g`, weight `w`, momentum `m`, learning rate `lr`, weight decay `d`:
//!
//! | | PyTorch | Keras |
//! |---|---|---|
//! | decay | `g ← g + d·w` (coupled) | `w ← w − lr·d·w` (decoupled, Keras 3) |
//! | velocity | `v ← m·v + (1 − p)·g`, `v ← g` at the first step | `v ← m·v − lr·g` |
//! | plain | `w ← w − lr·v` | `w ← w + v` |
//! | Nesterov | `w ← w − lr·(g + m·v)` | `w ← w + m·v − lr·g` |
//!
//! `p` is PyTorch's dampening, which Keras does not have. While `lr` is constant and `d` and `p`
//! are zero the two are the same numbers up to rounding.

use catscan_torch_ext::pieces::Descent;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Semantics, Stretch};

/// The optimiser's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sgd {
    /// The schedule's peak.
    pub lr: f64,
    /// 0 to below 1; 0 keeps no velocity.
    pub momentum: f64,
    /// Look ahead by one momentum step; needs momentum above 0.
    pub nesterov: bool,
    /// 0 to below 1: how much of a gradient does not reach the velocity. PyTorch's alone.
    #[serde(default, skip_serializing_if = "crate::recipe::is_zero")]
    pub dampening: f64,
    /// 0 or more. Acts on every trained number, biases and batch norm included, where the recipe's
    /// `decayed` does not say otherwise.
    pub weight_decay: f64,
    /// Which column of the table above.
    pub semantics: Semantics,
}

impl Sgd {
    /// Without momentum it remembers nothing.
    pub(super) fn moment_names(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["velocity"] }
    }

    /// The table's column as coefficients of one formula, decay apart, at the `steps`-th step.
    pub(super) fn descent(&self, lr: f64, steps: u64) -> Descent {
        let take = if steps == 1 { 1.0 } else { 1.0 - self.dampening };
        let (scale, take, rate) = match self.semantics {
            Semantics::Pytorch => (1.0, take, -lr),
            Semantics::Keras => (-lr, 1.0, 1.0),
        };
        Descent {
            scale: scale as f32,
            decay: 0.0,
            momentum: self.momentum as f32,
            take: take as f32,
            rate: rate as f32,
            keep: 1.0,
            nesterov: self.nesterov,
        }
    }

    /// What a stretch of weights gains, `[S]`, a decoupled decay apart; its velocity is kept.
    pub(super) fn change(&self, mut stretch: Stretch) -> Tensor {
        let descent = self.descent(stretch.lr, stretch.steps);
        let q = times(stretch.pulled(), descent.scale);
        let Some(v) = stretch.moments.first_mut() else {
            return times(q, descent.rate);
        };
        *v *= f64::from(descent.momentum);
        *v += times(q.shallow_clone(), descent.take);
        let change = match descent.nesterov {
            true => &*v * f64::from(descent.momentum) + q,
            false => v.shallow_clone(),
        };
        times(change, descent.rate)
    }
}

/// Without an operation where it changes nothing.
fn times(x: Tensor, factor: f32) -> Tensor {
    if factor == 1.0 { x } else { x * f64::from(factor) }
}

#[cfg(test)]
pub(super) const SETTINGS: Sgd = Sgd {
    lr: 0.1,
    momentum: 0.9,
    nesterov: false,
    dampening: 0.0,
    weight_decay: 0.0,
    semantics: Semantics::Pytorch,
};

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::super::{Moments, Optimizer, ParameterGroup, flatten};
    use super::*;

    /// Ten steps on f(w) = w⁴/4 from w = [1, −2], as the table's Keras column says, in f64.
    fn keras_by_hand(nesterov: bool, decay: f64, lr: impl Fn(u64) -> f64) -> [f64; 2] {
        [1.0f64, -2.0].map(|start| {
            let (mut w, mut v) = (start, 0.0);
            for step in 0..10 {
                let (g, lr) = (w * w * w, lr(step));
                w -= lr * decay * w;
                v = 0.9 * v - lr * g;
                w += if nesterov { 0.9 * v - lr * g } else { v };
            }
            w
        })
    }

    fn ten_steps(sgd: &Sgd, lr: impl Fn(u64) -> f64) -> [f64; 2] {
        let w = [Tensor::from_slice(&[1f32]), Tensor::from_slice(&[-2f32])];
        let groups = [ParameterGroup::of_all(w.iter().map(Tensor::shallow_clone).collect())];
        let sgd = Optimizer::Sgd(sgd.clone());
        let mut moments = Moments::zeros(&sgd, 2, Device::Cpu);
        for step in 0..10 {
            let gradient = flatten(&w).pow_tensor_scalar(3).into();
            sgd.step(&groups, &gradient, &mut moments, lr(step));
        }
        [w[0].double_value(&[0]), w[1].double_value(&[0])]
    }

    fn close(ours: [f64; 2], theirs: [f64; 2]) -> bool {
        // f32 against f64 over ten steps of numbers below 4.
        ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() < 2e-6)
    }

    #[test]
    fn keras_follows_its_formula() {
        let lr = |step: u64| 0.02 / (1 + step) as f64;
        for nesterov in [false, true] {
            for weight_decay in [0.0, 0.1] {
                let sgd = Sgd { nesterov, weight_decay, semantics: Semantics::Keras, ..SETTINGS };
                let (ours, theirs) =
                    (ten_steps(&sgd, lr), keras_by_hand(nesterov, weight_decay, lr));
                assert!(close(ours, theirs), "{sgd:?}: {ours:?}, want {theirs:?}");
            }
        }
    }

    #[test]
    fn the_two_semantics_part_only_when_the_rate_moves() {
        let keras = Sgd { semantics: Semantics::Keras, ..SETTINGS };
        let still = |_| 0.02;
        assert!(close(ten_steps(&SETTINGS, still), ten_steps(&keras, still)));
        let moving = |step: u64| 0.02 / (1 + step) as f64;
        assert!(!close(ten_steps(&SETTINGS, moving), ten_steps(&keras, moving)));
    }
}
