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
//! The model of the last request is kept, so that repeating a request repeats the work only;
//! `repeat: 0` builds and does nothing. With `"device":"cuda:0"` the repetitions are asked for one
//! after the other and waited for together, so all of them have one time; `"graph":true` records the
//! step as a CUDA graph, and the answer's `how` says whether that came about.
//! `catscan bench scans` answers other requests: see `scans.rs`.

mod scans;

use std::io::{self, BufRead};
use std::time::Instant;

use anyhow::{Context, Result};
use catscan_models::{
    Convention, Memory, Mode, Model, ModelConfig, ModelRow, Pool, Pooling, Precision, Shape, Taps,
};
use catscan_torch_ext::graphs::{How, Pass, Stepper};
use catscan_train::environment::peak_memory_bytes;
use catscan_train::optimizer::{Moments, Optimizer, ParameterGroup, flatten, lay_end_to_end};
use catscan_train::{Semantics, Sgd, loss};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, no_grad};

use super::ready;
use crate::output::print;

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
    batch: i64,
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

/// A model, a batch and an optimiser, ready to go.
struct Bench {
    request: Request,
    model: Model,
    x: Tensor,
    labels: Tensor,
    groups: Vec<ParameterGroup>,
    optimizer: Optimizer,
    moments: Moments,
    device: Device,
    /// Forward, loss and backward; leaves the gradient `[P]`.
    stepper: Stepper<Tensor>,
}

/// Answers requests until there are no more.
///
/// # Errors
/// A request that cannot be read or a model that cannot be built.
pub fn run(args: &Args) -> Result<u8> {
    match args.what {
        What::Steps => steps()?,
        What::Scans => {
            let mut scans = scans::Scans::default();
            answer_each(|request| scans.answer(&request))?;
        }
    }
    Ok(0)
}

/// Reads requests, a line each, and prints their answers, until there are no more.
fn answer_each<R: DeserializeOwned, A: Serialize>(
    mut answer: impl FnMut(R) -> Result<A>,
) -> Result<()> {
    for line in io::stdin().lock().lines() {
        let line = line.context("reading a request")?;
        let request = serde_json::from_str(&line).with_context(|| line.clone())?;
        print(format_args!("{}\n", serde_json::to_string(&answer(request)?)?))?;
    }
    Ok(())
}

fn steps() -> Result<()> {
    let mut bench: Option<Bench> = None;
    answer_each(|request: Request| {
        let repeat = request.repeat;
        let ready = match bench.take() {
            Some(ready)
                if (Request { repeat: ready.request.repeat, ..request.clone() })
                    == ready.request =>
            {
                ready
            }
            old => {
                drop(old);
                Bench::new(request)?
            }
        };
        let ready = bench.insert(ready);
        let seconds = ready.repeat(repeat)?;
        let how = ready.device.is_cuda().then(|| in_words(ready.stepper.how()));
        Ok(Answer { seconds, peak_bytes: peak_memory_bytes(), how })
    })
}

/// The network of this name as peers are compared on it: two classes of three channels, or the
/// notebooks' ten digits.
fn config(model: &str, precision: Precision, memory: Memory) -> Result<ModelConfig> {
    let row = ModelRow::find(model)?;
    let (pool, convention, in_channels, outputs) = match row.shape {
        Shape::Mnist(_) => (Pool::Max, Convention::KerasLayers, 1, 10),
        _ => (Pool::Avg, Convention::Torchvision, 3, 2),
    };
    Ok(ModelConfig {
        name: model.to_owned(),
        shape: None,
        pooling: Pooling::for_sites(row.sites(), pool, Pool::Avg),
        convention,
        in_channels,
        outputs,
        precision,
        memory,
    })
}

/// What steps are taken by where only their time or their rounding is asked for.
pub(super) fn usual_sgd() -> Optimizer {
    Optimizer::Sgd(Sgd {
        lr: 1e-3,
        momentum: 0.9,
        nesterov: false,
        dampening: 0.0,
        weight_decay: 0.0,
        semantics: Semantics::Pytorch,
    })
}

/// `[N, C, H, W]` in this layout.
fn laid_out(x: &Tensor, layout: Layout) -> Tensor {
    match layout {
        Layout::Nchw => x.contiguous(),
        Layout::ChannelsLast => x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]),
    }
}

impl Bench {
    fn new(request: Request) -> Result<Bench> {
        let config = config(&request.model, request.precision, request.memory)?;
        let device = match &request.device {
            Some(text) => ready(text.parse()?)?,
            None => Device::Cpu,
        };
        let model = Model::build(&config, 1, device)?;
        let (n, px) = (request.batch, request.size_px);
        let random = Tensor::rand([n, config.in_channels, px, px], (Kind::Float, device));
        let x = laid_out(&random, request.layout);
        let labels = Tensor::arange(n, (Kind::Int64, device)).remainder(config.outputs);
        let parameters = model.weights().parameters().map(|weight| weight.tensor.shallow_clone());
        let group = ParameterGroup::of_all(parameters.collect());
        let optimizer = usual_sgd();
        let moments = Moments::zeros(&optimizer, group.numbers(), device);
        if device.is_cuda() {
            lay_end_to_end(&group.parameters);
        }
        let stepper = match (device, request.graph) {
            (Device::Cuda(_), true) => Stepper::recorded(),
            (Device::Cuda(_), false) => Stepper::eager("as asked for"),
            _ => Stepper::eager("graphs are CUDA's"),
        };
        let groups = vec![group];
        Ok(Bench { request, model, x, labels, groups, optimizer, moments, device, stepper })
    }

    /// Seconds of each of so many repetitions; on CUDA the mean of all, which the host asks for
    /// without waiting in between, as in a training.
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
        match self.request.work {
            Work::Forward => {
                let _ = no_grad(|| self.model.forward(&self.x, Mode::Eval, &mut Taps::off()));
            }
            Work::Step => self.step()?,
        }
        Ok(began.elapsed().as_secs_f64())
    }

    /// As the training loop steps (`crates/train/src/train.rs`), without its bookkeeping.
    fn step(&mut self) -> Result<()> {
        let (model, x, labels) = (&self.model, &self.x, &self.labels);
        let parameters = &self.groups[0].parameters;
        let gradient = self.stepper.run(|_: Pass| {
            let logits = model.forward(x, Mode::TRAIN, &mut Taps::off());
            let loss = loss::mean(&logits, labels);
            flatten(&Tensor::run_backward(&[&loss], parameters, false, false))
        })?;
        self.optimizer.step(&self.groups, gradient, &mut self.moments, self.optimizer.lr());
        Ok(())
    }
}

fn in_words(how: &How) -> String {
    match how {
        How::WarmingUp { left } => format!("warming up, {left} steps left"),
        How::Recorded => "graph".into(),
        How::Eager { reason } => format!("eager: {reason}"),
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
            let mut bench = Bench::new(serde_json::from_str(&text).unwrap()).unwrap();
            assert!(bench.repeat(1).unwrap()[0] > 0.0);
            let steps = if work == "step" { 1 } else { 0 };
            assert_eq!(bench.moments.steps(), steps);
        }
    }
}
