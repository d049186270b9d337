//! `catscan parity`, hidden: whether a device computes what the processor computes. For
//! scripts/gpu/check.sh.
//!
//! The same network with the same weights takes the same ten steps on both, in fp32 and in bf16:
//! the training loop's own ([`Rehearsal`]), with clipping and averaged weights, on a card as a CUDA
//! graph. The pictures that a recipe augments are compared beside that.
//!
//! The yardstick is the processor's fp32, and each bound is measured on the processor beside it. In
//! fp32 the device may differ by rounding: by thirty times what the last bit of the pictures
//! changes, which a network of fifty layers magnifies (and by no more than half of what bf16 is
//! off). In bf16 it may be off by what the processor's own bf16 is, and half as much again.

use std::thread;

use anyhow::{Context, Result};
use catscan_data::{DataConfig, Dataset};
use catscan_models::{Memory, Mode, Model, Precision, Role, Taps};
use catscan_torch_ext::{CudaStatus, DeviceSpec, cuda};
use catscan_train::batches::{Loader, Plan};
use catscan_train::environment::device_name;
use catscan_train::optimizer::{Gradient, flatten};
use catscan_train::{Clip, Ema, Recipe, Rehearsal};
use serde::Serialize;
use tch::{Device, Kind, Tensor, no_grad};

use super::bench::{batch, config, recipe};
use crate::args::{device, ready};
use crate::output::print_json;
use crate::recipes::original;

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
const BATCH: u32 = 8;
const SIDE_PX: u32 = 64;

/// What is compared, by its place in [`Outcome::tensors`].
const COMPARED: [&str; 6] = [
    "augmented pictures",
    "logits",
    "gradient",
    "losses",
    // By which the averaged weights moved in all steps, and where running statistics came to.
    "average",
    "statistics",
];
type Gaps = [f64; COMPARED.len()];

/// So small that no step magnifies the rounding of the one before it.
const LR: f64 = 1e-4;
/// Of the pictures, whatever the precision: where an affine puts a pixel is rounded. The
/// processor's own two ways are 5e-7 apart.
const PICTURES: f64 = 1e-4;
/// In parts of what the pictures' last bit changes: each layer of a device rounds in its own way.
const FP32_MARGIN: f64 = 30.0;
/// In parts of what the processor's bf16 is off.
const BF16_MARGIN: f64 = 1.5;
const FP32_MOST: f64 = 0.5;

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

/// What each of [`COMPARED`] is, on the processor.
struct Outcome {
    tensors: [Tensor; COMPARED.len()],
    how: String,
}

/// Prints the comparison as JSON; 1 where something is off.
///
/// # Errors
/// A device that is not there, an unknown network, or CUDA's own.
pub fn run(args: &Args) -> Result<u8> {
    let device = ready(args.device)?;
    let drawings = Drawings::new()?;
    let mut checks = Vec::new();
    for model in &args.models {
        let steps = |precision, device| ten_steps(model, precision, device, Ulp::As, &drawings);
        let exact = steps(Precision::Fp32, Device::Cpu)?;
        let rough = gaps(&steps(Precision::Bf16, Device::Cpu)?, &exact);
        let nudged = ten_steps(model, Precision::Fp32, Device::Cpu, Ulp::Off, &drawings)?;
        let allowed = allowed(&gaps(&nudged, &exact), &rough);
        for (precision, allowed) in [Precision::Fp32, Precision::Bf16].into_iter().zip(allowed) {
            let theirs = steps(precision, device)?;
            checks.extend(compared(model, precision, &theirs, &exact, allowed));
        }
    }
    let passed = checks.iter().all(|check| check.passed);
    print_json(&Parity { device: device_name(device), cuda: cuda::load(), passed, checks })?;
    Ok(u8::from(!passed))
}

/// In fp32 and in bf16, by what the last bit of the pictures changes and by what bf16 is off.
fn allowed(nudged: &Gaps, rough: &Gaps) -> [Gaps; 2] {
    let of = |bound: &dyn Fn(usize) -> f64| {
        let mut allowed = std::array::from_fn(bound);
        allowed[0] = PICTURES;
        allowed
    };
    let fp32 = |at: usize| (FP32_MARGIN * nudged[at]).min(FP32_MOST * rough[at]);
    [of(&fp32), of(&|at| BF16_MARGIN * rough[at])]
}

