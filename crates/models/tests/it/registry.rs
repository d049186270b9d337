//! What is asked of every row of MODELS with one pooling, and of every kind of network in MODELS
//! with every row of POOLS: shapes, gradients, determinism, a weights file; counts; odd and wrong
//! inputs.

use std::path::Path;

use catscan_models::densenet::DenseNetConfig;
use catscan_models::resnet::ResNetConfig;
use catscan_models::{
    Convention, MODELS, Mode, Model, ModelConfig, ModelRow, POOLS, Pool, PoolRow, Pooling, Shape,
    Taps, Transitions,
};
use tch::{Device, Kind, Tensor};

use super::support::{build, config, descend, loss, pictures, training};

/// The small rows, whose numbers are enough to learn eight pictures by heart.
const SMALL: &[&str] = &[
    "densenet-mini",
    "densenet-cifar-mini",
    "resnet-mini",
    "resnet20",
    "preresnet20",
    "plain20",
    "mnist-resnet",
    "mnist-resnet-as-printed",
    "mnist-densenet",
];

/// The row that meets what only one need meet.
const QUICK: &str = SMALL[0];

/// Rows of more parameters are not written to files: together they are two gigabytes, and they have
/// no kind of tensor that the smaller rows of their family lack.
const MOST_IN_A_FILE: usize = 8_000_000;

/// One loop for all these questions, because building the large rows is what takes the time.
#[test]
fn every_model_shows_evaluates_trains_and_survives_a_file() {
    let folder = tempfile::tempdir().unwrap();
    for row in MODELS {
        let model = build(&config(row.name, Pool::Avg, 3));
        shows_evaluates_and_trains(&model, row.name);
        if model.weights().count_parameters() > MOST_IN_A_FILE {
            continue;
        }
        gives_the_same_logits_from_a_file(&model, row.name, &folder.path().join("weights"));
    }
}

/// One number of one tensor in the middle, of a kind of tensor each: what evaluation says is NaN
/// wherever it is with the layers one by one, and whole again once the number is.
#[test]
fn a_number_that_is_not_finite_is_not_hidden_by_folding() {
    for row in MODELS {
        let shape = shrunk(row.shape.clone());
        let model = build(&ModelConfig { shape: Some(shape), ..config(row.name, Pool::Avg, 3) });
        let x = small(&model, 2);
        let whole = eval(&model, &x);
        let mut seen = 0;
        for (end, value) in [
            ("weight", f64::NAN),
            ("bias", f64::NAN),
            ("running_mean", f64::INFINITY),
            ("running_var", -1.0),
        ] {
            let all: Vec<_> =
                model.weights().iter().filter(|weight| weight.name.ends_with(end)).collect();
            for at in [all.len() / 3, all.len() / 2] {
                let weight = all[at];
                let axes = 0..weight.tensor.dim();
                let mut number = axes.fold(weight.tensor.detach(), |part, _| part.select(0, 0));
                let before = number.copy();
                let _ = number.fill_(value);
                let label = format!("{}: {} is {value}", row.name, weight.name);
                let mut taps = Taps::all();
                let apart = tch::no_grad(|| model.forward(&x, Mode::Eval, &mut taps)).isnan();
                assert_eq!(eval(&model, &x).isnan(), apart, "{label}");
                seen += apart.any().int64_value(&[]);
                number.copy_(&before);
                drop((number, taps));
                assert_eq!(eval(&model, &x), whole, "{label}: and again whole");
            }
        }
        assert!(seen >= 4, "{}: only {seen} of 8 reach the logits", row.name);
    }
}

#[test]
fn every_pooling_meets_every_kind_of_network() {
    let folder = tempfile::tempdir().unwrap();
    for (name, shape) in twins() {
        for pool in POOLS {
            let model = build(&with_pool(name, &shape, pool, 3));
            let label = format!("{name}'s twin with {}", pool.name);
            shows_evaluates_and_trains(&model, &label);
            gives_the_same_logits_from_a_file(&model, &label, &folder.path().join("weights"));
            takes_odd_sizes_one_by_one(&model, &label);
        }
    }
}

/// MODELS without what only makes a network long and wide: one of each kind, with a row's name.
fn twins() -> Vec<(&'static str, Shape)> {
    let mut twins: Vec<(&str, Shape)> = Vec::new();
    for row in MODELS {
        let shape = shrunk(row.shape.clone());
        if twins.iter().all(|(_, known)| *known != shape) {
            twins.push((row.name, shape));
        }
    }
    assert!((15..25).contains(&twins.len()), "{twins:?}");
    twins
}

