//! The batches of a training: gathered ahead by threads and sent over, or taken where the pictures
//! lie on the device already ([`Resident`]). The pictures are the same, up to the
//! rounding of where an affine puts them (`augment/fused.rs` in `catscan-data`).

use std::thread::Scope;
use std::time::Duration;

use catscan_data::{BadImage, Dataset};
use tch::Device;

use crate::batches::{Batch, Loader, Planned};
use crate::error::TrainError;
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
    /// Begins `plan`, whose pictures are all in `resident` if there is one; else as many threads
    /// as `workers` gather it.
    pub fn start(
        scope: &'scope Scope<'scope, '_>,
        dataset: &'data Dataset,
        (device, workers): (Device, usize),
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
                Batch::of(&bytes, planned, dataset)
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

/// The batch of a step that was planned, gathered once more.
pub(crate) fn again(
    dataset: &Dataset,
    device: Device,
    planned: Planned,
) -> Result<Batch, BadImage> {
    Ok(Batch::gathered(&dataset.gather(&planned.indices)?, planned, dataset, device))
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
        let resident = Resident::new(&dataset, &dataset.split.train, Device::Cpu).unwrap();
        std::thread::scope(|scope| {
            let feed = |resident| {
                let steps = plan.steps(5..12);
                Feed::start(scope, &dataset, (Device::Cpu, 1), resident, steps)
            };
            let (mut gathered, mut taken) = (feed(None), feed(Some(&resident)));
            for planned in plan.steps(5..12) {
                let one = gathered.next_batch().unwrap().unwrap();
                let other = taken.next_batch().unwrap().unwrap();
                let once_more = again(&dataset, Device::Cpu, planned).unwrap();
                assert_eq!(one.images, once_more.images);
                // Within a hundredth of a step of 255.
                let gap = (&one.images - &other.images).abs().max().double_value(&[]);
                assert!(gap < 0.01 / 255.0, "off by {gap}");
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
