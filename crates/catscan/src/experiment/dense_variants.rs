//! `dense-variants`: Huang et al. 2017 (arXiv:1608.06993), table 2 and figure 4 left: what
//! bottlenecks (B) and compression (C) buy.

use catscan_models::densenet::DenseNetConfig;
use catscan_models::{ModelConfig, ModelRow, Shape};
use catscan_train::Recipe;

use super::{Arm, Experiment, Plan, Profile};
use crate::recipes::{cifar, with_model};
use crate::stats::{Design, Factor};

/// DenseNet, -B, -C and -BC of 40 layers and growth 12, and the paper's larger networks.
pub const DENSE_VARIANTS: Experiment = Experiment {
    name: "dense-variants",
    question: "What do bottlenecks and compression buy a DenseNet?",
    about: "One depth and growth, with and without each. As published, BC also begins with twice \
            the growth in maps, the others with 16. The larger (L, k) are arms too; \
            `_unaugmented` arms drop 20 % of the values instead of shifting and flipping, as the \
            paper does. Without --data on drawings of 32 px for a first look; --data \
            cifar10:PATH is the paper's own.",
    metric: "test accuracy",
    arms: ARMS,
    default_arms: &["densenet-40-12", "densenet-b-40-12", "densenet-c-40-12", "densenet-bc-40-12"],
    factorial: Some(&Design {
        factors: &[
            Factor { name: "bottlenecks", low: "off", high: "on" },
            Factor { name: "compression", low: "off", high: "on" },
        ],
        arms: &["densenet-40-12", "densenet-c-40-12", "densenet-b-40-12", "densenet-bc-40-12"],
    }),
    needs: None,
    fits: None,
    plan: |profile| match profile {
        Profile::Quick => Plan { recipe: cifar::quick(FIRST), seeds: 2 },
        Profile::Original => Plan { recipe: cifar::densenet(FIRST), seeds: 1 },
        Profile::Full => Plan { recipe: cifar::full(FIRST), seeds: 5 },
    },
};

/// The network that the recipes begin with.
const FIRST: &str = "densenet-40-12";

/// An arm named as its row of MODELS, and its twin without augmentation.
macro_rules! arm {
    ($name:literal, $about:literal) => {
        Arm { name: $name, about: $about, change: |recipe| with_model(recipe, $name) }
    };
    ($name:literal, unaugmented) => {
        Arm {
            name: concat!($name, "_unaugmented"),
            about: "the same without augmentation, with dropout",
            change: |recipe| unaugmented(with_model(recipe, $name)),
        }
    };
}

const ARMS: &[Arm] = &[
    arm!("densenet-40-12", "40 layers, growth 12, neither bottlenecks nor compression"),
    arm!("densenet-b-40-12", "with bottlenecks"),
    arm!("densenet-c-40-12", "with compression by one half"),
    arm!("densenet-bc-40-12", "with both"),
    arm!("densenet-100-12", "100 layers, growth 12"),
    arm!("densenet-b-100-12", "100 layers, growth 12, with bottlenecks"),
    arm!("densenet-c-100-12", "100 layers, growth 12, with compression"),
    arm!("densenet-bc-100-12", "100 layers, growth 12, with both"),
    arm!("densenet-100-24", "100 layers, growth 24"),
    arm!("densenet-bc-250-24", "250 layers, growth 24, with both"),
    arm!("densenet-bc-190-40", "190 layers, growth 40, with both"),
    arm!("densenet-40-12", unaugmented),
    arm!("densenet-100-12", unaugmented),
    arm!("densenet-100-24", unaugmented),
    arm!("densenet-bc-100-12", unaugmented),
    arm!("densenet-bc-250-24", unaugmented),
    arm!("densenet-bc-190-40", unaugmented),
];

/// Pictures as they are, and a fifth of the values dropped in training (§4.2).
fn unaugmented(recipe: Recipe) -> Recipe {
    let row = ModelRow::find(&recipe.model.name).expect("arms name rows of MODELS");
    let Shape::DenseNet(shape) = row.shape.clone() else {
        unreachable!("arms name dense networks")
    };
    let shape = Some(Shape::DenseNet(DenseNetConfig { dropout: 0.2, ..shape }));
    Recipe { model: ModelConfig { shape, ..recipe.model }, augment: None, ..recipe }
}
