//! Pixels gathered ahead of the trainer on threads.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use catscan_data::Dataset;
use catscan_torch_ext::panics;
use tch::Device;

use super::{Batch, Planned};
use crate::error::TrainError;
use crate::fault::Fault;

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
    fault: Fault,
    device: Device,
    waited: Duration,
}

/// A batch and its `[N, H, W, C]` bytes, or which picture cannot be read.
type Gathered = Result<(Planned, Vec<u8>), TrainError>;

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
        let fault = Fault::asked();
        let spawn = |k| {
            let share = plan.clone().skip(k).step_by(workers);
            let (sender, receiver) = sync_channel(1);
            let fault = fault.clone();
            let thread = scope.spawn(move || gather_all(dataset, share, &fault, sender));
            Worker { receiver, thread }
        };
        let own = plan.clone().take(if workers == 0 { usize::MAX } else { 0 });
        let workers = (0..workers).map(spawn).collect();
        Loader { workers, own: Box::new(own), dataset, fault, device, waited: Duration::ZERO }
    }

    /// The next batch, `None` after the last. A worker that died is an error, never a short epoch.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, TrainError> {
        let started = Instant::now();
        // The trainer augments by itself, with all its threads; that too is waiting for a batch.
        let batch = self.next_gathered().map(|gathered| {
            let make = |(planned, pixels): (_, Vec<u8>)| {
                Batch::gathered(&pixels, planned, self.dataset, self.device)
            };
            gathered.map(make)
        });
        self.waited += started.elapsed();
        batch
    }

    fn next_gathered(&mut self) -> Result<Option<(Planned, Vec<u8>)>, TrainError> {
        let Some(worker) = self.workers.pop_front() else {
            let planned = self.own.next();
            return planned.map(|planned| gather(self.dataset, planned, &self.fault)).transpose();
        };
        match worker.receiver.recv() {
            Ok(gathered) => {
                self.workers.push_back(worker);
                gathered.map(Some)
            }
            // The plan has ended, or the thread has; whoever comes after has nothing left either.
            Err(_) => worker.thread.join().map(|()| None).map_err(died),
        }
    }

    /// Time without a batch, waiting for its pixels or making it of them, since last asked.
    pub fn take_waited(&mut self) -> Duration {
        std::mem::take(&mut self.waited)
    }
}

fn died(panic: Box<dyn Any + Send>) -> TrainError {
    TrainError::Loader(panics::text(&*panic).unwrap_or("its thread died").to_string())
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
    fault: &Fault,
    sender: SyncSender<Gathered>,
) {
    for planned in plan {
        if sender.send(gather(dataset, planned, fault)).is_err() {
            return;
        }
    }
}

fn gather(dataset: &Dataset, planned: Planned, fault: &Fault) -> Gathered {
    let read = |indices: &[u32]| {
        let reading = AssertUnwindSafe(|| {
            fault.strike(dataset, indices);
            dataset.gather(indices)
        });
        catch_unwind(reading).ok()
    };
    match read(&planned.indices) {
        Some(Ok(pixels)) => Ok((planned, pixels)),
        Some(Err(bad)) => Err(bad.into()),
        None => {
            let culprit = culprit(dataset, &planned.indices, |one| read(one).is_none());
            Err(TrainError::Loader(culprit))
        }
    }
}

