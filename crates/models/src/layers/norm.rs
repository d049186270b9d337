//! Batch normalisation (Ioffe & Szegedy 2015, *Batch Normalization*, arXiv:1502.03167, algorithm 1)
//! over each channel: `y = γ (x - μ) / √(σ² + eps) + β`.
//!
//! `[N, C, H, W] -> [N, C, H, W]`. In training μ and σ² are the batch's, and the running ones move
//! towards them by `momentum` (the variance unbiased, as in PyTorch); in evaluation they are the
//! running ones. γ starts at 1 (tch's own starts at random), β at 0. Statistics and parameters are
//! 32-bit for bf16 maps too.
//!
//! A norm with both its parameters frozen (transfer learning) is in evaluation always: it uses the
//! running statistics it was given and leaves them as they are, as a frozen Keras layer does. In
//! PyTorch they would go on moving, and what the frozen layers compute with them.

use catscan_torch_ext::recompute::Pass;
use tch::{Device, Tensor};

use crate::builder::{Builder, TapKind};
use crate::init::Values;
use crate::mode::Mode;
use crate::taps::Taps;

/// Batch norm, with the ReLU that follows every one of them in these networks.
#[derive(Debug)]
pub struct BatchNorm2d {
    pub name: String,
    pub weight: Tensor,
    pub bias: Tensor,
    pub running_mean: Tensor,
    pub running_var: Tensor,
    pub momentum: f64,
    pub eps: f64,
}

impl BatchNorm2d {
    pub fn new(builder: &mut Builder, name: String, channels: i64) -> BatchNorm2d {
        let dims = [channels];
        let weight = builder.parameter(format!("{name}.weight"), &dims, Values::Ones);
        let bias = builder.parameter(format!("{name}.bias"), &dims, Values::Zeros);
        let running_mean = builder.buffer(format!("{name}.running_mean"), &dims, Values::Zeros);
        let running_var = builder.buffer(format!("{name}.running_var"), &dims, Values::Ones);
        builder.tap(&name, TapKind::Norm);
        let (momentum, eps) =
            (builder.convention().norm_momentum(), builder.convention().norm_eps());
        BatchNorm2d { name, weight, bias, running_mean, running_var, momentum, eps }
    }

    /// The norm alone; in training it also updates the running statistics.
    pub fn forward(&self, x: &Tensor, mode: Mode, taps: &mut Taps) -> Tensor {
        let y = x.batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            mode.is_train() && self.is_trained(),
            self.momentum,
            self.eps,
            /* cudnn_enabled */ self.weight.device() != Device::Cpu,
        );
        taps.show(&self.name, &y);
        y
    }

    fn is_trained(&self) -> bool {
        self.weight.requires_grad() || self.bias.requires_grad()
    }

    /// [`BatchNorm2d::forward_relu`] in training, of x, γ and β, so that backward can run it again.
    /// Both runs normalise by the batch's statistics, and only the first moves the running ones; a
    /// frozen norm goes by the running ones, which stay.
    pub fn again_relu(&self) -> impl Fn(&Tensor, &Tensor, &Tensor, Pass) -> Tensor + use<> {
        let running = [self.running_mean.shallow_clone(), self.running_var.shallow_clone()];
        let (momentum, eps, trained) = (self.momentum, self.eps, self.is_trained());
        move |x, weight, bias, pass| {
            let touch = pass == Pass::First || !trained;
            let running = |i: usize| touch.then_some(&running[i]);
            let (mean, var) = (running(0), running(1));
            let cudnn = weight.device() != Device::Cpu;
            x.batch_norm(Some(weight), Some(bias), mean, var, trained, momentum, eps, cudnn).relu_()
        }
    }

    /// The norm, then `max(0, ·)`. The ReLU overwrites the norm's output, which backward does not
    /// need, unless a tap keeps that.
    pub fn forward_relu(&self, x: &Tensor, mode: Mode, taps: &mut Taps) -> Tensor {
        let mut y = self.forward(x, mode, taps);
        if taps.wants(&self.name) { y.relu() } else { y.relu_() }
    }
}
