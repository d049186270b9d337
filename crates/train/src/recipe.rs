//! A recipe: everything that decides a training's result, as plain data.

use catscan_data::{Augment, DataConfig};
use catscan_models::ModelConfig;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clip::Clip;
use crate::early_stop::EarlyStop;
use crate::ema::Ema;
use crate::groups::{Decayed, Group};
use crate::init::Init;
use crate::loss::ClassWeights;
use crate::optimizer::Optimizer;
use crate::schedule::{Schedule, Warmup};

mod validate;

pub(crate) use validate::MOST_LR;

/// The resolved description of one training. There is no `Default`: what changes a result is
/// written out, in `recipe.json` beside the result. What came later and is not used is left out
/// there, so that a recipe keeps its hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Architecture, pooling, initial weights' rule and number format.
    pub model: ModelConfig,
    /// Pictures, their size and how they are split.
    pub data: DataConfig,
    /// `None`: training pictures are shown as they are.
    pub augment: Option<Augment>,
    /// The weights before the first step.
    pub init: Init,
    /// Patterns over parameter names: these are not trained. See [`crate::groups`].
    pub freeze: Vec<String>,
    /// Parameters with their own rate; the first pattern that matches counts.
    pub groups: Vec<Group>,
    /// Which parameters weight decay acts on.
    #[serde(default, skip_serializing_if = "Decayed::is_all")]
    pub decayed: Decayed,
    /// Its `lr` is the peak that `schedule` moves below.
    pub optimizer: Optimizer,
    /// Runs over all epochs' steps together.
    pub schedule: Schedule,
    /// Lowers the schedule's rate at the beginning, whichever it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup: Option<Warmup>,
    /// What a gradient is held below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<Clip>,
    /// Weights averaged over the training, which are then what is scored and kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ema: Option<Ema>,
    /// 0 to below 1: the share of a label that is spread over all classes. See [`crate::loss`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub label_smoothing: f64,
    /// How much each class counts in the loss; `None`: alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// Pictures in a step.
    pub batch: u32,
    /// Pictures at once: a step adds up the gradients of such pieces of its batch. `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_batch: Option<u32>,
    /// How many; each closes with a validation and a checkpoint.
    pub epochs: u32,
    /// Ends the training before that, when validation no longer gets better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stop: Option<EarlyStop>,
    /// `None`: an epoch is one pass over the training part. `Some(80)`: an epoch is 80 steps, and
    /// the stream of batches runs on through passes, as Keras' generators do.
    pub steps_per_epoch: Option<u32>,
    /// `None`: all validation pictures. `Some(20)`: 20 batches' worth of them, the same each epoch.
    pub validation_steps: Option<u32>,
    /// Of initial weights, order and augmentation; the split has its own.
    pub seed: u64,
}

/// A field, and what it is in the first and in the second recipe, as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// With dots, such as `optimizer.sgd.lr`.
    pub field: String,
    /// `null` where it has none.
    pub first: String,
    /// The same.
    pub second: String,
}

/// A recipe that cannot be trained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipeError {
    /// A value that no training can have, or that does not fit the data.
    #[error("recipe: {key} is {value}, want {allowed}; change it and start again")]
    Value {
        /// With dots, such as `optimizer.sgd.lr`.
        key: String,
        /// As it was given.
        value: String,
        /// The range or the rule, in words.
        allowed: String,
    },
    /// Not JSON, or a key is missing or unknown: serde's message, which names it.
    #[error("recipe: {0}; compare it with a recipe.json that a run wrote")]
    Json(String),
}

impl RecipeError {
    /// Always 2: the configuration is wrong.
    pub fn exit_code(&self) -> u8 {
        2
    }
}

/// Whether a number that came later is not used.
pub(crate) fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

impl Recipe {
    /// The learning rate of step `step`, counted from 0, of `steps_total`.
    pub fn lr(&self, step: u64, steps_total: u64) -> f64 {
        let warmup = self.warmup.map_or(1.0, |warmup| warmup.factor(step));
        warmup * self.schedule.lr(self.optimizer.lr(), step, steps_total)
    }

    /// Sixteen hexadecimal digits that change when anything in the recipe changes, and not when
    /// keys are written in another order: blake3 of the JSON with sorted keys.
    pub fn hash(&self) -> String {
        let mut value = serde_json::to_value(self).expect("a recipe is plain data");
        value.sort_all_objects();
        blake3::hash(value.to_string().as_bytes()).to_hex()[..16].to_string()
    }

    /// Reads and validates. Unknown keys are errors.
    pub fn from_json(text: &str) -> Result<Recipe, RecipeError> {
        let recipe: Recipe =
            serde_json::from_str(text).map_err(|error| RecipeError::Json(error.to_string()))?;
        recipe.validate()?;
        Ok(recipe)
    }

    /// As `recipe.json` holds it, with a line break at the end.
    pub fn to_json_pretty(&self) -> String {
        serde_json::to_string_pretty(self).expect("a recipe is plain data") + "\n"
    }

