//! Adam (Kingma & Ba 2015, *Adam: A Method for Stochastic Optimization*, arXiv:1412.6980), with
//! weight decay coupled as there is in `torch.optim.Adam`, or decoupled (Loshchilov & Hutter 2019,
//! *Decoupled Weight Decay Regularization*, arXiv:1711.05101, algorithm 2): `torch.optim.AdamW`.
//!
//! With gradient `g`, weight `w`, learning rate `lr`, weight decay `d`, at step `t` counted from 1,
//! and `c1 = 1 − β1ᵗ`, `c2 = 1 − β2ᵗ`:
//!
//! | | PyTorch | Keras 3 |
//! |---|---|---|
//! | decay | coupled: `g ← g + d·w`; decoupled: `w ← w − lr·d·w` | decoupled alone |
//! | moments | `m ← m + (1 − β1)(g − m)`, `v ← β2·v + (1 − β2)·g²` | the same |
//! | step | `w ← w − lr/c1 · m / (√v/√c2 + eps)` | `w ← w − lr·√c2/c1 · m / (√v + eps)` |
//!
//! So PyTorch's is the paper's algorithm 1, and Keras' the faster form before its section 2.1,
//! whose eps ("epsilon hat") counts `1/√c2` times as much: 32 times at the first step with
//! β2 = 0.999. Their own defaults differ too, 1e-8 and 1e-7.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Semantics, Stretch};

/// The optimiser's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adam {
    /// The schedule's peak.
    pub lr: f64,
    /// 0 to below 1: how much of the first moment is kept.
    pub beta1: f64,
    /// 0 to below 1: how much of the second moment is kept.
    pub beta2: f64,
    /// Above 0. Where it is added is a matter of `semantics`.
    pub eps: f64,
    /// 0 or more. Acts on every trained number, biases and batch norm included, where the recipe's
    /// `decayed` does not say otherwise.
    pub weight_decay: f64,
    /// How `weight_decay` acts.
    pub decay: Decay,
    /// Which column of the table above.
    pub semantics: Semantics,
}

/// How weight decay acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// As a part of the gradient (an L2 penalty), which the moments then scale.
    Coupled,
    /// On the weight itself, unscaled: AdamW.
    Decoupled,
}

impl Adam {
    /// What a stretch of weights gains, `[S]`, a decoupled decay apart; its moments are kept.
    pub(super) fn change(&self, mut stretch: Stretch) -> Tensor {
        let g = stretch.pulled();
        let [m, v] = stretch.moments.as_mut_slice() else { unreachable!("Adam has two moments") };
        let _ = m.lerp_(&g, 1.0 - self.beta1);
        *v *= self.beta2;
        *v += g.square() * (1.0 - self.beta2);

        let (lr, steps) = (stretch.lr, stretch.steps as f64);
        let (c1, c2) = (1.0 - self.beta1.powf(steps), 1.0 - self.beta2.powf(steps));
        match self.semantics {
            Semantics::Pytorch => &*m / (v.sqrt() / c2.sqrt() + self.eps) * (-lr / c1),
            Semantics::Keras => &*m * (-lr * c2.sqrt() / c1) / (v.sqrt() + self.eps),
        }
    }
}

#[cfg(test)]
pub(super) const SETTINGS: Adam = Adam {
    lr: 1e-3,
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
    weight_decay: 0.0,
    decay: Decay::Decoupled,
    semantics: Semantics::Pytorch,
};

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::super::{Moments, Optimizer, ParameterGroup};
    use super::*;

    /// Where one step from 1 at rate 1 with `gradient` leads.
    fn one_step(adam: Adam, gradient: f32) -> f64 {
        let groups = [ParameterGroup::of_all(vec![Tensor::from_slice(&[1f32])])];
        let adam = Optimizer::Adam(adam);
        let mut moments = Moments::zeros(&adam, 1, Device::Cpu);
        adam.step(&groups, &Tensor::from_slice(&[gradient]).into(), &mut moments, 1.0);
        groups[0].parameters[0].double_value(&[0])
    }

    #[test]
    fn a_first_step_is_the_rate_whatever_the_gradients_size() {
        for gradient in [1e-3, 1.0, 1e3] {
            assert!(one_step(SETTINGS, gradient).abs() < 1e-4, "{gradient}");
        }
    }

    #[test]
    fn keras_eps_weighs_more_at_the_first_step() {
        // The gradient is as small as eps: half a step in PyTorch's form; in Keras', where
        // √v = g·√(1 − β2), 1 in 1 + 1/√(1 − β2) = 32.6 of a step.
        let pytorch = Adam { eps: 1e-3, ..SETTINGS };
        let keras = Adam { semantics: Semantics::Keras, ..pytorch.clone() };
        assert!((one_step(pytorch, 1e-3) - 0.5).abs() < 1e-5);
        assert!((one_step(keras, 1e-3) - (1.0 - 1.0 / (1.0 + 1000f64.sqrt()))).abs() < 1e-5);
    }

    #[test]
    fn decay_is_scaled_only_where_it_is_coupled() {
        let decayed = |decay| one_step(Adam { weight_decay: 0.5, decay, ..SETTINGS }, 1.0);
        // Coupled, it only enlarges the gradient, which the first step ignores.
        assert!(decayed(Decay::Coupled).abs() < 1e-4);
        assert!((decayed(Decay::Decoupled) + 0.5).abs() < 1e-4);
    }
}
