//! What distinguishes one residual network from another, and the papers' networks as constants.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::bounds::{self, MOST_MAPS};
use crate::config::Sites;
use crate::error::ModelError;
use crate::init::Fan;
use crate::layers::{Convs, Stem};

/// A residual or plain network, in the papers' words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNetConfig {
    /// Residual units of each stage, the factors of table 1.
    pub stages: Cow<'static, [i64]>,
    /// Maps of the stem and of the first stage's 3×3 convolutions; each later stage has twice its
    /// predecessor's.
    pub width: i64,
    /// What a unit consists of.
    pub unit: Unit,
    /// Where its norms and ReLUs stand.
    pub order: Order,
    /// What goes round it.
    pub shortcut: Shortcut,
    /// What stands before the stages; with norm and ReLU where it is small too.
    pub stem: Stem,
    /// Whether convolutions have biases, as Keras' do. The norm after each takes them out again.
    pub conv_bias: bool,
}

/// The convolutions of a residual unit (1512.03385, figure 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Two of 3×3.
    Basic,
    /// 1×1, 3×3, and 1×1 to four times the maps.
    Bottleneck(StrideOn),
}

/// Which convolution of a bottleneck halves the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StrideOn {
    /// The first 1×1, which then never sees three quarters of its input: the paper, Keras and the
    /// depth study.
    First,
    /// The 3×3: torchvision and most since ("v1.5").
    Middle,
}

/// The order of a unit's layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// conv, norm, ReLU, …, conv, norm; sum; ReLU (1512.03385).
    Post,
    /// norm, ReLU, conv, …, norm, ReLU, conv; sum (1603.05027, figure 4e).
    Pre,
}

/// What goes round a unit (1512.03385, §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shortcut {
    /// Nothing: a plain net.
    None,
    /// Option A: the input itself; where a unit has more maps, with zeros for those it lacks.
    Identity,
    /// Option B: the input itself; where a unit changes the shape, a 1×1 convolution of it.
    Projection,
}

/// Table 1, 18 layers.
pub const RESNET_18: ResNetConfig = ResNetConfig {
    stages: Cow::Borrowed(&[2, 2, 2, 2]),
    width: 64,
    unit: Unit::Basic,
    order: Order::Post,
    shortcut: Shortcut::Projection,
    stem: Stem::Large,
    conv_bias: false,
};

/// Table 1, 34 layers.
pub const RESNET_34: ResNetConfig =
    ResNetConfig { stages: Cow::Borrowed(&[3, 4, 6, 3]), ..RESNET_18 };

/// Table 1, 50 layers, with torchvision's stride.
pub const RESNET_50: ResNetConfig =
    ResNetConfig { unit: Unit::Bottleneck(StrideOn::Middle), ..RESNET_34 };

/// Table 1, 101 layers, with torchvision's stride.
pub const RESNET_101: ResNetConfig =
    ResNetConfig { stages: Cow::Borrowed(&[3, 4, 23, 3]), ..RESNET_50 };

/// Table 1, 152 layers, with torchvision's stride.
pub const RESNET_152: ResNetConfig =
    ResNetConfig { stages: Cow::Borrowed(&[3, 8, 36, 3]), ..RESNET_50 };

/// The depth study's network of 50 layers: the paper's stride, and biases.
pub const RESNET_50_KERAS: ResNetConfig =
    ResNetConfig { unit: Unit::Bottleneck(StrideOn::First), conv_bias: true, ..RESNET_50 };

/// The depth study's network of 101 layers.
pub const RESNET_101_KERAS: ResNetConfig =
    ResNetConfig { unit: Unit::Bottleneck(StrideOn::First), conv_bias: true, ..RESNET_101 };

/// §4.2 with n = 3: 6n + 2 = 20 layers of 16, 32 and 64 maps, without a parameter in a shortcut.
pub const RESNET_20: ResNetConfig = ResNetConfig {
    stages: Cow::Borrowed(&[3; 3]),
    width: 16,
    shortcut: Shortcut::Identity,
    stem: Stem::Small,
    ..RESNET_18
};

/// §4.2 with n = 5.
pub const RESNET_32: ResNetConfig = ResNetConfig { stages: Cow::Borrowed(&[5; 3]), ..RESNET_20 };

/// §4.2 with n = 7.
pub const RESNET_44: ResNetConfig = ResNetConfig { stages: Cow::Borrowed(&[7; 3]), ..RESNET_20 };

/// §4.2 with n = 9.
pub const RESNET_56: ResNetConfig = ResNetConfig { stages: Cow::Borrowed(&[9; 3]), ..RESNET_20 };

/// §4.2 with n = 18.
pub const RESNET_110: ResNetConfig = ResNetConfig { stages: Cow::Borrowed(&[18; 3]), ..RESNET_20 };

/// Every kind of layer that ResNet-50 has, in few and narrow ones.
pub const RESNET_MINI: ResNetConfig =
    ResNetConfig { stages: Cow::Borrowed(&[2, 1, 1, 1]), width: 8, ..RESNET_50 };

/// More stages would shrink any picture to a pixel and overflow the width.
const MOST_STAGES: usize = 8;

impl ResNetConfig {
    /// A pooling after a large stem, one in the head; units shrink their maps by strides.
    pub fn sites(&self) -> Sites {
        Sites { stem: self.stem.pools(), transitions: 0, head: true }
    }

    /// # Errors
    /// Numbers that no network can have, by name.
    pub(crate) fn check(&self, model: &str) -> Result<(), ModelError> {
        bounds::check_layers(model, "shape.stages", &self.stages, MOST_STAGES)?;
        bounds::check(model, "shape.width", self.width, 1..=MOST_MAPS)
    }

    /// Maps of the 3×3 convolutions of stage `i`, counted from 0.
    pub(super) fn stage_width(&self, i: usize) -> i64 {
        self.width << i
    }

    /// Maps that leave stage `i`.
    pub(super) fn stage_channels(&self, i: usize) -> i64 {
        match self.unit {
            Unit::Basic => self.stage_width(i),
            Unit::Bottleneck(_) => 4 * self.stage_width(i),
        }
    }

    /// Its convolutions: torchvision's ResNet's, but for biases.
    pub(super) fn convs(&self) -> Convs {
        Convs { bias: self.conv_bias, fan: Fan::Out }
    }
}