fn compared(
    model: &str,
    precision: Precision,
    device: &Outcome,
    processor: &Outcome,
    allowed: Gaps,
) -> Vec<Check> {
    let each = COMPARED.iter().zip(gaps(device, processor)).zip(allowed);
    let check = |((what, gap), allowed): ((&&'static str, f64), f64)| Check {
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

fn gaps(one: &Outcome, other: &Outcome) -> Gaps {
    let gap = |a: &Tensor, b: &Tensor| ((a - b).norm() / b.norm()).double_value(&[]);
    std::array::from_fn(|at| gap(&one.tensors[at], &other.tensors[at]))
}

/// A few drawn pictures, and the study's recipe for them.
struct Drawings {
    dataset: Dataset,
    recipe: Recipe,
    /// Where the cache is; dropped with its contents.
    _cache: tempfile::TempDir,
}

impl Drawings {
    fn new() -> Result<Drawings> {
        let base = original();
        let source = format!("critters:{}", 4 * BATCH);
        let data = DataConfig { source, size_px: SIDE_PX, ..base.data };
        let recipe = Recipe { data, batch: BATCH, ..original() };
        let cache = tempfile::tempdir().context("making a folder for the cache")?;
        let dataset = Dataset::open(&recipe.data, cache.path(), &())?;
        Ok(Drawings { dataset, recipe, _cache: cache })
    }

    /// The study's first batch as `device` augments it: pictures `[N, C, H, W]`, labels `[N]`.
    fn first(&self, device: Device) -> Result<(Tensor, Tensor)> {
        let planned = Plan::of_training(&self.recipe, &self.dataset)?.steps(0..1);
        thread::scope(|scope| {
            let mut batches = Loader::start(scope, &self.dataset, device, 1, planned);
            let batch = batches.next_batch()?.context("a plan has a first batch")?;
            Ok((batch.images, batch.targets.labels))
        })
    }
}

/// Whether the last bits of the pictures are as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ulp {
    As,
    Off,
}

fn ten_steps(
    name: &str,
    precision: Precision,
    device: Device,
    ulp: Ulp,
    drawings: &Drawings,
) -> Result<Outcome> {
    let recipe = Recipe {
        clip: Some(Clip::Norm(1.0)),
        ema: Some(Ema { decay: 0.9, warmup_power: None }),
        ..recipe(config(name, precision, Memory::Keep)?, BATCH)
    };
    let mut rehearsal = Rehearsal::of(&recipe, &[], device)?;
    // Of one making, so that all that is compared from here on is arithmetic.
    let (mut x, labels) = drawings.first(Device::Cpu)?;
    if ulp == Ulp::Off {
        // Of every other column: what is alike in all pixels a batch norm takes out again.
        let odd = Tensor::arange(i64::from(SIDE_PX), (Kind::Float, Device::Cpu)).remainder(2);
        x *= odd * f64::from(f32::EPSILON) + 1.0;
    }
    let batch = batch(x.to_device(device), labels.to_device(device));
    let begun = weights(rehearsal.model(), Role::Parameter);
    let model = rehearsal.model();
    let logits = no_grad(|| model.forward(&batch.images, Mode::TRAIN, &mut Taps::off()));
    let mut first = None;
    for _ in 0..STEPS {
        let gradient = rehearsal.take(&batch, LR, Gradient::row)?;
        first.get_or_insert_with(|| gradient.copy());
    }
    let [average, statistics] =
        [Role::Parameter, Role::Buffer].map(|role| rehearsal.judged(|model| weights(model, role)));
    let here = |tensor: Tensor| tensor.detach().to_device(Device::Cpu).to_kind(Kind::Double);
    let tensors = [
        drawings.first(device)?.0,
        logits,
        first.expect("ten steps were taken"),
        Tensor::from_slice(&rehearsal.losses()),
        average - begun,
        statistics,
    ];
    Ok(Outcome { tensors: tensors.map(here), how: rehearsal.how() })
}

/// All tensors of a role, end to end.
fn weights(model: &Model, role: Role) -> Tensor {
    let all = model.weights().iter().filter(|weight| weight.role == role);
    flatten(&all.map(|weight| weight.tensor.detach()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_equal_to_itself_and_bf16_is_told_from_fp32() {
        let (name, drawings) = ("densenet-mini", Drawings::new().unwrap());
        let steps =
            |precision, ulp| ten_steps(name, precision, Device::Cpu, ulp, &drawings).unwrap();
        let (one, two) = (steps(Precision::Fp32, Ulp::As), steps(Precision::Fp32, Ulp::As));
        let same = compared(name, Precision::Fp32, &two, &one, [0.0; COMPARED.len()]);
        assert!(same.iter().all(|check| check.passed), "{:?}", gaps(&two, &one));
        let rough = gaps(&steps(Precision::Bf16, Ulp::As), &one);
        let nudged = gaps(&steps(Precision::Fp32, Ulp::Off), &one);
        let [fp32, bf16] = allowed(&nudged, &rough);
        for (at, what) in COMPARED.iter().enumerate().skip(1) {
            assert!(nudged[at] > 0.0, "{what}: a last bit changes nothing, so no rounding may");
            assert!(rough[at] > fp32[at], "{what}: bf16 passes for fp32 with {}", rough[at]);
            assert!(rough[at] < bf16[at], "{what}");
        }
        assert!(fp32[1] < 0.1 * rough[1], "logits: {} and {}", fp32[1], rough[1]);
        let losses = &one.tensors[3];
        assert!(losses.double_value(&[-1]) < losses.double_value(&[0]), "it learns");
    }
}
