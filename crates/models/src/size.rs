//! How large a network would be: asked before its first tensor is made, so that a slip in a
//! recipe's shape ends at once, with both numbers, and not when the memory has run out.
//!
//! The network itself is built to be counted, by a builder that makes no tensor. The families hold
//! their numbers to `bounds` first, so that this takes milliseconds.

use catscan_machine::total_memory;

use crate::builder::Builder;
use crate::config::ModelConfig;
use crate::error::ModelError;
use crate::table::Shape;
use crate::weights::Role;

/// Of a tensor besides its numbers, about: names, sizes, the layer that holds it.
const BYTES_A_TENSOR: f64 = 1000.0;
/// Where the system does not say what memory it has: what a process can address.
const ADDRESSABLE: u64 = 1 << 47;

/// What the tensors of a network come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Trained numbers.
    parameters: u128,
    /// All numbers.
    numbers: u128,
    tensors: u64,
}

impl Size {
    /// Counts one more tensor.
    pub fn add(&mut self, dims: &[i64], role: Role) {
        let side = |side: &i64| u128::try_from(*side).expect("a tensor's sides are not below 0");
        let numbers: u128 = dims.iter().map(side).product();
        self.numbers += numbers;
        if role == Role::Parameter {
            self.parameters += numbers;
        }
        self.tensors += 1;
    }

    /// What it takes in 32 bits, about.
    fn bytes(self) -> f64 {
        4.0 * self.numbers as f64 + BYTES_A_TENSOR * self.tensors as f64
    }
}

/// # Errors
/// A network whose weights are larger than this machine's memory, and as [`Shape::network`].
pub(crate) fn check(shape: &Shape, config: &ModelConfig) -> Result<(), ModelError> {
    let size = of(shape, config)?;
    let memory = total_memory().unwrap_or(ADDRESSABLE);
    if size.bytes() <= memory as f64 {
        return Ok(());
    }
    let gb = |bytes: f64| match bytes / 1e9 {
        many if many >= 1e6 => format!("{many:.1e} GB"),
        few => format!("{few:.1} GB"),
    };
    Err(ModelError::TooLarge {
        model: config.name.clone(),
        parameters: format!("{:.1e}", size.parameters as f64),
        needed: gb(size.bytes()),
        memory: gb(memory as f64),
    })
}

