//! `catscan parity`, hidden: whether a device computes what the processor computes. For
//! scripts/gpu/check.sh.
//!
//! The same network with the same weights takes the same ten steps on both, in fp32 and in bf16.
//! The yardstick is the processor's fp32. In fp32 the device may differ from it by rounding,
//! summed up in another order; in bf16 it may be off by no more than the processor's own bf16 is,
//! and half as much again, so that bound is measured beside it.

use anyhow::Result;
use catscan_models::{
    Convention, Memory, Mode, Model, ModelConfig, ModelRow, Pool, Pooling, Precision, Taps,
};
use catscan_torch_ext::graphs::{How, Stepper};
use catscan_torch_ext::{CudaStatus, DeviceSpec, cuda};
use catscan_train::environment::device_name;
use catscan_train::loss;
use catscan_train::optimizer::{Moments, ParameterGroup, flatten, lay_end_to_end};
use serde::Serialize;
use tch::{Device, Kind, Tensor, no_grad};

use super::bench::usual_sgd;
use super::{device, ready};
use crate::output::print_json;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The device to be held against the processor
    #[arg(long, default_value = "auto", value_parser = device)]
    pub device: DeviceSpec,
    /// Networks to try
    #[arg(long, value_delimiter = ',', default_value = "densenet121,resnet50,resnet101")]
    pub models: Vec<String>,
}

const STEPS: usize = 10;
const BATCH: i64 = 8;
const SIDE_PX: i64 = 64;

/// Relative to the yardstick's length: some thousand roundings of 2⁻²⁴, and a margin of ten.
const FP32_LOGITS: f64 = 1e-4;
const FP32_GRADIENT: f64 = 1e-2;
const FP32_LOSSES: f64 = 1e-2;
/// In parts of what the processor's bf16 is off.
const BF16_MARGIN: f64 = 1.5;

/// What is printed.
#[derive(Serialize)]
struct Parity {
    device: String,
    cuda: CudaStatus,
    passed: bool,
    checks: Vec<Check>,
}

#[derive(Serialize)]
struct Check {
    model: String,
    precision: Precision,
    what: &'static str,
    /// ‖device − processor‖ / ‖processor‖.
    gap: f64,
    allowed: f64,
    passed: bool,
    /// How the device took its steps: as a graph, or why not.
    how: String,
}

/// What is compared: `[N, K]`, `[P]`, `[STEPS]`, all on the processor.
struct Outcome {
    logits: Tensor,
    gradient: Tensor,
    losses: Tensor,
    how: String,
}

/// Prints the comparison as JSON; 1 where something is off.
///
/// # Errors
/// A device that is not there, an unknown network, or CUDA's own.
pub fn run(args: &Args) -> Result<u8> {
    let device = ready(args.device)?;
    let mut checks = Vec::new();
    for model in &args.models {
        let [exact, rough] = [Precision::Fp32, Precision::Bf16]
            .map(|precision| ten_steps(model, precision, Device::Cpu));
        let (exact, rough) = (exact?, rough?);
        let theirs = ten_steps(model, Precision::Fp32, device)?;
        let allowed = [FP32_LOGITS, FP32_GRADIENT, FP32_LOSSES];
        checks.extend(compared(model, Precision::Fp32, &theirs, &exact, allowed));
        let theirs = ten_steps(model, Precision::Bf16, device)?;
        let allowed = gaps(&rough, &exact).map(|(_, gap)| BF16_MARGIN * gap);
        checks.extend(compared(model, Precision::Bf16, &theirs, &exact, allowed));
    }
    let passed = checks.iter().all(|check| check.passed);
    print_json(&Parity { device: device_name(device), cuda: cuda::load(), passed, checks })?;
    Ok(u8::from(!passed))
}

