//! The recipes of the pooling study, and the names of its poolings.

use catscan_data::{Augment, BadImages, Colour, DataConfig, Fill, Filter, Shear, SplitRule};
use catscan_models::{Convention, Memory, ModelConfig, Pool, Pooling, Precision};
use catscan_train::schedule::Anneal;
use catscan_train::{Adam, Decay, Decayed, Init, Optimizer, Recipe, Schedule, Semantics, Sgd};

use super::imagenet;

/// The published pooling study (Keras, Colab): every value as its notebooks have it.
///
/// Nearest resizing to 224 px, values /255 without normalisation, Glorot kernels and Keras' batch
/// norm, SGD 0.001 with momentum 0.9, 250 epochs of 80 steps of 20 pictures, 20 validation steps,
/// `rotation_range=40, shear_range=0.2, zoom_range=0.2, horizontal_flip=True`. tf.keras reads
/// the shear as degrees. What the study did not fix (seeds, split) is fixed here.
pub fn original() -> Recipe {
    Recipe {
        model: ModelConfig {
            name: "densenet121".into(),
            shape: None,
            pooling: Pooling::densenet(Pool::Avg, Pool::Avg),
            convention: Convention::Keras,
            in_channels: 3,
            outputs: 1,
            precision: Precision::Fp32,
            memory: Memory::Keep,
        },
        data: DataConfig {
            source: "critters".into(),
            size_px: 224,
            filter: Filter::Nearest,
            centre_crop_of_px: None,
            colour: Colour::Rgb,
            split: SplitRule { ratio: [17, 4, 4], seed: 1 },
            train_fraction: 1.0,
            bad_images: BadImages::Fail,
            normalize: None,
            shuffle_window: None,
        },
        augment: Some(Augment {
            rotation_deg: 40.0,
            shear: Shear::Degrees(0.2),
            zoom: 0.2,
            horizontal_flip: true,
            shift_px: 0,
            fill: Fill::Edge,
            ..Augment::none()
        }),
        init: Init::Random,
        freeze: Vec::new(),
        groups: Vec::new(),
        decayed: Decayed::All,
        optimizer: Optimizer::Sgd(Sgd {
            lr: 0.001,
            momentum: 0.9,
            nesterov: false,
            dampening: 0.0,
            weight_decay: 0.0,
            semantics: Semantics::Keras,
        }),
        schedule: Schedule::Constant,
        warmup: None,
        clip: None,
        ema: None,
        label_smoothing: 0.0,
        class_weights: None,
        batch: 20,
        micro_batch: None,
        epochs: 250,
        early_stop: None,
        steps_per_epoch: Some(80),
        validation_steps: Some(20),
        seed: 1,
    }
}

/// Today's good practice at the study's size: bf16, torchvision's initial weights, whole passes,
/// warm-up and cosine, weight decay, milder geometry, values normalised. Meant for a GPU.
pub fn full() -> Recipe {
    let base = original();
    Recipe {
        model: ModelConfig {
            convention: Convention::Torchvision,
            precision: Precision::Bf16,
            ..base.model
        },
        data: DataConfig { filter: Filter::Bilinear, normalize: Some(imagenet()), ..base.data },
        augment: Some(Augment {
            rotation_deg: 15.0,
            shear: Shear::Degrees(0.0),
            zoom: 0.2,
            horizontal_flip: true,
            shift_px: 0,
            fill: Fill::Edge,
            ..Augment::none()
        }),
        optimizer: Optimizer::Sgd(Sgd {
            lr: 0.05,
            momentum: 0.9,
            nesterov: true,
            dampening: 0.0,
            weight_decay: 5e-4,
            semantics: Semantics::Pytorch,
        }),
        schedule: Schedule::Cosine { warmup_steps: 500, end_fraction: 0.0 },
        batch: 64,
        epochs: 60,
        steps_per_epoch: None,
        validation_steps: None,
        ..base
    }
}

