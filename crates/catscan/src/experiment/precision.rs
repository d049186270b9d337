//! `precision-compare`: what computing in bf16 costs in accuracy, as paired differences over seeds.
//!
//! Micikevicius et al. 2018 (arXiv:1710.03740) keep weights and sums in 32 bits and compute in 16;
//! Kalamkar et al. 2019 (arXiv:1905.12322) take bf16 for it and find no loss. Ours: convolutions
//! and maps in bf16; weights, moments, batch-norm statistics, head and loss in 32 bits. Profiles
//! `quick` and `full` of every experiment compute so.

use catscan_data::DataConfig;
use catscan_models::{ModelConfig, Precision};
use catscan_train::Recipe;

use super::{Arm, Experiment, Plan, Profile};
use crate::recipes;

/// The same training in 32 bits and in bf16.
pub const PRECISION_COMPARE: Experiment = Experiment {
    name: "precision-compare",
    question: "Does computing in bf16 cost accuracy?",
    about: "DenseNet-121 with nothing changed but the kind of number it computes in: weights, order \
            and augmentation of a seed are the same in both arms. `quick` trains three seeds on a \
            fifth of the training part; `original` is the pooling study's recipe, `full` today's.",
    metric: "test accuracy",
    arms: &[
        Arm {
            name: "fp32",
            about: "all in 32 bits",
            change: |recipe| with_precision(recipe, Precision::Fp32),
        },
        Arm {
            name: "bf16",
            about: "convolutions and maps in bf16; weights, statistics, head and loss in 32 bits",
            change: |recipe| with_precision(recipe, Precision::Bf16),
        },
    ],
    default_arms: &["fp32", "bf16"],
    factorial: None,
    needs: Some("cats-vs-dogs:PATH"),
    fits: None,
    plan: |profile| match profile {
        Profile::Quick => Plan { recipe: quick(), seeds: 3 },
        Profile::Original => Plan { recipe: recipes::original(), seeds: 3 },
        Profile::Full => Plan { recipe: recipes::full(), seeds: 5 },
    },
};

fn with_precision(recipe: Recipe, precision: Precision) -> Recipe {
    Recipe { model: ModelConfig { precision, ..recipe.model }, ..recipe }
}

/// The first look on a fifth of the training part, so that six cells fit 25 minutes on two cores:
/// of 17,000 photographs 3,400, for four epochs, all 4,000 test pictures scored once.
fn quick() -> Recipe {
    let base = recipes::quick();
    let data = DataConfig { train_fraction: 0.2, ..base.data };
    Recipe { data, epochs: 4, validation_steps: Some(25), ..base }
}
