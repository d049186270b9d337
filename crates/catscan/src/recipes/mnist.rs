//! The recipes of the MNIST notebooks.

use catscan_data::{Augment, Colour, DataConfig, Fill, Shear, SplitRule};
use catscan_models::{Convention, ModelConfig};
use catscan_train::{Adam, Decay, Optimizer, Recipe, Schedule, Semantics};

use super::{pooling, with_model};

/// The notebooks (TensorFlow): Adam at 0.001 with Keras' eps 1e-7, batch 32, 10 epochs, values
/// /255, sparse categorical cross-entropy, Glorot kernels, a Keras layer's batch norm.
///
/// They trained on all 60,000 pictures and looked at the test part after every epoch. Here 1,000
/// are kept for validation, and the test part is scored once. `PATH` is `--data`'s to name.
pub fn original() -> Recipe {
    let recipe = with_model(pooling::original(), "mnist-resnet");
    Recipe {
        model: ModelConfig {
            shape: None, // the row's own, for the pictures below
            convention: Convention::KerasLayers,
            in_channels: 1,
            outputs: 10,
            ..recipe.model
        },
        data: DataConfig {
            source: "mnist:PATH".into(),
            size_px: 28,
            colour: Colour::Grey,
            split: SplitRule { ratio: [59, 1, 10], ..recipe.data.split },
            ..recipe.data
        },
        augment: None,
        optimizer: Optimizer::Adam(Adam {
            lr: 0.001,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-7,
            weight_decay: 0.0,
            decay: Decay::Decoupled,
            semantics: Semantics::Keras,
        }),
        schedule: Schedule::Constant,
        batch: 32,
        epochs: 10,
        steps_per_epoch: None,
        validation_steps: None,
        ..recipe
    }
}

/// Today's good practice: AdamW and one cycle, digits turned, scaled and moved a little.
pub fn full() -> Recipe {
    let (recipe, first_look) = (original(), pooling::quick());
    Recipe {
        model: ModelConfig { convention: Convention::Torchvision, ..recipe.model },
        augment: Some(Augment {
            rotation_deg: 10.0,
            shear: Shear::Degrees(0.0),
            zoom: 0.1,
            horizontal_flip: false,
            shift_px: 2,
            // Outside a digit there is black.
            fill: Fill::Zero,
            ..Augment::none()
        }),
        optimizer: first_look.optimizer,
        schedule: first_look.schedule,
        batch: 128,
        epochs: 30,
        ..recipe
    }
}

/// The first look: the notebooks' training on a fifth of the pictures, for three epochs.
pub fn quick() -> Recipe {
    let recipe = original();
    Recipe { data: DataConfig { train_fraction: 0.2, ..recipe.data }, epochs: 3, ..recipe }
}
