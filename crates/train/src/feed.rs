//! The batches of an epoch: gathered ahead by threads and sent over, or taken where the pictures
//! lie on the device already ([`Resident`]). The pictures are the same, up to the
//! rounding of two ways to move them.

use std::thread::Scope;
use std::time::Duration;

use catscan_data::Dataset;
use catscan_data::batch::{augmented, sent, to_augmented};
use tch::{Device, Tensor};

use crate::batches::{Batch, Loader, Planned};
use crate::error::TrainError;
use crate::loss::Targets;
use crate::resident::Resident;

/// Where the batches of a plan come from.
pub(crate) enum Feed<'scope, 'data> {
    /// Gathered by threads.
    Gathered(Loader<'scope, 'data>),
    /// Taken on the device, in the trainer's thread: nobody is waited for.
    Resident {
        resident: &'data Resident,
        dataset: &'data Dataset,
        plan: Box<dyn Iterator<Item = Planned> + Send + 'scope>,
    },
}

impl<'scope, 'data: 'scope> Feed<'scope, 'data> {
    /// Begins `plan`, whose pictures are all in `resident` if there is one; else `workers` threads
    /// gather them.
    pub fn start(
        scope: &'scope Scope<'scope, '_>,
        dataset: &'data Dataset,
        device: Device,
        workers: usize,
        resident: Option<&'data Resident>,
        plan: impl Iterator<Item = Planned> + Clone + Send + 'scope,
    ) -> Feed<'scope, 'data> {
        match resident {
            None => Feed::Gathered(Loader::start(scope, dataset, device, workers, plan)),
            Some(resident) => Feed::Resident { resident, dataset, plan: Box::new(plan) },
        }
    }

    /// The next batch, `None` after the last.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, TrainError> {
        match self {
            Feed::Gathered(loader) => loader.next_batch(),
            Feed::Resident { resident, dataset, plan } => Ok(plan.next().map(|planned| {
                let bytes = resident.gather(&planned.indices).expect("it holds the training part");
                Batch::of_bytes(&bytes, planned, dataset)
            })),
        }
    }

    /// Time spent waiting since this was last asked.
    pub fn take_waited(&mut self) -> Duration {
        match self {
            Feed::Gathered(loader) => loader.take_waited(),
            Feed::Resident { .. } => Duration::ZERO,
        }
    }
}

impl Batch {
    /// From `bytes [N, H, W, C]` of the planned pictures that lie on a device already.
    fn of_bytes(bytes: &Tensor, planned: Planned, dataset: &Dataset) -> Batch {
        let made = augmented(bytes, dataset.config(), planned.fill, &planned.drawn);
        Batch::of(made, planned, dataset, bytes.device())
    }

    /// From the processor's bytes `[N, H, W, C]`, on `device`.
    pub(crate) fn of_pixels(
        pixels: &[u8],
        planned: Planned,
        dataset: &Dataset,
        device: Device,
    ) -> Batch {
        let made = to_augmented(pixels, dataset.config(), device, planned.fill, &planned.drawn);
        Batch::of(made, planned, dataset, device)
    }

    fn of(
        (images, own): (Tensor, Option<Tensor>),
        planned: Planned,
        dataset: &Dataset,
        device: Device,
    ) -> Batch {
        let labels = Tensor::from_slice(&dataset.labels(&planned.indices));
        let targets = Targets::new(sent(labels, device), own);
        Batch { images, targets, indices: planned.indices, pass: planned.pass }
    }
}

/// The batch of a step that was planned, gathered once more.
pub(crate) fn again(dataset: &Dataset, device: Device, planned: Planned) -> Batch {
    Batch::of_pixels(&dataset.gather(&planned.indices), planned, dataset, device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batches::Plan;
    use crate::testing::recipe;

    #[test]
    fn both_ways_give_the_same_batches_and_so_does_a_second_gather() {
        let cache = tempfile::tempdir().unwrap();
        let dataset = Dataset::open(&recipe().data, cache.path(), &()).unwrap();
        let plan = Plan::new(&recipe(), &dataset.split.train).unwrap();
        let resident = Resident::new(&dataset, &dataset.split.train, Device::Cpu);
        std::thread::scope(|scope| {
            let feed = |resident| {
                let steps = plan.steps(5..12);
                Feed::start(scope, &dataset, Device::Cpu, 2, resident, steps)
            };
            let (mut gathered, mut taken) = (feed(None), feed(Some(&resident)));
            for planned in plan.steps(5..12) {
                let one = gathered.next_batch().unwrap().unwrap();
                let other = taken.next_batch().unwrap().unwrap();
                let once_more = again(&dataset, Device::Cpu, planned);
                // The processor moves pictures in one walk, a device by libtorch's operators.
                let gap = (&one.images - &other.images).abs().max().double_value(&[]);
                assert!(gap < 1e-3, "{gap}");
                assert_eq!(one.images, once_more.images);
                for batch in [&other, &once_more] {
                    assert_eq!(one.targets.labels, batch.targets.labels);
                    assert_eq!((&one.indices, one.pass), (&batch.indices, batch.pass));
                }
            }
            assert!(gathered.next_batch().unwrap().is_none());
            assert!(taken.next_batch().unwrap().is_none());
        });
    }
}
