//! The layers networks are made of. Each names its parameters and its tap by PyTorch's module path,
//! and spells out what tch's own `nn` would leave to a default.

mod conv;
mod dropout;
mod folded;
pub mod fused;
mod linear;
mod norm;

pub use conv::{Conv2d, ConvShape};
pub use dropout::Dropout;
pub use linear::Linear;
pub use norm::{BatchNorm2d, Statistics};
