//! The composite function of the paper's §3: batch norm, then ReLU, then a convolution; and then,
//! in training, dropout. A dense layer is one or two of them, a transition begins with one.
//!
//! `[N, C, H, W] -> [N, C', H, W]`.

use tch::Tensor;

use crate::builder::Builder;
use crate::layers::{BatchNorm2d, Conv2d, ConvShape, Dropout};
use crate::mode::Mode;
use crate::taps::Taps;

/// Norm, ReLU, convolution, dropout.
#[derive(Debug)]
pub(crate) struct NormReluConv {
    pub norm: BatchNorm2d,
    pub conv: Conv2d,
    pub dropout: Dropout,
}

impl NormReluConv {
    /// Named `{name}.norm{number}` and `{name}.conv{number}`.
    pub fn new(
        builder: &mut Builder,
        name: &str,
        number: &str,
        shape: ConvShape,
        dropout: f64,
    ) -> NormReluConv {
        let norm = format!("{name}.norm{number}");
        NormReluConv {
            norm: BatchNorm2d::new(builder, norm, shape.in_channels),
            conv: Conv2d::new(builder, format!("{name}.conv{number}"), shape),
            dropout: Dropout::new(format!("{name}.dropout{number}"), dropout),
        }
    }

    pub fn forward(&self, x: &Tensor, mode: Mode, taps: &mut Taps) -> Tensor {
        let x = self.norm.forward_relu(x, mode, taps);
        let x = self.conv.forward(&x, taps);
        self.dropout.forward(x, mode)
    }
}
