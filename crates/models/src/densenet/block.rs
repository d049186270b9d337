//! The dense block and its layer, `H_ℓ` of equation 2.

use tch::Tensor;

use super::{DenseNetConfig, pointwise};
use crate::builder::{Builder, TapKind};
use crate::layers::{BatchNorm2d, Conv2d, ConvShape};
use crate::mode::Mode;
use crate::taps::Taps;

#[derive(Debug)]
pub(super) struct DenseBlock {
    pub name: String,
    layers: Vec<DenseLayer>,
}

#[derive(Debug)]
struct DenseLayer {
    norm1: BatchNorm2d,
    conv1: Conv2d,
    norm2: BatchNorm2d,
    conv2: Conv2d,
}

impl DenseBlock {
    pub fn new(
        builder: &mut Builder,
        name: String,
        layers: i64,
        channels: i64,
        shape: &DenseNetConfig,
    ) -> DenseBlock {
        let layers = (0..layers)
            .map(|l| {
                let layer = format!("{name}.denselayer{}", l + 1);
                DenseLayer::new(builder, &layer, channels + l * shape.growth, shape)
            })
            .collect();
        builder.tap(&name, TapKind::Block);
        DenseBlock { name, layers }
    }

    /// `[N, C, H, W] -> [N, C + layers·k, H, W]`.
    pub fn forward(&self, mut x: Tensor, mode: Mode, taps: &mut Taps) -> Tensor {
        for layer in &self.layers {
            let new = layer.forward(&x, mode, taps);
            x = Tensor::cat(&[&x, &new], 1);
        }
        taps.show(&self.name, &x);
        x
    }
}

impl DenseLayer {
    fn new(builder: &mut Builder, name: &str, channels: i64, shape: &DenseNetConfig) -> DenseLayer {
        let wide = shape.bottleneck * shape.growth;
        let three = ConvShape { size: 3, padding: 1, ..pointwise(wide, shape.growth) };
        DenseLayer {
            norm1: BatchNorm2d::new(builder, format!("{name}.norm1"), channels),
            conv1: Conv2d::new(builder, format!("{name}.conv1"), pointwise(channels, wide)),
            norm2: BatchNorm2d::new(builder, format!("{name}.norm2"), wide),
            conv2: Conv2d::new(builder, format!("{name}.conv2"), three),
        }
    }

    /// `[N, C, H, W] -> [N, k, H, W]`.
    fn forward(&self, x: &Tensor, mode: Mode, taps: &mut Taps) -> Tensor {
        let x = self.norm1.forward_relu(x, mode, taps);
        let x = self.conv1.forward(&x, taps);
        let x = self.norm2.forward_relu(&x, mode, taps);
        self.conv2.forward(&x, taps)
    }
}
