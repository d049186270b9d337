//! A two-dimensional convolution without bias: every one here is followed (or preceded) by a batch
//! norm, whose shift would swallow a bias.
//!
//! `[N, C, H, W] -> [N, C', H', W']` with `H' = (H + 2·padding - size) / stride + 1`, rounded down.
//! Strides are kept: channels_last in, channels_last out.

use tch::Tensor;

use crate::builder::{Builder, TapKind};
use crate::init::Values;
use crate::taps::Taps;

/// A convolution. It computes in the kind of its input; its weight `[C', C, size, size]` stays
/// 32-bit and is converted at every use.
#[derive(Debug)]
pub struct Conv2d {
    pub name: String,
    pub weight: Tensor,
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
}

impl Conv2d {
    pub fn new(builder: &mut Builder, name: String, shape: ConvShape) -> Conv2d {
        let ConvShape { in_channels, out_channels, size, stride, padding } = shape;
        let dims = [out_channels, in_channels, size, size];
        let weight = builder.parameter(format!("{name}.weight"), &dims, Values::Convolution);
        builder.tap(&name, TapKind::Conv);
        Conv2d { name, weight, stride, padding }
    }

    pub fn forward(&self, x: &Tensor, taps: &mut Taps) -> Tensor {
        // `to_kind` of the same kind is the same tensor, so fp32 pays nothing here.
        let weight = self.weight.to_kind(x.kind());
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        let y = x.conv2d(&weight, None::<&Tensor>, stride, padding, [1, 1], 1);
        taps.show(&self.name, &y);
        y
    }
}
