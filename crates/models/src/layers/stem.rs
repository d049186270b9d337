//! What stands before the first block or stage: one of two things, in the papers of both families.

use serde::{Deserialize, Serialize};

use super::{ConvShape, Convs};

/// What stands before the first block or stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stem {
    /// 7×7/2 convolution, norm, ReLU and 3×3/2 pooling, for pictures of about 224 px.
    Large,
    /// 3×3 convolution, for pictures of about 32 px.
    Small,
}

impl Stem {
    /// Its convolution.
    pub(crate) fn conv(self, convs: Convs, in_channels: i64, out_channels: i64) -> ConvShape {
        match self {
            Stem::Large => {
                let conv = convs.conv1x1(in_channels, out_channels);
                ConvShape { size: 7, stride: 2, padding: 3, ..conv }
            }
            Stem::Small => convs.conv3x3(in_channels, out_channels),
        }
    }

    /// Whether it pools.
    pub(crate) fn pools(self) -> bool {
        self == Stem::Large
    }

    /// Height (or width) after it.
    pub(crate) fn map_px(self, picture_px: i64) -> i64 {
        match self {
            Stem::Large => halved(halved(picture_px)),
            Stem::Small => picture_px,
        }
    }
}

/// Height (or width) behind a layer of stride 2 that pads by half its kernel: `⌈n / 2⌉`.
pub fn halved(px: i64) -> i64 {
    (px + 1) / 2
}
