//! The dense block and its layer, `H_ℓ` of equation 2: `x_ℓ = H_ℓ([x_0, x_1, …, x_ℓ₋₁])`.

use tch::Tensor;

use super::composite::concatenated;
use super::fused;
use super::{CONVS, DenseNetConfig, NormReluConv};
use crate::builder::{Builder, TapKind};
use crate::config::Memory;
use crate::run::Run;

/// Layers, each of which sees the maps of all before it.
#[derive(Debug)]
pub(crate) struct DenseBlock {
    pub name: String,
    pub layers: Vec<DenseLayer>,
    pub memory: Memory,
}

/// One composite function, or two with a bottleneck.
#[derive(Debug)]
pub(crate) struct DenseLayer {
    pub first: NormReluConv,
    pub second: Option<NormReluConv>,
}

impl DenseBlock {
    /// A block of `layers` layers of a DenseNet.
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
        DenseBlock::of(builder, name, layers)
    }

    /// A block of layers that were just made.
    pub fn of(builder: &mut Builder, name: String, layers: Vec<DenseLayer>) -> DenseBlock {
        builder.tap(&name, TapKind::Block);
        DenseBlock { name, layers, memory: builder.memory() }
    }

    /// Maps that leave it where `channels` enter it.
    pub fn room(&self, channels: i64) -> i64 {
        channels + self.layers.iter().map(DenseLayer::growth).sum::<i64>()
    }

    /// `[N, C, H, W] -> [N, C + layers·k, H, W]`, in one tensor or, where they will be
    /// concatenated again in backward, in one a layer.
    pub fn forward(&self, x: Tensor, run: &mut Run) -> Vec<Tensor> {
        if fused::applies(self, &x, run) {
            return vec![fused::forward(self, &x, run)];
        }
        let apart = self.memory == Memory::Recompute && run.mode.is_train();
        let mut maps = vec![x];
        for layer in &self.layers {
            maps.push(layer.forward(&maps, run));
            if !apart {
                maps = vec![concatenated(&maps)];
            }
        }
        if run.taps.wants(&self.name) {
            maps = vec![concatenated(&maps)];
            run.taps.show(&self.name, &maps[0]);
        }
        maps
    }
}

impl DenseLayer {
    fn new(builder: &mut Builder, name: &str, channels: i64, shape: &DenseNetConfig) -> DenseLayer {
        let mut step = |number, conv| NormReluConv::new(builder, name, number, conv, shape.dropout);
        match shape.bottleneck {
            None => {
                DenseLayer { first: step("1", CONVS.conv3x3(channels, shape.growth)), second: None }
            }
            Some(bottleneck) => {
                let wide = bottleneck * shape.growth;
                DenseLayer {
                    first: step("1", CONVS.conv1x1(channels, wide)),
                    second: Some(step("2", CONVS.conv3x3(wide, shape.growth))),
                }
            }
        }
    }

    /// Its composite functions, in forward order.
    pub fn steps(&self) -> impl Iterator<Item = &NormReluConv> {
        std::iter::once(&self.first).chain(&self.second)
    }

    /// `k`.
    pub fn growth(&self) -> i64 {
        self.second.as_ref().unwrap_or(&self.first).conv.weight.size()[0]
    }

    /// `[N, C, H, W] -> [N, k, H, W]`.
    fn forward(&self, maps: &[Tensor], run: &mut Run) -> Tensor {
        let x = self.first.forward(maps, run);
        match &self.second {
            None => x,
            Some(second) => second.forward(&[x], run),
        }
    }
}
