//! What a training will cost, before it is begun: memory by adding up what a step holds, time from
//! a few steps that are taken and thrown away, and from one checkpoint. Nothing is kept and no run
//! is touched.
//!
//! **Memory** counts, in 32-bit numbers: all weights; the moments; the averages; gradients (each
//! parameter's, and as many again, which clipping lays end to end; of pieces of a batch their sum
//! as well); and what comes and
//! goes, which is the larger of the optimiser's two flat tensors and of a piece's activations
//! ([`catscan_models::Summary`], in the network's own precision, quartered where dense blocks
//! compute them again), **twice**: kept for backward, and as the gradients that backward makes of
//! them. Memory that was freed is seldom of the size that scoring asks for, so the largest stage of
//! a batch of scoring comes on top, what a save needs, and on a processor what libtorch takes for
//! itself at its first steps. It is meant as an upper bound;
//! `docs/training.md` says how far off it was.
//!
//! **Time** is that of the loop's own steps ([`Rehearsal`]), fed as the loop feeds them, after some
//! that warm up: the median, or on a CUDA device, which is not waited for in between, the mean;
//! times the steps of the run. Added are the speed of scoring some pictures of the training part
//! times all validations and the test, and the time of one checkpoint, written to the disk that the
//! run would be on, times all of them. The best is a second name of one of them
//! ([`crate::checkpoint`]) and costs next to nothing.

use std::path::Path;
use std::thread;
use std::time::Instant;

use catscan_data::Dataset;
use catscan_models::{Memory, Summary};
use serde::Serialize;
use tch::Device;

use crate::batches::pieces;
use crate::checkpoint::{self, Contents, State};
use crate::error::TrainError;
use crate::evaluate::evaluate;
use crate::event::Signal;
use crate::feed::Feed;
use crate::learner::Learner;
use crate::readings::Reading;
use crate::recipe::Recipe;
use crate::rehearsal::Rehearsal;
use crate::resident::Resident;
use crate::run::scoring_batch;
use crate::setup::Setup;
use crate::storage::TEMPORARY;
use crate::train::Saving;

/// Steps that are taken before the clock starts, each waited for.
const WARM_UP: u64 = 2;
/// On a CUDA device: three until the graph is recorded, that one, and two by the graph.
const CUDA_WARM_UP: u64 = 6;

/// What a process takes at its first steps however small the network: 47 to 78 MB beside the rows
/// below for densenet-mini; rounded up to what the allocator grows by at a time. Whose it is was
/// not traced.
const BORROWED_BYTES: u64 = 96 << 20;

/// What a training costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// What the recipe asks for, or fewer where the run is bounded.
    pub steps: u64,
    /// Batches that show every training picture once, or as the recipe has it.
    pub steps_per_epoch: u64,
    /// Pictures scored by all validations and the test.
    pub scored_pictures: u64,
    /// Seconds of a step, of `measured_steps`, waiting for data included.
    pub step_s: f64,
    /// How many steps were timed.
    pub measured_steps: u64,
    /// Pictures a second without gradients.
    pub scored_per_s: f64,
    /// Checkpoints written in all.
    pub saves: u64,
    /// Seconds of one of them; `None` where nothing could be written beside the run's folder.
    pub save_s: Option<f64>,
    /// All steps, all scoring and, where it is known, all saving, seconds.
    pub total_s: f64,
    /// Bytes, at most.
    pub memory: MemoryEstimate,
}

/// Bytes of what a training holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MemoryEstimate {
    /// Running statistics included.
    pub weights: u64,
    /// The optimiser's.
    pub moments: u64,
    /// Of the weights.
    pub average: u64,
    /// Each parameter's, and all of them flat; of pieces of a batch their sum as well.
    pub gradients: u64,
    /// What backward keeps of a piece of a batch, and makes of it.
    pub activations: u64,
    /// The largest stage of a batch of scoring.
    pub scoring: u64,
    /// What a checkpoint takes while it is written.
    pub saving: u64,
    /// What libtorch takes for itself on a processor, once.
    pub borrowed: u64,
    /// The sum; in the place of activations the optimiser's step where that is larger.
    pub total: u64,
}

