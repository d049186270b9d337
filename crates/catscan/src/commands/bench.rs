//! `catscan bench`, hidden: takes timed steps on request, so that `scripts/bench/models.py` can let
//! PyTorch take turns with it on the same cores.
//!
//! One JSON request a line on standard input, one JSON answer a line on standard output, until the
//! input ends:
//!
//! ```text
//! {"model":"densenet121","work":"step","batch":20,"size_px":64,"precision":"bf16",
//!  "layout":"channels_last","memory":"keep","repeat":3}
//! {"seconds":[0.41,0.40,0.42],"peak_bytes":1234}
//! ```
//!
//! A step is on one batch that lies there: no loader, no augmentation, no events, no saves. On the
//! processor it is the step alone, as PyTorch's loop beside it takes it; on a CUDA device it is the
//! training loop's own, looks for a NaN included (`Rehearsal`). What the last request asked for is
//! kept ([`requests`]); `repeat: 0` builds and does nothing. With `"device":"cuda:0"` the repetitions
//! are asked for one after the other and waited for together, so all of them have one time;
//! `"graph":true` records the step as a CUDA graph, and the answer's `how` says whether that came
//! about.
//! `catscan bench scans` answers other requests: see `scans.rs`.

pub mod requests;
mod scans;

use std::time::Instant;

use anyhow::Result;
use catscan_models::{Convention, Memory, Mode, ModelConfig, ModelRow, Precision, Shape, Taps};
use catscan_train::batches::Batch;
use catscan_train::environment::peak_memory_bytes;
use catscan_train::loss::Targets;
use catscan_train::{Init, Recipe, Rehearsal, Schedule, Semantics, Sgd};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, no_grad};

use self::requests::{Kept, answer_each};
use crate::args::ready;
use crate::recipes::original;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What is timed
    #[arg(value_enum, default_value_t = What::Steps)]
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Forwards and training steps
    Steps,
    /// Class activation maps, and whether to believe them
    Scans,
}

/// What to do, and how often.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    model: String,
    work: Work,
    batch: u32,
    size_px: i64,
    precision: Precision,
    layout: Layout,
    memory: Memory,
    repeat: usize,
    /// As `--device`; the processor without it.
    #[serde(default)]
    device: Option<String>,
    #[serde(default)]
    graph: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Work {
    /// Evaluation, without a graph.
    Forward,
    /// Forward, loss, backward and the optimiser's step.
    Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Layout {
    Nchw,
    ChannelsLast,
}

#[derive(Debug, Serialize)]
struct Answer {
    /// Of each repetition.
    seconds: Vec<f64>,
    /// The most memory this process ever held, where the system tells.
    peak_bytes: Option<u64>,
    /// How a step on a CUDA device is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    how: Option<String>,
}

/// A network and a batch, ready to go.
struct Bench {
    work: Work,
    rehearsal: Rehearsal,
    batch: Batch,
    lr: f64,
    device: Device,
}

/// Answers requests until there are no more.
///
/// # Errors
/// A request that cannot be read or a model that cannot be built.
pub fn run(args: &Args) -> Result<u8> {
    match args.what {
        What::Steps => {
            let mut kept = Kept::new();
            answer_each(|request: Request| {
                let repeat = request.repeat;
                let bench = kept.of(Request { repeat: 0, ..request }, Bench::new)?;
                bench.answer(repeat)
            })?;
        }
        What::Scans => {
            let mut scans = scans::Scans::default();
            answer_each(|request| scans.answer(&request))?;
        }
    }
    Ok(0)
}

/// The network of this name as peers are compared on it: two classes, or the notebooks' ten digits.
pub(super) fn config(model: &str, precision: Precision, memory: Memory) -> Result<ModelConfig> {
    let row = ModelRow::find(model)?;
    let natural = row.natural_config();
    let (convention, outputs) = match row.shape {
        Shape::Mnist(_) => (Convention::KerasLayers, natural.outputs),
        _ => (natural.convention, 2),
    };
    Ok(ModelConfig { convention, outputs, precision, memory, ..natural })
}

/// The study's step of such a network, in PyTorch's formula, as peers take it.
pub(super) fn recipe(model: ModelConfig, batch: u32) -> Recipe {
    let sgd = Sgd {
        lr: 1e-3,
        momentum: 0.9,
        nesterov: false,
        dampening: 0.0,
        weight_decay: 0.0,
        semantics: Semantics::Pytorch,
    };
    let (init, schedule) = (Init::Random, Schedule::Constant);
    Recipe { model, init, optimizer: sgd.into(), schedule, batch, seed: 1, ..original() }
}

/// Pictures and labels `[N]` on a device, as the loop gets a batch.
pub(super) fn batch(images: Tensor, labels: Tensor) -> Batch {
    let pictures = labels.size()[0] as u32;
    let targets = Targets::new(labels, None);
    Batch { images, targets, indices: (0..pictures).collect(), pass: 0 }
}

/// `[N, C, H, W]` in this layout.
fn laid_out(x: &Tensor, layout: Layout) -> Tensor {
    match layout {
        Layout::Nchw => x.contiguous(),
        Layout::ChannelsLast => x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]),
    }
}

