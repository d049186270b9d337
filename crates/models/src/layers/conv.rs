//! A two-dimensional convolution, with a bias where the network it comes from has one: most have
//! none, because the shift of the batch norm that follows would swallow it.
//!
//! `[N, C, H, W] -> [N, C', H', W']` with `H' = (H + 2·padding - size) / stride + 1`, rounded down.
//! Strides are kept: channels_last in, channels_last out. In evaluation it takes the norm and the
//! ReLU after it along, where `folded` can.

use catscan_torch_ext::convolution::{Steps, conv2d};
use catscan_torch_ext::gradient::is_recorded;
use tch::Tensor;

use super::BatchNorm2d;
use super::folded::{self, Folded};
use crate::builder::{Builder, TapKind};
use crate::init::{Fan, Values};
use crate::run::Run;

/// A convolution. It computes in the kind of its input; its weight `[C', C, size, size]` and its
/// bias `[C']` stay 32-bit and are converted at every use.
#[derive(Debug)]
pub struct Conv2d {
    pub name: String,
    pub weight: Tensor,
    pub bias: Option<Tensor>,
    pub stride: i64,
    pub padding: i64,
    pub folded: Folded,
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

/// What the convolutions of a family have in common.
#[derive(Debug, Clone, Copy)]
pub struct Convs {
    pub bias: bool,
    pub fan: Fan,
}

impl Convs {
    /// A 1×1 convolution, and what other sizes and strides derive from.
    pub fn conv1x1(self, in_channels: i64, out_channels: i64) -> ConvShape {
        let Convs { bias, fan } = self;
        ConvShape { in_channels, out_channels, size: 1, stride: 1, padding: 0, bias, fan }
    }

    /// A 3×3 convolution that keeps a map's size.
    pub fn conv3x3(self, in_channels: i64, out_channels: i64) -> ConvShape {
        ConvShape { size: 3, padding: 1, ..self.conv1x1(in_channels, out_channels) }
    }
}

impl Conv2d {
    pub fn new(builder: &mut Builder, name: String, shape: ConvShape) -> Conv2d {
        let ConvShape { in_channels, out_channels, size, stride, padding, bias, fan } = shape;
        let dims = [out_channels, in_channels, size, size];
        let weight = builder.parameter(format!("{name}.weight"), &dims, Values::Convolution(fan));
        let start = Values::Bias { fan_in: in_channels * size * size };
        let bias = bias.then(|| builder.parameter(format!("{name}.bias"), &[out_channels], start));
        builder.tap(&name, TapKind::Conv);
        Conv2d { name, weight, bias, stride, padding, folded: Folded::default() }
    }

    /// The convolution alone.
    pub fn forward(&self, x: &Tensor, run: &mut Run) -> Tensor {
        if let Some(y) = folded::forward(self, None, false, x, run) {
            return y;
        }
        if is_recorded() {
            self.folded.clear();
        }
        let bias = self.bias.as_ref().map(|bias| bias.to_kind(x.kind()));
        let y = conv2d(x, &self.weight, bias.as_ref(), self.steps());
        run.taps.show(&self.name, &y);
        y
    }

    /// The convolution, then `norm`.
    pub fn forward_norm(&self, x: &Tensor, norm: &BatchNorm2d, run: &mut Run) -> Tensor {
        match self.forward_folded(x, norm, false, run) {
            Some(y) => y,
            None => norm.forward(&self.forward(x, run), run),
        }
    }

    /// The convolution, then `norm`, then the ReLU.
    pub fn forward_norm_relu(&self, x: &Tensor, norm: &BatchNorm2d, run: &mut Run) -> Tensor {
        match self.forward_folded(x, norm, true, run) {
            Some(y) => y,
            None => norm.forward_relu(&self.forward(x, run), run),
        }
    }

    /// The convolution, then the ReLU; a tap shows the convolution's output.
    pub fn forward_relu(&self, x: &Tensor, run: &mut Run) -> Tensor {
        if let Some(y) = folded::forward(self, None, true, x, run) {
            return y;
        }
        let y = self.forward(x, run);
        run.taps.relu(y, true)
    }

    /// The convolution with `norm` folded in, and the ReLU after it if `relu`; `None` where `norm`
    /// learns from the pictures it sees, or where `folded` cannot.
    fn forward_folded(
        &self,
        x: &Tensor,
        norm: &BatchNorm2d,
        relu: bool,
        run: &mut Run,
    ) -> Option<Tensor> {
        if norm.uses_batch_statistics(run.mode) {
            return None;
        }
        folded::forward(self, Some(norm), relu, x, run)
    }

    /// How its kernel moves.
    pub fn steps(&self) -> Steps {
        Steps { stride: self.stride, padding: self.padding }
    }
}
