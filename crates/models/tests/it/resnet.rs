//! Residual and plain networks: parity with torchvision and with a reference of both papers, the
//! papers' parameter counts, and shapes that cannot be.
//!
//! The goldens come from `scripts/golden/resnet.py`, whose reference is held against the networks
//! of pytorchcv, timm and keras.applications.

use std::borrow::Cow;

use catscan_models::resnet::{
    Order, RESNET_20, RESNET_50_KERAS, RESNET_MINI, ResNetConfig, Shortcut, Unit,
};
use catscan_models::{Convention, Mode, Model, ModelConfig, Pool, Shape, Taps};
use tch::{Device, Tensor};

use super::golden::check_config;
use super::support::{build, config, pictures};

#[test]
fn resnet18_equals_torchvision() {
    check("resnet18", include_str!("../golden/resnet-18.json"));
}

#[test]
fn resnet50_equals_torchvision() {
    check("resnet50", include_str!("../golden/resnet-50.json"));
}

#[test]
fn small_twins_equal_the_reference() {
    let basic = ResNetConfig { unit: Unit::Basic, ..RESNET_MINI };
    let padded = ResNetConfig { shortcut: Shortcut::Identity, ..RESNET_MINI };
    let pre = ResNetConfig { order: Order::Pre, ..RESNET_MINI };
    let pre_basic = ResNetConfig { order: Order::Pre, ..basic.clone() };
    for (shape, golden) in [
        (RESNET_MINI, include_str!("../golden/resnet-mini.json")),
        (basic, include_str!("../golden/resnet-mini-basic.json")),
        (padded, include_str!("../golden/resnet-mini-padded.json")),
        (pre, include_str!("../golden/resnet-mini-pre.json")),
        (pre_basic, include_str!("../golden/resnet-mini-pre-basic.json")),
    ] {
        let label = format!("{shape:?}");
        check_config(&label, &mini(shape), golden);
    }
}

#[test]
fn the_depth_studys_arithmetic_equals_the_reference() {
    let shape = ResNetConfig { stages: RESNET_MINI.stages, width: 8, ..RESNET_50_KERAS };
    let keras = ModelConfig { convention: Convention::KerasLayers, ..mini(shape) };
    check_config("keras", &keras, include_str!("../golden/resnet-mini-keras.json"));
}

#[test]
fn cifar_networks_of_20_layers_equal_the_reference() {
    check("resnet20", include_str!("../golden/resnet-20.json"));
    check("preresnet20", include_str!("../golden/resnet-20-pre.json"));
    check("plain20", include_str!("../golden/resnet-20-plain.json"));
}

fn check(row: &str, golden: &str) {
    check_config(row, &config(row, Pool::Avg, 1), golden);
}

fn mini(shape: ResNetConfig) -> ModelConfig {
    ModelConfig { shape: Some(Shape::ResNet(shape)), ..config("resnet-mini", Pool::Avg, 3) }
}

#[test]
fn parameters_are_those_of_the_papers_and_of_torchvision() {
    let count =
        |name: &str, outputs| build(&config(name, Pool::Avg, outputs)).weights().count_parameters();
    assert_eq!(count("resnet18", 1000), 11_689_512);
    assert_eq!(count("resnet34", 1000), 21_797_672);
    assert_eq!(count("resnet50", 1000), 25_557_032);
    assert_eq!(count("resnet101", 1000), 44_549_160);
    assert_eq!(count("resnet152", 1000), 60_192_808);
    // Table 6 of the first paper: 0.27, 0.46, 0.66, 0.85 and 1.7 million.
    for (layers, parameters) in
        [(20, 269_722), (32, 464_154), (44, 658_586), (56, 853_018), (110, 1_727_962)]
    {
        let resnet = count(&format!("resnet{layers}"), 10);
        assert_eq!(resnet, parameters);
        // A shortcut that is the input costs nothing, and pre-activation only moves the norms: what
        // the first unit lacks and those that widen have less, the last norm has more.
        assert_eq!(count(&format!("plain{layers}"), 10), resnet);
        assert_eq!(count(&format!("preresnet{layers}"), 10), resnet);
    }
    // The depth study's network, as Keras counts it: with running statistics.
    let keras = build(&config("resnet50-keras", Pool::Avg, 1));
    assert_eq!(keras.weights().count_all(), 23_589_761);
}

#[test]
fn any_picture_of_a_pixel_or_more_is_large_enough() {
    for name in ["resnet-mini", "resnet20"] {
        let model = build(&config(name, Pool::Avg, 2));
        assert_eq!(model.smallest_px(), 1);
        let logits = model.forward(&pictures([1, 3, 1, 1]), Mode::Eval, &mut Taps::off());
        assert_eq!(logits.size(), [1, 2]);
        let message = model.check_input(&[1, 3, 0, 9], Mode::Eval).unwrap_err().to_string();
        assert!(message.contains("0×9 px, want at least 1×1"), "{message}");
        // Four pixels shrink to one: a picture alone has no variance there.
        assert!(model.check_input(&[1, 3, 4, 4], Mode::TRAIN).is_err());
        assert!(model.check_input(&[2, 3, 4, 4], Mode::TRAIN).is_ok());
    }
}

