//! The networks of the paper's tables 1 (ImageNet) and 2 (CIFAR), and small twins of both.

use std::borrow::Cow;

use super::{DenseNetConfig, Stem};

/// Table 1, first column.
pub const DENSENET_121: DenseNetConfig = DenseNetConfig {
    growth: 32,
    blocks: Cow::Borrowed(&[6, 12, 24, 16]),
    bottleneck: Some(4),
    compression: 0.5,
    stem: Stem::Large,
    stem_features: 64,
    dropout: 0.0,
};

/// Table 1, second column.
pub const DENSENET_169: DenseNetConfig =
    DenseNetConfig { blocks: Cow::Borrowed(&[6, 12, 32, 32]), ..DENSENET_121 };

/// Table 1, third column.
pub const DENSENET_201: DenseNetConfig =
    DenseNetConfig { blocks: Cow::Borrowed(&[6, 12, 48, 32]), ..DENSENET_121 };

/// Table 1, fourth column (265 layers, counted as the others are).
pub const DENSENET_264: DenseNetConfig =
    DenseNetConfig { blocks: Cow::Borrowed(&[6, 12, 64, 48]), ..DENSENET_121 };

/// The wide one of the paper's first version (arXiv:1608.06993v3) and of torchvision.
pub const DENSENET_161: DenseNetConfig = DenseNetConfig {
    growth: 48,
    blocks: Cow::Borrowed(&[6, 12, 36, 24]),
    stem_features: 96,
    ..DENSENET_121
};

/// Table 2: DenseNet (L = 40, k = 12).
pub const DENSENET_40_12: DenseNetConfig = DenseNetConfig {
    growth: 12,
    blocks: Cow::Borrowed(&[12, 12, 12]),
    bottleneck: None,
    compression: 1.0,
    stem: Stem::Small,
    stem_features: 16,
    dropout: 0.0,
};

/// Table 2: DenseNet (L = 100, k = 12).
pub const DENSENET_100_12: DenseNetConfig =
    DenseNetConfig { blocks: Cow::Borrowed(&[32, 32, 32]), ..DENSENET_40_12 };

/// Table 2: DenseNet (L = 100, k = 24).
pub const DENSENET_100_24: DenseNetConfig = DenseNetConfig { growth: 24, ..DENSENET_100_12 };

/// DenseNet-B at the depth and growth of [`DENSENET_40_12`]. Figure 4 (left) compares the four
/// variants.
pub const DENSENET_B_40_12: DenseNetConfig =
    DenseNetConfig { blocks: Cow::Borrowed(&[6, 6, 6]), bottleneck: Some(4), ..DENSENET_40_12 };

/// DenseNet-B at the depth and growth of [`DENSENET_100_12`].
pub const DENSENET_B_100_12: DenseNetConfig =
    DenseNetConfig { blocks: Cow::Borrowed(&[16, 16, 16]), ..DENSENET_B_40_12 };

/// DenseNet-C at the depth and growth of [`DENSENET_40_12`].
pub const DENSENET_C_40_12: DenseNetConfig = DenseNetConfig { compression: 0.5, ..DENSENET_40_12 };

/// DenseNet-C at the depth and growth of [`DENSENET_100_12`].
pub const DENSENET_C_100_12: DenseNetConfig =
    DenseNetConfig { compression: 0.5, ..DENSENET_100_12 };

/// DenseNet-BC at the depth and growth of [`DENSENET_40_12`].
pub const DENSENET_BC_40_12: DenseNetConfig =
    DenseNetConfig { compression: 0.5, stem_features: 24, ..DENSENET_B_40_12 };

/// Table 2: DenseNet-BC (L = 100, k = 12).
pub const DENSENET_BC_100_12: DenseNetConfig =
    DenseNetConfig { blocks: Cow::Borrowed(&[16, 16, 16]), ..DENSENET_BC_40_12 };

/// Table 2: DenseNet-BC (L = 250, k = 24).
pub const DENSENET_BC_250_24: DenseNetConfig = DenseNetConfig {
    growth: 24,
    blocks: Cow::Borrowed(&[41, 41, 41]),
    stem_features: 48,
    ..DENSENET_BC_40_12
};

/// Table 2: DenseNet-BC (L = 190, k = 40).
pub const DENSENET_BC_190_40: DenseNetConfig = DenseNetConfig {
    growth: 40,
    blocks: Cow::Borrowed(&[31, 31, 31]),
    stem_features: 80,
    ..DENSENET_BC_40_12
};

/// Every kind of layer that DenseNet-121 has, in few and narrow ones.
pub const DENSENET_MINI: DenseNetConfig = DenseNetConfig {
    growth: 8,
    blocks: Cow::Borrowed(&[2, 2, 2, 2]),
    stem_features: 16,
    ..DENSENET_121
};

/// The basic layers and the small stem of [`DENSENET_40_12`], in few and narrow ones.
pub const DENSENET_CIFAR_MINI: DenseNetConfig =
    DenseNetConfig { growth: 8, blocks: Cow::Borrowed(&[2, 2, 2]), ..DENSENET_40_12 };
