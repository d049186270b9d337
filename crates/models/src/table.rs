//! MODELS, the registry: a row is a name, a line, a paper and the network's shape as data.

use crate::builder::Builder;
use serde::{Deserialize, Serialize};

use crate::config::{ModelConfig, Sites};
use crate::densenet::{
    DENSENET_121, DENSENET_161, DENSENET_169, DENSENET_201, DENSENET_264, DENSENET_MINI, DenseNet,
    DenseNetConfig,
};
use crate::error::ModelError;
use crate::model::Network;
use crate::nearest::nearest;

const DENSENET_PAPER: &str = "Huang et al. 2017, Densely Connected Convolutional Networks, \
                              arXiv:1608.06993";

/// Every model there is.
pub static MODELS: &[ModelRow] = &[
    dense("densenet121", "DenseNet-BC of 121 layers, growth 32", DENSENET_121),
    dense("densenet161", "DenseNet-BC of 161 layers, growth 48", DENSENET_161),
    dense("densenet169", "DenseNet-BC of 169 layers, growth 32", DENSENET_169),
    dense("densenet201", "DenseNet-BC of 201 layers, growth 32", DENSENET_201),
    dense("densenet264", "DenseNet-BC of 264 layers, growth 32", DENSENET_264),
    dense("densenet-mini", "a small twin of DenseNet-121 for tests and smoke runs", DENSENET_MINI),
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

/// The shape of a network as data, by family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// [`crate::densenet`]
    DenseNet(DenseNetConfig),
}

const fn dense(name: &'static str, about: &'static str, config: DenseNetConfig) -> ModelRow {
    ModelRow { name, about, paper: DENSENET_PAPER, shape: Shape::DenseNet(config) }
}

impl ModelRow {
    /// The row called `name`, or an error with the nearest name.
    pub fn find(name: &str) -> Result<&'static ModelRow, ModelError> {
        MODELS.iter().find(|row| row.name == name).ok_or_else(|| {
            let nearest = nearest(name, MODELS.iter().map(|row| row.name));
            ModelError::UnknownModel { name: name.to_string(), nearest }
        })
    }

    /// The pooling sites of this row's network.
    pub fn sites(&self) -> Sites {
        self.shape.sites()
    }
}

impl Shape {
    /// The pooling sites of a network of this shape.
    pub fn sites(&self) -> Sites {
        match self {
            Shape::DenseNet(shape) => shape.sites(),
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
        let transitions = config.pooling.resolve(&config.name, self.sites())?;
        match self {
            Shape::DenseNet(shape) => {
                Ok(Box::new(DenseNet::new(shape, config, &transitions, builder)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        let error = ModelRow::find("densnet121").unwrap_err();
        assert!(error.to_string().contains("nearest is densenet121"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn names_are_unique() {
        for row in MODELS {
            assert!(std::ptr::eq(ModelRow::find(row.name).unwrap(), row), "{}", row.name);
        }
    }
}
