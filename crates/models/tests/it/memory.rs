//! `memory: recompute` keeps less and changes nothing: the same bits in every gradient and in every
//! running statistic.

use catscan_models::densenet::{DENSENET_MINI, DenseNetConfig, Variant};
use catscan_models::{
    Draws, Memory, Mode, Model, ModelConfig, Pool, Precision, Shape, Taps, Weights,
};
use tch::{Device, Tensor};

use super::support::{build, channels_last, config, loss, pictures};

const DRAWS: Draws = Draws { seed: 3, epoch: 1, samples: &[5, 6, 9] };

/// The same network with either memory.
fn both(config: ModelConfig) -> [Model; 2] {
    [Memory::Keep, Memory::Recompute].map(|memory| build(&ModelConfig { memory, ..config.clone() }))
}

fn shaped(shape: DenseNetConfig) -> ModelConfig {
    let row = if shape.blocks.len() == 3 { "densenet-cifar-mini" } else { "densenet-mini" };
    ModelConfig { shape: Some(Shape::DenseNet(shape)), ..config(row, Pool::Avg, 2) }
}

fn trained(weights: &Weights) -> Vec<(&str, &Tensor)> {
    let parameters = weights.parameters().filter(|weight| weight.tensor.requires_grad());
    parameters.map(|weight| (weight.name.as_str(), &weight.tensor)).collect()
}

/// The loss of a training forward and its gradients.
fn gradients(model: &Model, x: &Tensor, taps: &mut Taps) -> (Tensor, Vec<Tensor>) {
    let loss = loss(&model.forward(x, Mode::Train(DRAWS), taps));
    let parameters: Vec<&Tensor> = trained(model.weights()).iter().map(|(_, t)| *t).collect();
    let gradients = Tensor::run_backward(&[&loss], &parameters, false, false);
    (loss, gradients)
}

fn assert_same([keep, recompute]: &[Model; 2], x: &Tensor, what: &str) {
    let (loss, wanted) = gradients(keep, x, &mut Taps::off());
    let (loss_again, got) = gradients(recompute, x, &mut Taps::off());
    assert_eq!(loss, loss_again, "{what}");
    for ((name, _), (got, wanted)) in trained(keep.weights()).iter().zip(got.iter().zip(&wanted)) {
        assert_eq!(got.kind(), wanted.kind());
        assert_eq!(got, wanted, "{what}: gradient of {name}");
    }
    for (one, other) in keep.weights().iter().zip(recompute.weights().iter()) {
        assert_eq!(one.tensor, other.tensor, "{what}: {} after a step", one.name);
    }
}

#[test]
fn gradients_and_running_statistics_are_the_same_bits() {
    let dropout = 0.2;
    let cifar = |variant| DenseNetConfig::cifar(16, 6, variant).unwrap();
    for (shape, px) in [
        (DENSENET_MINI, 64),
        (cifar(Variant::Basic), 16),
        (DenseNetConfig { dropout, ..cifar(Variant::C) }, 16),
        (DenseNetConfig { dropout, ..cifar(Variant::Bc) }, 16),
    ] {
        for precision in [Precision::Fp32, Precision::Bf16] {
            let x = pictures([3, 3, px, px]);
            for (layout, x) in [("NCHW", &x), ("channels_last", &channels_last(&x))] {
                let what = format!("{:?}, {precision:?}, {layout}", shape.blocks);
                let config = ModelConfig { precision, ..shaped(shape.clone()) };
                assert_same(&both(config), x, &what);
            }
        }
    }
}

#[test]
fn frozen_weights_stay_out_of_it() {
    let models = both(shaped(DENSENET_MINI));
    let frozen = ["features.conv0", "features.norm0", "denseblock1", "denselayer1.norm1", "conv2"];
    for model in &models {
        for weight in model.weights().parameters() {
            if frozen.iter().any(|part| weight.name.contains(part)) {
                let _ = weight.tensor.set_requires_grad(false);
            }
        }
    }
    assert_same(&models, &pictures([3, 3, 64, 64]), "partly frozen");
}

#[test]
fn every_tap_lies_on_the_way_back() {
    let [keep, recompute] = both(shaped(DENSENET_MINI));
    let x = pictures([3, 3, 64, 64]);
    for names in [keep.block_names(), keep.conv_names(), keep.tap_names()] {
        let of_taps = |model: &Model| {
            let mut taps = model.taps(&names).unwrap();
            let loss = loss(&model.forward(&x, Mode::Train(DRAWS), &mut taps));
            let shown: Vec<&Tensor> = taps.iter().map(|(_, tensor)| tensor).collect();
            Tensor::run_backward(&[&loss], &shown, false, false)
        };
        let (wanted, got) = (of_taps(&keep), of_taps(&recompute));
        assert_eq!(got.len(), names.len());
        for (name, (got, wanted)) in names.iter().zip(got.iter().zip(&wanted)) {
            assert_eq!(got, wanted, "gradient of tap {name}");
        }
    }
}

#[test]
fn evaluation_is_the_same() {
    let [keep, recompute] = both(shaped(DENSENET_MINI));
    let x = pictures([3, 3, 64, 64]);
    let logits = |model: &Model| model.forward(&x, Mode::Eval, &mut Taps::off());
    assert_eq!(logits(&keep), logits(&recompute));
}

#[test]
fn a_network_without_dense_blocks_refuses_it() {
    let config = config("mnist-densenet", Pool::Max, 10);
    let config = ModelConfig { memory: Memory::Recompute, ..config };
    let error = Model::build(&config, 0, Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("memory is recompute, want keep"), "{error}");
}
