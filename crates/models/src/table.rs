//! MODELS, the registry: a row is a name, a line, a paper and the network's shape as data.

use serde::{Deserialize, Serialize};

use crate::bounds::{self, MOST_MAPS, MOST_OUTPUTS};
use crate::builder::Builder;
use crate::config::{Memory, ModelConfig, Pooling, Precision, Sites};
use crate::convention::Convention;
use crate::densenet::{
    DENSENET_40_12, DENSENET_100_12, DENSENET_100_24, DENSENET_121, DENSENET_161, DENSENET_169,
    DENSENET_201, DENSENET_264, DENSENET_B_40_12, DENSENET_B_100_12, DENSENET_BC_40_12,
    DENSENET_BC_100_12, DENSENET_BC_190_40, DENSENET_BC_250_24, DENSENET_C_40_12,
    DENSENET_C_100_12, DENSENET_CIFAR_MINI, DENSENET_MINI, DenseNet, DenseNetConfig,
};
use crate::error::ModelError;
use crate::layers::Stem;
use crate::mnist::{MnistConfig, MnistDenseNet, MnistNet, MnistResNet};
use crate::model::Network;
use crate::nearest::nearest_is;
use crate::pool::Pool;
use crate::resnet::{
    Order, RESNET_18, RESNET_20, RESNET_32, RESNET_34, RESNET_44, RESNET_50, RESNET_50_KERAS,
    RESNET_56, RESNET_101, RESNET_101_KERAS, RESNET_110, RESNET_152, RESNET_MINI, ResNet,
    ResNetConfig, Shortcut,
};

const RESNET_PAPER: &str = "He et al. 2016, Deep Residual Learning for Image Recognition, \
                            arXiv:1512.03385";
const PRERESNET_PAPER: &str = "He et al. 2016, Identity Mappings in Deep Residual Networks, \
                               arXiv:1603.05027";
const MNIST_NOTEBOOKS: &str = "two Keras notebooks on MNIST, after He et al. 2016, \
                               arXiv:1603.05027, and Huang et al. 2017, arXiv:1608.06993";
const DENSENET_PAPER: &str = "Huang et al. 2017, Densely Connected Convolutional Networks, \
                              arXiv:1608.06993";

