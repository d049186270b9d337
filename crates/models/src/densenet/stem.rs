//! What stands before the first dense block.

use tch::Tensor;

use super::{CONVS, DenseNetConfig};
use crate::builder::{Builder, NamedPool};
use crate::config::ModelConfig;
use crate::error::ModelError;
use crate::layers::{BatchNorm2d, Conv2d, Stem};
use crate::pool::{Extent, Site};
use crate::run::Run;

/// A convolution; for large pictures also norm, ReLU and pooling. For small ones the first layer's
/// own norm and ReLU follow at once.
#[derive(Debug)]
pub(super) struct StemLayers {
    stem: Stem,
    conv: Conv2d,
    norm_and_pool: Option<(BatchNorm2d, NamedPool)>,
}

impl StemLayers {
    pub fn new(
        builder: &mut Builder,
        shape: &DenseNetConfig,
        config: &ModelConfig,
    ) -> Result<StemLayers, ModelError> {
        let (stem, channels) = (shape.stem, shape.stem_features);
        let conv = stem.conv(CONVS, config.in_channels, channels);
        let conv = Conv2d::new(builder, "features.conv0".into(), conv);
        let Some(pool) = config.pooling.stem else {
            return Ok(StemLayers { stem, conv, norm_and_pool: None });
        };
        let norm = BatchNorm2d::new(builder, "features.norm0".into(), channels);
        let site = Site { name: "features.pool0", channels, extent: Extent::STEM };
        let norm_and_pool = Some((norm, builder.pool(pool, site)?));
        Ok(StemLayers { stem, conv, norm_and_pool })
    }

    /// `[N, C, H, W] -> [N, k0, H / 4, W / 4]`, or `[N, k0, H, W]` for small pictures.
    pub fn forward(&self, x: &Tensor, run: &mut Run) -> Tensor {
        match &self.norm_and_pool {
            None => self.conv.forward(x, run),
            Some((norm, pool)) => {
                let x = self.conv.forward_norm_relu(x, norm, run);
                pool.forward(&x, run)
            }
        }
    }

    /// Height (or width) after it.
    pub fn map_px(&self, picture_px: i64) -> i64 {
        self.stem.map_px(picture_px)
    }

    /// The tap of its last layer.
    pub fn last_tap(&self) -> &str {
        self.norm_and_pool.as_ref().map_or(&self.conv.name, |(_, pool)| &pool.name)
    }
}
