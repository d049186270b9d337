//! Batch norm, an addition where there is one, and ReLU as one operation of the graph, on the CPU.
//!
//! What it computes is what [`BatchNorm2d::forward`], `+` and `relu` compute one after the other.
//! They walk through the map six times on the way up and eight on the way down; these walk three
//! and five times, and a network spends half its time on that. Backward keeps the norm's input and
//! nothing else: it computes anew where the ReLU was open.

use catscan_torch_ext::gradient::with_gradient;
use catscan_torch_ext::norm_relu::{self, Norm, To, Was, empty_like, packed, parameter_kind};
use tch::{Tensor, no_grad};

use super::{BatchNorm2d, Statistics};
use crate::mode::Mode;

/// Whether a map and its norm's γ are of the kinds and on the device that this is made for.
pub fn fits(weight: &Tensor, x: &Tensor) -> bool {
    let kind = parameter_kind(x.kind());
    norm_relu::fits(x) && weight.kind() == kind && weight.device() == x.device()
}

/// Whether two maps can be added value by value.
pub fn alike(x: &Tensor, addend: &Tensor) -> bool {
    norm_relu::fits(addend) && addend.size() == x.size() && addend.kind() == x.kind()
}

/// `relu(norm(x) + addend)`.
pub fn norm_relu(norm: &BatchNorm2d, x: &Tensor, addend: Option<&Tensor>, mode: Mode) -> Tensor {
    let statistics = no_grad(|| norm.statistics(x, mode));
    apply(x, &norm.weight, &norm.bias, statistics, norm.eps, addend)
}

/// The same of parameters and statistics, `[C]` each.
pub fn apply(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    statistics: Statistics,
    eps: f64,
    addend: Option<&Tensor>,
) -> Tensor {
    let ran = Ran { x: x.detach(), weight: weight.detach(), bias: bias.detach(), statistics, eps };
    let y = no_grad(|| ran.norm().relu(&ran.x, addend));
    let mut inputs = vec![x, weight, bias];
    inputs.extend(addend);
    let summed = addend.map(|_| y.shallow_clone());
    let version = x.internal_version();
    with_gradient(y, &inputs, move |grad, wanted| {
        assert_eq!(ran.x.internal_version(), version, "a norm's input was overwritten");
        let was = Was { x: &ran.x, y: summed.as_ref() };
        gradients(&ran, was, &packed(grad), wanted)
    })
}

/// Of x, γ, β and the addend, if there is one.
fn gradients(ran: &Ran, was: Was, grad: &Tensor, wanted: &[bool]) -> Vec<Option<Tensor>> {
    let norm = ran.norm();
    let sums = norm.parameter_gradients(was, grad);
    let grad_x = empty_like(grad);
    let grad_addend = was.y.map(|_| empty_like(grad));
    if wanted[0] || wanted.len() > 3 {
        norm.input_gradient(was, grad, ran.own(&sums), To::Over(&grad_x), grad_addend.as_ref());
    }
    let mut found = vec![Some(grad_x), Some(sums.0), Some(sums.1)];
    found.extend(grad_addend.map(Some));
    found
}

/// A norm and its input as they were in a forward, outside of the graph.
#[derive(Debug)]
pub struct Ran {
    pub x: Tensor,
    weight: Tensor,
    bias: Tensor,
    statistics: Statistics,
    eps: f64,
}

impl Ran {
    pub fn new(norm: &BatchNorm2d, x: &Tensor, statistics: Statistics) -> Ran {
        let (weight, bias) = (norm.weight.detach(), norm.bias.detach());
        Ran { x: x.detach(), weight, bias, statistics, eps: norm.eps }
    }

    pub fn norm(&self) -> Norm<'_> {
        let (weight, bias) = (&self.weight, &self.bias);
        let Statistics { mean, var, .. } = &self.statistics;
        Norm { weight, bias, mean, var, eps: self.eps }
    }

    /// How many maps it saw.
    pub fn maps(&self) -> i64 {
        self.x.size()[1]
    }

    /// Of γ and β, from the gradient of `relu(norm(x))`.
    pub fn parameter_gradients(&self, grad: &Tensor) -> (Tensor, Tensor) {
        self.norm().parameter_gradients(self.was(), grad)
    }

    /// Of x, from the same and [`Ran::parameter_gradients`].
    pub fn input_gradient(&self, grad: &Tensor, sums: &(Tensor, Tensor), to: To) {
        self.norm().input_gradient(self.was(), grad, self.own(sums), to, None);
    }

    fn was(&self) -> Was<'_> {
        Was { x: &self.x, y: None }
    }

    /// The sums that the input's gradient needs: none where the statistics did not come from it.
    fn own<'a>(&self, sums: &'a (Tensor, Tensor)) -> Option<&'a (Tensor, Tensor)> {
        self.statistics.own.then_some(sums)
    }
}
