//! Which pictures a step sees; `loader.rs` gathers their pixels ahead of the trainer.
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

use std::ops::Range;
use std::sync::Arc;

use catscan_data::augment::Draw;
use catscan_data::batch::{augmented, sent, to_augmented};
use catscan_data::{Augment, Dataset, Fill, order};
use tch::{Device, Tensor};

use crate::error::TrainError;
use crate::loss::Targets;
use crate::recipe::Recipe;

mod loader;

pub use loader::Loader;

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
    pub drawn: Vec<Draw>,
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
        steps_per_pass(self.pictures.len(), self.batch)
    }

    /// Steps of an epoch: as the recipe says, or a pass.
    pub(crate) fn steps_per_epoch(&self, recipe: &Recipe) -> u64 {
        recipe.steps_per_epoch.map_or(self.steps_per_pass(), u64::from)
    }

    /// How many pictures the smallest batch of a pass holds.
    pub fn smallest_batch(&self) -> usize {
        let last = self.steps_per_pass() as usize - 1;
        stretch(last, self.pictures.len(), self.batch).len().min(self.batch)
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
        let positions = &positions[stretch(place, positions.len(), self.batch)];
        let indices: Vec<u32> = positions.iter().map(|at| self.pictures[*at as usize]).collect();
        let draw = |augment: &Augment| {
            let one = |i: &u32| augment.draw(self.seed, pass, u64::from(*i), self.size_px);
            indices.iter().map(one).collect()
        };
        let drawn = self.augment.as_ref().map(draw).unwrap_or_default();
        let fill = self.augment.as_ref().map_or(Fill::Edge, |augment| augment.fill);
        Planned { indices, drawn, fill, pass }
    }
}

/// Batches that show each of `pictures` once; at least 1.
pub(crate) fn steps_per_pass(pictures: usize, batch: usize) -> u64 {
    stretches(pictures, batch) as u64
}

/// A batch of `pictures` in pieces of `most`, the last of which may be shorter. As of batches, no
/// piece is a single picture unless the batch is: it joins the one before it.
pub(crate) fn pieces(pictures: usize, most: Option<u32>) -> Vec<Range<usize>> {
    let most = most.map_or(pictures, |most| most as usize).clamp(1, pictures.max(1));
    (0..stretches(pictures, most)).map(|at| stretch(at, pictures, most)).collect()
}

/// How many stretches of `most` `pictures` make, at least 1: a rest of one joins the stretch before
/// it, if there is one.
fn stretches(pictures: usize, most: usize) -> usize {
    let (whole, rest) = (pictures / most, pictures % most);
    whole + usize::from(rest > 1 || whole == 0)
}

/// Where stretch `at` of them lies.
fn stretch(at: usize, pictures: usize, most: usize) -> Range<usize> {
    let is_last = at + 1 == stretches(pictures, most);
    at * most..if is_last { pictures } else { (at + 1) * most }
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

impl Batch {
    /// From `bytes [N, H, W, C]` of the planned pictures, on the device they lie on.
    pub(crate) fn of(bytes: &Tensor, planned: Planned, dataset: &Dataset) -> Batch {
        let shown = augmented(bytes, dataset.config(), planned.fill, &planned.drawn);
        Batch::new(shown, planned, dataset)
    }

    /// From `pixels [N, H, W, C]` of the planned pictures, on `device`.
    pub(crate) fn gathered(
        pixels: &[u8],
        planned: Planned,
        dataset: &Dataset,
        device: Device,
    ) -> Batch {
        let (config, fill) = (dataset.config(), planned.fill);
        Batch::new(to_augmented(pixels, config, device, fill, &planned.drawn), planned, dataset)
    }

    /// Of pictures, and the shares of their own labels where they are mixed.
    fn new((images, own): (Tensor, Option<Tensor>), planned: Planned, dataset: &Dataset) -> Batch {
        let labels = Tensor::from_slice(&dataset.labels(&planned.indices));
        let targets = Targets::new(sent(labels, images.device()), own);
        Batch { images, targets, indices: planned.indices, pass: planned.pass }
    }
}

#[cfg(test)]
mod tests {
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
            prop_assert_eq!(sizes.len() as u64, steps_per_pass(pictures, batch as usize));
            prop_assert_eq!(sizes.iter().sum::<usize>(), pictures);
            prop_assert!(sizes.iter().all(|size| (2..=batch as usize + 1).contains(size)));
            prop_assert!(sizes.iter().all(|size| *size >= plan.smallest_batch()));
        }
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
