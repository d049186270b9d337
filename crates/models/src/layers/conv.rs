//! A two-dimensional convolution, with a bias where the network it comes from has one: most have
//! none, because the shift of the batch norm that follows would swallow it.
//!
//! `[N, C, H, W] -> [N, C', H', W']` with `H' = (H + 2·padding - size) / stride + 1`, rounded down.
//! Strides are kept: channels_last in, channels_last out.

use tch::Tensor;

use crate::builder::{Builder, TapKind};
use crate::init::{Fan, Values};
use crate::taps::Taps;

/// A convolution. It computes in the kind of its input; its weight `[C', C, size, size]` and its
/// bias `[C']` stay 32-bit and are converted at every use.
#[derive(Debug)]
pub struct Conv2d {
    pub name: String,
    pub weight: Tensor,
    pub bias: Option<Tensor>,
    pub stride: i64,
    pub padding: i64,
}

/// The numbers that make a convolution.
#[derive(Debug, Clone, Copy)]
pub struct ConvShape {
    pub in_channels: i64,
    pub out_channels: i64,
    pub size: i64,
    pub stride: i64,
    pub padding: i64,
    pub bias: bool,
    /// Of its initial weights where the convention is torchvision's.
    pub fan: Fan,
}

impl Conv2d {
    pub fn new(builder: &mut Builder, name: String, shape: ConvShape) -> Conv2d {
        let ConvShape { in_channels, out_channels, size, stride, padding, bias, fan } = shape;
        let dims = [out_channels, in_channels, size, size];
        let weight = builder.parameter(format!("{name}.weight"), &dims, Values::Convolution(fan));
        let start = Values::Bias { fan_in: in_channels * size * size };
        let bias = bias.then(|| builder.parameter(format!("{name}.bias"), &[out_channels], start));
        builder.tap(&name, TapKind::Conv);
        Conv2d { name, weight, bias, stride, padding }
    }

    pub fn forward(&self, x: &Tensor, taps: &mut Taps) -> Tensor {
        // `to_kind` of the same kind is the same tensor, so fp32 pays nothing here.
        let weight = self.weight.to_kind(x.kind());
        let bias = self.bias.as_ref().map(|bias| bias.to_kind(x.kind()));
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        let y = x.conv2d(&weight, bias, stride, padding, [1, 1], 1);
        taps.show(&self.name, &y);
        y
    }
}