/// One unit a stage or two layers a block, few maps; all else as it was.
fn shrunk(shape: Shape) -> Shape {
    match shape {
        Shape::ResNet(config) => Shape::ResNet(ResNetConfig {
            stages: vec![1; config.stages.len()].into(),
            width: 8,
            ..config
        }),
        Shape::DenseNet(config) => Shape::DenseNet(DenseNetConfig {
            blocks: vec![2; config.blocks.len()].into(),
            growth: 4,
            stem_features: 8,
            ..config
        }),
        Shape::Mnist(_) => shape,
    }
}

/// The pooling wherever it can stand, and average elsewhere.
fn with_pool(name: &str, shape: &Shape, row: &PoolRow, outputs: i64) -> ModelConfig {
    let able = |able: bool| if able { row.pool } else { Pool::Avg };
    let sites = ModelRow::find(name).unwrap().sites();
    let pooling = Pooling {
        stem: sites.stem.then_some(able(row.windows)),
        ..Pooling::for_sites(sites, able(row.windows), able(row.global))
    };
    ModelConfig { pooling, shape: Some(shape.clone()), ..config(name, Pool::Avg, outputs) }
}

fn shows_evaluates_and_trains(model: &Model, label: &str) {
    tap_names_are_those_shown(model, label);
    evaluates_the_same_twice_and_alone(model, label);
    trains_one_step(model, label);
    folds_its_norms_within_rounding(model, label);
}

/// Small pictures that any model can be trained on in pairs: where a stem pools, twice as wide,
/// since in a hundred norms over two values each a gradient overflows.
fn small(model: &Model, pictures_in_batch: i64) -> Tensor {
    let px = if model.config().pooling.stem.is_some() { 32 } else { 16 };
    let px = model.smallest_px().max(px);
    pictures([pictures_in_batch, model.config().in_channels, px, px])
}

fn eval(model: &Model, x: &Tensor) -> Tensor {
    tch::no_grad(|| model.forward(x, Mode::Eval, &mut Taps::off()))
}

fn tap_names_are_those_shown(model: &Model, label: &str) {
    let mut taps = Taps::all();
    let _ = tch::no_grad(|| model.forward(&small(model, 1), Mode::Eval, &mut taps));
    let shown: Vec<String> = taps.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(shown, model.tap_names(), "{label}");
    for name in model.conv_names().iter().chain(&model.block_names()) {
        assert!(shown.contains(name), "{label}: {name}");
    }
}

fn evaluates_the_same_twice_and_alone(model: &Model, label: &str) {
    let x = small(model, 2);
    let logits = eval(model, &x);
    assert_eq!(logits, eval(model, &x), "{label}");
    // In evaluation no picture sees another; only the order of sums may differ.
    let difference = (eval(model, &x.narrow(0, 1, 1)) - logits.narrow(0, 1, 1)).abs().max();
    let relative = difference.double_value(&[]) / logits.abs().max().double_value(&[]);
    assert!(relative < 1e-4, "{label}: {relative}");
}

/// A height that no halving divides, another width, one picture; the MNIST networks have one size.
fn takes_odd_sizes_one_by_one(model: &Model, label: &str) {
    if let Some(Shape::Mnist(_)) = model.config().shape {
        return;
    }
    let x = pictures([1, model.config().in_channels, 67, 75]);
    for mode in [training(1), Mode::Eval] {
        let logits = tch::no_grad(|| model.forward(&x, mode, &mut Taps::off()));
        assert_eq!(logits.size(), [1, 3], "{label}");
        assert!(logits.isfinite().all().int64_value(&[]) == 1, "{label}");
    }
}

/// With backward in sight nothing is folded. Both ways round at every layer, in another order.
fn folds_its_norms_within_rounding(model: &Model, label: &str) {
    let x = small(model, 2);
    let apart = model.forward(&x, Mode::Eval, &mut Taps::off()).detach();
    let difference = (eval(model, &x) - &apart).abs().max().double_value(&[]);
    let relative = difference / apart.abs().max().double_value(&[]);
    println!("{label}: folded norms are {relative:.1e} apart");
    assert!(relative < 1e-4, "{label}: {relative}");
}

