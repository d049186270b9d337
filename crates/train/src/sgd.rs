//! Stochastic gradient descent with momentum, over one flat momentum buffer.
//!
//! Our own because tch cannot save an optimiser's state, and because the published studies ran
//! Keras', which folds the learning rate into the velocity where PyTorch does not. Sutskever et
//! al. 2013 (equations 1 to 4) is the Keras form.
//!
//! With gradient `g`, weight `w`, momentum `m`, learning rate `lr`, weight decay `d`:
//!
//! | | PyTorch | Keras |
//! |---|---|---|
//! | decay | `g ← g + d·w` (coupled) | `w ← w − lr·d·w` (decoupled, Keras 3) |
//! | velocity | `v ← m·v + g` | `v ← m·v − lr·g` |
//! | plain | `w ← w − lr·v` | `w ← w + v` |
//! | Nesterov | `w ← w − lr·(g + m·v)` | `w ← w + m·v − lr·g` |
//!
//! While `lr` is constant and `d` is zero the two are the same numbers up to rounding.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, no_grad};

/// Whose formula a step follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Semantics {
    /// `torch.optim.SGD`: coupled decay, velocity without the learning rate.
    Pytorch,
    /// Keras 3's `SGD`: decoupled decay, velocity with the learning rate folded in.
    Keras,
}

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
    /// 0 or more. Acts on every trainable number, biases and batch norm included.
    pub weight_decay: f64,
    /// Which column of the table above.
    pub semantics: Semantics,
}

/// The optimiser's state: the velocity of every trainable number, in the order of the parameters.
#[derive(Debug)]
pub struct Velocity {
    /// `[P]`, f32.
    flat: Tensor,
}

impl Velocity {
    /// Standing still, for `numbers` trainable numbers.
    pub fn zeros(numbers: i64, device: Device) -> Velocity {
        Velocity { flat: Tensor::zeros([numbers], (Kind::Float, device)) }
    }

    /// `flat [P]`, f32, as [`Velocity::flat`] gave it.
    pub fn from_flat(flat: Tensor) -> Velocity {
        Velocity { flat }
    }

    /// `[P]`, f32.
    pub fn flat(&self) -> &Tensor {
        &self.flat
    }
}

/// All gradients end to end, `[P]`; one tensor, so that one reduction finds a NaN in any of them.
pub fn flatten(tensors: &[Tensor]) -> Tensor {
    let rows: Vec<Tensor> = tensors.iter().map(|tensor| tensor.reshape([-1])).collect();
    Tensor::cat(&rows, 0)
}

impl Sgd {
    /// Takes one step: `parameters` move against `gradient [P]` at rate `lr`, `velocity` is kept.
    pub fn step(&self, parameters: &[Tensor], gradient: Tensor, velocity: &mut Velocity, lr: f64) {
        no_grad(|| {
            let change = match self.semantics {
                Semantics::Pytorch => self.pytorch(parameters, gradient, &mut velocity.flat, lr),
                Semantics::Keras => self.keras(parameters, gradient, &mut velocity.flat, lr),
            };
            let mut start = 0;
            for parameter in parameters {
                let length = parameter.numel() as i64;
                let mut parameter = parameter.shallow_clone();
                let _ = parameter.g_add_(&change.narrow(0, start, length).view_as(&parameter));
                start += length;
            }
        });
    }

    fn pytorch(&self, weights: &[Tensor], gradient: Tensor, v: &mut Tensor, lr: f64) -> Tensor {
        let mut g = gradient;
        if self.weight_decay != 0.0 {
            g += flatten(weights) * self.weight_decay;
        }
        if self.momentum == 0.0 {
            return g * -lr;
        }
        *v *= self.momentum;
        *v += &g;
        if self.nesterov { (g + &*v * self.momentum) * -lr } else { &*v * -lr }
    }

    fn keras(&self, weights: &[Tensor], gradient: Tensor, v: &mut Tensor, lr: f64) -> Tensor {
        let pull = gradient * -lr;
        let decay =
            (self.weight_decay != 0.0).then(|| flatten(weights) * (-lr * self.weight_decay));
        let mut change = if self.momentum == 0.0 {
            pull
        } else {
            *v *= self.momentum;
            *v += &pull;
            if self.nesterov { &*v * self.momentum + pull } else { v.copy() }
        };
        if let Some(decay) = decay {
            change += decay;
        }
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Sgd = Sgd {
        lr: 0.1,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
        semantics: Semantics::Pytorch,
    };

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
        let mut velocity = Velocity::zeros(2, Device::Cpu);
        for step in 0..10 {
            let gradient = flatten(&w).pow_tensor_scalar(3);
            sgd.step(&w, gradient, &mut velocity, lr(step));
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

    #[test]
    fn every_parameter_moves_by_its_own_slice() {
        let weights = [Tensor::zeros([2, 2], (Kind::Float, Device::Cpu)), Tensor::from(1f32)];
        let gradient = Tensor::from_slice(&[1f32, 2.0, 3.0, 4.0, 5.0]);
        let sgd = Sgd { momentum: 0.0, ..SETTINGS };
        sgd.step(&weights, gradient, &mut Velocity::zeros(5, Device::Cpu), 1.0);
        assert_eq!(weights[0], Tensor::from_slice(&[-1f32, -2.0, -3.0, -4.0]).view([2, 2]));
        assert_eq!(weights[1].double_value(&[]), -4.0);
    }
}