    /// All fields in which `other` differs from this one, in the order of the recipe.
    pub fn differences(&self, other: &Recipe) -> Vec<Difference> {
        let value = |recipe| serde_json::to_value(recipe).expect("a recipe is plain data");
        let mut found = Vec::new();
        compare("", &value(self), &value(other), &mut found);
        found
    }
}

fn compare(field: &str, first: &Value, second: &Value, found: &mut Vec<Difference>) {
    if let (Some(a), Some(b)) = (first.as_object(), second.as_object()) {
        let only_second = b.keys().filter(|key| !a.contains_key(*key));
        for key in a.keys().chain(only_second) {
            let field = if field.is_empty() { key.clone() } else { format!("{field}.{key}") };
            let side = |object: &serde_json::Map<String, Value>| {
                object.get(key).cloned().unwrap_or(Value::Null)
            };
            compare(&field, &side(a), &side(b), found);
        }
    } else if first != second {
        let (first, second) = (first.to_string(), second.to_string());
        found.push(Difference { field: field.to_owned(), first, second });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::recipe;

    #[test]
    fn survives_json_to_the_bit() {
        let recipe = Recipe { optimizer: recipe().optimizer.with_lr(0.1 + 0.2), ..recipe() };
        let again = Recipe::from_json(&recipe.to_json_pretty()).unwrap();
        assert_eq!(again, recipe);
        assert_eq!(again.hash(), recipe.hash());
    }

    #[test]
    fn the_hash_follows_content_not_order() {
        let value = serde_json::to_value(recipe()).unwrap();
        let Value::Object(map) = value else { panic!("{value}") };
        let backwards: serde_json::Map<_, _> = map.into_iter().rev().collect();
        let again = Recipe::from_json(&Value::Object(backwards).to_string()).unwrap();
        assert_eq!(again.hash(), recipe().hash());
        assert_eq!(recipe().hash().len(), 16);
        assert_ne!(Recipe { seed: 2, ..recipe() }.hash(), recipe().hash());
        assert_ne!(Recipe { augment: None, ..recipe() }.hash(), recipe().hash());
    }

    #[test]
    fn values_that_came_later_are_absent_where_they_are_not_used() {
        let text = recipe().to_json_pretty();
        for key in
            ["decayed", "warmup", "clip", "ema", "label_smoothing", "class_weights", "micro_batch"]
        {
            assert!(!text.contains(&format!("\"{key}\"")), "{key} in {text}");
        }
        assert!(!text.contains("early_stop") && !text.contains("dampening"), "{text}");
        // Of a recipe as it was written before they came: its runs are still its own.
        assert_eq!(recipe().hash(), "4a6ea94877ff0167");
    }

    #[test]
    fn values_that_came_later_survive_json() {
        let full = Recipe {
            decayed: Decayed::Matrices,
            schedule: Schedule::Cosine { warmup_steps: 0, end_fraction: 0.0 },
            warmup: Some(Warmup { steps: 5, start_fraction: 0.1 }),
            clip: Some(Clip::Norm(1.0)),
            ema: Some(Ema { decay: 0.99, warmup_power: Some(0.75) }),
            label_smoothing: 0.1,
            class_weights: Some(ClassWeights::Balanced),
            micro_batch: Some(4),
            early_stop: Some(EarlyStop { patience: 3, min_delta: 0.0 }),
            ..recipe()
        };
        assert_eq!(Recipe::from_json(&full.to_json_pretty()).unwrap(), full);
        let cold = Recipe { warmup: None, ..full.clone() };
        assert!((full.lr(0, 18) - 0.1 * cold.lr(0, 18)).abs() < 1e-12);
        assert_eq!(full.lr(9, 18), cold.lr(9, 18));
    }

    #[test]
    fn unknown_keys_are_named() {
        for (key, wrong) in [("batch", "bacth"), ("momentum", "momentom"), ("size_px", "size")] {
            let text =
                recipe().to_json_pretty().replace(&format!("\"{key}\""), &format!("\"{wrong}\""));
            let error = Recipe::from_json(&text).unwrap_err();
            assert!(error.to_string().contains(wrong), "{error}");
        }
    }

    #[test]
    fn every_differing_field_is_named_at_its_depth() {
        let optimizer = recipe().optimizer.with_lr(0.5);
        let other = Recipe { optimizer, epochs: 9, augment: None, ..recipe() };
        let found = recipe().differences(&other);
        let fields: Vec<&str> = found.iter().map(|found| &*found.field).collect();
        assert_eq!(fields, ["augment", "optimizer.sgd.lr", "epochs"]);
        assert_eq!((&*found[1].first, &*found[1].second), ("0.05", "0.5"));
        assert_eq!(found[0].second, "null", "a part that one lacks is a difference");
        assert_eq!(recipe().differences(&recipe()), []);
    }
}