fn of(shape: &Shape, config: &ModelConfig) -> Result<Size, ModelError> {
    let mut builder = Builder::counting(config);
    shape.network(config, &mut builder)?;
    Ok(builder.size())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;
    use tch::Device;

    use super::*;
    use crate::bounds::{MOST_LAYERS, MOST_MAPS, MOST_OUTPUTS};
    use crate::config::Pooling;
    use crate::densenet::{DENSENET_MINI, DenseNetConfig};
    use crate::mnist::{MOST_PX, MnistConfig, MnistNet};
    use crate::model::Model;
    use crate::pool::Pool;
    use crate::resnet::{RESNET_50, ResNetConfig};
    use crate::table::{MODELS, ModelRow};

    fn natural(name: &str) -> ModelConfig {
        ModelRow::find(name).unwrap().natural_config()
    }

    fn dense(shape: DenseNetConfig) -> ModelConfig {
        let pooling = Pooling::for_sites(shape.sites(), Pool::Avg, Pool::Avg);
        let shape = Some(Shape::DenseNet(shape));
        ModelConfig { shape, pooling, ..natural("densenet-mini") }
    }

    fn residual(shape: ResNetConfig) -> ModelConfig {
        ModelConfig { shape: Some(Shape::ResNet(shape)), ..natural("resnet50") }
    }

    fn mnist(picture_px: i64) -> ModelConfig {
        let shape = Shape::Mnist(MnistConfig { net: MnistNet::Dense, picture_px });
        ModelConfig { shape: Some(shape), ..natural("mnist-densenet") }
    }

    fn counted(config: &ModelConfig) -> Result<Size, ModelError> {
        of(config.shape.as_ref().unwrap_or(&ModelRow::find(&config.name)?.shape), config)
    }

    #[test]
    fn every_row_is_counted_as_it_is_built() {
        for row in MODELS {
            let config = row.natural_config();
            let weights = Model::without_values(&config).unwrap();
            let mut wanted = Size::default();
            for weight in weights.weights().iter() {
                wanted.add(&weight.tensor.size(), weight.role);
            }
            assert_eq!(wanted.parameters, weights.weights().count_parameters() as u128);
            assert_eq!(counted(&config).unwrap(), wanted, "{}", row.name);
        }
    }

    #[test]
    fn what_no_machine_holds_is_refused_at_once_with_both_numbers() {
        let row = || DENSENET_MINI;
        let blocks = |layers: &[i64]| DenseNetConfig { blocks: layers.to_vec().into(), ..row() };
        let usual = || natural("densenet-mini");
        let wide = DenseNetConfig { growth: MOST_MAPS, bottleneck: Some(MOST_MAPS), ..row() };
        let began = Instant::now();
        for (config, key) in [
            (dense(DenseNetConfig { growth: i64::MAX, ..row() }), "growth"),
            (dense(DenseNetConfig { bottleneck: Some(i64::MAX), ..row() }), "bottleneck"),
            (dense(DenseNetConfig { stem_features: i64::MAX, ..row() }), "stem_features"),
            (dense(blocks(&[100_000_000])), "blocks"),
            (dense(blocks(&[i64::MAX; 3])), "blocks"),
            (dense(blocks(&[1; 64])), "blocks"),
            (residual(ResNetConfig { width: i64::MAX, ..RESNET_50 }), "width"),
            (residual(ResNetConfig { stages: vec![1, 1 << 60].into(), ..RESNET_50 }), "stages"),
            (residual(ResNetConfig { stages: vec![i64::MAX; 8].into(), ..RESNET_50 }), "stages"),
            (mnist(i64::MAX), "picture_px"),
            (ModelConfig { outputs: i64::MAX, ..usual() }, "outputs"),
            (ModelConfig { in_channels: i64::MAX, ..usual() }, "in_channels"),
            (dense(wide), ""),
            (residual(ResNetConfig { width: MOST_MAPS, ..RESNET_50 }), ""),
            (mnist(MOST_PX), ""),
        ] {
            let error = Model::build(&config, 1, Device::Cpu).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let error = error.to_string();
            if key.is_empty() {
                assert!(error.contains(" parameters, at least "), "{error}");
                assert!(error.contains("GB of memory, and this machine has "), "{error}");
            } else {
                assert!(error.contains(&format!("{key} is ")), "{error}");
                assert!(error.contains(", want "), "{error}");
            }
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }

    #[test]
    fn the_largest_that_is_counted_overflows_nothing() {
        let (maps, layers) = (MOST_MAPS as f64, MOST_LAYERS as f64);
        let (in_channels, outputs) = (MOST_MAPS, MOST_OUTPUTS);
        let deep = DenseNetConfig {
            growth: MOST_MAPS,
            blocks: vec![MOST_LAYERS].into(),
            bottleneck: Some(MOST_MAPS),
            stem_features: MOST_MAPS,
            ..DENSENET_MINI
        };
        let stages = [vec![1; 7], vec![MOST_LAYERS - 7]].concat();
        let residual =
            residual(ResNetConfig { width: MOST_MAPS, stages: stages.into(), ..RESNET_50 });
        // Their largest layers: the 1×1 convolutions of a block, which see 1, 2, … times as many
        // maps; the units of the last stage, of 128 times as many; the first of two linear layers.
        let wide = 128.0 * maps;
        for (config, largest) in [
            (dense(deep), layers * (layers + 1.0) / 2.0 * maps * maps * maps),
            (residual, (layers - 8.0) * 17.0 * wide * wide),
            (mnist(MOST_PX), 64.0 * (MOST_PX as f64 / 4.0).powi(2) * 128.0),
        ] {
            let config = ModelConfig { in_channels, outputs, ..config };
            let parameters = counted(&config).unwrap().parameters as f64;
            let share = parameters / largest;
            assert!((1.0..1.01).contains(&share), "{}: {share}", config.name);
        }
    }

    /// Whatever a recipe may hold, small numbers and large ones.
    fn number() -> impl Strategy<Value = i64> {
        prop_oneof![1..=64i64, 1..=2 * MOST_MAPS, any::<i64>()]
    }

    proptest! {
        #[test]
        fn any_numbers_are_counted_or_refused_by_name(
            [growth, bottleneck, maps, layers, in_channels, outputs] in [
                number(), number(), number(), number(), number(), number(),
            ],
            blocks in 0..40usize,
        ) {
            let blocks = vec![layers; blocks];
            let shape = DenseNetConfig {
                growth,
                bottleneck: Some(bottleneck),
                stem_features: maps,
                blocks: blocks.clone().into(),
                ..DENSENET_MINI
            };
            let stages = ResNetConfig { width: maps, stages: blocks.into(), ..RESNET_50 };
            for config in [dense(shape), residual(stages), mnist(maps)] {
                let config = ModelConfig { in_channels, outputs, ..config };
                match counted(&config) {
                    Ok(size) => prop_assert!(size.numbers > size.parameters),
                    Err(error) => prop_assert_eq!(error.exit_code(), 2),
                }
            }
        }
    }
}
