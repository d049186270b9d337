//! A training before its first step: a recipe, the pictures and the device, which fit each other.
//! The loop, the learning-rate finder and the estimate all begin here.

use catscan_data::{Dataset, order};
use catscan_models::{Mode, ModelConfig};
use tch::Device;

use crate::batches::{Plan, pieces};
use crate::error::TrainError;
use crate::event::Event;
use crate::learner::Learner;
use crate::recipe::{Recipe, RecipeError};
use crate::record::PartCounts;

/// What a training is made of.
pub(crate) struct Setup<'a> {
    pub recipe: &'a Recipe,
    pub dataset: &'a Dataset,
    pub device: Device,
    pub plan: Plan,
}

impl<'a> Setup<'a> {
    /// # Errors
    /// An impossible recipe, or pictures that it does not speak of.
    pub fn of(
        recipe: &'a Recipe,
        dataset: &'a Dataset,
        device: Device,
    ) -> Result<Setup<'a>, TrainError> {
        check_data(recipe, dataset)?;
        let plan = Plan::of_training(recipe, dataset)?;
        Ok(Setup { recipe, dataset, device, plan })
    }

    /// The network with its first weights, and what is to be said of a file that they begin in.
    ///
    /// # Errors
    /// A network or weights that are impossible, or the smallest piece of a batch is not enough.
    pub fn learner(&self) -> Result<(Learner, Option<Event>), TrainError> {
        let counts = PartCounts::of(self.dataset).train;
        let (learner, loaded) = Learner::build(self.recipe, &counts, self.device)?;
        let pieces = pieces(self.plan.smallest_batch(), self.recipe.micro_batch);
        let smallest = pieces.iter().map(|piece| piece.len()).min().unwrap_or(0) as i64;
        let channels = self.recipe.model.in_channels;
        let side = i64::from(self.recipe.data.size_px);
        learner.model.check_input(&[smallest, channels, side, side], Mode::TRAIN)?;
        Ok((learner, loaded))
    }

    pub fn steps_per_epoch(&self) -> u64 {
        self.plan.steps_per_epoch(self.recipe)
    }

    /// What the recipe asks for.
    pub fn steps_total(&self) -> u64 {
        self.steps_per_epoch() * u64::from(self.recipe.epochs)
    }

    /// The learning rate of a step, counted from 0.
    pub fn lr(&self, step: u64) -> f64 {
        self.recipe.lr(step, self.steps_total())
    }

    /// The pictures that each epoch is validated on: all of the validation part, or the first
    /// `validation_steps` batches' worth of it in an order that depends on the split alone: the
    /// same pictures in every epoch, arm and seed.
    pub fn validation(&self) -> Vec<u32> {
        let part = &self.dataset.split.val;
        let Some(steps) = self.recipe.validation_steps else {
            return part.clone();
        };
        let most = u64::from(steps) * u64::from(self.recipe.batch);
        let order = order::shuffled(self.recipe.data.split.seed, 0, part.len());
        let mut pictures: Vec<u32> = order.iter().map(|at| part[*at as usize]).collect();
        pictures.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        pictures.sort_unstable();
        pictures
    }
}

/// Whether the recipe is possible and the open data set is the one it speaks of.
fn check_data(recipe: &Recipe, dataset: &Dataset) -> Result<(), TrainError> {
    recipe.validate()?;
    if dataset.size_px != recipe.data.size_px {
        let allowed = format!("{}, the size of the open data set", dataset.size_px);
        return wrong("data.size_px", recipe.data.size_px.to_string(), allowed);
    }
    if dataset.channels() as i64 != recipe.model.in_channels {
        let allowed = format!("{}, the channels of the open data set", dataset.channels());
        return wrong("model.in_channels", recipe.model.in_channels.to_string(), allowed);
    }
    let classes = dataset.classes.len();
    if classes < 2 {
        return wrong("data.source", recipe.data.source.clone(), "two classes or more".into());
    }
    if recipe.model.outputs != ModelConfig::outputs_for(classes) {
        let allowed = ModelConfig::outputs_in_words(classes);
        return wrong("model.outputs", recipe.model.outputs.to_string(), allowed);
    }
    for (part, pictures) in [("val", &dataset.split.val), ("test", &dataset.split.test)] {
        if pictures.is_empty() {
            return Err(TrainError::TooFewPictures { part, pictures: 0, least: 1 });
        }
    }
    Ok(())
}

pub(crate) fn wrong(key: &str, value: String, allowed: String) -> Result<(), TrainError> {
    Err(RecipeError::Value { key: key.into(), value, allowed }.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::recipe;

    #[test]
    fn a_subset_is_so_many_batches_of_the_validation_part_whatever_the_seed() {
        let cache = tempfile::tempdir().unwrap();
        let dataset = Dataset::open(&recipe().data, cache.path(), &()).unwrap();
        let chosen = |validation_steps, seed| {
            let recipe = Recipe { batch: 4, validation_steps, seed, ..recipe() };
            Setup::of(&recipe, &dataset, Device::Cpu).unwrap().validation()
        };
        let all = &dataset.split.val;
        assert!(all.len() > 8);
        assert_eq!(&chosen(None, 1), all);
        assert_eq!(&chosen(Some(1000), 1), all);
        let some = chosen(Some(2), 1);
        assert_eq!((some.len(), &chosen(Some(2), 2)), (8, &some));
        assert!(some.iter().all(|i| all.contains(i)));
        assert_ne!(some, all[..8], "not the first, which may be of one class");
        assert!(chosen(Some(1), 1).iter().all(|i| some.contains(i)));
    }
}
