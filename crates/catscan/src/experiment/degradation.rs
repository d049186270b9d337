//! `degradation`: He et al. 2016 (arXiv:1512.03385), figure 6 left and middle: deeper plain
//! networks train worse, deeper residual ones do not.

use super::{Arm, Experiment, Plan, Profile};
use crate::recipes::{cifar, with_model};
use crate::stats::{Design, Factor};

/// Plain and residual networks of 20 and 56 layers, and a dense one of 40.
pub const DEGRADATION: Experiment = Experiment {
    name: "degradation",
    question: "Do deeper plain networks train worse, and do shortcuts mend it?",
    about: "The paper's CIFAR networks, which have the same parameters with and without shortcuts. \
            Look at the training loss too: degradation is not overfitting. A dense network runs \
            beside them, so that the report shows what reaches the first layers of plain, \
            residual and dense ones; nearly half of the multiply-adds are its own, and --arms \
            leaves it out. Without --data on drawings of 32 px for a first look; --data \
            cifar10:PATH is the paper's own.",
    metric: "test accuracy",
    arms: &[
        Arm {
            name: "plain20",
            about: "20 layers, nothing goes round them",
            change: |recipe| with_model(recipe, "plain20"),
        },
        Arm {
            name: "plain56",
            about: "56 layers, nothing goes round them",
            change: |recipe| with_model(recipe, "plain56"),
        },
        Arm {
            name: "resnet20",
            about: "20 layers with shortcuts that have no parameters",
            change: |recipe| with_model(recipe, "resnet20"),
        },
        Arm {
            name: "resnet56",
            about: "56 layers with shortcuts that have no parameters",
            change: |recipe| with_model(recipe, "resnet56"),
        },
        Arm {
            name: "densenet-40-12",
            about: "40 layers that each see all before them: a third way to carry gradients back",
            change: |recipe| with_model(recipe, "densenet-40-12"),
        },
    ],
    default_arms: &["plain20", "plain56", "resnet20", "resnet56", "densenet-40-12"],
    factorial: Some(&Design {
        factors: &[
            Factor { name: "shortcuts", low: "none", high: "identity" },
            Factor { name: "depth", low: "20", high: "56" },
        ],
        arms: &["plain20", "plain56", "resnet20", "resnet56"],
    }),
    needs: None,
    fits: None,
    plan: |profile| match profile {
        Profile::Quick => Plan { recipe: cifar::quick("plain20"), seeds: 2 },
        Profile::Original => Plan { recipe: cifar::resnet("plain20"), seeds: 1 },
        Profile::Full => Plan { recipe: cifar::full("plain20"), seeds: 5 },
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    /// Gradient flow is claimed of plain, residual and dense networks, so all three run unasked.
    #[test]
    fn plain_residual_and_dense_networks_run_unasked() {
        for kind in ["plain", "resnet", "densenet"] {
            let is = |arm: &&str| arm.starts_with(kind);
            assert!(DEGRADATION.default_arms.iter().any(is), "no {kind} arm");
        }
    }
}
