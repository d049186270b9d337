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
//! `repeat: 0` builds and does nothing.

use std::io::{self, BufRead};
use std::time::Instant;

use anyhow::{Context, Result};
use catscan_models::{
    Convention, Memory, Mode, Model, ModelConfig, ModelRow, Pool, Pooling, Precision, Shape, Taps,
};
use catscan_train::optimizer::{Moments, Optimizer, ParameterGroup, flatten};
use catscan_train::{Semantics, Sgd, loss};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, no_grad};

use crate::output::print;

#[derive(Debug, clap::Args)]
pub struct Args {}

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
}

/// Answers requests until there are no more.
///
/// # Errors
/// A request that cannot be read or a model that cannot be built.
pub fn run(_: &Args) -> Result<u8> {
    let mut bench: Option<Bench> = None;
    for line in io::stdin().lock().lines() {
        let line = line.context("reading a request")?;
        let request: Request = serde_json::from_str(&line).with_context(|| line.clone())?;
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
        let seconds = (0..repeat).map(|_| ready.time()).collect();
        let answer = Answer { seconds, peak_bytes: peak_bytes() };
        print(format_args!("{}\n", serde_json::to_string(&answer)?))?;
    }
    Ok(0)
}

impl Bench {
    fn new(request: Request) -> Result<Bench> {
        let row = ModelRow::find(&request.model)?;
        let (pool, convention, in_channels, outputs) = match row.shape {
            Shape::Mnist(_) => (Pool::Max, Convention::KerasLayers, 1, 10),
            _ => (Pool::Avg, Convention::Torchvision, 3, 2),
        };
        let config = ModelConfig {
            name: request.model.clone(),
            shape: None,
            pooling: Pooling::for_sites(row.sites(), pool, Pool::Avg),
            convention,
            in_channels,
            outputs,
            precision: request.precision,
            memory: request.memory,
        };
        let model = Model::build(&config, 1, Device::Cpu)?;
        let (n, px) = (request.batch, request.size_px);
        let cpu = (Kind::Float, Device::Cpu);
        let x = match request.layout {
            Layout::Nchw => Tensor::rand([n, config.in_channels, px, px], cpu),
            Layout::ChannelsLast => {
                Tensor::rand([n, px, px, config.in_channels], cpu).permute([0, 3, 1, 2])
            }
        };
        let labels = Tensor::arange(n, (Kind::Int64, Device::Cpu)).remainder(config.outputs);
        let parameters = model.weights().parameters().map(|weight| weight.tensor.shallow_clone());
        let group = ParameterGroup::of_all(parameters.collect());
        let optimizer = Optimizer::Sgd(Sgd {
            lr: 1e-3,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 0.0,
            semantics: Semantics::Pytorch,
        });
        let moments = Moments::zeros(&optimizer, group.numbers(), Device::Cpu);
        Ok(Bench { request, model, x, labels, groups: vec![group], optimizer, moments })
    }

    /// Seconds of one repetition.
    fn time(&mut self) -> f64 {
        let began = Instant::now();
        match self.request.work {
            Work::Forward => {
                let _ = no_grad(|| self.model.forward(&self.x, Mode::Eval, &mut Taps::off()));
            }
            Work::Step => self.step(),
        }
        began.elapsed().as_secs_f64()
    }

    /// As the training loop steps (`crates/train/src/train.rs`), without its bookkeeping.
    fn step(&mut self) {
        let logits = self.model.forward(&self.x, Mode::TRAIN, &mut Taps::off());
        let loss = loss::mean(&logits, &self.labels);
        let parameters = &self.groups[0].parameters;
        let gradient = flatten(&Tensor::run_backward(&[&loss], parameters, false, false));
        self.optimizer.step(&self.groups, &gradient, &mut self.moments, self.optimizer.lr());
    }
}

/// The most memory this process ever held, where the system tells (`VmHWM`).
pub fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
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
            assert!(bench.time() > 0.0);
            let steps = if work == "step" { 1 } else { 0 };
            assert_eq!(bench.moments.steps(), steps);
        }
    }
}
