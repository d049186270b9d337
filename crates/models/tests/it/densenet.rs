//! DenseNets beyond torchvision's: the paper's CIFAR networks against a reference of torch.nn's
//! layers (itself held against pytorchcv's), their parameters against its table 2, and dropout.

use catscan_models::densenet::{DENSENET_CIFAR_MINI, DenseNetConfig, Stem, Variant};
use catscan_models::{Draws, Mode, Model, ModelConfig, Pool, Shape, Taps};
use tch::{Device, Kind, Tensor};

use super::golden::check_config;
use super::registry::overfits_eight_pictures;
use super::support::{build, config, pictures};

const VARIANTS: [Variant; 4] = [Variant::Basic, Variant::B, Variant::C, Variant::Bc];

fn shaped(shape: DenseNetConfig) -> ModelConfig {
    let row = if shape.stem == Stem::Small { "densenet-cifar-mini" } else { "densenet-mini" };
    ModelConfig { shape: Some(Shape::DenseNet(shape)), ..config(row, Pool::Avg, 1) }
}

fn twin(variant: Variant) -> DenseNetConfig {
    DenseNetConfig::cifar(16, 6, variant).unwrap()
}

#[test]
fn every_variant_equals_its_reference() {
    for (variant, golden) in VARIANTS.into_iter().zip([
        include_str!("../golden/densenet-cifar-basic.json"),
        include_str!("../golden/densenet-cifar-b.json"),
        include_str!("../golden/densenet-cifar-c.json"),
        include_str!("../golden/densenet-cifar-bc.json"),
    ]) {
        check_config(&format!("cifar {variant:?}"), &shaped(twin(variant)), golden);
    }
}

#[test]
fn every_variant_overfits() {
    for variant in VARIANTS {
        let shape = DenseNetConfig::cifar(16, 12, variant).unwrap();
        overfits_eight_pictures(&shaped(shape), &format!("cifar {variant:?}"));
    }
}

#[test]
fn parameters_are_those_of_table_2() {
    for (name, millions) in [
        ("densenet-40-12", 1.0),
        ("densenet-100-12", 7.0),
        ("densenet-100-24", 27.2),
        ("densenet-bc-100-12", 0.8),
        ("densenet-bc-250-24", 15.3),
        ("densenet-bc-190-40", 25.6),
    ] {
        let count = build(&config(name, Pool::Avg, 10)).weights().count_parameters();
        assert_eq!((count as f64 / 1e5).round() / 10.0, millions, "{name}: {count}");
    }
}

#[test]
fn densenet264_has_the_parameters_of_torchvisions_class() {
    // DenseNet(32, (6, 12, 64, 48), 64): torchvision has the class, but no such row.
    let count = build(&config("densenet264", Pool::Avg, 1000)).weights().count_parameters();
    assert_eq!(count, 33_337_704);
}

#[test]
fn three_blocks_see_maps_of_32_16_and_8() {
    let model = build(&config("densenet-bc-40-12", Pool::Avg, 10));
    let mut taps = model.taps(&model.block_names()).unwrap();
    let logits = model.forward(&pictures([2, 3, 32, 32]), Mode::Eval, &mut taps);
    assert_eq!(logits.size(), [2, 10]);
    let shown: Vec<_> = taps.iter().map(|(name, map)| (name, map.size())).collect();
    let block = "features.denseblock";
    assert_eq!(shown.len(), 5);
    for ((name, size), (want, channels, px)) in shown.iter().zip([
        ("features.conv0".into(), 24, 32),
        (format!("{block}1"), 24 + 6 * 12, 32),
        (format!("{block}2"), 48 + 6 * 12, 16),
        (format!("{block}3"), 60 + 6 * 12, 8),
        ("features.norm5".into(), 132, 8),
    ]) {
        assert_eq!((*name, size), (want.as_str(), &vec![2, channels, px, px]));
    }
}