fn compared(
    model: &str,
    precision: Precision,
    device: &Outcome,
    processor: &Outcome,
    allowed: [f64; 3],
) -> Vec<Check> {
    let each = gaps(device, processor).into_iter().zip(allowed);
    let check = |((what, gap), allowed): ((&'static str, f64), f64)| Check {
        model: model.to_owned(),
        precision,
        what,
        gap,
        allowed,
        passed: gap <= allowed,
        how: device.how.clone(),
    };
    each.map(check).collect()
}

fn gaps(one: &Outcome, other: &Outcome) -> [(&'static str, f64); 3] {
    let gap = |a: &Tensor, b: &Tensor| ((a - b).norm() / b.norm()).double_value(&[]);
    [
        ("logits", gap(&one.logits, &other.logits)),
        ("gradient", gap(&one.gradient, &other.gradient)),
        ("losses", gap(&one.losses, &other.losses)),
    ]
}

fn config(name: &str, precision: Precision) -> Result<ModelConfig> {
    Ok(ModelConfig {
        name: name.to_owned(),
        shape: None,
        pooling: Pooling::for_sites(ModelRow::find(name)?.sites(), Pool::Avg, Pool::Avg),
        convention: Convention::Torchvision,
        in_channels: 3,
        outputs: 2,
        precision,
        memory: Memory::Keep,
    })
}

/// `[N, 3, H, W]`, the same everywhere because no generator draws them: stripes down or across by
/// the picture's label, so that there is something to learn, under a fine wave.
fn pictures(labels: &Tensor) -> Tensor {
    let device = labels.device();
    let wave = Tensor::arange(BATCH * SIDE_PX * SIDE_PX * 3, (Kind::Double, device));
    let wave = (wave * 12.9898).sin().to_kind(Kind::Float).view([BATCH, SIDE_PX, SIDE_PX, 3]);
    let stripes = (Tensor::arange(SIDE_PX, (Kind::Float, device)) * 0.4).sin();
    let (across, down) = (stripes.view([1, SIDE_PX, 1, 1]), stripes.view([1, 1, SIDE_PX, 1]));
    let is_across = labels.to_kind(Kind::Float).view([BATCH, 1, 1, 1]);
    (across * &is_across + down * (1f64 - is_across) + wave * 0.3).permute([0, 3, 1, 2])
}

fn ten_steps(name: &str, precision: Precision, device: Device) -> Result<Outcome> {
    let model = Model::build(&config(name, precision)?, 1, device)?;
    let labels = Tensor::arange(BATCH, (Kind::Int64, device)).remainder(2);
    let x = pictures(&labels);
    let parameters: Vec<Tensor> =
        model.weights().parameters().map(|weight| weight.tensor.shallow_clone()).collect();
    let mut stepper = Stepper::eager("the processor has no graphs");
    if device.is_cuda() {
        lay_end_to_end(&parameters);
        stepper = Stepper::recorded();
    }
    let logits = no_grad(|| model.forward(&x, Mode::TRAIN, &mut Taps::off()));
    let group = [ParameterGroup::of_all(parameters)];
    let optimizer = usual_sgd();
    let mut moments = Moments::zeros(&optimizer, group[0].numbers(), device);
    let (mut losses, mut first) = (Vec::new(), None);
    for _ in 0..STEPS {
        let (loss, gradient) = stepper.run(|_| {
            let loss = loss::mean(&model.forward(&x, Mode::TRAIN, &mut Taps::off()), &labels);
            let parameters = &group[0].parameters;
            let gradient = flatten(&Tensor::run_backward(&[&loss], parameters, false, false));
            (loss.detach(), gradient)
        })?;
        losses.push(loss.copy());
        first.get_or_insert_with(|| gradient.copy());
        optimizer.step(&group, gradient, &mut moments, optimizer.lr());
    }
    let here = |tensor: &Tensor| tensor.detach().to_device(Device::Cpu).to_kind(Kind::Double);
    Ok(Outcome {
        logits: here(&logits),
        gradient: here(&first.expect("ten steps were taken")),
        losses: here(&Tensor::stack(&losses, 0)),
        how: match stepper.how() {
            How::Recorded => "graph".into(),
            How::WarmingUp { .. } => "eager: warming up".into(),
            How::Eager { reason } => format!("eager: {reason}"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_equal_to_itself_and_bf16_is_told_from_fp32() {
        let name = "densenet-mini";
        let [one, two, rough] = [Precision::Fp32, Precision::Fp32, Precision::Bf16]
            .map(|precision| ten_steps(name, precision, Device::Cpu).unwrap());
        let same = compared(name, Precision::Fp32, &two, &one, [0.0; 3]);
        assert!(same.iter().all(|check| check.passed), "{:?}", gaps(&two, &one));
        for check in
            compared(name, Precision::Fp32, &rough, &one, [FP32_LOGITS, FP32_GRADIENT, 0.0])
        {
            assert!(!check.passed, "{}: bf16 passes for fp32 with {}", check.what, check.gap);
        }
        let last = one.losses.double_value(&[STEPS as i64 - 1]);
        assert!(last < one.losses.double_value(&[0]), "it learns");
    }
}
