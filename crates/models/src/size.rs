//! How large a network would be, from its configuration alone: asked before its first tensor is
//! made, so that a slip in a recipe's shape ends at once, with both numbers, and not when the
//! memory has run out.
//!
//! Counted in floating point, where nothing overflows: the weights of convolutions and linear
//! layers (of the MNIST networks the stem's and the head's), which are most of a network, and about
//! what a tensor takes besides its numbers. What passes is small enough that no product of the
//! shape's numbers overflows 64 bits.

use std::fs;

use crate::config::ModelConfig;
use crate::densenet::{DenseNetConfig, Stem};
use crate::error::ModelError;
use crate::mnist::{HIDDEN, MnistConfig, WIDTHS};
use crate::resnet::{MOST_STAGES, ResNetConfig, Shortcut, Stem as ResNetStem, Unit};
use crate::table::Shape;

/// Of a tensor besides its numbers, about: names, sizes, the layer that holds it.
const BYTES_A_TENSOR: f64 = 1000.0;
/// Of a layer of a block or a unit of a stage, at least.
const TENSORS_A_LAYER: f64 = 5.0;
/// Where the system does not say what memory it has: what a process can address.
const ADDRESSABLE: u64 = 1 << 47;

/// What a network holds, at least.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    parameters: f64,
    layers: f64,
}

impl Size {
    fn bytes(self) -> f64 {
        4.0 * self.parameters + BYTES_A_TENSOR * TENSORS_A_LAYER * self.layers
    }
}

/// # Errors
/// A network whose weights are larger than this machine's memory.
pub(crate) fn check(shape: &Shape, config: &ModelConfig) -> Result<(), ModelError> {
    let size = of(shape, config);
    let memory = memory().unwrap_or(ADDRESSABLE);
    if size.bytes() <= memory as f64 {
        return Ok(());
    }
    let gb = |bytes: f64| match bytes / 1e9 {
        many if many >= 1e6 => format!("{many:.1e} GB"),
        few => format!("{few:.1} GB"),
    };
    Err(ModelError::TooLarge {
        model: config.name.clone(),
        parameters: format!("{:.1e}", size.parameters),
        needed: gb(size.bytes()),
        memory: gb(memory as f64),
    })
}

fn of(shape: &Shape, config: &ModelConfig) -> Size {
    let (channels, outputs) = (number(config.in_channels), number(config.outputs));
    let (mut size, features) = match shape {
        Shape::ResNet(shape) => resnet(shape, channels),
        Shape::DenseNet(shape) => densenet(shape, channels),
        Shape::Mnist(shape) => mnist(shape, channels),
    };
    size.parameters += features * outputs;
    size
}

/// Numbers below 0 are refused elsewhere, by name.
fn number(count: i64) -> f64 {
    count.max(0) as f64
}

/// And the features that its classifier sees.
fn densenet(shape: &DenseNetConfig, in_channels: f64) -> (Size, f64) {
    let (k, mut channels) = (number(shape.growth), number(shape.stem_features));
    let kernel = if shape.stem == Stem::ImageNet { 49.0 } else { 9.0 };
    let mut size = Size { parameters: kernel * in_channels * channels, layers: 1.0 };
    for (i, layers) in shape.blocks.iter().map(|layers| number(*layers)).enumerate() {
        // Of the maps that its layers see: channels, channels + k, …
        let seen = layers * channels + k * layers * (layers - 1.0) / 2.0;
        size.parameters += match shape.bottleneck.map(number) {
            None => 9.0 * seen * k,
            Some(b) => seen * b * k + layers * 9.0 * b * k * k,
        };
        size.layers += layers;
        channels += layers * k;
        if i + 1 < shape.blocks.len() {
            let kept = (shape.compression * channels).floor().max(1.0);
            size.parameters += channels * kept;
            channels = kept;
        }
    }
    (size, channels)
}