/// Which run it is about, and how closely it is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a> {
    /// Bounds the run as in a job.
    pub max_steps: Option<u64>,
    /// Steps that are timed, at least one.
    pub measured_steps: u64,
    /// When the run saves.
    pub saving: Saving,
    /// Where the run would lie. One checkpoint is written beside it, timed and removed.
    pub folder: &'a Path,
}

/// Takes the steps and adds up. `should_stop` is asked between two steps.
///
/// # Errors
/// An impossible recipe, or one that does not fit the data; [`TrainError::Stopped`].
pub fn estimate(
    recipe: &Recipe,
    dataset: &Dataset,
    device: Device,
    trial: Trial,
    should_stop: &mut dyn FnMut() -> Option<Signal>,
) -> Result<Estimate, TrainError> {
    let setup = Setup::of(recipe, dataset, device)?;
    let (learner, _) = setup.learner()?;
    let measured_steps = trial.measured_steps.max(1);
    let clock = Clock::of(device, measured_steps);
    let resident = Resident::if_it_fits(dataset, &dataset.split.train, device)?;
    let mut rehearsal = Rehearsal::by(learner, device, recipe.batch, Reading::of(device));
    let step_s = thread::scope(|scope| {
        let steps = setup.plan.steps(0..clock.warm_up + measured_steps);
        let batches = Feed::start(scope, dataset, (device, 1), resident.as_ref(), steps);
        clock.time(batches, &mut rehearsal, |step| setup.lr(step), should_stop)
    })?;
    let learner = rehearsal.learner();
    let scored_per_s = scored_per_s(&setup, learner, should_stop)?;
    let save_s = time_save(&setup, learner, trial.folder);

    let (steps_per_epoch, all) = (setup.steps_per_epoch(), setup.steps_total());
    let steps = trial.max_steps.map_or(all, |most| most.min(all));
    let validations = steps.div_ceil(steps_per_epoch);
    let scored_pictures =
        validations * setup.validation().len() as u64 + dataset.split.test.len() as u64;
    let saves = validations + trial.saving.every_steps.map_or(0, |every| steps / every.max(1));
    let scoring_s = scored_pictures as f64 / scored_per_s;
    Ok(Estimate {
        steps,
        steps_per_epoch,
        scored_pictures,
        step_s,
        measured_steps,
        scored_per_s,
        saves,
        save_s,
        total_s: steps as f64 * step_s + scoring_s + saves as f64 * save_s.unwrap_or(0.0),
        memory: memory(recipe, learner, device)?,
    })
}

/// How steps are timed.
struct Clock {
    warm_up: u64,
    /// Steps between two waits for the device.
    stretch: u64,
}

impl Clock {
    /// A processor has done a step when it is taken. To wait for each of a CUDA device's would add
    /// what its host is ahead otherwise, so there all are one stretch.
    fn of(device: Device, measured_steps: u64) -> Clock {
        match device {
            Device::Cuda(_) => Clock { warm_up: CUDA_WARM_UP, stretch: measured_steps },
            _ => Clock { warm_up: WARM_UP, stretch: 1 },
        }
    }

    /// Seconds of a step, the median of the stretches after the warm-up.
    fn time<'scope, 'data: 'scope>(
        self,
        mut batches: Feed<'scope, 'data>,
        rehearsal: &mut Rehearsal,
        lr: impl Fn(u64) -> f64,
        should_stop: &mut dyn FnMut() -> Option<Signal>,
    ) -> Result<f64, TrainError> {
        let (mut seconds, mut taken) = (Vec::new(), 0u64);
        let mut clock = Instant::now();
        while let Some(batch) = batches.next_batch()? {
            rehearsal.take(&batch, lr(taken), |_| ())?;
            taken += 1;
            let timed = taken.saturating_sub(self.warm_up);
            let is_waited_for = timed.is_multiple_of(self.stretch);
            if is_waited_for {
                rehearsal.losses();
                let spent = clock.elapsed().as_secs_f64() / self.stretch as f64;
                seconds.extend((timed > 0).then_some(spent));
            }
            if let Some(signal) = should_stop() {
                return Err(TrainError::Stopped(signal));
            }
            if is_waited_for {
                clock = Instant::now();
            }
        }
        seconds.sort_by(f64::total_cmp);
        Ok(seconds[seconds.len() / 2])
    }
}

