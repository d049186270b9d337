//! The recipes of the depth study: the pooling study's data and training, other networks.

use catscan_models::{Convention, ModelConfig};
use catscan_train::Recipe;

use super::{pooling, with_model};

/// The published depth study (Keras, Colab): every value as its notebooks have it.
///
/// Data, augmentation, optimiser, 80 and 20 steps an epoch are those of the pooling study
/// ([`pooling::original`]); 550 epochs. The networks have the stride on each stage's first 1×1
/// convolution, biases, Glorot kernels, and batch norms with the eps 1e-3 of a Keras layer.
pub fn original() -> Recipe {
    let recipe = with_model(pooling::original(), "resnet50-keras");
    let model = ModelConfig { convention: Convention::KerasLayers, ..recipe.model };
    Recipe { model, epochs: 550, ..recipe }
}

/// Today's good practice, as in the pooling study.
pub fn full() -> Recipe {
    with_model(pooling::full(), "resnet50")
}

/// The first look, as in the pooling study.
pub fn quick() -> Recipe {
    with_model(pooling::quick(), "resnet50")
}
