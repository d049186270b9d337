//! The training loop: batches → forward → loss → backward → step → metrics → events.
//!
//! It reads from top to bottom. What it stands on: `run.rs` opens the folder and finds the
//! place to go on from, `batches.rs` gathers (and augments) ahead, `optimizer.rs` steps.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use catscan_data::Dataset;
use catscan_models::{Draws, Mode, Taps};
use tch::{Device, Tensor};

use crate::batches::{Batch, Loader};
use crate::error::TrainError;
use crate::evaluate::names;
use crate::event::{Event, Signal, Watch};
use crate::recipe::Recipe;
use crate::run::{Opened, Run};
use crate::{first_bad, loss, optimizer};

/// One training to be made, and where.
pub struct Job<'a> {
    /// Validated again before anything is written.
    pub recipe: &'a Recipe,
    /// Opened from `recipe.data`: another picture size or number of classes is refused.
    pub dataset: &'a Dataset,
    /// Where model and batches live; a checkpoint remembers it.
    pub device: Device,
    /// Threads that gather batches ahead; with 0 the trainer gathers by itself. No result depends
    /// on it.
    pub workers: usize,
    /// The run's folder; made when absent, gone on with when it holds this recipe's checkpoints.
    pub folder: &'a Path,
    /// Stop after this many steps in all, evaluate, and mark the run as bounded.
    pub max_steps: Option<u64>,
    /// When checkpoints are made, how many stay, and what becomes of one that cannot be written.
    pub saving: Saving,
    /// Go on from this very checkpoint, not from the newest; later ones of `folder` are set aside.
    pub resume: Option<&'a Path>,
    /// Go on from a checkpoint although threads, device, batch, pictures or the like have changed,
    /// and note it. Never covers another network or another optimiser.
    pub allow_inexact_resume: bool,
    /// What the run is part of; written to environment.json.
    pub experiment: String,
    /// Of the experiment; written to environment.json.
    pub arm: String,
    /// Program and arguments as typed; written to environment.json.
    pub command: Vec<String>,
}

/// How a run is kept safe; no result depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saving {
    /// Also save in the middle of an epoch, every so many steps.
    pub every_steps: Option<u64>,
    /// How many of the newest checkpoints stay, at least one; the best stays beside them.
    pub keep: usize,
    /// A checkpoint cannot be written.
    pub on_error: OnSaveError,
}

impl Saving {
    /// At the end of each epoch; two stay, the second for when the first is damaged.
    pub const USUAL: Saving = Saving { every_steps: None, keep: 2, on_error: OnSaveError::Stop };

    /// Whether a checkpoint is due in the middle of an epoch.
    fn is_due(self, step: u64) -> bool {
        self.every_steps.is_some_and(|every| step.is_multiple_of(every.max(1)))
    }
}

/// What becomes of a run whose checkpoint cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSaveError {
    /// It ends, with exit code 7. What was saved before is still there.
    Stop,
    /// It goes on with a warning, and tries again when the next checkpoint is due.
    Warn,
}

/// How a call of [`train`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All steps were taken and the test part was scored.
    Finished,
    /// Stopped after a checkpoint; the same call goes on from it.
    Interrupted(Signal),
    /// The folder already held the result.
    AlreadyDone,
}

/// Trains `job.recipe` in `job.folder`, from the newest complete checkpoint if there is one, and
/// scores the test part once at the end.
///
/// # Errors
/// Impossible recipes and folders are refused before anything is written; a loss or gradient that
/// is not finite stops the run before it reaches the weights; see [`TrainError::exit_code`].
pub fn train(job: &Job, watch: &mut dyn Watch) -> Result<Outcome, TrainError> {
    let started = Instant::now();
    let mut run = match Run::open(job, watch)? {
        Opened::Run(run) => run,
        Opened::AlreadyDone => return Ok(Outcome::AlreadyDone),
    };
    match epochs(job, &mut run, watch).and_then(|()| run.test(job, watch)) {
        Ok(()) => {
            let (steps, bounded) = (run.state.step, run.is_bounded());
            let seconds = started.elapsed().as_secs_f64();
            watch.on_event(&Event::Finished { steps, bounded, seconds });
            Ok(Outcome::Finished)
        }
        Err(TrainError::Stopped(signal)) => {
            // Not with a warning: who stops a run must know whether it can go on.
            run.save(watch)?;
            watch.on_event(&Event::Interrupted { signal, step: run.state.step });
            Ok(Outcome::Interrupted(signal))
        }
        Err(error) => Err(error),
    }
}

