//! `depth-compare`: the published depth study.

use catscan_models::Convention;
use catscan_train::Recipe;

use super::{Arm, Experiment, Plan, Profile};
use crate::recipes::{depth, with_model};

/// ResNet-50 against ResNet-101.
pub const DEPTH_COMPARE: Experiment = Experiment {
    name: "depth-compare",
    question: "Is ResNet-101 better than ResNet-50 on this data?",
    about: "Twice the layers, all else equal. `original` is the published study to the letter: \
            the stride on each stage's first 1×1 convolution, biases, Keras' batch norm, 550 \
            epochs. The other profiles train torchvision's networks.",
    metric: "test accuracy",
    arms: &[
        Arm {
            name: "resnet50",
            about: "stages of 3, 4, 6 and 3 bottlenecks",
            change: |recipe| of_depth(recipe, "resnet50", "resnet50-keras"),
        },
        Arm {
            name: "resnet101",
            about: "stages of 3, 4, 23 and 3 bottlenecks",
            change: |recipe| of_depth(recipe, "resnet101", "resnet101-keras"),
        },
    ],
    default_arms: &["resnet50", "resnet101"],
    factorial: None,
    needs: None,
    fits: None,
    plan: |profile| match profile {
        Profile::Quick => Plan { recipe: depth::quick(), seeds: 2 },
        Profile::Original => Plan { recipe: depth::original(), seeds: 1 },
        Profile::Full => Plan { recipe: depth::full(), seeds: 5 },
    },
};

/// The study's own network where the recipe follows Keras, torchvision's elsewhere.
fn of_depth(recipe: Recipe, torchvision: &str, keras: &str) -> Recipe {
    match recipe.model.convention {
        Convention::KerasLayers => with_model(recipe, keras),
        _ => with_model(recipe, torchvision),
    }
}
