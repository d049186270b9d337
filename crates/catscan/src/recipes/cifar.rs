//! The recipes of the papers' CIFAR-10 experiments: small pictures, shifted and flipped.

use catscan_data::{Augment, DataConfig, Fill, Normalize, SplitRule};
use catscan_models::{Convention, ModelConfig, Precision};
use catscan_train::{Optimizer, Recipe, Schedule, Semantics, Sgd};

use super::{pooling, with_model};

/// Mean and deviation of CIFAR-10's training pictures.
fn cifar_10() -> Normalize {
    Normalize { mean: vec![0.4914, 0.4822, 0.4465], std: vec![0.2470, 0.2435, 0.2616] }
}

/// "4 pixels are padded on each side, and a 32×32 crop is randomly sampled from the padded image or
/// its horizontal flip" (He et al. 2016, §4.2); Huang et al. 2017 do the same.
fn shift_and_flip() -> Augment {
    Augment { horizontal_flip: true, shift_px: 4, fill: Fill::Zero, ..Augment::none() }
}

/// He et al. 2016 (arXiv:1512.03385), §4.2: SGD at 0.1, momentum 0.9, weight decay 0.0001, batch
/// 128, 64,000 steps, the rate divided by 10 after 32,000 and 48,000; 45,000 pictures to train and
/// 5,000 to validate. They subtract each pixel's mean; here each channel's is subtracted, and
/// divided by its deviation, as Huang et al. do.
pub fn resnet(model: &str) -> Recipe {
    let recipe = with_model(pooling::original(), model);
    Recipe {
        model: ModelConfig { convention: Convention::Paper, ..recipe.model },
        data: DataConfig {
            size_px: 32,
            split: SplitRule { ratio: [45, 5, 10], ..recipe.data.split },
            normalize: Some(cifar_10()),
            ..recipe.data
        },
        augment: Some(shift_and_flip()),
        optimizer: Optimizer::Sgd(Sgd {
            lr: 0.1,
            momentum: 0.9,
            nesterov: false,
            dampening: 0.0,
            weight_decay: 1e-4,
            semantics: Semantics::Pytorch,
        }),
        schedule: Schedule::Step {
            milestones: vec![0.5, 0.75],
            factor: 0.1,
            warmup_steps: 0,
            warmup_factor: 1.0,
        },
        batch: 128,
        epochs: 160,
        steps_per_epoch: Some(400),
        validation_steps: None,
        ..recipe
    }
}

/// The first 400 steps at a tenth of the rate, without which 110 layers did not begin to learn
/// (He et al. 2016, §4.2; arXiv:1603.05027, appendix).
pub fn warmed_up(recipe: Recipe) -> Recipe {
    let schedule = match recipe.schedule {
        Schedule::Step { milestones, factor, .. } => {
            Schedule::Step { milestones, factor, warmup_steps: 400, warmup_factor: 0.1 }
        }
        other => other,
    };
    Recipe { schedule, ..recipe }
}

/// Huang et al. 2017 (arXiv:1608.06993), §4.2: Nesterov momentum, batch 64, 300 epochs, the rate
/// divided by 10 after half and three quarters of them, He's initial weights. For their last runs
/// they train on all 50,000 pictures; here 5,000 stay for validation.
pub fn densenet(model: &str) -> Recipe {
    let recipe = resnet(model);
    Recipe {
        optimizer: Optimizer::Sgd(Sgd {
            lr: 0.1,
            momentum: 0.9,
            nesterov: true,
            dampening: 0.0,
            weight_decay: 1e-4,
            semantics: Semantics::Pytorch,
        }),
        batch: 64,
        epochs: 300,
        steps_per_epoch: None,
        ..recipe
    }
}

/// Today's good practice at 32 px: bf16, cosine with warm-up, more weight decay, for a GPU.
pub fn full(model: &str) -> Recipe {
    let (recipe, good) = (resnet(model), pooling::full());
    Recipe {
        model: ModelConfig { precision: Precision::Bf16, ..recipe.model },
        optimizer: Optimizer::Sgd(Sgd {
            lr: 0.1,
            momentum: 0.9,
            nesterov: true,
            dampening: 0.0,
            weight_decay: 5e-4,
            semantics: Semantics::Pytorch,
        }),
        schedule: good.schedule,
        epochs: 100,
        steps_per_epoch: None,
        ..recipe
    }
}

/// The first look at 32 px, trained as in the pooling study's `quick`.
pub fn quick(model: &str) -> Recipe {
    let (recipe, first_look) = (resnet(model), pooling::quick());
    Recipe {
        model: ModelConfig { precision: Precision::Bf16, ..recipe.model },
        optimizer: first_look.optimizer,
        schedule: first_look.schedule,
        batch: 32,
        epochs: 8,
        steps_per_epoch: None,
        ..recipe
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_residual_networks_take_64_000_steps() {
        let recipe = resnet("densenet-40-12");
        let steps = u64::from(recipe.epochs * recipe.steps_per_epoch.unwrap());
        assert_eq!(steps, 64_000);
        let lr = |step| recipe.schedule.lr(recipe.optimizer.lr(), step, steps);
        assert_eq!(lr(31_999), 0.1);
        assert!((lr(32_000) - 0.01).abs() < 1e-12 && (lr(48_000) - 0.001).abs() < 1e-12);
    }
}
