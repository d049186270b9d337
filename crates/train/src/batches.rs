//! Which pictures a step sees, and their pixels gathered ahead of the trainer on a thread.
//!
//! A run is one stream of batches. Pass 0 visits every training picture once in its own shuffled
//! order, then pass 1, and so on; an epoch is a stretch of the stream. With an epoch of one pass
//! that is the usual loop, with `steps_per_epoch` it is what Keras' generators do. The batch of a
//! step depends on (seed, step) alone, so a run can go on from any step. Where the recipe has a
//! `shuffle_window`, the order is by shard and window ([`order::windowed`]), wherever pixels are
//! kept.
//!
//! The last batch of a pass is short where the batch size does not divide the part. **If it would
//! hold a single picture, that picture joins the batch before it**: batch-norm has nothing to
//! compare one picture with, and dropping it would leave it out in silence.
//!
//! Over 400 lines with its tests: those of the stream and of its loader share their plans.

use std::any::Any;
use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use catscan_data::augment::Drawn;
use catscan_data::{Augment, Dataset, Fill, order};
use tch::{Device, Tensor};

use crate::error::TrainError;
use crate::loss::Targets;
use crate::recipe::Recipe;

/// The stream of training batches.
#[derive(Debug, Clone)]
pub struct Plan {
    pictures: Arc<[u32]>,
    batch: usize,
    seed: u64,
    augment: Option<Augment>,
    size_px: u32,
    windows: Option<Windows>,
}

/// Pictures that lie together come together.
#[derive(Debug, Clone)]
struct Windows {
    /// Of each of the plan's pictures.
    shards: Arc<[u64]>,
    pictures: usize,
}

/// A batch before its pixels: sample indices and what is drawn for each.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Into `Dataset::samples`, in the order of the batch's rows.
    pub indices: Vec<u32>,
    /// Empty without augmentation.
    pub drawn: Vec<Drawn>,
    /// What comes in where an affine shows something from outside.
    pub fill: Fill,
    /// How often every picture was shown before.
    pub pass: u64,
}

impl Planned {
    /// Pictures to be evaluated, not augmented.
    pub fn as_they_are(indices: Vec<u32>) -> Planned {
        Planned { indices, drawn: Vec::new(), fill: Fill::Edge, pass: 0 }
    }
}

impl Plan {
    /// `pictures` are the sample indices of the training part, at least two.
    pub fn new(recipe: &Recipe, pictures: &[u32]) -> Result<Plan, TrainError> {
        if pictures.len() < 2 {
            let pictures = pictures.len();
            return Err(TrainError::TooFewPictures { part: "train", pictures, least: 2 });
        }
        Ok(Plan {
            pictures: pictures.into(),
            batch: recipe.batch as usize,
            seed: recipe.seed,
            augment: recipe.augment.clone(),
            size_px: recipe.data.size_px,
            windows: None,
        })
    }

    /// Of the training part, in the recipe's windows if it has any.
    pub fn of_training(recipe: &Recipe, dataset: &Dataset) -> Result<Plan, TrainError> {
        let train = &dataset.split.train;
        let shards = dataset.shards(train);
        Ok(Plan::new(recipe, train)?.in_windows(shards, recipe.data.shuffle_window))
    }

    /// In windows of at least `pictures`, if `shards` of this plan's pictures are given.
    pub fn in_windows(self, shards: Option<Vec<u64>>, pictures: Option<u32>) -> Plan {
        let windows = shards.zip(pictures).map(|(shards, pictures)| {
            assert_eq!(shards.len(), self.pictures.len(), "a shard for each picture");
            Windows { shards: shards.into(), pictures: pictures as usize }
        });
        Plan { windows, ..self }
    }

    /// Positions into the plan's pictures.
    fn order(&self, pass: u64) -> Vec<u32> {
        match &self.windows {
            None => order::shuffled(self.seed, pass, self.pictures.len()),
            Some(windows) => order::windowed(self.seed, pass, &windows.shards, windows.pictures),
        }
    }