#[test]
fn any_size_from_four_pixels_works() {
    let model = build(&config("densenet-cifar-mini", Pool::Max, 2));
    assert_eq!(model.smallest_px(), 4);
    for shape in [[2, 3, 4, 4], [1, 3, 5, 9], [2, 3, 33, 7], [1, 3, 224, 4]] {
        for mode in [Mode::TRAIN, Mode::Eval] {
            let logits = model.forward(&pictures(shape), mode, &mut Taps::off());
            assert_eq!(logits.size(), [shape[0], 2], "{shape:?}");
            assert!(logits.isfinite().all().int64_value(&[]) == 1, "{shape:?}");
        }
    }
    let error = model.check_input(&[2, 3, 32, 3], Mode::Eval).unwrap_err().to_string();
    assert!(error.contains("32×3 px, want at least 4×4"), "{error}");
}

#[test]
fn impossible_numbers_are_refused_before_the_poolings_are_looked_at() {
    let refuse = |shape| Model::build(&shaped(shape), 0, Device::Cpu).unwrap_err().to_string();
    let blocks = refuse(DenseNetConfig { blocks: vec![].into(), ..DENSENET_CIFAR_MINI });
    assert!(blocks.contains("densenet-cifar-mini: blocks is [], want 1 to 16"), "{blocks}");
    let theta = refuse(DenseNetConfig { compression: 2.0, ..DENSENET_CIFAR_MINI });
    assert!(theta.contains("compression is 2, want more than 0, at most 1"), "{theta}");
}

/// What one picture's dropout keeps, scaled: `[1, C, H, W]` of 0 or 1 / (1 - 0.2).
fn mask(draws: Draws, layer: &str, like: &Tensor) -> Tensor {
    draws.uniform(layer, &like.size(), Device::Cpu).ge(0.2).to_kind(Kind::Float) * 1.25
}

#[test]
fn dropout_follows_every_convolution_but_the_first() {
    let shape = DenseNetConfig { dropout: 0.2, ..twin(Variant::Bc) };
    let model = build(&shaped(shape));
    let draws = Draws { seed: 3, epoch: 1, samples: &[5, 6] };
    let mut taps = Taps::all();
    let _ = model.forward(&pictures([2, 3, 16, 16]), Mode::Train(draws), &mut taps);
    let tap = |name: &str| taps.get(name).unwrap_or_else(|| panic!("no tap {name}"));
    let is = |name: &str, got: &Tensor, want: Tensor| {
        let difference = (got - want).abs().max().double_value(&[]);
        assert!(difference < 1e-4, "{name}: off by {difference}");
    };
    let block = tap("features.denseblock1");
    is("stem", &block.narrow(1, 0, 12), tap("features.conv0").shallow_clone());
    for layer in 1..=2 {
        let name = format!("features.denseblock1.denselayer{layer}");
        let dropped = |number: i64| {
            let conv = tap(&format!("{name}.conv{number}"));
            conv * mask(draws, &format!("{name}.dropout{number}"), conv)
        };
        let wide = dropped(1);
        let (variance, mean) = wide.var_mean_dim([0, 2, 3].as_slice(), false, true);
        let normed = (wide - mean) / (variance + 1e-5).sqrt();
        is(&name, tap(&format!("{name}.norm2")), normed);
        is(&name, &block.narrow(1, 12 + 6 * (layer - 1), 6), dropped(2));
    }
    let conv = tap("features.transition1.conv");
    let kept = conv * mask(draws, "features.transition1.dropout", conv);
    let pooled = kept.avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None::<i64>);
    is("transition", tap("features.transition1.pool"), pooled);
}

#[test]
fn dropout_is_a_function_of_its_draws_and_absent_in_evaluation() {
    let with = build(&shaped(DenseNetConfig { dropout: 0.2, ..twin(Variant::Basic) }));
    let without = build(&shaped(twin(Variant::Basic)));
    let x = pictures([2, 3, 16, 16]);
    let forward =
        |model: &Model, mode| tch::no_grad(|| model.forward(&x, mode, &mut Taps::off())).copy();
    assert_eq!(forward(&with, Mode::Eval), forward(&without, Mode::Eval));
    let train = |epoch| forward(&with, Mode::Train(Draws { seed: 3, epoch, samples: &[5, 6] }));
    assert_eq!(train(0), train(0));
    assert_ne!(train(0), train(1));
    assert_ne!(train(0), forward(&without, Mode::TRAIN));
}
