//! `mnist-compare`: the two small networks of the MNIST notebooks, and the slip in one of them.

use super::{Arm, Experiment, Plan, Profile};
use crate::recipes::{mnist, with_model};

/// Residual against dense at 28 px.
pub const MNIST_COMPARE: Experiment = Experiment {
    name: "mnist-compare",
    question: "Does a small dense network read digits better than a small residual one?",
    about: "The notebooks' networks on MNIST (or Fashion-MNIST). As printed, the residual net's \
            units throw their first convolution away; the corrected net stands beside it. \
            `original` trains as the notebooks do, but for 1,000 of the 60,000 pictures, which are \
            kept for validation.",
    metric: "test accuracy",
    arms: &[
        Arm {
            name: "mnist-resnet",
            about: "six pre-activation units, the notebook's slip corrected",
            change: |recipe| with_model(recipe, "mnist-resnet"),
        },
        Arm {
            name: "mnist-resnet-as-printed",
            about: "the second half of each unit reads the unit's input, as the notebook has it",
            change: |recipe| with_model(recipe, "mnist-resnet-as-printed"),
        },
        Arm {
            name: "mnist-densenet",
            about: "three blocks of two dense layers, growth 4, 8 and 16",
            change: |recipe| with_model(recipe, "mnist-densenet"),
        },
    ],
    default_arms: &["mnist-resnet", "mnist-resnet-as-printed", "mnist-densenet"],
    factorial: None,
    needs: Some("mnist:PATH or fashion-mnist:PATH, the folder of its four files"),
    fits: None,
    plan: |profile| match profile {
        Profile::Quick => Plan { recipe: mnist::quick(), seeds: 2 },
        Profile::Original => Plan { recipe: mnist::original(), seeds: 1 },
        Profile::Full => Plan { recipe: mnist::full(), seeds: 5 },
    },
};