/// Every model there is.
pub static MODELS: &[ModelRow] = &[
    resnet("resnet18", "ResNet of 18 layers", RESNET_18),
    resnet("resnet34", "ResNet of 34 layers", RESNET_34),
    resnet("resnet50", "ResNet of 50 layers, stride on the 3×3", RESNET_50),
    resnet("resnet101", "ResNet of 101 layers, stride on the 3×3", RESNET_101),
    resnet("resnet152", "ResNet of 152 layers, stride on the 3×3", RESNET_152),
    resnet("resnet50-keras", "ResNet-50 with stride on the 1×1 and biases", RESNET_50_KERAS),
    resnet("resnet101-keras", "ResNet-101 with stride on the 1×1 and biases", RESNET_101_KERAS),
    resnet("resnet-mini", "a small twin of ResNet-50 for tests and smoke runs", RESNET_MINI),
    preresnet("preresnet18", "ResNet of 18 layers, pre-activation", RESNET_18),
    preresnet("preresnet34", "ResNet of 34 layers, pre-activation", RESNET_34),
    preresnet("preresnet50", "ResNet of 50 layers, pre-activation", RESNET_50),
    preresnet("preresnet101", "ResNet of 101 layers, pre-activation", RESNET_101),
    preresnet("preresnet152", "ResNet of 152 layers, pre-activation", RESNET_152),
    resnet("resnet20", "CIFAR ResNet of 20 layers, shortcuts without parameters", RESNET_20),
    resnet("resnet32", "CIFAR ResNet of 32 layers, shortcuts without parameters", RESNET_32),
    resnet("resnet44", "CIFAR ResNet of 44 layers, shortcuts without parameters", RESNET_44),
    resnet("resnet56", "CIFAR ResNet of 56 layers, shortcuts without parameters", RESNET_56),
    resnet("resnet110", "CIFAR ResNet of 110 layers, shortcuts without parameters", RESNET_110),
    preresnet("preresnet20", "CIFAR ResNet of 20 layers, pre-activation", RESNET_20),
    preresnet("preresnet32", "CIFAR ResNet of 32 layers, pre-activation", RESNET_32),
    preresnet("preresnet44", "CIFAR ResNet of 44 layers, pre-activation", RESNET_44),
    preresnet("preresnet56", "CIFAR ResNet of 56 layers, pre-activation", RESNET_56),
    preresnet("preresnet110", "CIFAR ResNet of 110 layers, pre-activation", RESNET_110),
    plain("plain20", "CIFAR ResNet of 20 layers without its shortcuts", RESNET_20),
    plain("plain32", "CIFAR ResNet of 32 layers without its shortcuts", RESNET_32),
    plain("plain44", "CIFAR ResNet of 44 layers without its shortcuts", RESNET_44),
    plain("plain56", "CIFAR ResNet of 56 layers without its shortcuts", RESNET_56),
    plain("plain110", "CIFAR ResNet of 110 layers without its shortcuts", RESNET_110),
    dense("densenet121", "DenseNet-BC of 121 layers, growth 32", DENSENET_121),
    dense("densenet161", "DenseNet-BC of 161 layers, growth 48", DENSENET_161),
    dense("densenet169", "DenseNet-BC of 169 layers, growth 32", DENSENET_169),
    dense("densenet201", "DenseNet-BC of 201 layers, growth 32", DENSENET_201),
    dense("densenet264", "DenseNet-BC of 264 layers, growth 32", DENSENET_264),
    dense("densenet-40-12", "DenseNet of 40 layers, growth 12, for 32 px", DENSENET_40_12),
    dense("densenet-100-12", "DenseNet of 100 layers, growth 12, for 32 px", DENSENET_100_12),
    dense("densenet-100-24", "DenseNet of 100 layers, growth 24, for 32 px", DENSENET_100_24),
    dense("densenet-b-40-12", "DenseNet-B of 40 layers, growth 12, for 32 px", DENSENET_B_40_12),
    dense("densenet-b-100-12", "DenseNet-B of 100 layers, growth 12, for 32 px", DENSENET_B_100_12),
    dense("densenet-c-40-12", "DenseNet-C of 40 layers, growth 12, for 32 px", DENSENET_C_40_12),
    dense("densenet-c-100-12", "DenseNet-C of 100 layers, growth 12, for 32 px", DENSENET_C_100_12),
    dense("densenet-bc-40-12", "DenseNet-BC of 40 layers, growth 12, for 32 px", DENSENET_BC_40_12),
    dense(
        "densenet-bc-100-12",
        "DenseNet-BC of 100 layers, growth 12, for 32 px",
        DENSENET_BC_100_12,
    ),
    dense(
        "densenet-bc-250-24",
        "DenseNet-BC of 250 layers, growth 24, for 32 px",
        DENSENET_BC_250_24,
    ),
    dense(
        "densenet-bc-190-40",
        "DenseNet-BC of 190 layers, growth 40, for 32 px",
        DENSENET_BC_190_40,
    ),
    dense("densenet-mini", "a small twin of DenseNet-121 for tests and smoke runs", DENSENET_MINI),
    dense(
        "densenet-cifar-mini",
        "a small twin of DenseNet (40, 12) for tests",
        DENSENET_CIFAR_MINI,
    ),
    mnist("mnist-resnet", "the MNIST notebook's residual network, corrected", MnistNet::Residual),
    mnist(
        "mnist-resnet-as-printed",
        "the same with the notebook's slip: half of each unit is thrown away",
        MnistNet::ResidualAsPrinted,
    ),
    mnist("mnist-densenet", "the MNIST notebook's dense network", MnistNet::Dense),
];

/// A row of [`MODELS`].
#[derive(Debug)]
pub struct ModelRow {
    /// Its name in a recipe and on the command line.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// Where it comes from.
    pub paper: &'static str,
    /// Its shape.
    pub shape: Shape,
}

/// The pictures and the pooling that a network was made for: for tables and summaries, and nothing
/// that a recipe inherits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Natural {
    /// Height and width of its pictures.
    pub size_px: i64,
    /// 3 for colour, 1 for grey.
    pub channels: i64,
    /// Logits, one a class.
    pub outputs: i64,
    /// Between its blocks, where it pools there.
    pub transition: Pool,
}

/// ImageNet's pictures and classes.
const IMAGENET: Natural =
    Natural { size_px: 224, channels: 3, outputs: 1000, transition: Pool::Avg };

