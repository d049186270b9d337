//! What this crate's unit tests, its tests from outside and its example share: one recipe, which
//! each changes with `..` where it must. All three compile this very file, so it speaks of the
//! crate by its name.

// Not each of the three needs every function.
#![allow(dead_code, reason = "shared by three targets of which none uses all of it")]

use catscan_data::{Augment, BadImages, Colour, DataConfig, Fill, Filter, Shear, SplitRule};
use catscan_models::{Convention, Memory, ModelConfig, Pool, Pooling, Precision};
use catscan_train::{Adam, Decay, Decayed, EpochRecord, Init, Recipe, Schedule, Semantics, Sgd};

/// A recipe that trains in a second: the smallest net on 100 drawings of 32 px for two epochs.
pub fn recipe() -> Recipe {
    Recipe {
        model: ModelConfig {
            name: "densenet-mini".into(),
            shape: None,
            pooling: Pooling::densenet(Pool::Avg, Pool::Max),
            convention: Convention::Torchvision,
            in_channels: 3,
            outputs: 1,
            precision: Precision::Fp32,
            memory: Memory::Keep,
        },
        data: DataConfig {
            source: "critters:100".into(),
            size_px: 32,
            filter: Filter::Nearest,
            centre_crop_of_px: None,
            colour: Colour::Rgb,
            split: SplitRule { ratio: [17, 4, 4], seed: 0 },
            train_fraction: 1.0,
            bad_images: BadImages::Fail,
            normalize: None,
            shuffle_window: None,
        },
        augment: Some(Augment {
            rotation_deg: 20.0,
            shear: Shear::Degrees(0.2),
            zoom: 0.1,
            horizontal_flip: true,
            shift_px: 0,
            fill: Fill::Edge,
            ..Augment::none()
        }),
        init: Init::Random,
        freeze: Vec::new(),
        groups: Vec::new(),
        decayed: Decayed::All,
        optimizer: sgd(0.05).into(),
        schedule: Schedule::Cosine { warmup_steps: 3, end_fraction: 0.0 },
        warmup: None,
        clip: None,
        ema: None,
        label_smoothing: 0.0,
        class_weights: None,
        batch: 8,
        micro_batch: None,
        epochs: 2,
        early_stop: None,
        steps_per_epoch: None,
        validation_steps: None,
        seed: 1,
    }
}

/// A line of `metrics.jsonl`.
pub fn epoch(epoch: u32) -> EpochRecord {
    EpochRecord {
        epoch,
        step: 10 * u64::from(epoch),
        lr: 0.1,
        train_loss: 0.1 + 0.2,
        train_accuracy: 0.5,
        val_loss: 0.7,
        val_accuracy: 0.6,
        images_per_s: 40.0,
        seconds: 2.0,
        seconds_waiting_for_data: 0.0,
        unix_s: 1e9,
    }
}

/// PyTorch's, with momentum and a little decay.
pub fn sgd(lr: f64) -> Sgd {
    Sgd {
        lr,
        momentum: 0.9,
        nesterov: false,
        dampening: 0.0,
        weight_decay: 1e-4,
        semantics: Semantics::Pytorch,
    }
}

/// PyTorch's AdamW, with a little decay.
pub fn adam(lr: f64) -> Adam {
    Adam {
        lr,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weight_decay: 1e-2,
        decay: Decay::Decoupled,
        semantics: Semantics::Pytorch,
    }
}
