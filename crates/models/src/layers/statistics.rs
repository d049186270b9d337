//! What a batch norm normalises by, `[C]` numbers each: the moments of the very map, or those that
//! it has learned.

use catscan_torch_ext::norm_relu::{self, moments};
use tch::{Device, Tensor};

/// What a norm normalises by.
#[derive(Debug)]
pub struct Statistics {
    pub mean: Tensor,
    /// Biased in training, as the batch has it; what was learned in evaluation.
    pub var: Tensor,
    /// Whether they are those of the very map that is normalised.
    pub own: bool,
}

/// What a norm has learned, and how fast it moves.
#[derive(Debug)]
pub struct Running {
    pub mean: Tensor,
    pub var: Tensor,
    /// The weight of the newest batch.
    pub momentum: f64,
}

/// Whose statistics a norm of a map goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The map's own, and whether the running ones move towards them.
    Batch { moves: bool },
    /// The running ones, which stay.
    Running,
}

impl Running {
    /// Another handle of the same tensors.
    pub fn handle(&self) -> Running {
        let (mean, var) = (self.mean.shallow_clone(), self.var.shallow_clone());
        Running { mean, var, momentum: self.momentum }
    }

    /// Those themselves.
    pub fn known(&self) -> Statistics {
        let Running { mean, var, .. } = self.handle();
        Statistics { mean, var, own: false }
    }

    /// What a norm of `x` normalises by.
    pub fn of(&self, x: &Tensor, by: By) -> Statistics {
        let By::Batch { moves } = by else { return self.known() };
        let (mean, var) = moments(x);
        if moves {
            let (n, _, h, w) = x.size4().expect("a map is [N, C, H, W]");
            self.move_towards(&mean, &var, n * h * w);
        }
        Statistics { mean, var, own: true }
    }

    /// Moves them towards those of a batch with `values` values a channel, its variance unbiased.
    pub fn move_towards(&self, mean: &Tensor, var: &Tensor, values: i64) {
        let (keep, take) = (1.0 - self.momentum, self.momentum);
        let unbiased = values as f64 / (values - 1) as f64;
        norm_relu::move_running(&self.mean, mean, keep, take);
        norm_relu::move_running(&self.var, var, keep, take * unbiased);
    }

    /// libtorch's own batch norm of `x`.
    pub fn batch_norm(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        by: By,
        eps: f64,
    ) -> Tensor {
        let touched = by != By::Batch { moves: false };
        let running = |tensor| touched.then_some(tensor);
        let (mean, var) = (running(&self.mean), running(&self.var));
        let (own, cudnn) = (by != By::Running, weight.device() != Device::Cpu);
        x.batch_norm(Some(weight), Some(bias), mean, var, own, self.momentum, eps, cudnn)
    }
}
