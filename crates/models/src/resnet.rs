//! Residual networks (He, Zhang, Ren & Sun 2016, *Deep Residual Learning for Image Recognition*,
//! arXiv:1512.03385) and the plain nets they are compared with; with [`Order::Pre`] those of
//! *Identity Mappings in Deep Residual Networks* (the same authors, 2016, arXiv:1603.05027).
//!
//! `[N, C, H, W] -> [N, K]`. A unit computes `y = F(x) + x` (equation 1): it need only learn how
//! its output differs from its input.
//!
//! ```text
//! stem      7×7/2 conv, norm, relu, 3×3/2 pool    (small: 3×3 conv, norm, relu)
//! stage i   ×n units of width 2^(i - 1)·w; from the second stage on, the first has stride 2
//! head      global pool, linear                   (pre-activation: norm, relu before)
//! ```
//!
//! The unit's two orders are `post` and `pre` below this file, what goes round it is `shortcut`.
//! Names, order and arithmetic of the post-activation networks are torchvision's, which carry over
//! to what torchvision lacks: the CIFAR networks have three stages `layer1..3`, an activation
//! `layer2.0.bn1` stands before its convolution in a pre-activation unit, and the last norm of a
//! pre-activation network, which has no name there, has timm's: `norm`.
//!
//! What we do differently: the pooling sites are values. The stem's has torchvision's path,
//! `maxpool`, whatever pools there; the head's has timm's, `global_pool`, which promises nothing.

use tch::Tensor;

mod config;
mod post;
mod pre;
mod shortcut;

use self::post::PostUnit;
use self::pre::PreUnit;
use crate::builder::{Builder, NamedPool, TapKind};
use crate::config::{ModelConfig, Precision};
use crate::error::ModelError;
use crate::init::Values;
pub use crate::layers::Stem;
use crate::layers::{BatchNorm2d, Conv2d, ConvShape, Linear, halved};
use crate::model::Network;
use crate::pool::{Extent, Site};
use crate::run::Run;

pub use self::config::{
    Order, RESNET_18, RESNET_20, RESNET_32, RESNET_34, RESNET_44, RESNET_50, RESNET_50_KERAS,
    RESNET_56, RESNET_101, RESNET_101_KERAS, RESNET_110, RESNET_152, RESNET_MINI, ResNetConfig,
    Shortcut, StrideOn, Unit,
};

/// A residual (or plain) network.
#[derive(Debug)]
pub(crate) struct ResNet {
    stem: Stem,
    conv1: Conv2d,
    bn1: BatchNorm2d,
    maxpool: Option<NamedPool>,
    stages: Vec<Stage>,
    /// Of pre-activation networks, whose last unit ends in a sum.
    last_norm: Option<BatchNorm2d>,
    head_pool: NamedPool,
    fc: Linear,
    precision: Precision,
}

#[derive(Debug)]
struct Stage {
    name: String,
    units: Vec<Residual>,
}

#[derive(Debug)]
enum Residual {
    Post(PostUnit),
    Pre(PreUnit),
}

/// What is known of a unit before it is built.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    network: &'a ResNetConfig,
    /// Channels of its input.
    channels: i64,
    /// Channels of its output.
    out_channels: i64,
    /// Maps of its 3×3 convolutions.
    width: i64,
    stride: i64,
    /// Whether it follows the stem.
    first: bool,
}

/// The tap of the stem's ReLU, torchvision's path.
const RELU: &str = "relu";

impl ResNet {
    /// Builds the network, its layers in forward order.
    ///
    /// # Errors
    /// A pooling that cannot stand at its site.
    pub fn new(
        shape: &ResNetConfig,
        config: &ModelConfig,
        builder: &mut Builder,
    ) -> Result<ResNet, ModelError> {
        let stem = shape.stem.conv(shape.convs(), config.in_channels, shape.width);
        let conv1 = Conv2d::new(builder, "conv1".into(), stem);
        let bn1 = BatchNorm2d::new(builder, "bn1".into(), shape.width);
        builder.tap(RELU, TapKind::Relu);
        let site = Site { name: "maxpool", channels: shape.width, extent: Extent::STEM };
        let maxpool = config.pooling.stem.map(|pool| builder.pool(pool, site)).transpose()?;
        let mut channels = maxpool.as_ref().map_or(shape.width, |pool| pool.channels);

        let mut stages = Vec::new();
        for i in 0..shape.stages.len() {
            stages.push(Stage::new(builder, shape, i, channels));
            channels = shape.stage_channels(i);
        }
        let last_norm = match shape.order {
            Order::Post => None,
            Order::Pre => Some(BatchNorm2d::new(builder, "norm".into(), channels)),
        };
        let head = config.pooling.head.expect("resolved: it has a head");
        let site = Site { name: "global_pool", channels, extent: Extent::Global };
        let head_pool = builder.pool(head, site)?;
        let features = head_pool.channels;
        let bias = Values::Bias { fan_in: features };
        let fc = Linear::new(builder, "fc".into(), features, config.outputs, bias);
        let (stem, precision) = (shape.stem, config.precision);
        Ok(ResNet { stem, conv1, bn1, maxpool, stages, last_norm, head_pool, fc, precision })
    }
}