/// On as many pictures as two batches of scoring hold, after the same once to warm up.
fn scored_per_s(
    setup: &Setup,
    learner: &Learner,
    should_stop: &mut dyn FnMut() -> Option<Signal>,
) -> Result<f64, TrainError> {
    let Setup { recipe, dataset, device, .. } = setup;
    let batch = scoring_batch(recipe.batch);
    let some: Vec<u32> = dataset.split.train.iter().copied().take(2 * batch as usize).collect();
    let model = &learner.model;
    let mut score = || evaluate(model, dataset, &some, batch, *device, &mut |_| should_stop());
    score()?;
    Ok(score()?.images_per_s)
}

/// Writes one checkpoint where the run would write its own: in its folder, or the first folder
/// above that is there. Nothing of it stays.
fn time_save(setup: &Setup, learner: &Learner, folder: &Path) -> Option<f64> {
    let folder = std::path::absolute(folder).ok()?;
    let there = folder.ancestors().find(|folder| folder.is_dir())?;
    let prefix = format!("{TEMPORARY}dry-run-");
    let own = tempfile::Builder::new().prefix(&prefix).tempdir_in(there).ok()?;
    let Learner { model, moments, average, .. } = learner;
    let (state, weights) = (&State::begin(setup), model.weights());
    let contents = Contents { state, weights, moments, average: average.as_ref() };
    let clock = Instant::now();
    checkpoint::save(own.path(), contents, None, 1, &mut |_| {}).ok()?;
    Some(clock.elapsed().as_secs_f64())
}

fn memory(
    recipe: &Recipe,
    learner: &Learner,
    device: Device,
) -> Result<MemoryEstimate, TrainError> {
    let summary = Summary::of(&recipe.model, i64::from(recipe.data.size_px))?;
    let of_stages = summary.stages.iter().map(|stage| stage.cost.activation_bytes);
    let largest_stage = of_stages.max().unwrap_or(0);
    let at_once = u64::from(recipe.micro_batch.unwrap_or(recipe.batch));
    let again = match recipe.model.memory {
        Memory::Keep => 1,
        Memory::Recompute => 4,
    };
    let numbers = learner.numbers() as u64;
    let weights = 4 * learner.model.weights().count_all() as u64;
    let moments = 4 * learner.moments.numbers();
    let average = 4 * learner.average.as_ref().map_or(0, |average| average.numbers());
    let in_pieces = pieces(recipe.batch as usize, recipe.micro_batch).len() > 1;
    let gradients = if in_pieces { 12 } else { 8 } * numbers;
    let activations = 2 * at_once * summary.cost.activation_bytes / again;
    let scoring = u64::from(scoring_batch(recipe.batch)) * largest_stage;
    let saving = checkpoint::saving_bytes(learner.model.weights());
    let borrowed = if device == Device::Cpu { BORROWED_BYTES } else { 0 };
    // The optimiser's change of every number, and the weights that a coupled decay looks at.
    let stays = weights + moments + average + gradients + borrowed;
    let total = stays + activations.max(8 * numbers) + scoring + saving;
    Ok(MemoryEstimate {
        weights,
        moments,
        average,
        gradients,
        activations,
        scoring,
        saving,
        borrowed,
        total,
    })
}

#[cfg(test)]
mod tests {
    use catscan_models::{ModelConfig, Precision};

    use super::*;
    use crate::batches::Plan;
    use crate::ema::Ema;
    use crate::testing::recipe;

