//! What stands before the first dense block.

use tch::Tensor;

use super::{DenseNetConfig, Stem, pointwise, three_by_three};
use crate::builder::{Builder, NamedPool};
use crate::config::ModelConfig;
use crate::error::ModelError;
use crate::layers::{BatchNorm2d, Conv2d, ConvShape};
use crate::mode::Mode;
use crate::pool::{Extent, Site};
use crate::taps::Taps;

/// A convolution; for large pictures also norm, ReLU and pooling. For small ones the first layer's
/// own norm and ReLU follow at once.
#[derive(Debug)]
pub(super) struct StemLayers {
    conv: Conv2d,
    norm_and_pool: Option<(BatchNorm2d, NamedPool)>,
}

impl StemLayers {
    pub fn new(
        builder: &mut Builder,
        shape: &DenseNetConfig,
        config: &ModelConfig,
    ) -> Result<StemLayers, ModelError> {
        let channels = shape.stem_features;
        let conv = match shape.stem {
            Stem::ImageNet => ConvShape {
                size: 7,
                stride: 2,
                padding: 3,
                ..pointwise(config.in_channels, channels)
            },
            Stem::Cifar => three_by_three(config.in_channels, channels),
        };
        let conv = Conv2d::new(builder, "features.conv0".into(), conv);
        let Some(pool) = config.pooling.stem else {
            return Ok(StemLayers { conv, norm_and_pool: None });
        };
        let norm = BatchNorm2d::new(builder, "features.norm0".into(), channels);
        let site = Site { name: "features.pool0", channels, extent: Extent::STEM };
        Ok(StemLayers { conv, norm_and_pool: Some((norm, builder.pool(pool, site)?)) })
    }

    /// `[N, C, H, W] -> [N, k0, H / 4, W / 4]`, or `[N, k0, H, W]` for small pictures.
    pub fn forward(&self, x: &Tensor, mode: Mode, taps: &mut Taps) -> Tensor {
        match &self.norm_and_pool {
            None => self.conv.forward(x, taps),
            Some((norm, pool)) => {
                let x = self.conv.forward_norm_relu(x, norm, mode, taps);
                pool.forward(&x, mode, taps)
            }
        }
    }

    /// Height (or width) after it.
    pub fn map_size(&self, picture_px: i64) -> i64 {
        let half_of_odd = |size: i64| (size - 1) / 2 + 1; // 7×7/2 pad 3, and 3×3/2 pad 1
        match &self.norm_and_pool {
            None => picture_px,
            Some(_) => half_of_odd(half_of_odd(picture_px)),
        }
    }

    /// The tap of its last layer.
    pub fn last_tap(&self) -> &str {
        self.norm_and_pool.as_ref().map_or(&self.conv.name, |(_, pool)| &pool.name)
    }
}