    /// Batches that show every training picture once; at least 1.
    pub fn steps_per_pass(&self) -> u64 {
        let (whole, rest) = (self.pictures.len() / self.batch, self.pictures.len() % self.batch);
        // A rest of one joins the batch before it, if there is one.
        (whole + usize::from(rest > 1 || whole == 0)) as u64
    }

    /// How many pictures the smallest batch of a pass holds.
    pub fn smallest_batch(&self) -> usize {
        match self.pictures.len() % self.batch {
            0 | 1 => self.batch.min(self.pictures.len()),
            rest => rest,
        }
    }

    /// The batches of these steps, in order.
    pub fn steps(&self, steps: Range<u64>) -> impl Iterator<Item = Planned> + Clone + Send + use<> {
        let plan = self.clone();
        let mut shuffled: Option<(u64, Vec<u32>)> = None;
        steps.map(move |step| {
            let pass = step / plan.steps_per_pass();
            if shuffled.as_ref().is_none_or(|(of, _)| *of != pass) {
                shuffled = Some((pass, plan.order(pass)));
            }
            let (_, positions) = shuffled.as_ref().expect("just made");
            plan.batch_of(step, pass, positions)
        })
    }

    fn batch_of(&self, step: u64, pass: u64, positions: &[u32]) -> Planned {
        let place = (step % self.steps_per_pass()) as usize;
        let last = place as u64 + 1 == self.steps_per_pass();
        let start = place * self.batch;
        let end = if last { positions.len() } else { start + self.batch };
        let indices: Vec<u32> =
            positions[start..end].iter().map(|at| self.pictures[*at as usize]).collect();
        let draw = |augment: &Augment| {
            let one = |i: &u32| augment.drawn(self.seed, pass, u64::from(*i), self.size_px);
            indices.iter().map(one).collect()
        };
        let drawn = self.augment.as_ref().map(draw).unwrap_or_default();
        let fill = self.augment.as_ref().map_or(Fill::Edge, |augment| augment.fill);
        Planned { indices, drawn, fill, pass }
    }
}

/// A batch of `pictures` in pieces of `most`, the last of which may be shorter. As of batches, no
/// piece is a single picture unless the batch is: it joins the one before it.
pub(crate) fn pieces(pictures: usize, most: Option<u32>) -> Vec<Range<usize>> {
    let most = most.map_or(pictures, |most| most as usize).clamp(1, pictures.max(1));
    let (whole, rest) = (pictures / most, pictures % most);
    let count = (whole + usize::from(rest > 1 || whole == 0)).max(1);
    let end = |piece: usize| if piece + 1 == count { pictures } else { (piece + 1) * most };
    (0..count).map(|piece| piece * most..end(piece)).collect()
}

/// A batch on the device.
pub struct Batch {
    /// `[N, C, H, W]` f32, channels_last, augmented.
    pub images: Tensor,
    /// Their labels, `[N]`.
    pub targets: Targets,
    /// `[N]` sample indices.
    pub indices: Vec<u32>,
    /// How often every picture was shown before.
    pub pass: u64,
}

/// While the trainer works on one batch, threads gather the bytes of the next. Only bytes cross
/// threads; tensors are made in the trainer's.
///
/// Of `n` workers the k-th gathers batches k, k + n, k + 2n, …, and the trainer takes them in turn,
/// so the order is the plan's however fast each of them is. Without workers the trainer gathers by
/// itself.
pub struct Loader<'scope, 'data> {
    /// Taken in turn; empty without workers.
    workers: VecDeque<Worker<'scope>>,
    /// What is left of the plan without workers.
    own: Box<dyn Iterator<Item = Planned> + Send + 'scope>,
    dataset: &'data Dataset,
    device: Device,
    waited: Duration,
}

