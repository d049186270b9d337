//! Dropout (Srivastava et al. 2014, *Dropout: A Simple Way to Prevent Neural Networks from
//! Overfitting*, JMLR 15): in training each value is 0 with probability `rate`, and the others are
//! divided by `1 - rate`, so that evaluation, which drops nothing, sees the same expectation.
//!
//! Any shape `[N, …] -> [N, …]`. What is dropped is a function of (seed, epoch, picture, layer): a
//! picture loses the same values in any batch.

use tch::Tensor;

use crate::mode::Mode;

/// Dropout under a name that its draws depend on.
#[derive(Debug)]
pub struct Dropout {
    pub name: String,
    /// The share that is dropped; at 0 nothing is drawn.
    pub rate: f64,
}

impl Dropout {
    pub fn new(name: String, rate: f64) -> Dropout {
        Dropout { name, rate }
    }

    pub fn forward(&self, x: Tensor, mode: Mode) -> Tensor {
        match mode {
            Mode::Train(draws) if self.rate > 0.0 => {
                let kept = draws.uniform(&self.name, &x.size(), x.device()).ge(self.rate);
                // In two steps: in bf16 the factor would be rounded if the mask carried it.
                &x * kept.to_kind(x.kind()) * (1.0 / (1.0 - self.rate))
            }
            _ => x,
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::mode::Draws;

    fn drop(x: &Tensor, rate: f64, samples: &[u32]) -> Tensor {
        let draws = Draws { seed: 1, epoch: 2, samples };
        Dropout::new("dropout1".into(), rate).forward(x.shallow_clone(), Mode::Train(draws))
    }

    #[test]
    fn keeps_the_expectation_and_the_share() {
        let x = Tensor::ones([4, 10_000], (Kind::Float, Device::Cpu));
        for rate in [0.2, 0.5, 0.9] {
            let y = drop(&x, rate, &[0, 1, 2, 3]);
            let dropped = y.eq(0.0).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
            // Five standard errors of a share of 40,000.
            let error = 5.0 * (rate * (1.0 - rate) / 40_000.0).sqrt();
            assert!((dropped - rate).abs() < error, "{rate}: {dropped}");
            let mean = y.mean(Kind::Double).double_value(&[]);
            assert!((mean - 1.0).abs() < error / (1.0 - rate), "{rate}: {mean}");
            let most = y.max().double_value(&[]);
            assert!((most - 1.0 / (1.0 - rate)).abs() < 1e-6 * most, "{rate}: {most}");
        }
    }

    #[test]
    fn a_picture_loses_the_same_in_any_batch() {
        let x = Tensor::ones([2, 3, 8, 8], (Kind::Float, Device::Cpu));
        let both = drop(&x, 0.5, &[7, 9]);
        assert_eq!(both.narrow(0, 1, 1), drop(&x.narrow(0, 0, 1), 0.5, &[9]));
        assert_ne!(both.narrow(0, 0, 1), both.narrow(0, 1, 1));
    }

    #[test]
    fn the_gradient_is_the_mask() {
        let x = Tensor::ones([1, 3, 8, 8], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let y = drop(&x, 0.5, &[7]);
        y.sum(Kind::Float).backward();
        assert_eq!(x.grad(), y);
    }

    #[test]
    fn strides_and_kind_are_kept() {
        let x = Tensor::ones([2, 8, 8, 3], (Kind::BFloat16, Device::Cpu)).permute([0, 3, 1, 2]);
        let y = drop(&x, 0.5, &[7, 9]);
        assert_eq!((y.kind(), y.stride()), (Kind::BFloat16, x.stride()));
        assert_eq!(y, drop(&x.contiguous(), 0.5, &[7, 9]));
    }

    #[test]
    fn nothing_is_drawn_at_rate_0_or_in_evaluation() {
        let x = Tensor::ones([2, 3], (Kind::Float, Device::Cpu));
        let at_rate = |rate| Dropout::new("dropout1".into(), rate);
        assert_eq!(at_rate(0.0).forward(x.shallow_clone(), Mode::TRAIN), x);
        assert_eq!(at_rate(0.5).forward(x.shallow_clone(), Mode::Eval), x);
    }
}