/// CIFAR-10's.
const CIFAR: Natural = Natural { size_px: 32, outputs: 10, ..IMAGENET };

/// MNIST's; the notebooks pool the maximum.
const MNIST: Natural = Natural { size_px: 28, channels: 1, outputs: 10, transition: Pool::Max };

/// The shape of a network as data, by family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// [`crate::resnet`]
    ResNet(ResNetConfig),
    /// [`crate::densenet`]
    DenseNet(DenseNetConfig),
    /// [`crate::mnist`]
    Mnist(MnistConfig),
}

const fn resnet(name: &'static str, about: &'static str, config: ResNetConfig) -> ModelRow {
    ModelRow { name, about, paper: RESNET_PAPER, shape: Shape::ResNet(config) }
}

const fn preresnet(name: &'static str, about: &'static str, base: ResNetConfig) -> ModelRow {
    let mut config = base;
    config.order = Order::Pre;
    ModelRow { name, about, paper: PRERESNET_PAPER, shape: Shape::ResNet(config) }
}

const fn plain(name: &'static str, about: &'static str, base: ResNetConfig) -> ModelRow {
    let mut config = base;
    config.shortcut = Shortcut::None;
    ModelRow { name, about, paper: RESNET_PAPER, shape: Shape::ResNet(config) }
}

const fn dense(name: &'static str, about: &'static str, config: DenseNetConfig) -> ModelRow {
    ModelRow { name, about, paper: DENSENET_PAPER, shape: Shape::DenseNet(config) }
}

const fn mnist(name: &'static str, about: &'static str, net: MnistNet) -> ModelRow {
    let shape = Shape::Mnist(MnistConfig { net, picture_px: 28 });
    ModelRow { name, about, paper: MNIST_NOTEBOOKS, shape }
}

impl ModelRow {
    /// The row called `name`, or an error with the nearest name.
    pub fn find(name: &str) -> Result<&'static ModelRow, ModelError> {
        MODELS.iter().find(|row| row.name == name).ok_or_else(|| {
            let nearest = nearest_is(name, MODELS.iter().map(|row| row.name));
            ModelError::UnknownModel { name: name.to_string(), nearest }
        })
    }

    /// The pooling sites of this row's network.
    pub fn sites(&self) -> Sites {
        self.shape.sites()
    }

    /// The shape of a network that calls itself by this row's name.
    ///
    /// # Errors
    /// One of another family: whoever reads the record would take it for this row's.
    pub(crate) fn shape_of<'a>(&'a self, config: &'a ModelConfig) -> Result<&'a Shape, ModelError> {
        let Some(shape) = &config.shape else { return Ok(&self.shape) };
        let (value, family) = (shape.family(), self.shape.family());
        if value == family {
            return Ok(shape);
        }
        let value = format!("of the family {value}");
        let want = format!("null or one of {family}, or the name of a model of the shape's family");
        Err(ModelError::config(&config.name, "shape", value, &want))
    }

    /// The network as it was made: its own pictures, classes and pooling, in 32-bit.
    pub fn natural_config(&self) -> ModelConfig {
        let Natural { channels, outputs, transition, size_px: _ } = self.shape.natural();
        ModelConfig {
            name: self.name.to_string(),
            shape: None,
            pooling: Pooling::for_sites(self.sites(), transition, Pool::Avg),
            convention: Convention::Torchvision,
            in_channels: channels,
            outputs,
            precision: Precision::Fp32,
            memory: Memory::Keep,
        }
    }
}