/// A batch and its `[N, H, W, C]` bytes, or which picture cannot be read.
type Gathered = Result<(Planned, Vec<u8>), String>;

struct Worker<'scope> {
    receiver: Receiver<Gathered>,
    thread: ScopedJoinHandle<'scope, ()>,
}

impl<'scope, 'data: 'scope> Loader<'scope, 'data> {
    /// Spawns `workers` threads on `scope` and begins to gather `plan`, at most two batches ahead
    /// each. Batches land on `device`.
    pub fn start(
        scope: &'scope Scope<'scope, '_>,
        dataset: &'data Dataset,
        device: Device,
        workers: usize,
        plan: impl Iterator<Item = Planned> + Clone + Send + 'scope,
    ) -> Loader<'scope, 'data> {
        let spawn = |k| {
            let share = plan.clone().skip(k).step_by(workers);
            let (sender, receiver) = sync_channel(1);
            let thread = scope.spawn(move || gather_all(dataset, share, sender));
            Worker { receiver, thread }
        };
        let own = plan.clone().take(if workers == 0 { usize::MAX } else { 0 });
        let workers = (0..workers).map(spawn).collect();
        Loader { workers, own: Box::new(own), dataset, device, waited: Duration::ZERO }
    }

    /// The next batch, `None` after the last. A worker that died is an error, never a short epoch.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, TrainError> {
        let started = Instant::now();
        let gathered = self.next_gathered();
        self.waited += started.elapsed();
        let Some((planned, pixels)) = gathered? else { return Ok(None) };
        Ok(Some(Batch::of_pixels(&pixels, planned, self.dataset, self.device)))
    }

    fn next_gathered(&mut self) -> Result<Option<(Planned, Vec<u8>)>, TrainError> {
        let Some(worker) = self.workers.pop_front() else {
            let planned = self.own.next();
            return planned
                .map(|planned| gather(self.dataset, planned))
                .transpose()
                .map_err(TrainError::Loader);
        };
        match worker.receiver.recv() {
            Ok(gathered) => {
                self.workers.push_back(worker);
                gathered.map(Some).map_err(TrainError::Loader)
            }
            // The plan has ended, or the thread has; whoever comes after has nothing left either.
            Err(_) => worker.thread.join().map(|()| None).map_err(died),
        }
    }

    /// Time spent waiting for batches since this was last asked.
    pub fn take_waited(&mut self) -> Duration {
        std::mem::take(&mut self.waited)
    }
}

fn died(panic: Box<dyn Any + Send>) -> TrainError {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    TrainError::Loader(text.unwrap_or("its thread died").to_string())
}

impl Drop for Loader<'_, '_> {
    fn drop(&mut self) {
        for Worker { receiver, thread } in self.workers.drain(..) {
            // Without a receiver the worker's next send fails, and it ends.
            drop(receiver);
            let _ = thread.join();
        }
    }
}

fn gather_all(
    dataset: &Dataset,
    plan: impl Iterator<Item = Planned>,
    sender: SyncSender<Gathered>,
) {
    for planned in plan {
        if sender.send(gather(dataset, planned)).is_err() {
            return;
        }
    }
}

fn gather(dataset: &Dataset, planned: Planned) -> Gathered {
    let gathered = catch_unwind(AssertUnwindSafe(|| dataset.try_gather(&planned.indices)));
    match gathered {
        Ok(Ok(pixels)) => Ok((planned, pixels)),
        Ok(Err(bad)) => Err(bad.to_string()),
        Err(_) => Err(culprit(dataset, &planned.indices)),
    }
}

