//! `preactivation`: He et al. 2016 (arXiv:1603.05027), table 3: norm and ReLU before each
//! convolution, so that nothing stands on the way round.

use catscan_models::ModelRow;

use super::{Arm, Experiment, Plan, Profile};
use crate::recipes::{cifar, with_model};

/// The two orders of a residual unit.
pub const PREACTIVATION: Experiment = Experiment {
    name: "preactivation",
    question: "Does a residual unit learn better with norm and ReLU before its convolutions?",
    about: "The same convolutions in both orders. `original` and `full` take the 110 layers at \
            which the paper shows a difference, `quick` takes 20. Without --data on drawings of \
            32 px for a first look; --data cifar10:PATH is the paper's own.",
    metric: "test accuracy",
    arms: &[
        Arm {
            name: "post",
            about: "conv, norm, ReLU; the sum is rectified",
            change: |recipe| recipe,
        },
        Arm {
            name: "pre",
            about: "norm, ReLU, conv; the sum is passed on as it is",
            change: |recipe| {
                let name = format!("pre{}", recipe.model.name);
                with_model(recipe, &name)
            },
        },
    ],
    default_arms: &["post", "pre"],
    factorial: None,
    needs: None,
    fits: Some(|network| ModelRow::find(&format!("pre{network}")).is_ok()),
    plan: |profile| match profile {
        Profile::Quick => Plan { recipe: cifar::quick("resnet20"), seeds: 2 },
        Profile::Original => {
            Plan { recipe: cifar::warmed_up(cifar::resnet("resnet110")), seeds: 1 }
        }
        Profile::Full => Plan { recipe: cifar::full("resnet110"), seeds: 5 },
    },
};
