//! What distinguishes one DenseNet from another, as plain data, and the rows of the paper's tables.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::config::Sites;

/// What distinguishes one DenseNet from another, in the paper's words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenseNetConfig {
    /// `k`, the maps each layer adds.
    pub growth: i64,
    /// Layers of each dense block.
    pub blocks: Cow<'static, [i64]>,
    /// A layer's 1×1 convolution makes `bottleneck · k` maps (the B of BC).
    pub bottleneck: i64,
    /// `θ`, the share of maps a transition keeps (the C of BC).
    pub compression: f64,
    /// `k0`, the maps of the stem.
    pub stem_features: i64,
}

/// Table 1, first column.
pub const DENSENET_121: DenseNetConfig = DenseNetConfig {
    growth: 32,
    blocks: Cow::Borrowed(&[6, 12, 24, 16]),
    bottleneck: 4,
    compression: 0.5,
    stem_features: 64,
};

/// Table 1, second column.
pub const DENSENET_169: DenseNetConfig =
    DenseNetConfig { blocks: Cow::Borrowed(&[6, 12, 32, 32]), ..DENSENET_121 };

/// Table 1, third column.
pub const DENSENET_201: DenseNetConfig =
    DenseNetConfig { blocks: Cow::Borrowed(&[6, 12, 48, 32]), ..DENSENET_121 };

/// Table 1, fourth column.
pub const DENSENET_264: DenseNetConfig =
    DenseNetConfig { blocks: Cow::Borrowed(&[6, 12, 64, 48]), ..DENSENET_121 };

/// The wide one of the paper's first version (arXiv:1608.06993v3) and of torchvision.
pub const DENSENET_161: DenseNetConfig = DenseNetConfig {
    growth: 48,
    blocks: Cow::Borrowed(&[6, 12, 36, 24]),
    stem_features: 96,
    ..DENSENET_121
};

/// Every kind of layer that DenseNet-121 has, in few and narrow ones.
pub const DENSENET_MINI: DenseNetConfig = DenseNetConfig {
    growth: 8,
    blocks: Cow::Borrowed(&[2, 2, 2, 2]),
    stem_features: 16,
    ..DENSENET_121
};

impl DenseNetConfig {
    /// A pooling in the stem, one in each transition, one in the head.
    pub fn sites(&self) -> Sites {
        Sites { stem: true, transitions: self.blocks.len().saturating_sub(1), head: true }
    }
}