fn trains_one_step(model: &Model, label: &str) {
    let logits = model.forward(&small(model, 2), training(2), &mut Taps::off());
    assert_eq!((logits.size(), logits.kind()), (vec![2, 3], Kind::Float), "{label}");
    let loss = loss(&logits);
    assert!(loss.double_value(&[]).is_finite(), "{label}");
    loss.backward();
    for weight in model.weights().parameters() {
        assert!(weight.tensor.is_leaf() && weight.tensor.requires_grad());
        let gradient = weight.tensor.grad();
        assert!(gradient.defined(), "{label}: no gradient for {}", weight.name);
        assert!(gradient.isfinite().all().int64_value(&[]) == 1, "{label}: {}", weight.name);
    }
}

/// After a step, so that the running statistics are not the initial ones.
fn gives_the_same_logits_from_a_file(model: &Model, label: &str, path: &Path) {
    let x = small(model, 1);
    let before = eval(model, &x);
    model.weights().save(path).unwrap();
    tch::no_grad(|| {
        for weight in model.weights().iter() {
            let _ = weight.tensor.shallow_clone().zero_();
        }
    });
    assert_ne!(eval(model, &x), before, "{label}");
    model.weights().load(path).unwrap();
    assert_eq!(eval(model, &x), before, "{label}");
}

#[test]
fn parameters_are_those_of_the_paper_and_of_torchvision() {
    let count = |name, outputs| {
        let weights = build(&config(name, Pool::Avg, outputs));
        (weights.weights().count_parameters(), weights.weights().count_all())
    };
    // The study's network, as Keras counts it: trainable, and with running statistics.
    assert_eq!(count("densenet121", 1), (6_954_881, 7_038_529));
    assert_eq!(count("densenet121", 1000).0, 7_978_856);
    assert_eq!(count("densenet161", 1000).0, 28_681_000);
    assert_eq!(count("densenet169", 1000).0, 14_149_480);
    assert_eq!(count("densenet201", 1000).0, 20_013_928);
}

#[test]
fn densenet121_has_the_120_convolutions_of_the_study() {
    let model = build(&config("densenet121", Pool::Avg, 1));
    let names = model.conv_names();
    assert_eq!(names.len(), 120);
    assert_eq!(names[0], "features.conv0");
    assert_eq!(names[119], "features.denseblock4.denselayer16.conv2");
}

#[test]
fn every_small_network_overfits_eight_pictures() {
    for name in SMALL {
        overfits_eight_pictures(&config(name, Pool::Avg, 1), name);
    }
}

/// On pictures of which the head has more than one pixel to pool.
#[test]
fn every_pooling_overfits_eight_pictures() {
    for pool in POOLS {
        let shape = &ModelRow::find(QUICK).unwrap().shape;
        overfits_eight_pictures_of(64, &with_pool(QUICK, shape, pool, 1), pool.name);
    }
}

pub fn overfits_eight_pictures(config: &ModelConfig, label: &str) {
    overfits_eight_pictures_of(16, config, label);
}

fn overfits_eight_pictures_of(size_px: i64, config: &ModelConfig, label: &str) {
    let model = build(config);
    let size_px = model.smallest_px().max(size_px);
    let x = pictures([8, config.in_channels, size_px, size_px]);
    let mut value = f64::NAN;
    for _ in 0..60 {
        let loss = loss(&model.forward(&x, training(8), &mut Taps::off()));
        value = loss.double_value(&[]);
        loss.backward();
        // Gradients longer than 4 are shortened to that: networks without a last norm would leap.
        descend(&model, 0.1 * (4.0 / gradient_norm(&model)).min(1.0));
    }
    assert!(value < 0.05, "{label}: loss is still {value} after 60 steps");
}

fn gradient_norm(model: &Model) -> f64 {
    let squares = model
        .weights()
        .parameters()
        .map(|weight| weight.tensor.grad().square().sum(Kind::Double).double_value(&[]));
    squares.sum::<f64>().sqrt()
}

#[test]
fn odd_sizes_grey_pictures_and_batches_of_one_work() {
    let grey = ModelConfig { in_channels: 1, ..config(QUICK, Pool::Max, 4) };
    let model = build(&grey);
    for shape in [[1, 1, 64, 64], [1, 1, 33, 71], [2, 1, 29, 29], [5, 1, 100, 31]] {
        for mode in [Mode::TRAIN, Mode::Eval] {
            let logits = model.forward(&pictures(shape), mode, &mut Taps::off());
            assert_eq!(logits.size(), [shape[0], 4], "{shape:?}");
            assert!(logits.isfinite().all().int64_value(&[]) == 1, "{shape:?}");
        }
    }
}

