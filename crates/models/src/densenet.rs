//! Dense convolutional networks, DenseNet-BC (Huang, Liu, van der Maaten & Weinberger 2017,
//! *Densely Connected Convolutional Networks*, arXiv:1608.06993, §3 and table 1).
//!
//! `[N, C, H, W] -> [N, K]`. Layer ℓ of a block sees all earlier maps of the block,
//! `k0 + k (ℓ - 1)` of them (equation 2), and adds `k`, the growth:
//!
//! ```text
//! stem        7×7/2 conv, norm, relu, 3×3/2 pool
//! block i     ×n: norm, relu, 1×1 conv to 4k; norm, relu, 3×3 conv to k; concatenate
//! transition  norm, relu, 1×1 conv to ⌊θ C⌋, 2×2/2 pool     (after each block but the last)
//! head        norm, relu, global pool, linear
//! ```
//!
//! Names, order and arithmetic are torchvision's; the poolings are values. What we do differently:
//! a block appends each layer's maps to one growing tensor instead of concatenating the whole list
//! of pieces at every layer. The values are equal and there are O(n) instead of O(n²) small
//! operations in backward.

use tch::Tensor;

mod block;
mod config;
mod transition;

use self::block::DenseBlock;
use self::transition::Transition;
use crate::builder::{Builder, NamedPool};
use crate::config::{ModelConfig, Precision};
use crate::error::ModelError;
use crate::layers::{BatchNorm2d, Conv2d, ConvShape, Linear};
use crate::mode::Mode;
use crate::model::Network;
use crate::pool::{Extent, Pool, Site};
use crate::taps::Taps;

pub use self::config::{
    DENSENET_121, DENSENET_161, DENSENET_169, DENSENET_201, DENSENET_264, DENSENET_MINI,
    DenseNetConfig,
};

/// A DenseNet.
#[derive(Debug)]
pub(crate) struct DenseNet {
    conv0: Conv2d,
    norm0: BatchNorm2d,
    pool0: NamedPool,
    blocks: Vec<DenseBlock>,
    transitions: Vec<Transition>,
    last_norm: BatchNorm2d,
    head_pool: NamedPool,
    classifier: Linear,
    precision: Precision,
}

impl DenseNet {
    /// Builds the network, its layers in forward order.
    ///
    /// # Errors
    /// Another number of transition poolings than the shape has transitions.
    pub fn new(
        shape: &DenseNetConfig,
        config: &ModelConfig,
        pools: &[Pool],
        builder: &mut Builder,
    ) -> Result<DenseNet, ModelError> {
        let mut channels = shape.stem_features;
        let conv0 = Conv2d::new(
            builder,
            "features.conv0".into(),
            ConvShape { size: 7, stride: 2, padding: 3, ..pointwise(config.in_channels, channels) },
        );
        let norm0 = BatchNorm2d::new(builder, "features.norm0".into(), channels);
        let stem = config.pooling.stem.expect("resolved: it has a stem");
        let site = Site { name: "features.pool0", channels, extent: Extent::STEM };
        let pool0 = builder.pool(stem, site)?;

        let (mut blocks, mut transitions) = (Vec::new(), Vec::new());
        for (i, &layers) in shape.blocks.iter().enumerate() {
            let name = format!("features.denseblock{}", i + 1);
            blocks.push(DenseBlock::new(builder, name, layers, channels, shape));
            channels += layers * shape.growth;
            if let Some(&pool) = pools.get(i) {
                let name = format!("features.transition{}", i + 1);
                let kept = (shape.compression * channels as f64).floor() as i64;
                transitions.push(Transition::new(builder, &name, channels, kept, pool)?);
                channels = kept;
            }
        }
        let last_name = format!("features.norm{}", shape.blocks.len() + 1);
        let last_norm = BatchNorm2d::new(builder, last_name, channels);
        // torchvision pools here by a function, which has no module path; this is timm's.
        let head = config.pooling.head.expect("resolved: it has a head");
        let site = Site { name: "global_pool", channels, extent: Extent::Global };
        let head_pool = builder.pool(head, site)?;
        let features = head_pool.channels;
        let classifier = Linear::new(builder, "classifier".into(), features, config.outputs);
        let precision = config.precision;
        Ok(DenseNet {
            conv0,
            norm0,
            pool0,
            blocks,
            transitions,
            last_norm,
            head_pool,
            classifier,
            precision,
        })
    }
}

impl Network for DenseNet {
    fn forward(&self, x: &Tensor, mode: Mode, taps: &mut Taps) -> Tensor {
        let x = self.conv0.forward(&self.precision.enter(x), taps);
        let x = self.norm0.forward_relu(&x, mode, taps);
        let mut x = self.pool0.forward(&x, mode, taps);
        for (i, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, mode, taps);
            if let Some(transition) = self.transitions.get(i) {
                x = transition.forward(&x, mode, taps);
            }
        }
        let x = self.last_norm.forward_relu(&x, mode, taps);
        let x = self.head_pool.forward(&self.precision.leave(&x), mode, taps); // [N, C]
        self.classifier.forward(&x, taps)
    }

    fn last_map_size(&self, picture_px: i64) -> i64 {
        let half_of_odd = |size: i64| (size - 1) / 2 + 1; // 7×7/2 pad 3, and 3×3/2 pad 1
        let stem = half_of_odd(half_of_odd(picture_px));
        self.transitions.iter().fold(stem, |size, _| size / 2)
    }

    fn block_names(&self) -> Vec<String> {
        let mut names = vec![self.pool0.name.clone()];
        names.extend(self.blocks.iter().map(|block| block.name.clone()));
        names.push(self.last_norm.name.clone());
        names
    }
}

/// A 1×1 convolution, and what other sizes derive from.
fn pointwise(in_channels: i64, out_channels: i64) -> ConvShape {
    ConvShape { in_channels, out_channels, size: 1, stride: 1, padding: 0, bias: false }
}
