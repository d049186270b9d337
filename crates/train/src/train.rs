//! The training loop: batches → gradient → step → metrics → events.
//!
//! It reads from top to bottom. What it stands on: `open.rs` refuses what cannot be trained and
//! opens the folder, `resume.rs` finds the place to go on from, `run.rs` holds the state;
//! `batches.rs` gathers (and augments) ahead, `learner.rs` is the step: forward → loss → backward →
//! clip → optimiser; `step.rs` takes it, and `readings.rs` says when the host hears of it.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use catscan_data::Dataset;
use tch::Device;

use crate::error::TrainError;
use crate::evaluate::names;
use crate::event::{Event, Signal, Watch};
use crate::feed::{self, Feed};
use crate::first_bad;
use crate::readings::{Noted, Reading, Readings, Row, Taken};
use crate::recipe::Recipe;
use crate::resident::Resident;
use crate::run::{Opened, Run};
use crate::step::Steps;

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
    /// It goes on with a warning, and tries again when the next checkpoint is due and after the
    /// last step; when that fails too, it ends as with `Stop`, untested.
    Warn,
}

/// How a call of [`train`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All steps were taken, or validation no longer got better; the test part was scored.
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
    train_reading(job, Reading::of(job.device), watch)
}

/// The same, where the host learns of its steps as `reading` says. No number depends on it.
///
/// # Errors
/// As [`train`].
pub fn train_reading(
    job: &Job,
    reading: Reading,
    watch: &mut dyn Watch,
) -> Result<Outcome, TrainError> {
    let started = Instant::now();
    let mut run = match Run::open(job, watch)? {
        Opened::Run(run) => run,
        Opened::AlreadyDone => return Ok(Outcome::AlreadyDone),
    };
    let trained = epochs(reading, &mut run, watch).and_then(|()| run.save_at_last(watch));
    match trained.and_then(|()| run.test(watch)) {
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

fn epochs(reading: Reading, run: &mut Run, watch: &mut dyn Watch) -> Result<(), TrainError> {
    let job = run.job;
    let mut steps = Steps::begin(&run.learner, job.device, job.recipe.batch, reading);
    let resident = Resident::if_it_fits(job.dataset, &job.dataset.split.train, job.device)?;
    if let Some(resident) = &resident {
        watch.on_event(&resident.event());
    }
    let fed = (job.device, job.workers);
    thread::scope(|scope| {
        // Of all epochs: the first batch of each is gathered while the one before is validated.
        let planned = run.setup.plan.steps(run.state.step..run.steps_target);
        let mut batches = Feed::start(scope, job.dataset, fed, resident.as_ref(), planned);
        while let Some(epoch) = run.next_epoch() {
            let mut clock = Instant::now();
            for _ in epoch {
                let batch = batches.next_batch()?.expect("the plan has a batch for every step");
                // images [N, C, H, W] -> loss [], gradient -> weights
                let slope = steps.compute(&run.learner, &batch)?;
                if let Noted::Known(row) = slope.noted {
                    finite(run, run.state.step, row)?;
                }
                run.note_gradient(slope.gradient);
                let lr = run.setup.lr(run.state.step);
                run.learner.step_if(slope.noted.gate(), slope.gradient, lr);

                let time = StepTime::of(&mut clock, batches.take_waited());
                let (step, pictures) = (run.state.step, batch.indices.len() as u64);
                steps.readings.took(Taken { step, pictures, lr, time });
                run.state.step += 1;
                let text = steps.fell_back();
                text.into_iter().for_each(|text| watch.on_event(&Event::Warning { text }));
                if steps.readings.is_due() || job.saving.is_due(run.state.step) {
                    settle(run, &mut steps.readings, &mut clock, watch)?;
                }
                let signal = watch.should_stop();
                if signal.is_some() {
                    settle(run, &mut steps.readings, &mut clock, watch)?;
                }
                if let Some(signal) = signal {
                    return Err(TrainError::Stopped(signal));
                }
                if job.saving.is_due(run.state.step) {
                    run.save_or_warn(watch)?;
                    clock = Instant::now();
                }
            }
            settle(run, &mut steps.readings, &mut clock, watch)?;
            run.close_epoch(watch)?;
        }
        Ok(())
    })
}

/// Reads what was not read yet: the run's sums and who watches learn of it, or it is an error. The
/// wait for the device is a part of the steps that it computed.
fn settle(
    run: &mut Run,
    readings: &mut Readings,
    clock: &mut Instant,
    watch: &mut dyn Watch,
) -> Result<(), TrainError> {
    let mut read = readings.read();
    let Some((last, _)) = read.last_mut() else { return Ok(()) };
    last.time.step_s += clock.elapsed().as_secs_f64();
    *clock = Instant::now();
    for (taken, row) in read {
        finite(run, taken.step, row)?;
        run.took_step(taken, row);
    }
    run.write_gradient(watch)?;
    watch.on_event(&run.step_event());
    Ok(())
}

/// Refuses a step whose loss or gradient is not finite: such a number must not reach the weights.
/// They are those that `step` began with, so that its batch, made again, tells where it came from.
fn finite(run: &Run, step: u64, row: Row) -> Result<(), TrainError> {
    let Some((what, value)) = row.bad() else { return Ok(()) };
    let planned = run.setup.plan.steps(step..step + 1).next().expect("a plan has no end");
    let batch = feed::again(run.job.dataset, run.job.device, planned)?;
    let computed = run.learner.compute(&batch);
    let first = first_bad::of_step(&run.learner, &batch, &computed.gradient.row());
    let (place, pictures) = (format!("step {}", step + 1), names(run.job.dataset, &batch.indices));
    Err(TrainError::NotFinite { place, what, value, first, pictures })
}

/// Where the time of one step went.
#[derive(Debug, Clone, Copy, Default)]
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