#[test]
fn an_impossible_shape_is_refused_by_name_and_number() {
    let refuse = |shape: ResNetConfig, want: &str| {
        let error = Model::build(&mini(shape), 0, Device::Cpu).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(want), "{error}");
    };
    let stages =
        |stages: &[i64]| ResNetConfig { stages: Cow::Owned(stages.to_vec()), ..RESNET_MINI };
    refuse(stages(&[]), "shape.stages is [], want 1 to 8 numbers");
    refuse(stages(&[1; 9]), "shape.stages is a list of 9, want 1 to 8 numbers");
    refuse(stages(&[1, 0]), "shape.stages is [1, 0], want 1 to 8 numbers of at least 1");
    refuse(ResNetConfig { width: 0, ..RESNET_MINI }, "shape.width is 0, want 1 to 65536");
    // The CIFAR networks have no pooling after their stem.
    refuse(RESNET_20, "pooling.stem is max, want null");
}

#[test]
fn the_blocks_worth_a_map_go_from_the_stem_to_the_last_sum_or_norm() {
    let blocks = |name| build(&config(name, Pool::Avg, 2)).block_names();
    assert_eq!(blocks("resnet-mini"), ["maxpool", "layer1", "layer2", "layer3", "layer4"]);
    assert_eq!(blocks("plain20"), ["relu", "layer1", "layer2", "layer3"]);
    assert_eq!(blocks("preresnet20"), ["relu", "layer1", "layer2", "layer3", "norm"]);
}

#[test]
fn initial_weights_are_torchvisions() {
    let model = build(&config("resnet18", Pool::Avg, 1000));
    let deviation = |name| model.weights().get(name).unwrap().std(false).double_value(&[]);
    // The stem tells fan out (64 · 49) from fan in (3 · 49). 9,408 draws: 0.7 % of error.
    assert!((deviation("conv1.weight") / (2f64 / 3136.0).sqrt() - 1.0).abs() < 0.03);
    assert!((deviation("layer4.1.conv2.weight") / (2f64 / 4608.0).sqrt() - 1.0).abs() < 0.01);
    // torch's linear layer: weight and bias alike, U(±1/√512). 1,000 draws: 1.4 % of error.
    for name in ["fc.weight", "fc.bias"] {
        assert!((deviation(name) / (1f64 / 1536.0).sqrt() - 1.0).abs() < 0.06, "{name}");
    }
    // torchvision's DenseNet starts its bias at 0, and Keras every one.
    let densenet = build(&config("densenet-mini", Pool::Avg, 3));
    let keras = config("resnet-mini", Pool::Avg, 3);
    let keras = build(&ModelConfig { convention: Convention::KerasLayers, ..keras });
    for (model, name) in [(densenet, "classifier.bias"), (keras, "fc.bias")] {
        assert_eq!(model.weights().get(name).unwrap().abs().max().double_value(&[]), 0.0, "{name}");
    }
}

#[test]
fn taps_show_the_sum_of_the_branch_and_the_input() {
    // Equation 1 of either paper, and that neither operand was overwritten by the sum.
    let x = pictures([2, 3, 32, 32]);
    let shown = |name| {
        let mut taps = Taps::all();
        let _ = build(&config(name, Pool::Avg, 2)).forward(&x, Mode::TRAIN, &mut taps);
        taps
    };
    let (post, pre) = (shown("resnet20"), shown("preresnet20"));
    let tap = |taps: &Taps, name| taps.get(name).unwrap().shallow_clone();
    let sum = tap(&post, "layer1.1.bn2") + tap(&post, "layer1.0");
    assert!(sum.min().double_value(&[]) < 0.0);
    assert_eq!(tap(&post, "layer1.1"), sum.relu());
    assert_eq!(tap(&pre, "layer1.1"), tap(&pre, "layer1.1.conv2") + tap(&pre, "layer1.0"));
    // Where the map shrinks, its even pixels stand for it, and zeros for the 16 new maps.
    let even = tap(&post, "layer1").slice(2, None, None, 2).slice(3, None, None, 2);
    let sum = tap(&post, "layer2.0.bn2");
    let (old, new) = (sum.narrow(1, 0, 16) + even, sum.narrow(1, 16, 16));
    assert_eq!(tap(&post, "layer2.0"), Tensor::cat(&[old, new], 1).relu());
}

#[test]
fn a_shape_is_plain_data() {
    let config = mini(ResNetConfig { order: Order::Pre, ..RESNET_50_KERAS });
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<ModelConfig>(&text).unwrap(), config);
    assert!(text.contains(r#""unit":{"bottleneck":"first"},"order":"pre""#), "{text}");
}
