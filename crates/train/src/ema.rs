//! Weights averaged over a training, which score better than the last ones and swing less (Polyak &
//! Juditsky 1992; exponentially, as in Tarvainen & Valpola 2017, arXiv:1703.01780, equation 1).
//!
//! After update `t`, counted from 1, with weights `w`: `a ← d·a + (1 − d)·w`, and `a ← w` at the
//! first. That is `torch.optim.swa_utils.get_ema_multi_avg_fn`, and timm's `ModelEmaV3` with and
//! without its warm-up. Running statistics are averaged as well, as timm does it.
//!
//! On a CUDA device, where each operation costs its launch, weights and averages each lie in one
//! tensor ([`crate::optimizer::lay_end_to_end`]) and an update is one operation.
//!
//! The average is what is validated, tested and saved as `weights.safetensors`; what is trained is
//! saved beside it, so that a run goes on to the bit.

use serde::{Deserialize, Serialize};
use tch::{Tensor, no_grad};

use crate::optimizer::{lay_end_to_end, seen_as_one};

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

/// The average of all tensors of a model.
#[derive(Debug)]
pub struct Average {
    ema: Ema,
    /// The very tensors that the layers use.
    weights: Vec<Tensor>,
    /// Of each of them, in their order.
    averages: Vec<Tensor>,
}

impl Average {
    /// Begins with what `weights` are now, and follows them.
    pub fn of(ema: Ema, weights: &[Tensor]) -> Average {
        let weights: Vec<Tensor> = weights.iter().map(Tensor::shallow_clone).collect();
        let averages = weights.iter().map(|weight| weight.detach().copy()).collect();
        Average { ema, weights, averages }
    }

    /// Begins anew with what the weights are now: a checkpoint's averages, loaded into them.
    pub fn restart(&mut self) {
        *self = Average::of(self.ema, &self.weights);
    }

    /// Moves the averages into one tensor. The weights are to lie so too.
    pub fn lay_end_to_end(&self) {
        lay_end_to_end(&self.averages);
    }

    /// How many numbers are averaged.
    pub fn numbers(&self) -> u64 {
        self.averages.iter().map(|tensor| tensor.numel() as u64).sum()
    }

    /// Takes in the weights as update `update`, from 1, left them.
    pub fn update(&mut self, update: u64) {
        let share = 1.0 - self.ema.decay_at(update);
        no_grad(|| {
            for (mut average, weight) in self.pairs() {
                let _ = average.lerp_(&weight, share);
            }
        });
    }

    /// Does `work` while the averages stand in the place of the weights, which come back to the
    /// bit.
    pub fn standing_in<T>(&self, work: impl FnOnce() -> T) -> T {
        self.exchange();
        let done = work();
        self.exchange();
        done
    }

    /// Exchanges contents, in place.
    fn exchange(&self) {
        no_grad(|| {
            for (mut average, mut weight) in self.pairs() {
                let kept = average.copy();
                average.copy_(&weight);
                weight.copy_(&kept);
            }
        });
    }

    /// Averages and their weights: a single pair where both lie end to end.
    fn pairs(&self) -> Vec<(Tensor, Tensor)> {
        if let (Some(averages), Some(weights)) =
            (seen_as_one(&self.averages), seen_as_one(&self.weights))
        {
            return vec![(averages, weights)];
        }
        let both = self.averages.iter().zip(&self.weights);
        both.map(|(average, weight)| (average.shallow_clone(), weight.shallow_clone())).collect()
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

    fn all(model: &Model) -> Vec<Tensor> {
        model.weights().iter().map(|weight| weight.tensor.shallow_clone()).collect()
    }

    /// Adds to each weight another fraction, as a step would.
    fn step(weights: &[Tensor]) {
        for (at, weight) in weights.iter().enumerate() {
            let _ = no_grad(|| weight.shallow_clone().g_add_scalar_(0.1 / (1 + at) as f64));
        }
    }

    #[test]
    fn the_average_stands_in_and_the_weights_come_back() {
        let model = Model::build(&recipe().model, 1, Device::Cpu).unwrap();
        let weights = model.weights();
        let mut average = Average::of(Ema { decay: 0.5, warmup_power: None }, &all(&model));
        let value = || weights.get("classifier.weight").unwrap().double_value(&[0, 0]);
        let first = value();
        average.update(1);
        no_grad(|| {
            let mut weight = weights.get("classifier.weight").unwrap().shallow_clone();
            weight += 1.0;
        });
        let second = value();
        average.update(2);
        let inside = average.standing_in(value);
        assert!((inside - (first + second) / 2.0).abs() < 1e-6, "{inside}");
        assert_eq!(value().to_bits(), second.to_bits());
    }

    #[test]
    fn end_to_end_it_is_one_operation_and_the_same_bits() {
        let averaged = |together: bool| {
            let model = Model::build(&recipe().model, 1, Device::Cpu).unwrap();
            let weights = all(&model);
            let mut average = Average::of(Ema { decay: 0.9, warmup_power: None }, &weights);
            if together {
                lay_end_to_end(&weights);
                average.lay_end_to_end();
            }
            let operations = average.pairs().len();
            assert_eq!(operations, if together { 1 } else { weights.len() });
            for update in 1..=5 {
                step(&weights);
                average.update(update);
            }
            let copies = || weights.iter().map(Tensor::copy).collect::<Vec<_>>();
            (average.standing_in(copies), copies())
        };
        // As torch.optim.swa_utils does it, a tensor at a time.
        let model = Model::build(&recipe().model, 1, Device::Cpu).unwrap();
        let weights = all(&model);
        let mut want: Vec<Tensor> = Vec::new();
        for update in 1..=5 {
            step(&weights);
            match update {
                1 => want = weights.iter().map(|weight| weight.detach().copy()).collect(),
                _ => no_grad(|| {
                    for (average, weight) in want.iter_mut().zip(&weights) {
                        let _ = average.lerp_(weight, 1.0 - 0.9);
                    }
                }),
            }
        }
        for together in [false, true] {
            let (averages, after) = averaged(together);
            assert_eq!(averages, want, "{together}");
            assert_eq!(after, weights, "{together}");
        }
    }
}
