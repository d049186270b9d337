//! bf16 and memory layout: what stays 32-bit, what stays channels_last, and that the layout changes
//! no result by more than its rounding. How far bf16 may be from the exact answer is in `bf16.rs`.

use catscan_models::{Mode, Model, ModelConfig, Pool, Precision, Taps};
use tch::Kind;

use super::support::{build, channels_last, config, is_channels_last, loss, pictures};

fn bf16(name: &str, pool: Pool) -> Model {
    build(&ModelConfig { precision: Precision::Bf16, ..config(name, pool, 3) })
}

#[test]
fn master_weights_statistics_and_gradients_stay_32_bit() {
    // Two families, one of them with biases in its convolutions; layer by layer, and fused.
    for (model, mut taps) in [
        ("densenet-mini", Taps::all()),
        ("densenet-mini", Taps::off()),
        ("resnet50-keras", Taps::all()),
        ("resnet50-keras", Taps::off()),
    ] {
        let model = bf16(model, Pool::Avg);
        let logits = model.forward(&pictures([4, 3, 64, 64]), Mode::TRAIN, &mut taps);
        loss(&logits).backward();
        let weights = model.weights();
        for weight in weights.iter() {
            assert_eq!(weight.tensor.kind(), Kind::Float, "{}", weight.name);
        }
        for weight in weights.parameters() {
            assert_eq!(weight.tensor.grad().kind(), Kind::Float, "{}", weight.name);
        }
        for (name, tap) in taps.iter() {
            let head = ["global_pool", "classifier", "fc"].contains(&name);
            assert_eq!(tap.kind(), if head { Kind::Float } else { Kind::BFloat16 }, "{name}");
        }
        // Nor are they bf16 numbers in 32-bit, but for the convolutions' gradients.
        let convolves = |name: &str| name.contains("conv") || name.contains("downsample.0");
        let gradients = weights.parameters().filter(|weight| !convolves(&weight.name));
        let gradients = gradients.map(|weight| (&weight.name, weight.tensor.grad()));
        let running = weights.iter().filter(|weight| weight.name.contains("running"));
        let running = running.map(|weight| (&weight.name, weight.tensor.shallow_clone()));
        for (name, tensor) in gradients.chain(running) {
            let rounded = tensor.to_kind(Kind::BFloat16).to_kind(Kind::Float);
            assert!(rounded != tensor, "{name} is bf16");
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
