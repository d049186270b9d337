//! Weights averaged over a training, which score better than the last ones and swing less (Polyak &
//! Juditsky 1992; exponentially, as in Tarvainen & Valpola 2017, arXiv:1703.01780, equation 1).
//!
//! After update `t`, counted from 1, with weights `w`: `a ← d·a + (1 − d)·w`, and `a ← w` at the
//! first. That is `torch.optim.swa_utils.get_ema_multi_avg_fn`, and timm's `ModelEmaV3` with and
//! without its warm-up. Running statistics are averaged as well, as timm does it.
//!
//! The average is what is validated, tested and saved as `weights.safetensors`; what is trained is
//! saved beside it, so that a run goes on to the bit.

use catscan_models::{Weight, Weights};
use serde::{Deserialize, Serialize};
use tch::{Tensor, no_grad};

/// How weights are averaged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ema {
    /// 0 to below 1: the share of the average that stays at an update; 0.999 remembers about a
    /// thousand steps.
    pub decay: f64,
    /// `Some(p)`, above 0: before update `t + 1` the share is `1 − (1 + t)⁻ᵖ` where that is
    /// smaller, so that a short training does not average its first weights in. timm's is 2/3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_power: Option<f64>,
}

impl Ema {
    /// How much of the average stays when it takes the weights of update `update`, from 1.
    pub fn decay_at(self, update: u64) -> f64 {
        let before = update.saturating_sub(1);
        match self.warmup_power {
            _ if before == 0 => 0.0,
            None => self.decay,
            Some(power) => (1.0 - (1.0 + before as f64).powf(-power)).min(self.decay),
        }
    }
}

/// The average of all tensors of a model, in their order.
#[derive(Debug)]
pub struct Average {
    ema: Ema,
    tensors: Vec<Tensor>,
}

impl Average {
    /// Begins with what the weights are now.
    pub fn of(ema: Ema, weights: &Weights) -> Average {
        let copy = |weight: &Weight| weight.tensor.detach().copy();
        Average { ema, tensors: weights.iter().map(copy).collect() }
    }

    /// Begins anew with what the weights are now: a checkpoint's averages, loaded into them.
    pub fn restart(&mut self, weights: &Weights) {
        *self = Average::of(self.ema, weights);
    }

    /// How many numbers are averaged.
    pub fn numbers(&self) -> u64 {
        self.tensors.iter().map(|tensor| tensor.numel() as u64).sum()
    }

    /// Takes in the weights as update `update`, from 1, left them.
    pub fn update(&mut self, weights: &Weights, update: u64) {
        let share = 1.0 - self.ema.decay_at(update);
        no_grad(|| {
            for (average, weight) in self.tensors.iter_mut().zip(weights.iter()) {
                let _ = average.lerp_(&weight.tensor, share);
            }
        });
    }

    /// Does `work` while the averages stand in the place of `weights`, which come back to the bit.
    pub fn standing_in<T>(&self, weights: &Weights, work: impl FnOnce() -> T) -> T {
        self.exchange(weights);
        let done = work();
        self.exchange(weights);
        done
    }

    /// Exchanges contents, in place: the tensors are the very ones that the layers use.
    fn exchange(&self, weights: &Weights) {
        no_grad(|| {
            for (average, weight) in self.tensors.iter().zip(weights.iter()) {
                let kept = average.copy();
                average.shallow_clone().copy_(&weight.tensor);
                weight.tensor.shallow_clone().copy_(&kept);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use catscan_models::Model;
    use tch::Device;

    use super::*;
    use crate::testing::recipe;

    #[test]
    fn a_warm_up_remembers_less_at_first_and_never_more() {
        let plain = Ema { decay: 0.9, warmup_power: None };
        let warm = Ema { warmup_power: Some(2.0 / 3.0), ..plain };
        assert_eq!((plain.decay_at(1), plain.decay_at(2)), (0.0, 0.9));
        assert_eq!(warm.decay_at(1), 0.0);
        assert!((warm.decay_at(8) - 0.75).abs() < 1e-12, "1 − 8^(−2/3): {}", warm.decay_at(8));
        assert_eq!(warm.decay_at(1000), 0.9);
    }

    #[test]
    fn the_average_stands_in_and_the_weights_come_back() {
        let model = Model::build(&recipe().model, 1, Device::Cpu).unwrap();
        let weights = model.weights();
        let mut average = Average::of(Ema { decay: 0.5, warmup_power: None }, weights);
        let value = || weights.get("classifier.weight").unwrap().double_value(&[0, 0]);
        let first = value();
        average.update(weights, 1);
        no_grad(|| {
            let mut weight = weights.get("classifier.weight").unwrap().shallow_clone();
            weight += 1.0;
        });
        let second = value();
        average.update(weights, 2);
        let inside = average.standing_in(weights, value);
        assert!((inside - (first + second) / 2.0).abs() < 1e-6, "{inside}");
        assert_eq!(value().to_bits(), second.to_bits());
    }
}
