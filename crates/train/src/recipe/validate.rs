//! What a recipe may hold: each impossible value is refused by its key and allowed range.

use std::ops::RangeInclusive;

use catscan_data::DataError;

use super::{Recipe, RecipeError};
use crate::schedule::Schedule;
use crate::sgd::Sgd;

impl Recipe {
    /// Refuses the first impossible value by its key and allowed range.
    pub fn validate(&self) -> Result<(), RecipeError> {
        // One picture gives batch-norm nothing to compare with.
        whole("batch", self.batch.into(), 2..=65_536)?;
        whole("epochs", self.epochs.into(), 1..=1_000_000)?;
        if let Some(steps) = self.steps_per_epoch {
            whole("steps_per_epoch", steps.into(), 1..=1_000_000_000)?;
        }
        if let Some(steps) = self.validation_steps {
            whole("validation_steps", steps.into(), 1..=1_000_000_000)?;
        }
        self.validate_model()?;
        self.data.validate().map_err(of_data)?;
        if let Some(augment) = &self.augment {
            augment.validate().map_err(of_data)?;
        }
        self.validate_optimizer()
    }

    fn validate_model(&self) -> Result<(), RecipeError> {
        whole("model.outputs", self.model.outputs.max(0) as u64, 1..=1_000_000)?;
        if self.model.in_channels != 3 {
            return Err(value("model.in_channels", self.model.in_channels, "3 (red, green, blue)"));
        }
        Ok(())
    }

    fn validate_optimizer(&self) -> Result<(), RecipeError> {
        let Sgd { lr, momentum, weight_decay, nesterov, semantics: _ } = self.optimizer;
        number("optimizer.lr", lr, lr > 0.0, "a finite number above 0")?;
        let fits = (0.0..1.0).contains(&momentum);
        number("optimizer.momentum", momentum, fits, "a number from 0 to below 1")?;
        number("optimizer.weight_decay", weight_decay, weight_decay >= 0.0, "0 or more")?;
        if nesterov && momentum == 0.0 {
            return Err(value("optimizer.nesterov", nesterov, "false while momentum is 0"));
        }
        match self.schedule {
            Schedule::Constant => Ok(()),
            Schedule::Cosine { end_fraction: end, warmup_steps: _ } => {
                let fits = (0.0..=1.0).contains(&end);
                number("schedule.end_fraction", end, fits, "a number from 0 to 1")
            }
            Schedule::OneCycle { rise_fraction, start_divisor, end_divisor, anneal: _ } => {
                let fits = rise_fraction > 0.0 && rise_fraction < 1.0;
                number("schedule.rise_fraction", rise_fraction, fits, "between 0 and 1")?;
                number("schedule.start_divisor", start_divisor, start_divisor >= 1.0, "1 or more")?;
                number("schedule.end_divisor", end_divisor, end_divisor >= 1.0, "1 or more")
            }
        }
    }
}

fn of_data(error: DataError) -> RecipeError {
    match error {
        DataError::Config { key, value, want } => {
            // Augmentation is checked by the data crate but stands beside `data` in a recipe.
            let ours = key.starts_with("augment.");
            let key = if ours { key } else { format!("data.{key}") };
            RecipeError::Value { key, value, allowed: want }
        }
        other => RecipeError::Json(other.to_string()),
    }
}

fn whole(key: &str, is: u64, allowed: RangeInclusive<u64>) -> Result<(), RecipeError> {
    if allowed.contains(&is) {
        return Ok(());
    }
    Err(value(key, is, &format!("a whole number from {} to {}", allowed.start(), allowed.end())))
}

fn number(key: &str, is: f64, fits: bool, allowed: &str) -> Result<(), RecipeError> {
    if fits && is.is_finite() { Ok(()) } else { Err(value(key, is, allowed)) }
}

fn value(key: &str, is: impl ToString, allowed: &str) -> RecipeError {
    RecipeError::Value { key: key.into(), value: is.to_string(), allowed: allowed.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::recipe;

    /// `change` makes the shared recipe impossible, and the refusal `says` so.
    #[track_caller]
    fn check(change: impl FnOnce(&mut Recipe), says: &str) {
        let mut recipe = recipe();
        recipe.validate().unwrap();
        change(&mut recipe);
        let error = recipe.validate().unwrap_err();
        assert!(error.to_string().contains(says), "{error}, want {says}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn impossible_lengths_are_named_with_their_range() {
        let range = "batch is 0, want a whole number from 2 to 65536";
        check(|recipe| recipe.batch = 0, range);
        check(|recipe| recipe.batch = 1, "batch is 1, want");
        check(|recipe| recipe.epochs = 0, "epochs is 0, want");
        let says = "steps_per_epoch is 0, want";
        check(|recipe| recipe.steps_per_epoch = Some(0), says);
        let says = "validation_steps is 0, want";
        check(|recipe| recipe.validation_steps = Some(0), says);
    }

    #[test]
    fn impossible_rates_are_named_with_their_range() {
        let range = "optimizer.lr is -1, want a finite number above 0";
        check(|recipe| recipe.optimizer.lr = -1.0, range);
        let says = "optimizer.lr is NaN, want";
        check(|recipe| recipe.optimizer.lr = f64::NAN, says);
        let says = "optimizer.lr is inf, want";
        check(|recipe| recipe.optimizer.lr = f64::INFINITY, says);
        let says = "optimizer.momentum is 1, want";
        check(|recipe| recipe.optimizer.momentum = 1.0, says);
        let range = "optimizer.weight_decay is -0.0001, want 0 or more";
        check(|recipe| recipe.optimizer.weight_decay = -1e-4, range);
        let cosine = Schedule::Cosine { warmup_steps: 1, end_fraction: f64::NAN };
        let says = "schedule.end_fraction is NaN, want";
        check(|recipe| recipe.schedule = cosine, says);
    }

    #[test]
    fn what_the_data_crate_refuses_keeps_its_place_in_the_recipe() {
        let says = "data.size_px is 0, want";
        check(|recipe| recipe.data.size_px = 0, says);
        let unzoom = |recipe: &mut Recipe| recipe.augment.as_mut().unwrap().zoom = -0.1;
        check(unzoom, "recipe: augment.zoom is -0.1, want");
    }
}
