//! The notebook's residual network: pre-activation units, `x + F(x)` (He et al. 2016,
//! *Identity Mappings in Deep Residual Networks*, arXiv:1603.05027, figure 1b).
//!
//! ```text
//! unit        norm, relu, 3×3 conv to C; norm, relu, 3×3 conv to C; plus the unit's input,
//!             through a 1×1 conv where its channels change
//! stages      C = 16, 32, 64, of two units each
//! ```
//!
//! Names are torchvision's: `conv1`, `layer2.0.bn1`, `layer2.0.downsample.0`.
//!
//! **As printed**, the second half of a unit begins at the unit's input instead of the first half's
//! output, so the network computes `x + conv2(relu(norm2(x)))`. The first half reaches no output
//! and would get no gradient: it is left out.

use tch::Tensor;

use super::{CONVS, Head, UNITS, WIDTHS, pool};
use crate::builder::{Builder, NamedPool, TapKind};
use crate::config::{ModelConfig, Precision};
use crate::error::ModelError;
use crate::layers::{BatchNorm2d, Conv2d};
use crate::mnist::{MnistConfig, MnistNet};
use crate::model::Network;
use crate::pool::Pool;
use crate::run::Run;

/// The residual network, corrected or as printed.
#[derive(Debug)]
pub(crate) struct MnistResNet {
    conv1: Conv2d,
    stages: Vec<Stage>,
    pools: Vec<NamedPool>,
    head: Head,
    picture_px: i64,
    precision: Precision,
}

#[derive(Debug)]
struct Stage {
    name: String,
    units: Vec<Unit>,
}

type Half = (BatchNorm2d, Conv2d);

#[derive(Debug)]
struct Unit {
    /// Absent from the network as printed.
    first: Option<Half>,
    second: Half,
    projection: Option<Conv2d>,
}

impl MnistResNet {
    pub fn new(
        shape: &MnistConfig,
        config: &ModelConfig,
        poolings: &[Pool],
        builder: &mut Builder,
    ) -> Result<MnistResNet, ModelError> {
        let as_printed = shape.net == MnistNet::ResidualAsPrinted;
        let stem = CONVS.conv3x3(config.in_channels, WIDTHS[0]);
        let conv1 = Conv2d::new(builder, "conv1".into(), stem);
        let (mut stages, mut pools) = (Vec::new(), Vec::new());
        for i in 1..WIDTHS.len() {
            let (channels, out) = (WIDTHS[i - 1], WIDTHS[i]);
            stages.push(Stage::new(builder, format!("layer{i}"), channels, out, as_printed));
            if let Some(&pooling) = poolings.get(i - 1) {
                pools.push(pool(builder, &format!("pool{i}"), out, pooling)?);
            }
        }
        let picture_px = shape.picture_px;
        let head = Head::new(builder, WIDTHS[3], picture_px, "fc", config.outputs);
        Ok(MnistResNet { conv1, stages, pools, head, picture_px, precision: config.precision })
    }
}

impl Network for MnistResNet {
    fn forward(&self, x: &Tensor, run: &mut Run) -> Tensor {
        let mut x = self.conv1.forward_relu(&self.precision.enter(x), run);
        for (i, stage) in self.stages.iter().enumerate() {
            x = stage.forward(x, run);
            if let Some(pool) = self.pools.get(i) {
                x = pool.forward(&x, run);
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
        [self.conv1.name.clone()].into_iter().chain(stages).collect()
    }
}

impl Stage {
    fn new(builder: &mut Builder, name: String, channels: i64, out: i64, printed: bool) -> Stage {
        let units = (0..UNITS)
            .map(|i| {
                let channels = if i == 0 { channels } else { out };
                Unit::new(builder, &format!("{name}.{i}"), channels, out, printed)
            })
            .collect();
        builder.tap(&name, TapKind::Block);
        Stage { name, units }
    }

    /// `[N, C, H, W] -> [N, C', H, W]`.
    fn forward(&self, x: Tensor, run: &mut Run) -> Tensor {
        let x = self.units.iter().fold(x, |x, unit| unit.forward(&x, run));
        run.taps.show(&self.name, &x);
        x
    }
}

impl Unit {
    fn new(builder: &mut Builder, name: &str, channels: i64, out: i64, printed: bool) -> Unit {
        let mut half = |number, channels| {
            let norm = BatchNorm2d::new(builder, format!("{name}.bn{number}"), channels);
            let conv = CONVS.conv3x3(channels, out);
            (norm, Conv2d::new(builder, format!("{name}.conv{number}"), conv))
        };
        let first = (!printed).then(|| half(1, channels));
        let second = half(2, if printed { channels } else { out });
        let one_by_one = CONVS.conv1x1(channels, out);
        let projection = (channels != out)
            .then(|| Conv2d::new(builder, format!("{name}.downsample.0"), one_by_one));
        Unit { first, second, projection }
    }

    /// `[N, C, H, W] -> [N, C', H, W]`.
    fn forward(&self, x: &Tensor, run: &mut Run) -> Tensor {
        let (norm, conv) = &self.second;
        // The first half's convolution with the second's norm and ReLU: they may be one operation.
        let h = match &self.first {
            Some((first_norm, first)) => {
                let h = first_norm.forward_relu(x, run);
                first.forward_norm_relu(&h, norm, run)
            }
            None => norm.forward_relu(x, run),
        };
        let h = conv.forward(&h, run);
        match &self.projection {
            Some(projection) => h + projection.forward(x, run),
            None => h + x,
        }
    }
}