/// The first look: minutes on two CPU cores. Small pictures, few epochs, a steep schedule.
///
/// AdamW, because it is the optimiser under which **both** arms learn from this few steps: SGD's
/// rate suits average pooling or maximum pooling, not both. Chosen on critters' validation part
/// (seeds 1 and 2 of the `max` arm, final validation accuracy): SGD at 0.01 gave 87.7 and 86.3 %,
/// at 0.005 84.5 and 86.5 %, AdamW at 0.001 gave 89.0 and 91.5 % (docs/bias.md).
pub fn quick() -> Recipe {
    let base = full();
    Recipe {
        data: DataConfig { size_px: 64, ..base.data },
        augment: Some(Augment {
            rotation_deg: 0.0,
            shear: Shear::Degrees(0.0),
            zoom: 0.0,
            horizontal_flip: true,
            shift_px: 0,
            fill: Fill::Edge,
            ..Augment::none()
        }),
        optimizer: Optimizer::Adam(Adam {
            lr: 0.001,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.05,
            decay: Decay::Decoupled,
            semantics: Semantics::Pytorch,
        }),
        schedule: Schedule::OneCycle {
            rise_fraction: 0.25,
            start_divisor: 25.0,
            end_divisor: 1000.0,
            anneal: Anneal::Cosine,
        },
        batch: 16,
        epochs: 6,
        ..base
    }
}

/// Does training, resuming and reporting work on this machine? Its accuracy means nothing.
pub fn smoke() -> Recipe {
    let base = quick();
    Recipe {
        model: ModelConfig { name: "densenet-mini".into(), ..base.model },
        data: DataConfig { source: "critters:125".into(), size_px: 32, ..base.data },
        batch: 20,
        epochs: 1,
        ..base
    }
}

/// Reads what an arm's name says of a DenseNet's pooling. None where it says something else, or
/// a pooling that cannot stand there.
///
/// - `avg` and `max` are the published arms, which change the three transitions and the head.
/// - Any other pooling's name, such as `gem`, puts it into the transitions and leaves the head an
///   average, so that its arm differs from `avg` in one thing.
/// - `transition-max_head-avg` says both.
pub fn pooling(name: &str) -> Option<Pooling> {
    pools(name).map(|(transition, head)| Pooling::densenet(transition, head))
}

/// The same as the pooling of the transitions and that of the head.
pub fn pools(name: &str) -> Option<(Pool, Pool)> {
    let pool = |word: &str| word.parse::<Pool>().ok();
    let (transition, head) = match pool(name) {
        Some(pool @ (Pool::Avg | Pool::Max)) => (pool, pool),
        Some(pool) => (pool, Pool::Avg),
        None => {
            let (transition, head) = name.split_once('_')?;
            (pool(transition.strip_prefix("transition-")?)?, pool(head.strip_prefix("head-")?)?)
        }
    };
    let possible = transition.row().windows && head.row().global;
    possible.then_some((transition, head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn original_is_the_published_study() {
        let recipe = original();
        assert_eq!((recipe.data.size_px, recipe.data.filter), (224, Filter::Nearest));
        assert_eq!((recipe.batch, recipe.epochs), (20, 250));
        assert_eq!((recipe.steps_per_epoch, recipe.validation_steps), (Some(80), Some(20)));
        let Optimizer::Sgd(sgd) = &recipe.optimizer else { panic!("{:?}", recipe.optimizer) };
        assert_eq!((sgd.lr, sgd.momentum, sgd.weight_decay), (0.001, 0.9, 0.0));
        assert!(!sgd.nesterov && recipe.data.normalize.is_none());
        assert_eq!(recipe.model.precision, Precision::Fp32);
        assert_eq!(recipe.data.split.ratio, [17, 4, 4]);
    }

    #[test]
    fn pooling_is_read_from_a_name() {
        assert_eq!(pooling("max"), Some(Pooling::densenet(Pool::Max, Pool::Max)));
        let mixed = Pooling::densenet(Pool::Max, Pool::Avg);
        assert_eq!(pooling("transition-max_head-avg"), Some(mixed));
        assert_eq!(pooling("gem"), Some(Pooling::densenet(Pool::Gem, Pool::Avg)));
        let both = Pooling::densenet(Pool::Blur, Pool::CatAvgMax);
        assert_eq!(pooling("transition-blur_head-catavgmax"), Some(both));
        for wrong in ["", "maxx", "max_avg", "transition-max", "head-max_transition-avg"] {
            assert_eq!(pooling(wrong), None, "{wrong}");
        }
        for impossible in ["catavgmax", "transition-avg_head-s3"] {
            assert_eq!(pooling(impossible), None, "{impossible}");
        }
    }
}
