//! The two small networks of the MNIST notebooks (Keras layers, after He et al. 2016,
//! arXiv:1603.05027, and Huang et al. 2017, arXiv:1608.06993).
//!
//! `[N, C, 28, 28] -> [N, K]`. Both widen 8 → 16 → 32 → 64 maps over three stages of two units:
//!
//! ```text
//! stem        3×3 conv to 8, relu
//! stages      of 28, 14 and 7 px: see `resnet` and `densenet`
//! between     2×2/2 max pool
//! head        flatten, linear to 128, relu, linear
//! ```
//!
//! Convolutions have biases and keep a map's size (`padding="same"`); norms are Keras' layers as
//! they come ([`crate::Convention::KerasLayers`]). The head reads every pixel of the last map, so
//! the picture's size belongs to the shape: `picture_px`, 28 in the rows.
//!
//! What we do differently: the head flattens `[C, H, W]` where Keras flattens `[H, W, C]`, which
//! only permutes the columns of the linear layer's weight. The softmax is part of the loss.

use serde::{Deserialize, Serialize};
use tch::Tensor;

mod densenet;
mod resnet;

pub(crate) use self::densenet::MnistDenseNet;
pub(crate) use self::resnet::MnistResNet;
use crate::bounds;
use crate::builder::{Builder, NamedPool};
use crate::config::Sites;
use crate::error::ModelError;
use crate::init::{Fan, Values};
use crate::layers::{Convs, Linear};
use crate::pool::{Extent, Pool, Site};
use crate::run::Run;

/// Maps of the stem, and after each stage.
const WIDTHS: [i64; 4] = [8, 16, 32, 64];
/// Units of a stage.
const UNITS: i64 = 2;
/// Of a smaller picture two poolings leave nothing.
const SMALLEST_PX: i64 = 4;
/// Beyond any picture: the first linear layer would have 2.2 trillion weights.
pub(crate) const MOST_PX: i64 = 1 << 16;
/// Outputs of the first linear layer.
const HIDDEN: i64 = 128;

/// One of the notebooks' networks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MnistConfig {
    /// Which.
    pub net: MnistNet,
    /// Height and width of its pictures.
    pub picture_px: i64,
}

/// The notebooks' networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MnistNet {
    /// Pre-activation residual units of two convolutions.
    Residual,
    /// The same with the notebook's slip: a unit's second half reads the unit's input, so that its
    /// first convolution is thrown away.
    ResidualAsPrinted,
    /// Dense units of one convolution.
    Dense,
}

impl MnistConfig {
    /// No pooling in the stem, one between two stages, and none in the head, which flattens.
    pub fn sites(&self) -> Sites {
        Sites { stem: false, transitions: WIDTHS.len() - 2, head: false }
    }

    /// # Errors
    /// A picture of which two poolings leave nothing, or whose pixels are too many to be read.
    pub(crate) fn check(&self, model: &str) -> Result<(), ModelError> {
        let px = self.picture_px;
        if px >= SMALLEST_PX {
            return bounds::check(model, "shape.picture_px", px, SMALLEST_PX..=MOST_PX);
        }
        let model = model.to_string();
        Err(ModelError::InputSize { model, height: px, width: px, smallest: SMALLEST_PX })
    }
}

/// Height and width of the last map.
fn last_map_px(picture_px: i64) -> i64 {
    picture_px / 2 / 2
}

/// For the notebooks' own convention, Keras', the fan makes no difference.
const CONVS: Convs = Convs { bias: true, fan: Fan::In };

/// The pooling between two stages: 2×2, stride 2.
fn pool(
    builder: &mut Builder,
    name: &str,
    channels: i64,
    pool: Pool,
) -> Result<NamedPool, ModelError> {
    builder.pool(pool, Site { name, channels, extent: Extent::TRANSITION })
}

/// Flatten, linear, ReLU, linear.
#[derive(Debug)]
struct Head {
    hidden: Linear,
    classifier: Linear,
}

impl Head {
    /// For maps of `channels` and the picture's size; the last layer is named as its family's is.
    fn new(
        builder: &mut Builder,
        channels: i64,
        picture_px: i64,
        classifier: &str,
        outputs: i64,
    ) -> Head {
        let features = channels * last_map_px(picture_px).pow(2);
        let bias = |fan_in| Values::Bias { fan_in };
        Head {
            hidden: Linear::new(builder, "hidden".into(), features, HIDDEN, bias(features)),
            classifier: Linear::new(builder, classifier.into(), HIDDEN, outputs, bias(HIDDEN)),
        }
    }

    /// `[N, C, H, W] -> [N, K]`.
    fn forward(&self, x: &Tensor, run: &mut Run) -> Tensor {
        let x = x.flatten(1, -1); // [N, C·H·W], whatever the strides
        let x = self.hidden.forward(&x, run);
        let x = run.taps.relu(x, true);
        self.classifier.forward(&x, run)
    }
}
