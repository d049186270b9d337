//! The classifier: `y = x Wᵀ + b`, always in 32-bit.
//!
//! `[N, C] -> [N, K]`.

use tch::Tensor;

use crate::builder::{Builder, TapKind};
use crate::init::Values;
use crate::run::Run;

/// A linear layer with weight `[K, C]` and bias `[K]`.
#[derive(Debug)]
pub struct Linear {
    pub name: String,
    pub weight: Tensor,
    pub bias: Tensor,
}

impl Linear {
    /// `bias` is what its bias starts as, in which families differ.
    pub fn new(
        builder: &mut Builder,
        name: String,
        features: i64,
        outputs: i64,
        bias: Values,
    ) -> Linear {
        let dims = [outputs, features];
        let weight = builder.parameter(format!("{name}.weight"), &dims, Values::Linear);
        let bias = builder.parameter(format!("{name}.bias"), &[outputs], bias);
        builder.tap(&name, TapKind::Linear);
        Linear { name, weight, bias }
    }

    pub fn forward(&self, x: &Tensor, run: &mut Run) -> Tensor {
        let y = x.linear(&self.weight, Some(&self.bias));
        run.taps.show(&self.name, &y);
        y
    }
}
