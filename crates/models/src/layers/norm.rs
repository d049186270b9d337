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
use tch::{Tensor, no_grad};

use super::statistics::{By, Running, Statistics};
use super::{add, fused};
use crate::builder::{Builder, TapKind};
use crate::init::Values;
use crate::mode::Mode;
use crate::run::Run;

/// Batch norm, with the ReLU that follows every one of them in these networks.
#[derive(Debug)]
pub struct BatchNorm2d {
    pub name: String,
    pub weight: Tensor,
    pub bias: Tensor,
    pub running: Running,
    pub eps: f64,
}

impl BatchNorm2d {
    pub fn new(builder: &mut Builder, name: String, channels: i64) -> BatchNorm2d {
        let dims = [channels];
        let weight = builder.parameter(format!("{name}.weight"), &dims, Values::Ones);
        let bias = builder.parameter(format!("{name}.bias"), &dims, Values::Zeros);
        let mean = builder.buffer(format!("{name}.running_mean"), &dims, Values::Zeros);
        let var = builder.buffer(format!("{name}.running_var"), &dims, Values::Ones);
        builder.tap(&name, TapKind::Norm);
        let convention = builder.convention();
        let running = Running { mean, var, momentum: convention.norm_momentum() };
        BatchNorm2d { name, weight, bias, running, eps: convention.norm_eps() }
    }

    /// The norm alone; in training it also updates the running statistics.
    pub fn forward(&self, x: &Tensor, run: &mut Run) -> Tensor {
        let by = self.goes_by(run.mode);
        let y = self.running.batch_norm(x, &self.weight, &self.bias, by, self.eps);
        run.taps.show(&self.name, &y);
        y
    }

    fn is_trained(&self) -> bool {
        self.weight.requires_grad() || self.bias.requires_grad()
    }

    /// [`BatchNorm2d::forward_relu`] in training, of x, γ and β, so that backward can run it again.
    /// Both runs normalise by the batch's statistics, and only the first moves the running ones; a
    /// frozen norm goes by the running ones, which stay.
    pub fn again_relu(&self) -> impl Fn(&Tensor, &Tensor, &Tensor, Pass) -> Tensor + use<> {
        let (running, eps, trained) = (self.running.handle(), self.eps, self.is_trained());
        move |x, weight, bias, pass| {
            let by = if trained { By::Batch { moves: pass == Pass::First } } else { By::Running };
            if fused::fits(weight, x) {
                let statistics = no_grad(|| running.of(x, by));
                return fused::apply(x, weight, bias, statistics, eps, None);
            }
            running.batch_norm(x, weight, bias, by, eps).relu_()
        }
    }

    /// The norm, then `max(0, ·)`. In one walk through memory where [`fused`] can; else the ReLU
    /// overwrites the norm's output, which backward does not need, unless a tap keeps that.
    pub fn forward_relu(&self, x: &Tensor, run: &mut Run) -> Tensor {
        if self.fuses(x, run) {
            return fused::norm_relu(self, x, None, run.mode);
        }
        let y = self.forward(x, run);
        let keep = run.taps.wants(&self.name);
        run.taps.relu(y, keep)
    }

    /// The norm, a sum with what `addend` computes, then the ReLU: what closes a residual unit.
    pub fn forward_add_relu(
        &self,
        x: &Tensor,
        addend: impl FnOnce(&mut Run) -> Tensor,
        run: &mut Run,
    ) -> Tensor {
        if self.fuses(x, run) {
            let addend = addend(run);
            if fused::alike(x, &addend) {
                return fused::norm_relu(self, x, Some(&addend), run.mode);
            }
            return (self.forward(x, run) + addend).relu_();
        }
        let y = self.forward(x, run);
        let addend = addend(run);
        let y = add(y, &addend, run.taps.wants(&self.name));
        run.taps.relu(y, false)
    }

    /// Whether [`fused`] takes the place of norm and ReLU.
    fn fuses(&self, x: &Tensor, run: &Run) -> bool {
        run.fuses_relu(&self.name) && fused::fits(&self.weight, x)
    }

    /// What it normalises by: in training the batch's moments, which also move the running ones.
    pub fn statistics(&self, x: &Tensor, mode: Mode) -> Statistics {
        self.running.of(x, self.goes_by(mode))
    }

    /// Whether it normalises by the batch and not by what it knows.
    pub fn uses_batch_statistics(&self, mode: Mode) -> bool {
        mode.is_train() && self.is_trained()
    }

    fn goes_by(&self, mode: Mode) -> By {
        if self.uses_batch_statistics(mode) { By::Batch { moves: true } } else { By::Running }
    }
}
