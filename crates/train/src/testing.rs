//! What this crate's unit tests share.

use catscan_data::{Augment, BadImages, DataConfig, Filter, Shear, SplitRule};
use catscan_models::{Convention, ModelConfig, Pool, Pooling, Precision};

use crate::recipe::Recipe;
use crate::schedule::Schedule;
use crate::sgd::{Semantics, Sgd};

/// A recipe that trains in a second: the smallest net on 50 drawings of 32 px.
pub fn recipe() -> Recipe {
    Recipe {
        model: ModelConfig {
            name: "densenet-mini".into(),
            shape: None,
            pooling: Pooling::densenet(Pool::Avg, Pool::Avg),
            convention: Convention::Torchvision,
            in_channels: 3,
            outputs: 1,
            precision: Precision::Fp32,
        },
        data: DataConfig {
            source: "critters:50".into(),
            size_px: 32,
            filter: Filter::Nearest,
            split: SplitRule { ratio: [17, 4, 4], seed: 0 },
            bad_images: BadImages::Fail,
            normalize: None,
        },
        augment: Some(Augment {
            rotation_deg: 40.0,
            shear: Shear::Degrees(0.2),
            zoom: 0.2,
            horizontal_flip: true,
        }),
        optimizer: Sgd {
            lr: 0.05,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.0,
            semantics: Semantics::Pytorch,
        },
        schedule: Schedule::Constant,
        batch: 8,
        epochs: 2,
        steps_per_epoch: None,
        validation_steps: None,
        seed: 1,
    }
}
