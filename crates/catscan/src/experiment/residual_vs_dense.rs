//! `residual-vs-dense`: the claims of Huang et al. 2017 (arXiv:1608.06993), §4 and §5, against
//! residual networks: fewer parameters at the same accuracy, and better where data are few and not
//! augmented.

use catscan_data::DataConfig;
use catscan_models::densenet::{DenseNetConfig, Variant};
use catscan_models::{ModelConfig, Shape};
use catscan_train::Recipe;

use super::{Arm, Experiment, Plan, Profile};
use crate::recipes::{cifar, with_model};
use crate::stats::{Design, Factor};

/// A residual and a dense network of as many parameters, on all data and on a tenth, augmented and
/// not.
pub const RESIDUAL_VS_DENSE: Experiment = Experiment {
    name: "residual-vs-dense",
    question: "At as many parameters, is a dense network better than a residual one, most of all on \
               little data without augmentation?",
    about: "`quick` matches ResNet-20 (0.27 M parameters) with a DenseNet-BC of 40 layers, the \
            others ResNet-56 (0.86 M) with DenseNet-BC (100, 12) (0.77 M). Every arm takes as many \
            steps: on a tenth of the pictures each is seen ten times as often. No arm has dropout. \
            Without --data on drawings of 32 px for a first look; --data cifar10:PATH is the \
            papers' own.",
    metric: "test accuracy",
    arms: &[
        Arm { name: "resnet", about: "all data, augmented", change: |recipe| recipe },
        Arm { name: "densenet", about: "all data, augmented", change: dense },
        Arm { name: "resnet_unaugmented", about: "all data, as they are", change: unaugmented },
        Arm {
            name: "densenet_unaugmented",
            about: "all data, as they are",
            change: |recipe| unaugmented(dense(recipe)),
        },
        Arm { name: "resnet_tenth", about: "a tenth of the data, augmented", change: tenth },
        Arm {
            name: "densenet_tenth",
            about: "a tenth of the data, augmented",
            change: |recipe| tenth(dense(recipe)),
        },
        Arm {
            name: "resnet_tenth_unaugmented",
            about: "a tenth of the data, as they are",
            change: |recipe| tenth(unaugmented(recipe)),
        },
        Arm {
            name: "densenet_tenth_unaugmented",
            about: "a tenth of the data, as they are",
            change: |recipe| tenth(unaugmented(dense(recipe))),
        },
    ],
    default_arms: DESIGN.arms,
    factorial: Some(&DESIGN),
    needs: None,
    fits: Some(|network| ["resnet20", "resnet56"].contains(&network)),
    plan: |profile| match profile {
        Profile::Quick => Plan { recipe: of_steps(cifar::quick("resnet20"), 50), seeds: 2 },
        Profile::Original => Plan { recipe: cifar::resnet("resnet56"), seeds: 1 },
        Profile::Full => Plan { recipe: of_steps(cifar::full("resnet56"), 350), seeds: 5 },
    },
};

const DESIGN: Design = Design {
    factors: &[
        Factor { name: "network", low: "residual", high: "dense" },
        Factor { name: "data", low: "all", high: "a tenth" },
        Factor { name: "augmentation", low: "on", high: "off" },
    ],
    arms: &[
        "resnet",
        "resnet_unaugmented",
        "resnet_tenth",
        "resnet_tenth_unaugmented",
        "densenet",
        "densenet_unaugmented",
        "densenet_tenth",
        "densenet_tenth_unaugmented",
    ],
};

/// The dense network of about as many parameters as the recipe's residual one.
fn dense(recipe: Recipe) -> Recipe {
    if recipe.model.name != "resnet20" {
        return with_model(recipe, "densenet-bc-100-12");
    }
    // Growth 12 is the smallest in the tables; 15 has ResNet-20's parameters.
    let recipe = with_model(recipe, "densenet-bc-40-12");
    let shape = DenseNetConfig::cifar(40, 15, Variant::Bc).expect("40 is 6n + 4");
    let shape = Some(Shape::DenseNet(shape));
    Recipe { model: ModelConfig { shape, ..recipe.model }, ..recipe }
}

/// Epochs of a fixed number of steps, so that fewer pictures do not mean fewer steps.
fn of_steps(recipe: Recipe, steps: u32) -> Recipe {
    Recipe { steps_per_epoch: Some(steps), ..recipe }
}

fn tenth(recipe: Recipe) -> Recipe {
    Recipe { data: DataConfig { train_fraction: 0.1, ..recipe.data }, ..recipe }
}

fn unaugmented(recipe: Recipe) -> Recipe {
    Recipe { augment: None, ..recipe }
}

#[cfg(test)]
mod tests {
    use super::*;
    use catscan_models::Summary;

    #[test]
    fn the_two_networks_have_about_as_many_parameters() {
        for profile in [Profile::Quick, Profile::Original, Profile::Full] {
            let base = (RESIDUAL_VS_DENSE.plan)(profile).recipe;
            let count =
                |recipe: &Recipe| Summary::of(&recipe.model, 32).unwrap().cost.parameters as f64;
            let share = count(&dense(base.clone())) / count(&base);
            assert!((0.88..1.05).contains(&share), "{profile:?}: {share}");
        }
    }
}
