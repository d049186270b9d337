//! What a recipe may hold: each impossible value is refused by its key and allowed range.

use std::ops::RangeInclusive;

use catscan_data::DataError;

use super::{Recipe, RecipeError};
use crate::clip::Clip;
use crate::early_stop::EarlyStop;
use crate::ema::Ema;
use crate::groups::pattern;
use crate::loss::ClassWeights;
use crate::optimizer::{Adam, Decay, Optimizer, Semantics, Sgd};
use crate::schedule::{Schedule, Warmup};

/// The largest learning rate, and the largest factor of one or decay: their product, which a weight
/// is multiplied by, fits 32 bits.
pub(crate) const MOST_LR: f64 = 1e24;
const MOST_FACTOR: f64 = 1e6;

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
        if let Some(most) = self.micro_batch {
            whole("micro_batch", most.into(), 2..=self.batch.into())?;
        }
        self.validate_model()?;
        self.data.validate().map_err(of_data)?;
        if let Some(augment) = &self.augment {
            augment.validate().map_err(of_data)?;
        }
        self.validate_optimizer()?;
        self.validate_groups()?;
        self.validate_schedule()?;
        self.validate_step()?;
        self.validate_loss()
    }

    fn validate_model(&self) -> Result<(), RecipeError> {
        whole("model.outputs", self.model.outputs.max(0) as u64, 1..=1_000_000)?;
        let (is, colour) = (self.model.in_channels, self.data.colour);
        if is != colour.channels() as i64 {
            let want = format!("{}, as data.colour is {}", colour.channels(), colour.name());
            return Err(value("model.in_channels", is, &want));
        }
        Ok(())
    }

    fn validate_optimizer(&self) -> Result<(), RecipeError> {
        match &self.optimizer {
            Optimizer::Sgd(sgd) => validate_sgd(sgd),
            Optimizer::Adam(adam) => validate_adam(adam),
        }
    }

    /// What the patterns match depends on the model: `groups::resolve` checks that.
    fn validate_groups(&self) -> Result<(), RecipeError> {
        for (i, text) in self.freeze.iter().enumerate() {
            pattern(&format!("freeze[{i}]"), text)?;
        }
        for (i, group) in self.groups.iter().enumerate() {
            pattern(&format!("groups[{i}].pattern"), &group.pattern)?;
            let (key, factor) = (format!("groups[{i}].lr_factor"), group.lr_factor);
            let fits = factor > 0.0 && factor <= MOST_FACTOR;
            number(&key, factor, fits, "a finite number above 0, at most 1e6")?;
            decay(&format!("groups[{i}].weight_decay"), group.weight_decay.unwrap_or(0.0))?;
        }
        Ok(())
    }

    /// What a step does besides the optimiser's formula, and when there are enough of them.
    fn validate_step(&self) -> Result<(), RecipeError> {
        match self.clip {
            Some(Clip::Norm(most)) => positive("clip.norm", most)?,
            Some(Clip::Value(most)) => positive("clip.value", most)?,
            None => {}
        }
        if let Some(Ema { decay, warmup_power }) = self.ema {
            below_one("ema.decay", decay)?;
            positive("ema.warmup_power", warmup_power.unwrap_or(1.0))?;
        }
        if let Some(EarlyStop { patience, min_delta }) = self.early_stop {
            whole("early_stop.patience", patience.into(), 1..=1_000_000)?;
            not_negative("early_stop.min_delta", min_delta)?;
        }
        Ok(())
    }

    /// How many class weights there must be depends on the data: `ClassWeights::resolve` checks it.
    fn validate_loss(&self) -> Result<(), RecipeError> {
        below_one("label_smoothing", self.label_smoothing)?;
        if let Some(ClassWeights::Values(values)) = &self.class_weights {
            for (i, &weight) in values.iter().enumerate() {
                positive(&format!("class_weights.values[{i}]"), weight)?;
            }
        }
        Ok(())
    }

    fn validate_schedule(&self) -> Result<(), RecipeError> {
        if let Some(Warmup { steps, start_fraction }) = self.warmup {
            whole("warmup.steps", steps, 1..=1_000_000_000)?;
            let fits = start_fraction > 0.0 && start_fraction <= 1.0;
            let share = "a number above 0, at most 1";
            number("warmup.start_fraction", start_fraction, fits, share)?;
            let own = self.schedule.warmup_steps();
            if own > 0 {
                let allowed = "0 beside warmup: one rise at the beginning, not two that multiply";
                return Err(value("schedule.warmup_steps", own, allowed));
            }
        }
        match self.schedule {
            Schedule::Constant => Ok(()),
            Schedule::Step { ref milestones, factor, warmup_factor, warmup_steps: _ } => {
                let inside = milestones.iter().all(|share| *share > 0.0 && *share < 1.0);
                if !inside || !milestones.is_sorted() {
                    let value = format!("{milestones:?}");
                    let allowed = "rising numbers between 0 and 1, shares of the run";
                    let key = "schedule.milestones".into();
                    return Err(RecipeError::Value { key, value, allowed: allowed.into() });
                }
                let fits = factor > 0.0 && factor <= 1.0;
                let share = "a number above 0, at most 1";
                number("schedule.factor", factor, fits, share)?;
                let fits = warmup_factor > 0.0 && warmup_factor <= 1.0;
                number("schedule.warmup_factor", warmup_factor, fits, share)
            }
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

fn validate_sgd(sgd: &Sgd) -> Result<(), RecipeError> {
    let Sgd { lr, momentum, dampening, weight_decay, nesterov, semantics } = *sgd;
    rate("optimizer.sgd.lr", lr)?;
    below_one("optimizer.sgd.momentum", momentum)?;
    decay("optimizer.sgd.weight_decay", weight_decay)?;
    if nesterov && momentum == 0.0 {
        return Err(value("optimizer.sgd.nesterov", nesterov, "false while momentum is 0"));
    }
    below_one("optimizer.sgd.dampening", dampening)?;
    if dampening > 0.0 && (nesterov || momentum == 0.0 || semantics == Semantics::Keras) {
        let allowed = "0 unless PyTorch's momentum is used, without nesterov";
        return Err(value("optimizer.sgd.dampening", dampening, allowed));
    }
    Ok(())
}

fn validate_adam(adam: &Adam) -> Result<(), RecipeError> {
    let Adam { lr, beta1, beta2, eps, weight_decay, decay, semantics } = *adam;
    rate("optimizer.adam.lr", lr)?;
    below_one("optimizer.adam.beta1", beta1)?;
    below_one("optimizer.adam.beta2", beta2)?;
    positive("optimizer.adam.eps", eps)?;
    self::decay("optimizer.adam.weight_decay", weight_decay)?;
    if (decay, semantics) == (Decay::Coupled, Semantics::Keras) {
        let allowed = "decoupled: Keras has no other";
        return Err(value("optimizer.adam.decay", "coupled", allowed));
    }
    Ok(())
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

fn positive(key: &str, is: f64) -> Result<(), RecipeError> {
    number(key, is, is > 0.0, "a finite number above 0")
}

fn rate(key: &str, is: f64) -> Result<(), RecipeError> {
    number(key, is, is > 0.0 && is <= MOST_LR, "a finite number above 0, at most 1e24")
}

fn decay(key: &str, is: f64) -> Result<(), RecipeError> {
    number(key, is, (0.0..=MOST_FACTOR).contains(&is), "0 or more, at most 1e6")
}

fn not_negative(key: &str, is: f64) -> Result<(), RecipeError> {
    number(key, is, is >= 0.0, "0 or more")
}

fn below_one(key: &str, is: f64) -> Result<(), RecipeError> {
    number(key, is, (0.0..1.0).contains(&is), "a number from 0 to below 1")
}

fn number(key: &str, is: f64, fits: bool, allowed: &str) -> Result<(), RecipeError> {
    if fits && is.is_finite() { Ok(()) } else { Err(value(key, is, allowed)) }
}

fn value(key: &str, is: impl ToString, allowed: &str) -> RecipeError {
    RecipeError::Value { key: key.into(), value: is.to_string(), allowed: allowed.into() }
}

#[cfg(test)]
mod tests {
    use catscan_data::Colour;

    use super::*;
    use crate::groups::Group;
    use crate::testing::{self, recipe};

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
        let lr = |lr| move |recipe: &mut Recipe| recipe.optimizer = testing::sgd(lr).into();
        check(lr(-1.0), "optimizer.sgd.lr is -1, want a finite number above 0");
        check(lr(f64::NAN), "optimizer.sgd.lr is NaN, want");
        check(lr(f64::INFINITY), "optimizer.sgd.lr is inf, want");
        check(lr(1e39), "want a finite number above 0, at most 1e24");
        let cosine = Schedule::Cosine { warmup_steps: 1, end_fraction: f64::NAN };
        let says = "schedule.end_fraction is NaN, want";
        check(|recipe| recipe.schedule = cosine, says);
        for (milestones, factor, warmup_factor, says) in [
            (vec![0.75, 0.5], 0.1, 1.0, "schedule.milestones is [0.75, 0.5], want rising numbers"),
            (vec![32_000.0], 0.1, 1.0, "schedule.milestones is [32000.0], want"),
            (vec![0.5], 10.0, 1.0, "schedule.factor is 10, want a number above 0, at most 1"),
            (vec![0.5], 0.1, 0.0, "schedule.warmup_factor is 0, want a number above 0"),
        ] {
            let step = Schedule::Step { milestones, factor, warmup_steps: 9, warmup_factor };
            check(|recipe| recipe.schedule = step, says);
        }
    }

    #[test]
    fn impossible_optimizers_are_named_with_their_range() {
        let sgd = testing::sgd(0.1);
        let adam = testing::adam(1e-3);
        let coupled = Adam { decay: Decay::Coupled, ..adam.clone() };
        let cases: [(Optimizer, &str); 9] = [
            (Sgd { momentum: 1.0, ..sgd.clone() }.into(), "optimizer.sgd.momentum is 1, want"),
            (
                Sgd { weight_decay: -1e-4, ..sgd.clone() }.into(),
                "optimizer.sgd.weight_decay is -0.0001, want 0 or more",
            ),
            (
                Sgd { weight_decay: 1e7, ..sgd.clone() }.into(),
                "optimizer.sgd.weight_decay is 10000000, want 0 or more, at most 1e6",
            ),
            (Adam { lr: 1e39, ..adam.clone() }.into(), "above 0, at most 1e24"),
            (Sgd { momentum: 0.0, nesterov: true, ..sgd }.into(), "nesterov is true, want false"),
            (Adam { beta1: 1.0, ..adam.clone() }.into(), "optimizer.adam.beta1 is 1, want"),
            (Adam { beta2: -0.1, ..adam.clone() }.into(), "optimizer.adam.beta2 is -0.1, want"),
            (Adam { eps: 0.0, ..adam }.into(), "optimizer.adam.eps is 0, want"),
            (
                Adam { semantics: Semantics::Keras, ..coupled }.into(),
                "optimizer.adam.decay is coupled, want decoupled",
            ),
        ];
        for (optimizer, says) in cases {
            check(|recipe| recipe.optimizer = optimizer, says);
        }
    }

    #[test]
    fn impossible_groups_are_named_by_their_place() {
        let group = |pattern: &str, lr_factor, weight_decay| {
            let group = Group { pattern: pattern.into(), lr_factor, weight_decay };
            move |recipe: &mut Recipe| recipe.groups = vec![group]
        };
        check(group("a*", 0.0, None), "groups[0].lr_factor is 0, want a finite number above 0");
        check(group("a*", 1e7, None), "groups[0].lr_factor is 10000000, want");
        check(group("a*", 1.0, Some(1e7)), "groups[0].weight_decay is 10000000, want");
        check(group("a*", 1.0, Some(-0.1)), "groups[0].weight_decay is -0.1, want 0 or more");
        check(group("a[", 1.0, None), "groups[0].pattern is a[, want a pattern");
        check(|recipe| recipe.freeze = vec![String::new()], "freeze[0] is , want a pattern");
    }

    #[test]
    fn impossible_refinements_are_named_with_their_range() {
        check(
            |recipe| recipe.micro_batch = Some(1),
            "micro_batch is 1, want a whole number from 2",
        );
        check(|recipe| recipe.micro_batch = Some(9), "micro_batch is 9, want");
        check(|recipe| recipe.clip = Some(Clip::Norm(0.0)), "clip.norm is 0, want");
        check(|recipe| recipe.clip = Some(Clip::Value(f64::NAN)), "clip.value is NaN, want");
        let ema = |decay, warmup_power| Some(Ema { decay, warmup_power });
        check(|recipe| recipe.ema = ema(1.0, None), "ema.decay is 1, want");
        check(|recipe| recipe.ema = ema(0.9, Some(0.0)), "ema.warmup_power is 0, want");
        check(|recipe| recipe.label_smoothing = 1.0, "label_smoothing is 1, want");
        let weights = Some(ClassWeights::Values(vec![1.0, 0.0]));
        check(|recipe| recipe.class_weights = weights, "class_weights.values[1] is 0, want");
        let stop = |patience, min_delta| Some(EarlyStop { patience, min_delta });
        check(|recipe| recipe.early_stop = stop(0, 0.0), "early_stop.patience is 0, want");
        check(|recipe| recipe.early_stop = stop(1, -1.0), "early_stop.min_delta is -1, want");
        let warmup = |steps, start_fraction| Some(Warmup { steps, start_fraction });
        check(|recipe| recipe.warmup = warmup(0, 0.5), "warmup.steps is 0, want");
        check(|recipe| recipe.warmup = warmup(5, 1.5), "warmup.start_fraction is 1.5, want");
        let says = "warmup.start_fraction is 0, want a number above 0, at most 1";
        check(|recipe| recipe.warmup = warmup(5, 0.0), says);
        let says = "schedule.warmup_steps is 3, want 0 beside warmup";
        check(|recipe| recipe.warmup = warmup(5, 0.5), says);
        let nesterov = Sgd { nesterov: true, dampening: 0.1, ..testing::sgd(0.1) };
        check(|recipe| recipe.optimizer = nesterov.into(), "dampening is 0.1, want 0 unless");
    }

    #[test]
    fn a_network_takes_the_channels_that_the_pictures_have() {
        let says = "model.in_channels is 1, want 3, as data.colour is rgb";
        check(|recipe| recipe.model.in_channels = 1, says);
        let says = "model.in_channels is 3, want 1, as data.colour is grey";
        check(|recipe| recipe.data.colour = Colour::Grey, says);
    }

    #[test]
    fn what_the_data_crate_refuses_keeps_its_place_in_the_recipe() {
        let says = "data.size_px is 0, want";
        check(|recipe| recipe.data.size_px = 0, says);
        let says = "data.train_fraction is 0, want a number above 0 and at most 1";
        check(|recipe| recipe.data.train_fraction = 0.0, says);
        let unzoom = |recipe: &mut Recipe| recipe.augment.as_mut().unwrap().zoom = -0.1;
        check(unzoom, "recipe: augment.zoom is -0.1, want");
    }
}
