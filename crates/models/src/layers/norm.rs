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

use catscan_torch_ext::norm_relu::{self, moments};
use catscan_torch_ext::recompute::Pass;
use tch::{Device, Tensor, no_grad};

use super::{add, fused};
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
            if fused::fits(weight, x) {
                let statistics = if trained {
                    let (mean, var) = no_grad(|| moments(x));
                    if touch {
                        move_running(&running, &mean, &var, momentum, values(x));
                    }
                    Statistics { mean, var, own: true }
                } else {
                    let [mean, var] = running.each_ref().map(Tensor::shallow_clone);
                    Statistics { mean, var, own: false }
                };
                return fused::apply(x, weight, bias, statistics, eps, None);
            }
            let running = |i: usize| touch.then_some(&running[i]);
            let (mean, var) = (running(0), running(1));
            let cudnn = weight.device() != Device::Cpu;
            x.batch_norm(Some(weight), Some(bias), mean, var, trained, momentum, eps, cudnn).relu_()
        }
    }

    /// The norm, then `max(0, ·)`. In one walk through memory where [`fused`] can; else the ReLU
    /// overwrites the norm's output, which backward does not need, unless a tap keeps that.
    pub fn forward_relu(&self, x: &Tensor, mode: Mode, taps: &mut Taps) -> Tensor {
        if self.fuses(x, taps) {
            return fused::norm_relu(self, x, None, mode);
        }
        let y = self.forward(x, mode, taps);
        let keep = taps.wants(&self.name);
        taps.relu(y, keep)
    }

    /// The norm, a sum with what `addend` computes, then the ReLU: what closes a residual unit.
    pub fn forward_add_relu(
        &self,
        x: &Tensor,
        addend: impl FnOnce(&mut Taps) -> Tensor,
        mode: Mode,
        taps: &mut Taps,
    ) -> Tensor {
        if self.fuses(x, taps) {
            let addend = addend(taps);
            if fused::alike(x, &addend) {
                return fused::norm_relu(self, x, Some(&addend), mode);
            }
            return (self.forward(x, mode, taps) + addend).relu_();
        }
        let y = self.forward(x, mode, taps);
        let addend = addend(taps);
        let y = add(y, &addend, taps.wants(&self.name));
        taps.relu(y, false)
    }

    /// Whether [`fused`] can take the place of norm and ReLU.
    pub fn fuses(&self, x: &Tensor, taps: &Taps) -> bool {
        !taps.wants(&self.name) && !taps.are_cutting() && fused::fits(&self.weight, x)
    }

    /// What it normalises by: in training the batch's moments, which also move the running ones.
    pub fn statistics(&self, x: &Tensor, mode: Mode) -> Statistics {
        if !self.is_moved_by(mode) {
            return self.running();
        }
        let (mean, var) = moments(x);
        self.move_running(&mean, &var, values(x));
        Statistics { mean, var, own: true }
    }

    /// Whether it normalises by the batch and not by what it knows.
    pub fn is_moved_by(&self, mode: Mode) -> bool {
        mode.is_train() && self.is_trained()
    }

    /// The running statistics.
    pub fn running(&self) -> Statistics {
        let (mean, var) = (self.running_mean.shallow_clone(), self.running_var.shallow_clone());
        Statistics { mean, var, own: false }
    }

    /// Moves the running statistics towards those of a batch with `values` values a channel.
    pub fn move_running(&self, mean: &Tensor, var: &Tensor, values: i64) {
        let running = [self.running_mean.shallow_clone(), self.running_var.shallow_clone()];
        move_running(&running, mean, var, self.momentum, values);
    }
}

fn move_running(running: &[Tensor; 2], mean: &Tensor, var: &Tensor, momentum: f64, values: i64) {
    let unbiased = values as f64 / (values - 1) as f64;
    let [of_mean, of_var] = running;
    norm_relu::move_running(of_mean, mean, 1.0 - momentum, momentum);
    norm_relu::move_running(of_var, var, 1.0 - momentum, momentum * unbiased);
}

/// How many values of a map share a channel.
fn values(x: &Tensor) -> i64 {
    let (n, _, h, w) = x.size4().expect("a map is [N, C, H, W]");
    n * h * w
}

/// What a norm normalises by, `[C]` each.
#[derive(Debug)]
pub struct Statistics {
    pub mean: Tensor,
    /// Biased in training, as the batch has it; what was learned in evaluation.
    pub var: Tensor,
    /// Whether they are those of the very map that is normalised.
    pub own: bool,
}
