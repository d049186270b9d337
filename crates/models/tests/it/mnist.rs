//! The MNIST notebooks' networks against a reference of torch.nn's layers (itself held against
//! Keras'), their shapes, and the one size that their pictures have.

use catscan_models::mnist::{MnistConfig, MnistNet};
use catscan_models::{Convention, Mode, Model, ModelConfig, Pool, Pooling, Precision, Shape, Taps};
use tch::{Device, Kind};

use super::golden::check_config;
use super::support::{build, channels_last, config, is_channels_last, pictures};

const ROWS: [&str; 3] = ["mnist-resnet", "mnist-resnet-as-printed", "mnist-densenet"];

/// As the notebooks have it: grey pictures, ten digits, Keras' layers.
pub fn notebook(name: &str) -> ModelConfig {
    let convention = Convention::KerasLayers;
    ModelConfig { in_channels: 1, convention, ..config(name, Pool::Max, 10) }
}

#[test]
fn every_network_equals_its_reference() {
    for (name, golden) in ROWS.into_iter().zip([
        include_str!("../golden/mnist-resnet.json"),
        include_str!("../golden/mnist-resnet-as-printed.json"),
        include_str!("../golden/mnist-densenet.json"),
    ]) {
        check_config(name, &notebook(name), golden);
    }
}

#[test]
fn parameters_are_those_of_the_reference() {
    for (name, want) in ROWS.into_iter().zip([576_282, 478_842, 429_930]) {
        assert_eq!(build(&notebook(name)).weights().count_parameters(), want, "{name}");
    }
}

#[test]
fn stages_see_maps_of_28_14_and_7() {
    for name in ROWS {
        let model = build(&notebook(name));
        let mut taps = model.taps(&model.block_names()).unwrap();
        let logits = model.forward(&pictures([2, 1, 28, 28]), Mode::Eval, &mut taps);
        assert_eq!(logits.size(), [2, 10], "{name}");
        let shown: Vec<_> = taps.iter().map(|(_, map)| map.size()).collect();
        let want = [[2, 8, 28, 28], [2, 16, 28, 28], [2, 32, 14, 14], [2, 64, 7, 7]];
        assert_eq!(shown, want, "{name}");
    }
}

#[test]
fn the_last_maps_are_flattened_channel_by_channel_in_any_layout() {
    let model = build(&notebook("mnist-densenet"));
    let x = pictures([2, 1, 28, 28]);
    let weights = model.weights();
    let mut taps = model.taps(&["features.denseblock3", "hidden"]).unwrap();
    let _ = model.forward(&channels_last(&x), Mode::Eval, &mut taps);
    let maps = taps.get("features.denseblock3").unwrap().contiguous().view([2, 64 * 49]);
    let weight = |name: &str| weights.get(name).unwrap();
    let want = maps.linear(weight("hidden.weight"), Some(weight("hidden.bias")));
    let difference = (taps.get("hidden").unwrap() - want).abs().max().double_value(&[]);
    assert!(difference < 1e-5, "{difference}");
}

#[test]
fn bf16_stops_at_the_head_and_the_layout_is_kept() {
    let x = channels_last(&pictures([8, 1, 28, 28]));
    for name in ROWS {
        let model = |precision| build(&ModelConfig { precision, ..notebook(name) });
        let (full, half) = (model(Precision::Fp32), model(Precision::Bf16));
        let mut taps = Taps::all();
        let logits = half.forward(&x, Mode::TRAIN, &mut taps);
        for (tap, map) in taps.iter() {
            let in_maps = map.dim() == 4;
            assert_eq!(map.kind(), if in_maps { Kind::BFloat16 } else { Kind::Float }, "{tap}");
            assert!(!in_maps || is_channels_last(map), "{tap}: strides {:?}", map.stride());
        }
        let exact = full.forward(&x, Mode::TRAIN, &mut Taps::off());
        let difference = (&exact - logits).abs().max() / exact.abs().max();
        // bf16 keeps 8 bits; measured: within 0.021.
        assert!(difference.double_value(&[]) < 0.04, "{name}: {difference:?}");
    }
}

#[test]
fn another_size_is_refused_and_can_be_configured() {
    for (name, net) in
        ROWS.into_iter().zip([MnistNet::Residual, MnistNet::ResidualAsPrinted, MnistNet::Dense])
    {
        let model = build(&notebook(name));
        assert_eq!(model.smallest_px(), 28, "{name}");
        for (height, width) in [(28, 32), (27, 28), (32, 32)] {
            let error = model.check_input(&[2, 1, height, width], Mode::Eval).unwrap_err();
            let message = format!("{name}: pictures are {height}×{width} px, want 28×28");
            assert!(error.to_string().contains(&message), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
        for px in [4, 33] {
            let shape = Some(Shape::Mnist(MnistConfig { net, picture_px: px }));
            let model = build(&ModelConfig { shape, ..notebook(name) });
            assert_eq!(model.smallest_px(), px);
            let logits = model.forward(&pictures([2, 1, px, px]), Mode::TRAIN, &mut Taps::off());
            assert_eq!(logits.size(), [2, 10], "{name}");
            assert!(model.check_input(&[2, 1, 28, 28], Mode::Eval).is_err());
        }
        let shape = Some(Shape::Mnist(MnistConfig { net, picture_px: 3 }));
        let error = Model::build(&ModelConfig { shape, ..notebook(name) }, 0, Device::Cpu);
        let message = error.unwrap_err().to_string();
        assert!(message.contains("3×3 px, want at least 4×4"), "{message}");
    }
}

#[test]
fn a_pooling_where_there_is_no_site_is_refused() {
    let pooling = Pooling::densenet(Pool::Max, Pool::Avg);
    let error = Model::build(&ModelConfig { pooling, ..notebook("mnist-resnet") }, 0, Device::Cpu);
    let message = error.unwrap_err().to_string();
    assert!(message.contains("pooling.stem is max, want null"), "{message}");
}
