//! Gradient clipping: a step is never larger than its author allows (Pascanu et al. 2013, *On the
//! difficulty of training recurrent neural networks*, arXiv:1211.5063, algorithm 1).
//!
//! Over the flat gradient `[P]` of all trained numbers, so the norm is that of all of them
//! together. The numbers are those of `torch.nn.utils.clip_grad_norm_` and `clip_grad_value_`.

use serde::{Deserialize, Serialize};
use tch::Tensor;

/// What a gradient is held below, after it was found to be finite and before the optimiser sees it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clip {
    /// The length of the whole gradient, above 0: a longer one is shortened, its direction kept.
    Norm(f64),
    /// The magnitude of each number, above 0: a larger one is cut off.
    Value(f64),
}

impl Clip {
    /// `gradient [P]`, clipped in place. Nothing waits for the device.
    pub fn apply(self, gradient: &mut Tensor) {
        match self {
            Clip::Norm(most) => {
                // As PyTorch: multiplied always, by 1 where the gradient is short enough.
                let share = most / (gradient.norm() + 1e-6);
                *gradient *= share.clamp_max(1.0);
            }
            Clip::Value(most) => {
                let _ = gradient.clamp_(-most, most);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clipped(clip: Clip, numbers: &[f32]) -> Vec<f32> {
        let mut gradient = Tensor::from_slice(numbers);
        clip.apply(&mut gradient);
        Vec::try_from(gradient).unwrap()
    }

    #[test]
    fn a_short_gradient_stays_and_a_long_one_keeps_its_direction() {
        assert_eq!(clipped(Clip::Norm(6.0), &[3.0, -4.0]), [3.0, -4.0]);
        let [a, b] = clipped(Clip::Norm(1.0), &[3.0, -4.0])[..] else { panic!() };
        assert!((a - 0.6).abs() < 1e-6 && (b + 0.8).abs() < 1e-6, "{a} {b}");
    }

    #[test]
    fn each_number_is_cut_off() {
        assert_eq!(clipped(Clip::Value(3.5), &[3.0, -4.0]), [3.0, -3.5]);
    }
}
