//! Dense convolutional networks (Huang, Liu, van der Maaten & Weinberger 2017, *Densely Connected
//! Convolutional Networks*, arXiv:1608.06993, §3, tables 1 and 2).
//!
//! `[N, C, H, W] -> [N, K]`. Layer ℓ of a block sees all earlier maps of the block,
//! `k0 + k (ℓ - 1)` of them (equation 2), and adds `k`, the growth. DenseNet-BC, for ImageNet:
//!
//! ```text
//! stem        7×7/2 conv, norm, relu, 3×3/2 pool
//! block i     ×n: norm, relu, 1×1 conv to 4k; norm, relu, 3×3 conv to k; concatenate
//! transition  norm, relu, 1×1 conv to ⌊θ C⌋, 2×2/2 pool     (after each block but the last)
//! head        norm, relu, global pool, linear
//! ```
//!
//! Without the B a layer has no 1×1 conv; without the C `θ` is 1; for CIFAR the stem is a 3×3 conv,
//! and three blocks see maps of 32, 16 and 8 px. Dropout, where there is any, follows every conv
//! but the first (§4.2).
//!
//! Names, order and arithmetic are torchvision's; poolings are values. `densenet/block.rs` reads as
//! the paper does. Where no tap looks inside, the CPU runs `densenet/fused.rs` instead: a whole
//! block as one operation that concatenates nothing. Elsewhere a block appends each layer's maps to
//! one growing tensor; that tensor makes memory grow as n², and [`Memory::Recompute`] keeps the
//! pieces instead (`densenet/composite.rs`).
//!
//! [`Memory::Recompute`]: crate::Memory::Recompute

use tch::Tensor;

mod block;
mod composite;
mod config;
mod fused;
mod rows;
mod stem;
mod transition;

pub(crate) use self::block::{DenseBlock, DenseLayer};
pub(crate) use self::composite::NormReluConv;
pub(crate) use self::composite::concatenated;
pub use self::config::{DenseNetConfig, Variant};
pub use self::rows::*;
use self::stem::StemLayers;
use self::transition::Transition;
use crate::builder::{Builder, NamedPool};
use crate::config::{ModelConfig, Precision};
use crate::error::ModelError;
use crate::init::{Fan, Values};
pub use crate::layers::Stem;
use crate::layers::{BatchNorm2d, Convs, Linear};
use crate::model::Network;
use crate::pool::{Extent, Pool, Site};
use crate::run::Run;

/// torchvision's DenseNet's.
const CONVS: Convs = Convs { bias: false, fan: Fan::In };

/// A DenseNet.
#[derive(Debug)]
pub(crate) struct DenseNet {
    stem: StemLayers,
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
        let stem = StemLayers::new(builder, shape, config)?;
        let mut channels = shape.stem_features;
        let (mut blocks, mut transitions) = (Vec::new(), Vec::new());
        for (i, &layers) in shape.blocks.iter().enumerate() {
            let name = format!("features.denseblock{}", i + 1);
            blocks.push(DenseBlock::new(builder, name, layers, channels, shape));
            channels += layers * shape.growth;
            if let Some(&pool) = pools.get(i) {
                let name = format!("features.transition{}", i + 1);
                let transition = Transition::new(builder, &name, channels, shape, pool)?;
                channels = transition.pool.channels;
                transitions.push(transition);
            }
        }
        // torchvision's name for it however many blocks there are.
        let last_norm = BatchNorm2d::new(builder, "features.norm5".into(), channels);
        // torchvision pools here by a function, which has no module path; this is timm's.
        let head = config.pooling.head.expect("resolved: it has a head");
        let site = Site { name: "global_pool", channels, extent: Extent::Global };
        let head_pool = builder.pool(head, site)?;
        let features = head_pool.channels;
        let classifier =
            Linear::new(builder, "classifier".into(), features, config.outputs, Values::Zeros);
        let precision = config.precision;
        Ok(DenseNet { stem, blocks, transitions, last_norm, head_pool, classifier, precision })
    }
}

impl Network for DenseNet {
    fn forward(&self, x: &Tensor, run: &mut Run) -> Tensor {
        let mut x = self.stem.forward(&self.precision.enter(x), run);
        for (i, block) in self.blocks.iter().enumerate() {
            let maps = block.forward(x, run);
            x = match self.transitions.get(i) {
                Some(transition) => transition.forward(&maps, run),
                None => concatenated(&maps),
            };
        }
        let x = self.last_norm.forward_relu(&x, run);
        let x = self.head_pool.forward(&self.precision.leave(&x), run); // [N, C]
        self.classifier.forward(&x, run)
    }

    fn last_map_size(&self, picture_px: i64) -> i64 {
        let stem = self.stem.map_px(picture_px);
        self.transitions.iter().fold(stem, |px, _| px / 2)
    }

    fn block_names(&self) -> Vec<String> {
        let mut names = vec![self.stem.last_tap().to_string()];
        names.extend(self.blocks.iter().map(|block| block.name.clone()));
        names.push(self.last_norm.name.clone());
        names
    }
}