/// Which picture of a batch cannot be read, in words: the first that panics alone.
fn culprit(dataset: &Dataset, indices: &[u32]) -> String {
    let fails = |i: &&u32| catch_unwind(AssertUnwindSafe(|| drop(dataset.gather(&[**i])))).is_err();
    let name = |i: &u32| match dataset.samples.get(*i as usize) {
        Some(sample) => sample.name.clone(),
        None => format!("picture {i} of {}", dataset.samples.len()),
    };
    match indices.iter().find(fails) {
        Some(i) => format!("{} cannot be read from the cache", name(i)),
        None => format!("a batch of {} pictures cannot be gathered", indices.len()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use catscan_data::Placement;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::recipe;

    fn plan(pictures: usize, batch: u32) -> Plan {
        let all: Vec<u32> = (100..100 + pictures as u32).collect();
        Plan::new(&Recipe { batch, ..recipe() }, &all).unwrap()
    }

    fn sizes(plan: &Plan, steps: Range<u64>) -> Vec<usize> {
        plan.steps(steps).map(|planned| planned.indices.len()).collect()
    }

    #[test]
    fn the_last_batch_is_short_but_never_alone() {
        assert_eq!(sizes(&plan(12, 4), 0..4), [4, 4, 4, 4]);
        assert_eq!(sizes(&plan(14, 4), 0..5), [4, 4, 4, 2, 4]);
        assert_eq!(sizes(&plan(13, 4), 0..4), [4, 4, 5, 4]);
        assert_eq!(sizes(&plan(3, 4), 0..2), [3, 3]);
        assert_eq!(sizes(&plan(5, 4), 0..2), [5, 5]);
        let error = Plan::new(&recipe(), &[7]).unwrap_err();
        assert_eq!(error.exit_code(), 3);
    }

    #[test]
    fn pieces_are_whole_and_never_alone() {
        for (pictures, most, ends) in [
            (8, None, &[8][..]),
            (8, Some(20), &[8]),
            (8, Some(4), &[4, 8]),
            (8, Some(3), &[3, 6, 8]),
            (9, Some(4), &[4, 9]),
            (1, Some(4), &[1]),
        ] {
            let pieces = pieces(pictures, most);
            let found: Vec<usize> = pieces.iter().map(|piece| piece.end).collect();
            assert_eq!(found, ends, "{pictures} by {most:?}");
            assert!(pieces.windows(2).all(|pair| pair[0].end == pair[1].start));
        }
    }

    #[test]
    fn every_pass_meets_every_picture_once_in_another_order() {
        let plan = plan(13, 4);
        let pass = |from: u64| -> Vec<u32> {
            plan.steps(from..from + 3).flat_map(|planned| planned.indices).collect()
        };
        let (first, second) = (pass(0), pass(3));
        assert_ne!(first, second);
        for mut met in [first, second] {
            met.sort_unstable();
            assert_eq!(met, (100..113).collect::<Vec<u32>>());
        }
    }

    proptest! {
        #[test]
        fn whatever_the_sizes_a_pass_is_whole_and_no_batch_is_alone(
            pictures in 2..200usize,
            batch in 2..70u32,
        ) {
            let plan = plan(pictures, batch);
            let sizes = sizes(&plan, 0..plan.steps_per_pass());
            prop_assert_eq!(sizes.iter().sum::<usize>(), pictures);
            prop_assert!(sizes.iter().all(|size| (2..=batch as usize + 1).contains(size)));
            prop_assert!(sizes.iter().all(|size| *size >= plan.smallest_batch()));
        }
    }

    #[test]
    fn a_worker_that_dies_is_an_error_that_names_the_picture_and_no_short_epoch() {
        let cache = tempfile::tempdir().unwrap();
        let dataset = Dataset::open(&recipe().data, cache.path(), &()).unwrap();
        // The third batch asks for a picture that is not there.
        let batches = [vec![0, 1], vec![2, 3], vec![4, 1_000_000], vec![5, 6]];
        let plan = batches.map(Planned::as_they_are).into_iter();
        let began = Instant::now();
        for workers in [0, 1, 4] {
            std::thread::scope(|scope| {
                let plan = plan.clone();
                let mut loader = Loader::start(scope, &dataset, Device::Cpu, workers, plan);
                for _ in 0..2 {
                    assert_eq!(loader.next_batch().unwrap().unwrap().indices.len(), 2);
                }
                let error = loader.next_batch().err().expect("an error, not the end");
                assert_eq!(error.exit_code(), 3);
                let text = error.to_string();
                assert!(text.contains("picture 1000000 of 100 cannot be read"), "{text}");
            });
        }
        assert!(began.elapsed() < Duration::from_secs(20), "nothing hangs");
    }

    #[test]
    fn however_many_workers_gather_the_batches_are_the_plans() {
        let cache = tempfile::tempdir().unwrap();
        let dataset = Dataset::open(&recipe().data, cache.path(), &()).unwrap();
        let plan = Plan::new(&recipe(), &dataset.split.train).unwrap();
        let want: Vec<Planned> = plan.steps(3..16).collect();
        for workers in [0, 1, 4, 20] {
            std::thread::scope(|scope| {
                let steps = plan.steps(3..16);
                let mut loader = Loader::start(scope, &dataset, Device::Cpu, workers, steps);
                for planned in &want {
                    let batch = loader.next_batch().unwrap().expect("one more batch");
                    assert_eq!((&batch.indices, batch.pass), (&planned.indices, planned.pass));
                }
                assert!(loader.next_batch().unwrap().is_none(), "{workers} workers");
            });
        }
    }

    #[test]
    fn batches_do_not_know_where_pixels_are_kept() {
        let recipe = Recipe { augment: Some(Augment { zoom: 0.2, ..Augment::none() }), ..recipe() };
        let batches = |placement| {
            let cache = tempfile::tempdir().unwrap();
            let dataset =
                Dataset::open_as(&recipe.data, cache.path(), Some(placement), &()).unwrap();
            let plan = Plan::new(&recipe, &dataset.split.train).unwrap();
            let mut images = Vec::new();
            std::thread::scope(|scope| {
                let mut loader = Loader::start(scope, &dataset, Device::Cpu, 1, plan.steps(0..5));
                while let Some(batch) = loader.next_batch().unwrap() {
                    images.push((batch.images, batch.targets.labels));
                }
            });
            assert_eq!(images.len(), 5);
            images
        };
        let mapped = batches(Placement::Mapped);
        assert!(batches(Placement::Memory) == mapped);
        assert!(batches(Placement::Streamed) == mapped);
    }

    #[test]
    fn windows_change_the_order_and_nothing_else() {
        let whole = plan(13, 4);
        let shards: Vec<u64> = (0..13).map(|i| i / 3).collect();
        let windowed = plan(13, 4).in_windows(Some(shards), Some(6));
        let pass = |plan: &Plan| plan.steps(0..3).flat_map(|p| p.indices).collect::<Vec<u32>>();
        assert_ne!(pass(&whole), pass(&windowed));
        // The first window: two of the shards of three, or one and the last, which holds one.
        let mut met: Vec<u32> = pass(&windowed)[..4].iter().map(|i| (i - 100) / 3).collect();
        met.sort_unstable();
        met.dedup();
        assert!(met.len() <= 3, "{met:?}");
        assert_eq!(sizes(&windowed, 0..3), sizes(&whole, 0..3));
        let rest: Vec<Planned> = windowed.steps(2..6).collect();
        assert_eq!(rest, windowed.steps(0..6).skip(2).collect::<Vec<_>>(), "entered anywhere");
    }

    #[test]
    fn the_stream_can_be_entered_anywhere() {
        let plan = plan(14, 4);
        let all: Vec<Planned> = plan.steps(0..10).collect();
        for from in 0..10 {
            let rest: Vec<Planned> = plan.steps(from..10).collect();
            assert_eq!(rest, all[from as usize..]);
        }
        assert_ne!(all[0].drawn[0], all[4].drawn[0], "a pass draws anew");
    }
}