#[test]
fn a_wrong_input_is_refused_before_the_first_operation() {
    let model = build(&config(QUICK, Pool::Avg, 1));
    assert_eq!(model.smallest_px(), 29); // torchvision's min_size of every DenseNet
    let message = |shape: &[i64], mode| {
        let error = model.check_input(shape, mode).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    };
    let small = message(&[8, 3, 28, 40], Mode::Eval);
    assert!(small.contains("28×40 px, want at least 29×29"), "{small}");
    let channels = message(&[8, 1, 64, 64], Mode::Eval);
    assert!(channels.contains("[8, 1, 64, 64], want [N, 3, H, W]"), "{channels}");
    let axes = message(&[3, 64, 64], Mode::Eval);
    assert!(axes.contains("[3, 64, 64], want [N, 3, H, W]"), "{axes}");
    // One picture whose last map is one pixel has no variance.
    let values = message(&[1, 3, 32, 32], Mode::TRAIN);
    assert!(values.contains("1 value(s) a channel"), "{values}");
    assert!(model.check_input(&[1, 3, 32, 32], Mode::Eval).is_ok());
    assert!(model.check_input(&[1, 3, 64, 64], Mode::TRAIN).is_ok());
}

#[test]
fn an_impossible_configuration_is_refused_by_name_and_number() {
    let refuse = |config: ModelConfig| {
        let error = Model::build(&config, 0, Device::Cpu).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    };
    let good = config(QUICK, Pool::Avg, 1);
    let unknown = refuse(ModelConfig { name: "densenet-mimi".into(), ..good.clone() });
    assert!(unknown.contains("nearest is densenet-mini"), "{unknown}");
    let outputs = refuse(ModelConfig { outputs: 0, ..good.clone() });
    assert!(outputs.contains("outputs is 0, want 1 to 1000000"), "{outputs}");
    let transitions =
        Pooling { transition: Transitions::Each(vec![Pool::Avg; 2]), ..good.pooling.clone() };
    let transitions = refuse(ModelConfig { pooling: transitions, ..good });
    assert!(transitions.contains("is 2 poolings, want 3"), "{transitions}");
}

#[test]
fn arms_share_initial_weights_and_seeds_do_not() {
    let avg = build(&config(QUICK, Pool::Avg, 1));
    let max = build(&config(QUICK, Pool::Max, 1));
    let other = Model::build(&config(QUICK, Pool::Avg, 1), 8, Device::Cpu).unwrap();
    let keras = ModelConfig { convention: Convention::Keras, ..config(QUICK, Pool::Avg, 1) };
    let keras = build(&keras);
    for (i, weight) in avg.weights().iter().enumerate() {
        let twin = |model: &Model| model.weights().iter().nth(i).unwrap().tensor.shallow_clone();
        assert_eq!(weight.tensor, twin(&max), "{}", weight.name);
        let drawn = weight.tensor.dim() > 1;
        assert_eq!(weight.tensor != twin(&other), drawn, "{}", weight.name);
        assert_eq!(weight.tensor != twin(&keras), drawn, "{}", weight.name);
    }
}

#[test]
fn pooling_is_a_value_at_each_site() {
    let base = config(QUICK, Pool::Avg, 1);
    let x = pictures([2, 3, 64, 64]);
    let logit = |pooling: Pooling| {
        let model = build(&ModelConfig { pooling, ..base.clone() });
        model.forward(&x, Mode::TRAIN, &mut Taps::off()).double_value(&[0, 0])
    };
    let avg = Pooling { stem: Some(Pool::Avg), ..base.pooling.clone() };
    let mut logits = vec![logit(avg.clone())];
    logits.push(logit(Pooling { stem: Some(Pool::Max), ..avg.clone() }));
    logits.push(logit(Pooling { head: Some(Pool::Max), ..avg.clone() }));
    for i in 0..3 {
        let mut pools = vec![Pool::Avg; 3];
        pools[i] = Pool::Max;
        logits.push(logit(Pooling { transition: Transitions::Each(pools), ..avg.clone() }));
    }
    for (i, a) in logits.iter().enumerate() {
        assert!(logits[..i].iter().all(|b| (a - b).abs() > 1e-6), "two sites are one: {logits:?}");
    }
}