impl Bench {
    fn new(request: &Request) -> Result<Bench> {
        let config = config(&request.model, request.precision, request.memory)?;
        let device = match &request.device {
            Some(text) => ready(text.parse()?)?,
            None => Device::Cpu,
        };
        let (n, px) = (i64::from(request.batch), request.size_px);
        let random = Tensor::rand([n, config.in_channels, px, px], (Kind::Float, device));
        let labels = Tensor::arange(n, (Kind::Int64, device)).remainder(config.outputs);
        let recipe = recipe(config, request.batch);
        let rehearsal = Rehearsal::of(&recipe, &[], device)?;
        Ok(Bench {
            work: request.work,
            rehearsal: if request.graph { rehearsal } else { rehearsal.without_graph() },
            batch: batch(laid_out(&random, request.layout), labels),
            lr: recipe.optimizer.lr(),
            device,
        })
    }

    fn answer(&mut self, repeat: usize) -> Result<Answer> {
        let seconds = self.repeat(repeat)?;
        let how = self.device.is_cuda().then(|| self.rehearsal.how());
        Ok(Answer { seconds, peak_bytes: peak_memory_bytes(), how })
    }

    /// Seconds of each of so many repetitions; on CUDA the mean of all, which the host asks for
    /// without waiting in between but where a training would.
    fn repeat(&mut self, times: usize) -> Result<Vec<f64>> {
        let Device::Cuda(index) = self.device else {
            return (0..times).map(|_| self.time()).collect();
        };
        tch::Cuda::synchronize(index as i64);
        let began = Instant::now();
        for _ in 0..times {
            self.time()?;
        }
        tch::Cuda::synchronize(index as i64);
        Ok(vec![began.elapsed().as_secs_f64() / times.max(1) as f64; times])
    }

    /// Seconds of one repetition, as far as the host waits for it.
    fn time(&mut self) -> Result<f64> {
        let began = Instant::now();
        match self.work {
            Work::Forward => {
                let (model, x) = (self.rehearsal.model(), &self.batch.images);
                let _ = no_grad(|| model.forward(x, Mode::Eval, &mut Taps::off()));
            }
            Work::Step if self.device.is_cuda() => {
                self.rehearsal.take(&self.batch, self.lr, |_| ())?;
            }
            Work::Step => self.rehearsal.take_unread(&self.batch, self.lr),
        }
        Ok(began.elapsed().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_request_is_read_and_done() {
        for (work, precision, layout) in
            [("forward", "fp32", "nchw"), ("step", "bf16", "channels_last")]
        {
            let text = format!(
                r#"{{"model":"densenet-mini","work":"{work}","batch":2,"size_px":64,
                "precision":"{precision}","layout":"{layout}","memory":"keep","repeat":1}}"#
            );
            let mut bench = Bench::new(&serde_json::from_str(&text).unwrap()).unwrap();
            let first = || bench.rehearsal.model().weights().iter().next().unwrap().tensor.copy();
            let before = first();
            assert!(bench.repeat(2).unwrap()[1] > 0.0);
            let now = bench.rehearsal.model().weights().iter().next().unwrap().tensor.copy();
            assert_eq!(before == now, work == "forward");
        }
    }
}
