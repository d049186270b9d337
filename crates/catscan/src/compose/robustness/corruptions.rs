//! The pictures, made worse once for all networks, and what one network says of them.

use catscan_data::{BadImage, Dataset, Raster, RgbImage, picture_tensor};
use catscan_models::Model;
use catscan_train::metrics::predicted;
use catscan_viz::batch_size;
use catscan_viz::corrupt::{CORRUPTIONS, random_shift};
use rayon::prelude::*;
use tch::{Device, Tensor};

use crate::compose::scans::input;
use crate::prediction::probabilities;
use crate::run_name::RunName;
use crate::study::Run;

/// How far the two random shifts of a picture go at most, % of its side.
pub const SHIFTS: [f64; 4] = [2.0, 5.0, 10.0, 20.0];

/// Forwards of each picture by one network.
pub fn passes() -> usize {
    1 + CORRUPTIONS.iter().map(|row| row.levels.len()).sum::<usize>() + 2 * SHIFTS.len()
}

/// Every picture in every state.
pub struct CorruptedPictures<'a> {
    dataset: &'a Dataset,
    labels: Vec<i64>,
    clean: Vec<RgbImage>,
    /// Of each corruption, each level.
    worse: Vec<Vec<Vec<RgbImage>>>,
    /// Of each of [`SHIFTS`], two draws.
    shifted: Vec<[Vec<RgbImage>; 2]>,
}

/// What one network said, picture by picture.
pub struct Answers {
    pub name: RunName,
    /// Right when clean.
    pub clean: Vec<bool>,
    /// Of each corruption and level: right.
    pub worse: Vec<Vec<Vec<bool>>>,
    /// Of each corruption and level: as when clean.
    pub stayed: Vec<Vec<Vec<bool>>>,
    /// Of each of [`SHIFTS`]: both draws got one answer.
    pub steady: Vec<Vec<bool>>,
}

impl<'a> CorruptedPictures<'a> {
    pub fn new(dataset: &'a Dataset, indices: &[u32]) -> Result<CorruptedPictures<'a>, BadImage> {
        let shown = indices.par_iter().map(|index| input(dataset, *index));
        let clean: Vec<RgbImage> = shown.collect::<Result<_, _>>()?;
        let each = |make: &(dyn Fn(&RgbImage, u64) -> RgbImage + Sync)| -> Vec<RgbImage> {
            let numbered = indices.par_iter().zip(&clean);
            numbered.map(|(index, picture)| make(picture, u64::from(*index))).collect()
        };
        let worse = CORRUPTIONS.iter().map(|row| {
            let level = |level: &f64| each(&|picture, number| row.apply(picture, *level, number));
            row.levels.iter().map(level).collect()
        });
        let worse = worse.collect();
        let shifted = SHIFTS.iter().map(|most| {
            [0, 1].map(|draw| each(&|picture, number| random_shift(picture, *most, number, draw)))
        });
        let shifted = shifted.collect();
        let labels = dataset.labels(indices);
        Ok(CorruptedPictures { dataset, labels, clean, worse, shifted })
    }

    /// What `run`'s network says of all of them.
    pub fn answers(&self, run: &Run, model: &Model) -> Answers {
        let said = |pictures: &[RgbImage]| self.classes(model, pictures);
        let clean = said(&self.clean);
        let (mut worse, mut stayed) = (Vec::new(), Vec::new());
        for levels in &self.worse {
            let told: Vec<Vec<u32>> = levels.iter().map(|level| said(level)).collect();
            worse.push(told.iter().map(|told| self.right(told)).collect());
            stayed.push(told.iter().map(|told| equal(told, &clean)).collect());
        }
        let steady = |[one, other]: &[Vec<RgbImage>; 2]| equal(&said(one), &said(other));
        Answers {
            name: run.name.clone(),
            steady: self.shifted.iter().map(steady).collect(),
            clean: self.right(&clean),
            worse,
            stayed,
        }
    }

    /// The class that the network sees on each picture.
    fn classes(&self, model: &Model, pictures: &[RgbImage]) -> Vec<u32> {
        let config = self.dataset.config();
        let one = |picture: &RgbImage| {
            picture_tensor(&Raster::from(picture.clone()).into_colour(config.colour), config)
        };
        let at_once = batch_size::to_score(config.size_px.pow(2) as usize, Device::Cpu);
        let mut said = Vec::with_capacity(pictures.len());
        for some in pictures.chunks(at_once) {
            let x = Tensor::cat(&some.iter().map(one).collect::<Vec<_>>(), 0);
            said.extend(probabilities(model, &x).iter().map(|shares| predicted(shares)));
        }
        said
    }

    fn right(&self, said: &[u32]) -> Vec<bool> {
        said.iter().zip(&self.labels).map(|(said, label)| i64::from(*said) == *label).collect()
    }
}

fn equal(one: &[u32], other: &[u32]) -> Vec<bool> {
    one.iter().zip(other).map(|(a, b)| a == b).collect()
}

impl Answers {
    /// Shares told right at each level of corruption `at`.
    pub fn right(&self, at: usize) -> Vec<f64> {
        self.worse[at].iter().map(|level| super::share(level)).collect()
    }

    /// The share told as when clean, mean over the levels of corruption `at`.
    pub fn same(&self, at: usize) -> f64 {
        let levels = &self.stayed[at];
        levels.iter().map(|level| super::share(level)).sum::<f64>() / levels.len() as f64
    }

    /// The share of pictures whose two shifts got one answer, for each of [`SHIFTS`].
    pub fn consistency(&self) -> Vec<f64> {
        self.steady.iter().map(|level| super::share(level)).collect()
    }
}