    #[test]
    fn memory_is_the_sum_of_what_a_step_holds() {
        let of = |recipe: &Recipe| {
            let (learner, _) = Learner::build(recipe, &[1, 1], Device::Cpu).unwrap();
            memory(recipe, &learner, Device::Cpu).unwrap()
        };
        let plain = of(&recipe());
        let pieces = of(&Recipe { micro_batch: Some(2), ..recipe() });
        assert_eq!(plain.activations, 4 * pieces.activations, "of 8 pictures, and of 2");
        assert_eq!(3 * plain.gradients, 2 * pieces.gradients, "their sum, beside a piece's");
        let averaged =
            of(&Recipe { ema: Some(Ema { decay: 0.9, warmup_power: None }), ..recipe() });
        assert_eq!((plain.average, averaged.average), (0, plain.weights));
        assert_eq!(averaged.total, plain.total + plain.weights);
        assert_eq!(plain.moments * 2, plain.gradients, "one velocity a number");
        let activations = |precision| {
            let model = ModelConfig { precision, ..recipe().model };
            of(&Recipe { model, ..recipe() }).activations
        };
        let (whole, half) = (activations(Precision::Fp32), activations(Precision::Bf16));
        assert!(whole > half && whole <= 2 * half, "{half} of {whole}: half of it, not a quarter");
    }

    #[test]
    fn time_is_steps_scoring_and_saving() {
        let cache = tempfile::tempdir().unwrap();
        let dataset = Dataset::open(&recipe().data, cache.path(), &()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("not/there/yet");
        let saving = Saving { every_steps: Some(4), ..Saving::USUAL };
        let trial = Trial { max_steps: Some(10), measured_steps: 2, saving, folder: &run };
        let got = estimate(&recipe(), &dataset, Device::Cpu, trial, &mut || None).unwrap();
        // 68 pictures in 9 steps; two validations of 16 and a test of 16.
        assert_eq!((got.steps, got.steps_per_epoch, got.scored_pictures), (10, 9, 48));
        assert_eq!(got.saves, 4, "after steps 4 and 8, and after both epochs");
        let save_s = got.save_s.unwrap();
        assert!(got.step_s > 0.0 && got.scored_per_s > 0.0 && save_s > 0.0);
        let want = 10.0 * got.step_s + 48.0 / got.scored_per_s + 4.0 * save_s;
        assert!((got.total_s - want).abs() < 1e-9);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something stays");
        // Where nothing can be written the rest is still told.
        if cfg!(target_os = "linux") {
            let trial = Trial { folder: Path::new("/proc/self/run"), ..trial };
            assert_eq!(
                estimate(&recipe(), &dataset, Device::Cpu, trial, &mut || None).unwrap().save_s,
                None
            );
        }
    }

    #[test]
    fn a_stretch_of_steps_is_timed_as_one_after_its_warm_up() {
        let (cache, recipe) = (tempfile::tempdir().unwrap(), recipe());
        let dataset = Dataset::open(&recipe.data, cache.path(), &()).unwrap();
        let plan = Plan::of_training(&recipe, &dataset).unwrap();
        let (learner, _) = Learner::build(&recipe, &[34, 34], Device::Cpu).unwrap();
        let mut rehearsal = Rehearsal::by(learner, Device::Cpu, recipe.batch, Reading::Every(32));
        let mut rates = Vec::new();
        let began = Instant::now();
        let step_s = thread::scope(|scope| {
            let feed = Feed::start(scope, &dataset, (Device::Cpu, 1), None, plan.steps(0..7));
            let heard = std::cell::RefCell::new(&mut rates);
            let lr = |step| {
                heard.borrow_mut().push(step);
                0.0
            };
            // Two that warm up, and a stretch of five of which the last asks for a pause.
            let mut asked = 0;
            let mut pause = || {
                asked += 1;
                if [1, 3].contains(&asked) {
                    thread::sleep(std::time::Duration::from_millis(300));
                }
                None
            };
            let clock = Clock { warm_up: 2, stretch: 5 };
            clock.time(feed, &mut rehearsal, lr, &mut pause).unwrap()
        });
        let all = began.elapsed().as_secs_f64();
        assert_eq!(rates, [0, 1, 2, 3, 4, 5, 6]);
        // The second pause is a part of the stretch, the first of the warm-up.
        assert!(step_s > 0.3 / 5.0 && step_s < (all - 0.3) / 5.0, "{step_s} of {all}");
    }
}