/// Which picture of a batch cannot be read, in words: the first that panics alone.
fn culprit(dataset: &Dataset, indices: &[u32], dies: impl Fn(&[u32]) -> bool) -> String {
    let fails = |i: &&u32| dies(&[**i]);
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
    use std::ops::Range;
    use std::path::Path;

    use catscan_data::augment::{Mix, Step};
    use catscan_data::{Augment, Fill, Placement, Shear};
    use proptest::prelude::*;
    use tch::Tensor;

    use super::*;
    use crate::batches::Plan;
    use crate::recipe::Recipe;
    use crate::testing::recipe;

    /// All that a recipe can ask for.
    fn everything(mix: Mix, fill: Fill) -> Augment {
        Augment {
            rotation_deg: 30.0,
            shear: Shear::Degrees(5.0),
            zoom: 0.1,
            horizontal_flip: true,
            shift_px: 2,
            fill,
            vertical_flip: true,
            width_shift_px: 1.5,
            height_shift_px: 0.5,
            then: vec![
                Step::ChannelShift { range: 10.0 },
                Step::Brightness { low: 0.8, high: 1.2 },
                Step::ResizedCrop { scale: [0.3, 1.0], ratio: [0.75, 1.33] },
                Step::ColourJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
                Step::TrivialAugment,
                Step::RandAugment { ops: 2, magnitude: 9 },
                Step::Erase { probability: 0.5, scale: [0.02, 0.33], ratio: [0.3, 3.3] },
            ],
            mix: Some(mix),
        }
    }

    /// Images, labels, shares of their own labels, and the others' labels.
    type Shown = Vec<[Tensor; 4]>;

    /// What the loader gives a trainer that opens the set anew and starts at a step.
    fn shown(recipe: &Recipe, cache: &Path, workers: usize, steps: Range<u64>) -> Shown {
        let dataset = Dataset::open(&recipe.data, cache, &()).unwrap();
        let plan = Plan::of_training(recipe, &dataset).unwrap().steps(steps);
        let mut shown = Vec::new();
        std::thread::scope(|scope| {
            let mut loader = Loader::start(scope, &dataset, Device::Cpu, workers, plan);
            while let Some(batch) = loader.next_batch().unwrap() {
                let mixed = batch.targets.mixed.expect("the recipe mixes");
                shown.push([batch.images, batch.targets.labels, mixed.own, mixed.other]);
            }
        });
        shown
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 8, failure_persistence: None, ..ProptestConfig::default()
        })]

        #[test]
        fn pictures_are_the_same_for_any_workers_and_from_any_step(
            seed in any::<u64>(),
            cut_mix in any::<bool>(),
            windowed in any::<bool>(),
            fill in prop::sample::select(vec![Fill::Edge, Fill::Zero, Fill::Reflect, Fill::Wrap]),
            from in 1..12u64,
        ) {
            let mix = if cut_mix { Mix::CutMix { alpha: 1.0 } } else { Mix::Mixup { alpha: 0.4 } };
            let augment = Some(everything(mix, fill));
            let mut recipe = Recipe { seed, augment, ..recipe() };
            recipe.data.shuffle_window = windowed.then_some(20);
            let cache = tempfile::tempdir().unwrap();
            // A pass of 68 pictures has 9 batches, so that these are of two.
            let whole = shown(&recipe, cache.path(), 0, 0..12);
            prop_assert_eq!(whole.len(), 12);
            prop_assert_ne!(&whole[0][0], &whole[9][0], "a pass draws anew");
            for workers in [1, 2, 8] {
                prop_assert!(shown(&recipe, cache.path(), workers, 0..12) == whole, "{workers}");
                let rest = shown(&recipe, cache.path(), workers, from..12);
                prop_assert!(rest == whole[from as usize..], "{workers}, from step {from}");
            }
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
    fn a_streamed_picture_that_went_is_an_error_that_names_it() {
        let (root, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for i in 0..8 {
            let path = root.path().join(format!("{}/{i}.png", i % 2));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            catscan_data::RgbImage::new(8, 8).save(&path).unwrap();
        }
        let mut data = recipe().data;
        data.source = format!("folder:{}", root.path().display());
        let dataset =
            Dataset::open_as(&data, cache.path(), Some(Placement::Streamed), &()).unwrap();
        let gone = dataset.samples[5].name.clone();
        std::fs::remove_file(root.path().join(&gone)).unwrap();
        for workers in [0, 2] {
            std::thread::scope(|scope| {
                let plan = [vec![0, 1], vec![4, 5]].map(Planned::as_they_are).into_iter();
                let mut loader = Loader::start(scope, &dataset, Device::Cpu, workers, plan);
                assert!(loader.next_batch().unwrap().is_some());
                let error = loader.next_batch().err().expect("an error, not the end");
                assert!(matches!(error, TrainError::Picture(_)) && error.exit_code() == 3);
                assert!(error.to_string().starts_with(&format!("loader: {gone}: ")), "{error}");
            });
        }
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
}