impl Shape {
    /// What all shapes of a row have in common. The notebooks' networks share nothing but numbers.
    fn family(&self) -> &'static str {
        match self {
            Shape::ResNet(_) => "resnet",
            Shape::DenseNet(_) => "densenet",
            Shape::Mnist(shape) => match shape.net {
                MnistNet::Residual => "mnist residual",
                MnistNet::ResidualAsPrinted => "mnist residual-as-printed",
                MnistNet::Dense => "mnist dense",
            },
        }
    }

    /// The pooling sites of a network of this shape.
    pub fn sites(&self) -> Sites {
        match self {
            Shape::ResNet(shape) => shape.sites(),
            Shape::DenseNet(shape) => shape.sites(),
            Shape::Mnist(shape) => shape.sites(),
        }
    }

    /// The pictures and the pooling that networks of this shape were made for.
    pub fn natural(&self) -> Natural {
        match self {
            Shape::ResNet(ResNetConfig { stem, .. })
            | Shape::DenseNet(DenseNetConfig { stem, .. }) => match stem {
                Stem::Large => IMAGENET,
                Stem::Small => CIFAR,
            },
            Shape::Mnist(_) => MNIST,
        }
    }

    /// # Errors
    /// Numbers that no network can have, by name.
    fn check(&self, config: &ModelConfig) -> Result<(), ModelError> {
        let model = &config.name;
        bounds::check(model, "in_channels", config.in_channels, 1..=MOST_MAPS)?;
        bounds::check(model, "outputs", config.outputs, 1..=MOST_OUTPUTS)?;
        match self {
            Shape::ResNet(shape) => shape.check(model),
            Shape::DenseNet(shape) => shape.check(model),
            Shape::Mnist(shape) => shape.check(model),
        }
    }

    /// Makes the network, its parameters and its taps in `builder`.
    ///
    /// # Errors
    /// A shape that no network can have, or a pooling at a site that it lacks.
    pub(crate) fn network(
        &self,
        config: &ModelConfig,
        builder: &mut Builder,
    ) -> Result<Box<dyn Network>, ModelError> {
        self.check(config)?;
        if config.memory == Memory::Recompute && !matches!(self, Shape::DenseNet(_)) {
            let want = "keep: only dense networks compute again";
            return Err(ModelError::config(&config.name, "memory", "recompute", want));
        }
        let transitions = config.pooling.resolve(&config.name, self.sites())?;
        Ok(match self {
            Shape::ResNet(shape) => Box::new(ResNet::new(shape, config, builder)?),
            Shape::DenseNet(shape) => {
                Box::new(DenseNet::new(shape, config, &transitions, builder)?)
            }
            Shape::Mnist(shape) if shape.net == MnistNet::Dense => {
                Box::new(MnistDenseNet::new(shape, config, &transitions, builder)?)
            }
            Shape::Mnist(shape) => {
                Box::new(MnistResNet::new(shape, config, &transitions, builder)?)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::mem::discriminant;

    use tch::Device;

    use super::*;
    use crate::model::Model;

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        let error = ModelRow::find("densnet121").unwrap_err();
        assert!(error.to_string().contains("nearest is densenet121"), "{error}");
        assert_eq!(error.exit_code(), 2);
        let far = ModelRow::find("zzzzzz").unwrap_err().to_string();
        assert_eq!(far, "model zzzzzz: no such model; see catscan list models");
    }

    #[test]
    fn a_shape_of_another_family_than_its_row_is_refused() {
        for row in MODELS {
            for of in MODELS {
                let config = ModelConfig { shape: Some(of.shape.clone()), ..row.natural_config() };
                match row.shape_of(&config) {
                    Ok(shape) => {
                        assert_eq!(shape, &of.shape);
                        let net = |shape: &Shape| match shape {
                            Shape::Mnist(shape) => Some(shape.net),
                            _ => None,
                        };
                        assert_eq!(discriminant(shape), discriminant(&row.shape), "{}", row.name);
                        assert_eq!(net(shape), net(&row.shape), "{}", row.name);
                    }
                    Err(error) => assert_ne!(of.shape.family(), row.shape.family(), "{error}"),
                }
            }
        }
        let refused = |name: &str, of: &str| {
            let row = |name| ModelRow::find(name).unwrap();
            let (config, shape) = (row(name).natural_config(), row(of).shape.clone());
            let pooling = row(of).natural_config().pooling;
            let config = ModelConfig { shape: Some(shape), pooling, ..config };
            let error = Model::build(&config, 1, Device::Cpu).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        };
        let text = refused("resnet-mini", "densenet-mini");
        let begin =
            "model resnet-mini: shape is of the family densenet, want null or one of resnet";
        assert!(text.starts_with(begin), "{text}");
        let text = refused("mnist-resnet", "mnist-resnet-as-printed");
        assert!(
            text.contains("mnist residual-as-printed, want null or one of mnist res"),
            "{text}"
        );
    }

    #[test]
    fn names_are_unique() {
        for row in MODELS {
            assert!(std::ptr::eq(ModelRow::find(row.name).unwrap(), row), "{}", row.name);
        }
    }
}
