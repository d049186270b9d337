//! The layers networks are made of. Each names its parameters and its tap by PyTorch's module path,
//! and spells out what tch's own `nn` would leave to a default.

use tch::Tensor;

mod conv;
mod dropout;
mod folded;
pub mod fused;
mod linear;
mod norm;
mod statistics;
mod stem;

pub use conv::{Conv2d, ConvShape, Convs};
pub use dropout::Dropout;
pub use linear::Linear;
pub use norm::BatchNorm2d;
pub use statistics::Statistics;
pub use stem::{Stem, halved};

/// `F(x) + x`. The sum overwrites `F(x)`, which no backward needs, unless a tap keeps that.
pub fn add(mut branch: Tensor, shortcut: &Tensor, keep: bool) -> Tensor {
    if keep { branch + shortcut } else { branch.g_add_(shortcut) }
}
