//! bf16 and memory layout: what stays 32-bit, what stays channels_last, and that neither changes
//! the result by more than its rounding.

use catscan_models::{Mode, Model, ModelConfig, Pool, Precision, Taps};
use tch::{Kind, Tensor};

use super::support::{build, channels_last, config, is_channels_last, loss, pictures};

fn bf16(name: &str, pool: Pool) -> Model {
    build(&ModelConfig { precision: Precision::Bf16, ..config(name, pool, 3) })
}

/// The cosine between the gradients of two models, all parameters together.
fn cosine(a: &Model, b: &Model) -> f64 {
    let flat = |model: &Model| {
        let gradients = model.weights().parameters().map(|w| w.tensor.grad().flatten(0, -1));
        Tensor::cat(&gradients.collect::<Vec<_>>(), 0)
    };
    let (a, b) = (flat(a), flat(b));
    (&a * &b).sum(Kind::Double).double_value(&[])
        / (a.norm().double_value(&[]) * b.norm().double_value(&[]))
}

#[test]
fn bf16_agrees_with_fp32_within_its_rounding() {
    for (name, pool) in [
        ("densenet-mini", Pool::Avg),
        ("densenet-mini", Pool::Max),
        ("resnet-mini", Pool::Avg),
        ("preresnet20", Pool::Avg),
    ] {
        let (full, half) = (build(&config(name, pool, 3)), bf16(name, pool));
        let x = channels_last(&pictures([8, 3, 64, 64]));
        let run = |model: &Model| {
            let logits = model.forward(&x, Mode::TRAIN, &mut Taps::off());
            assert_eq!(logits.kind(), Kind::Float);
            loss(&logits).backward();
            logits
        };
        let (a, b) = (run(&full), run(&half));
        // bf16 keeps 8 bits, a relative 4e-3 an operation, and the last norms see 32 values.
        // Measured: logits within 0.07; cosine 0.84 to 0.94, lowest with max pooling, where a
        // rounding can move a maximum, on a CPU without AMX. A lost cast or statistic gives a
        // cosine near 0.
        let difference = (&a - b).abs().max().double_value(&[]) / a.abs().max().double_value(&[]);
        println!("{name} {pool:?}: logits {difference:.3}, cosine {:.3}", cosine(&full, &half));
        assert!(difference < 0.15, "{name} {pool:?}: logits differ by {difference}");
        let cosine = cosine(&full, &half);
        assert!(cosine > 0.7, "{name} {pool:?}: gradients' cosine {cosine}");
    }
}

#[test]
fn bf16_folds_norms_within_its_rounding() {
    for name in ["densenet-mini", "resnet-mini", "preresnet20"] {
        let model = bf16(name, Pool::Avg);
        let x = pictures([4, 3, 64, 64]);
        let _ = model.forward(&x, Mode::TRAIN, &mut Taps::off());
        let apart = model.forward(&x, Mode::Eval, &mut Taps::off()).detach();
        let folded = tch::no_grad(|| model.forward(&x, Mode::Eval, &mut Taps::off()));
        let difference = (folded - &apart).abs().max().double_value(&[]);
        let relative = difference / apart.abs().max().double_value(&[]);
        println!("{name}: {relative:.1e}");
        // As above: 4e-3 an operation. A shift or a scale left out is off by its own size.
        assert!(relative < 0.1, "{name}: {relative}");
    }
}

#[test]
fn master_weights_statistics_and_gradients_stay_32_bit() {
    // Two families, one of them with biases in its convolutions.
    for model in ["densenet-mini", "resnet50-keras"] {
        let model = bf16(model, Pool::Avg);
        let mut taps = Taps::all();
        let logits = model.forward(&pictures([4, 3, 64, 64]), Mode::TRAIN, &mut taps);
        loss(&logits).backward();
        for weight in model.weights().iter() {
            assert_eq!(weight.tensor.kind(), Kind::Float, "{}", weight.name);
        }
        for weight in model.weights().parameters() {
            assert_eq!(weight.tensor.grad().kind(), Kind::Float, "{}", weight.name);
        }
        for (name, tap) in taps.iter() {
            let head = ["global_pool", "classifier", "fc"].contains(&name);
            assert_eq!(tap.kind(), if head { Kind::Float } else { Kind::BFloat16 }, "{name}");
        }
    }
}

#[test]
fn channels_last_is_kept_by_every_layer() {
    let shape = [2, 3, 64, 64];
    for model in [
        build(&config("densenet-mini", Pool::Avg, 3)),
        bf16("densenet-mini", Pool::Max),
        build(&config("resnet-mini", Pool::Avg, 3)),
        build(&config("resnet20", Pool::Avg, 3)),
        bf16("preresnet20", Pool::Avg),
    ] {
        let mut taps = Taps::all();
        let contiguous = model.forward(&pictures(shape), Mode::TRAIN, &mut Taps::off());
        let logits = model.forward(&channels_last(&pictures(shape)), Mode::TRAIN, &mut taps);
        for (name, tap) in taps.iter().filter(|(_, tap)| tap.dim() == 4) {
            assert!(is_channels_last(tap), "{name}: {:?} strides {:?}", tap.size(), tap.stride());
        }
        let tolerance = if model.config().precision == Precision::Fp32 { 1e-4 } else { 0.15 };
        let difference = (logits - contiguous).abs().max().double_value(&[]);
        println!("{} {difference}", model.config().name);
        assert!(difference < tolerance, "layouts differ by {difference}");
    }
}