/// And the features that its classifier sees.
fn resnet(shape: &ResNetConfig, in_channels: f64) -> (Size, f64) {
    let (mut width, mut channels) = (number(shape.width), number(shape.width));
    let kernel = if shape.stem == ResNetStem::Large { 49.0 } else { 9.0 };
    let mut size = Size { parameters: kernel * in_channels * width, layers: 1.0 };
    for units in shape.stages.iter().take(MOST_STAGES).map(|units| number(*units)) {
        let out = if shape.unit == Unit::Basic { width } else { 4.0 * width };
        let unit = |channels: f64| match shape.unit {
            Unit::Basic => 9.0 * width * (channels + width),
            Unit::Bottleneck(_) => width * (channels + 9.0 * width + out),
        };
        size.parameters += unit(channels) + (units - 1.0).max(0.0) * unit(out);
        if shape.shortcut == Shortcut::Projection && channels != out {
            size.parameters += channels * out;
        }
        size.layers += units;
        (channels, width) = (out, 2.0 * width);
    }
    (size, channels)
}

/// And the features that its classifier sees.
fn mnist(shape: &MnistConfig, in_channels: f64) -> (Size, f64) {
    let [first, .., last] = WIDTHS.map(number);
    let side = number(shape.picture_px / 4);
    let (features, hidden) = (last * side * side, number(HIDDEN));
    let parameters = 9.0 * in_channels * first + features * hidden;
    (Size { parameters, layers: 1.0 }, hidden)
}

/// Of this machine, or of its container, in bytes. Linux only.
fn memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let all = line.split_whitespace().next()?.parse::<u64>().ok()? * 1024;
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = limit.and_then(|text| text.trim().parse().ok());
    Some(limit.map_or(all, |limit: u64| limit.min(all)))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use tch::Device;

    use super::*;
    use crate::densenet::DENSENET_MINI;
    use crate::mnist::MnistNet;
    use crate::model::Model;
    use crate::resnet::RESNET_20;
    use crate::table::{MODELS, ModelRow};

    #[test]
    fn of_every_row_it_is_most_of_the_truth_and_no_more() {
        for row in MODELS {
            let config = row.natural_config();
            let model = Model::without_values(&config).unwrap();
            let share =
                of(&row.shape, &config).parameters / model.weights().count_parameters() as f64;
            assert!((0.69..=1.0).contains(&share), "{}: {share}", row.name);
        }
    }

    #[test]
    fn what_no_machine_holds_is_refused_at_once_with_both_numbers() {
        let dense = |change: &dyn Fn(&mut DenseNetConfig)| {
            let mut shape = DENSENET_MINI;
            change(&mut shape);
            Shape::DenseNet(shape)
        };
        let res = |change: &dyn Fn(&mut ResNetConfig)| {
            let mut shape = RESNET_20;
            change(&mut shape);
            Shape::ResNet(shape)
        };
        let net = MnistNet::Dense;
        let shapes = [
            ("densenet-mini", dense(&|shape| shape.growth = i64::MAX)),
            ("densenet-mini", dense(&|shape| shape.growth = 100_000_000)),
            ("densenet-mini", dense(&|shape| shape.bottleneck = Some(i64::MAX))),
            ("densenet-mini", dense(&|shape| shape.stem_features = i64::MAX)),
            ("densenet-mini", dense(&|shape| shape.blocks = vec![100_000_000].into())),
            ("densenet-mini", dense(&|shape| shape.blocks = vec![i64::MAX; 3].into())),
            ("resnet20", res(&|shape| shape.width = i64::MAX)),
            ("resnet20", res(&|shape| shape.stages = vec![1, 100_000_000_000].into())),
            ("mnist-densenet", Shape::Mnist(MnistConfig { net, picture_px: i64::MAX })),
        ];
        let row = |name| ModelRow::find(name).unwrap().natural_config();
        let usual = || row("densenet-mini");
        let mut configs: Vec<ModelConfig> = shapes
            .into_iter()
            .map(|(name, shape)| ModelConfig { shape: Some(shape), ..row(name) })
            .collect();
        configs.push(ModelConfig { outputs: i64::MAX, ..usual() });
        configs.push(ModelConfig { in_channels: i64::MAX, ..usual() });
        let began = Instant::now();
        for config in configs {
            let error = Model::build(&config, 1, Device::Cpu).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let error = error.to_string();
            assert!(error.contains(" parameters, at least "), "{error}");
            assert!(error.contains("GB of memory, and this machine has "), "{error}");
        }
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
}