fn epochs(job: &Job, run: &mut Run, watch: &mut dyn Watch) -> Result<(), TrainError> {
    let (recipe, parameters) = (job.recipe, run.parameters());
    thread::scope(|scope| {
        while let Some(steps) = run.next_epoch() {
            let plan = run.plan.steps(steps);
            let mut batches = Loader::start(scope, job.dataset, job.device, job.workers, plan);
            let mut clock = Instant::now();
            while let Some(batch) = batches.next_batch()? {
                // images [N, C, H, W] -> logits [N, K] -> loss [] -> gradient [P]
                let draws = Draws { seed: recipe.seed, epoch: batch.pass, samples: &batch.indices };
                let logits = run.model.forward(&batch.images, Mode::Train(draws), &mut Taps::off());
                let loss = match &batch.own {
                    None => loss::mean(&logits, &batch.labels),
                    Some(own) => loss::mixed_mean(&logits, &batch.labels, own),
                };
                let gradient = Tensor::run_backward(&[&loss], &parameters, false, false);
                let gradient = optimizer::flatten(&gradient);
                let loss = finite(job.dataset, run, &loss, &gradient, &batch, draws)?;

                let lr = recipe.schedule.lr(recipe.optimizer.lr(), run.state.step, run.steps_total);
                recipe.optimizer.step(&run.groups, &gradient, &mut run.moments, lr);

                let right = loss::right(&logits, &batch.labels);
                let time = StepTime::of(&mut clock, batches.take_waited());
                run.took_step(loss, right, batch.indices.len() as u64, lr, time);
                watch.on_event(&run.step_event());
                if let Some(signal) = watch.should_stop() {
                    return Err(TrainError::Stopped(signal));
                }
                if job.saving.is_due(run.state.step) {
                    run.save_or_warn(watch)?;
                    clock = Instant::now();
                }
            }
            run.close_epoch(job, watch)?;
        }
        Ok(())
    })
}

/// The loss as a number, if it and every gradient are finite: a NaN must not reach the weights.
fn finite(
    dataset: &Dataset,
    run: &Run,
    loss: &Tensor,
    gradient: &Tensor,
    batch: &Batch,
    draws: Draws,
) -> Result<f64, TrainError> {
    let value = loss.double_value(&[]);
    let largest = largest(gradient);
    for (what, value) in [("the loss", value), ("the largest gradient", largest)] {
        if !value.is_finite() {
            let place = format!("step {}", run.state.step + 1);
            let first = first_bad::of_step(run, batch, draws, gradient);
            let pictures = names(dataset, &batch.indices);
            return Err(TrainError::NotFinite { place, what, value, first, pictures });
        }
    }
    Ok(value)
}

/// The largest magnitude, NaN if any value is, in one walk. (The norm of order ∞ says the same, but
/// libtorch's takes sixteen times as long: a tenth of a step of DenseNet-121 at 64 px.)
fn largest(gradient: &Tensor) -> f64 {
    let (least, most) = gradient.aminmax(None, false);
    // A NaN is in both.
    least.double_value(&[]).abs().max(most.double_value(&[]).abs())
}

/// Where the time of one step went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepTime {
    pub step_s: f64,
    pub wait_s: f64,
}

impl StepTime {
    /// Reads and restarts `clock`; `waited` is taken out of what it shows.
    fn of(clock: &mut Instant, waited: Duration) -> StepTime {
        let spent = clock.elapsed().saturating_sub(waited);
        *clock = Instant::now();
        StepTime { step_s: spent.as_secs_f64(), wait_s: waited.as_secs_f64() }
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn one_nan_among_many_gradients_shows_in_the_largest() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut gradient = Tensor::zeros([100_000], (Kind::Float, Device::Cpu));
            let _ = gradient.narrow(0, 77_777, 1).fill_(f64::from(bad));
            assert!(!largest(&gradient).is_finite(), "{bad}");
            let _ = gradient.fill_(1e30);
            assert_eq!(largest(&gradient), f64::from(1e30f32));
        }
    }
}