impl Network for ResNet {
    fn forward(&self, x: &Tensor, run: &mut Run) -> Tensor {
        let x = self.precision.enter(x);
        let mut x = self.conv1.forward_norm_relu(&x, &self.bn1, run);
        run.taps.show(RELU, &x);
        if let Some(pool) = &self.maxpool {
            x = pool.forward(&x, run);
        }
        for stage in &self.stages {
            x = stage.forward(x, run);
        }
        if let Some(norm) = &self.last_norm {
            x = norm.forward_relu(&x, run);
        }
        let x = self.head_pool.forward(&self.precision.leave(&x), run); // [N, C]
        self.fc.forward(&x, run)
    }

    /// Every convolution and the stem's pooling are padded, so that any picture leaves a map.
    fn last_map_size(&self, picture_px: i64) -> i64 {
        let stem = self.stem.map_px(picture_px);
        self.stages.iter().skip(1).fold(stem, |px, _| halved(px))
    }

    fn block_names(&self) -> Vec<String> {
        let stem = self.maxpool.as_ref().map_or(RELU, |pool| &pool.name);
        let mut names = vec![stem.to_string()];
        names.extend(self.stages.iter().map(|stage| stage.name.clone()));
        names.extend(self.last_norm.iter().map(|norm| norm.name.clone()));
        names
    }
}

impl Stage {
    /// Stage `i` of the network, counted from 0.
    fn new(builder: &mut Builder, network: &ResNetConfig, i: usize, channels: i64) -> Stage {
        let name = format!("layer{}", i + 1);
        let (width, out_channels) = (network.stage_width(i), network.stage_channels(i));
        let stride = if i == 0 { 1 } else { 2 };
        let head = Place { network, channels, out_channels, width, stride, first: i == 0 };
        let rest = Place { channels: out_channels, stride: 1, first: false, ..head };
        let units = (0..network.stages[i])
            .map(|u| {
                let (name, place) = (format!("{name}.{u}"), if u == 0 { head } else { rest });
                match network.order {
                    Order::Post => Residual::Post(PostUnit::new(builder, name, place)),
                    Order::Pre => Residual::Pre(PreUnit::new(builder, name, place)),
                }
            })
            .collect();
        builder.tap(&name, TapKind::Block);
        Stage { name, units }
    }

    /// `[N, C, H, W] -> [N, C', H', W']`.
    fn forward(&self, mut x: Tensor, run: &mut Run) -> Tensor {
        for unit in &self.units {
            x = match unit {
                Residual::Post(unit) => unit.forward(&x, run),
                Residual::Pre(unit) => unit.forward(&x, run),
            };
        }
        run.taps.show(&self.name, &x);
        x
    }
}

impl Place<'_> {
    /// Whether its output has another shape than its input.
    fn changes_shape(&self) -> bool {
        self.channels != self.out_channels || self.stride != 1
    }

    /// Its convolutions, in forward order.
    fn convs(&self) -> Vec<ConvShape> {
        let &Place { network, channels, width, stride, .. } = self;
        let convs = network.convs();
        match network.unit {
            Unit::Basic => vec![
                ConvShape { stride, ..convs.conv3x3(channels, width) },
                convs.conv3x3(width, width),
            ],
            Unit::Bottleneck(on) => {
                let (first, middle) = match on {
                    StrideOn::First => (stride, 1),
                    StrideOn::Middle => (1, stride),
                };
                vec![
                    ConvShape { stride: first, ..convs.conv1x1(channels, width) },
                    ConvShape { stride: middle, ..convs.conv3x3(width, width) },
                    convs.conv1x1(width, self.out_channels),
                ]
            }
        }
    }
}
