//! The notebook's dense network: units of one convolution whose maps are appended.
//!
//! ```text
//! unit        norm, relu, 3×3 conv to k; concatenate
//! stages      two units each: k = 4 from 8 maps to 16, k = 8 to 32, k = 16 to 64
//! transition  3×3 conv that keeps the number of maps, then the pool; neither norm nor ReLU
//! ```
//!
//! Names are torchvision's: `features.denseblock1.denselayer1.norm1`, `features.transition1.conv`.

use tch::Tensor;

use super::{CONVS, Head, UNITS, WIDTHS, pool};
use crate::builder::{Builder, NamedPool};
use crate::config::{ModelConfig, Precision};
use crate::densenet::{DenseBlock, DenseLayer, NormReluConv, concatenated};
use crate::error::ModelError;
use crate::layers::Conv2d;
use crate::mnist::MnistConfig;
use crate::model::Network;
use crate::pool::Pool;
use crate::run::Run;

/// The dense network.
#[derive(Debug)]
pub(crate) struct MnistDenseNet {
    conv0: Conv2d,
    stages: Vec<DenseBlock>,
    transitions: Vec<(Conv2d, NamedPool)>,
    head: Head,
    picture_px: i64,
    precision: Precision,
}

impl MnistDenseNet {
    pub fn new(
        shape: &MnistConfig,
        config: &ModelConfig,
        poolings: &[Pool],
        builder: &mut Builder,
    ) -> Result<MnistDenseNet, ModelError> {
        let stem = CONVS.conv3x3(config.in_channels, WIDTHS[0]);
        let conv0 = Conv2d::new(builder, "features.conv0".into(), stem);
        let (mut stages, mut transitions) = (Vec::new(), Vec::new());
        for i in 1..WIDTHS.len() {
            let (channels, out) = (WIDTHS[i - 1], WIDTHS[i]);
            stages.push(stage(builder, format!("features.denseblock{i}"), channels, out));
            if let Some(&pooling) = poolings.get(i - 1) {
                let name = format!("features.transition{i}");
                let conv = Conv2d::new(builder, format!("{name}.conv"), CONVS.conv3x3(out, out));
                transitions.push((conv, pool(builder, &format!("{name}.pool"), out, pooling)?));
            }
        }
        let picture_px = shape.picture_px;
        let head = Head::new(builder, WIDTHS[3], picture_px, "classifier", config.outputs);
        let precision = config.precision;
        Ok(MnistDenseNet { conv0, stages, transitions, head, picture_px, precision })
    }
}

impl Network for MnistDenseNet {
    fn forward(&self, x: &Tensor, run: &mut Run) -> Tensor {
        let mut x = self.conv0.forward_relu(&self.precision.enter(x), run);
        for (i, stage) in self.stages.iter().enumerate() {
            x = concatenated(&stage.forward(x, run));
            if let Some((conv, pool)) = self.transitions.get(i) {
                x = pool.forward(&conv.forward(&x, run), run);
            }
        }
        self.head.forward(&self.precision.leave(&x), run)
    }

    fn last_map_size(&self, picture_px: i64) -> i64 {
        super::last_map_px(picture_px)
    }

    fn only_px(&self) -> Option<i64> {
        Some(self.picture_px)
    }

    fn block_names(&self) -> Vec<String> {
        let stages = self.stages.iter().map(|stage| stage.name.clone());
        [self.conv0.name.clone()].into_iter().chain(stages).collect()
    }
}

/// Two units: `[N, C, H, W] -> [N, 2 C, H, W]`.
fn stage(builder: &mut Builder, name: String, channels: i64, out: i64) -> DenseBlock {
    let growth = (out - channels) / UNITS;
    let units = (0..UNITS).map(|i| {
        let conv = CONVS.conv3x3(channels + i * growth, growth);
        let unit = format!("{name}.denselayer{}", i + 1);
        DenseLayer { first: NormReluConv::new(builder, &unit, "1", conv, 0.0), second: None }
    });
    let units = units.collect();
    DenseBlock::of(builder, name, units)
}
