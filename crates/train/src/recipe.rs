//! A recipe: everything that decides a training's result, as plain data.

use std::ops::RangeInclusive;

use catscan_data::{Augment, DataConfig, DataError};
use catscan_models::ModelConfig;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::schedule::Schedule;
use crate::sgd::Sgd;

/// The resolved description of one training. There is no `Default`: what changes a result is
/// written out, in `recipe.json` beside the result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    pub model: ModelConfig,
    pub data: DataConfig,
    /// `None`: training pictures are shown as they are.
    pub augment: Option<Augment>,
    pub optimizer: Sgd,
    pub schedule: Schedule,
    /// Pictures in a step.
    pub batch: u32,
    pub epochs: u32,
    /// `None`: an epoch is one pass over the training part. `Some(80)`: an epoch is 80 steps, and
    /// the stream of batches runs on through passes, as Keras' generators do.
    pub steps_per_epoch: Option<u32>,
    /// `None`: all validation pictures. `Some(20)`: 20 batches' worth of them, the same each epoch.
    pub validation_steps: Option<u32>,
    /// Of initial weights, order and augmentation; the split has its own.
    pub seed: u64,
}

/// A recipe that cannot be trained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipeError {
    #[error("recipe: {key} is {value}, want {allowed}; change it and start again")]
    Value {
        key: String,
        value: String,
        allowed: String,
    },
    #[error("recipe: {0}; compare it with a recipe.json that a run wrote")]
    Json(String),
}

impl RecipeError {
    /// Always 2: the configuration is wrong.
    pub fn exit_code(&self) -> u8 {
        2
    }
}

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
        whole(
            "model.outputs",
            self.model.outputs.max(0) as u64,
            1..=1_000_000,
        )?;
        if self.model.in_channels != 3 {
            return Err(value(
                "model.in_channels",
                self.model.in_channels,
                "3 (red, green, blue)",
            ));
        }
        Ok(())
    }

    fn validate_optimizer(&self) -> Result<(), RecipeError> {
        let Sgd {
            lr,
            momentum,
            weight_decay,
            nesterov,
            semantics: _,
        } = self.optimizer;
        number("optimizer.lr", lr, lr > 0.0, "a finite number above 0")?;
        let fits = (0.0..1.0).contains(&momentum);
        number(
            "optimizer.momentum",
            momentum,
            fits,
            "a number from 0 to below 1",
        )?;
        number(
            "optimizer.weight_decay",
            weight_decay,
            weight_decay >= 0.0,
            "0 or more",
        )?;
        if nesterov && momentum == 0.0 {
            return Err(value(
                "optimizer.nesterov",
                nesterov,
                "false while momentum is 0",
            ));
        }
        match self.schedule {
            Schedule::Constant => Ok(()),
            Schedule::Cosine {
                end_fraction: end,
                warmup_steps: _,
            } => {
                let fits = (0.0..=1.0).contains(&end);
                number("schedule.end_fraction", end, fits, "a number from 0 to 1")
            }
            Schedule::OneCycle {
                rise_fraction,
                start_divisor,
                end_divisor,
                anneal: _,
            } => {
                let fits = rise_fraction > 0.0 && rise_fraction < 1.0;
                number(
                    "schedule.rise_fraction",
                    rise_fraction,
                    fits,
                    "between 0 and 1",
                )?;
                number(
                    "schedule.start_divisor",
                    start_divisor,
                    start_divisor >= 1.0,
                    "1 or more",
                )?;
                number(
                    "schedule.end_divisor",
                    end_divisor,
                    end_divisor >= 1.0,
                    "1 or more",
                )
            }
        }
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

    /// The first key in which two recipes differ, with its two values.
    pub fn first_difference(&self, other: &Recipe) -> Option<(String, String, String)> {
        let value = |recipe| serde_json::to_value(recipe).expect("a recipe is plain data");
        difference("", &value(self), &value(other))
    }
}

fn difference(key: &str, ours: &Value, theirs: &Value) -> Option<(String, String, String)> {
    if ours == theirs {
        return None;
    }
    if let (Value::Object(ours), Value::Object(theirs)) = (ours, theirs) {
        let both = ours
            .keys()
            .chain(theirs.keys().filter(|name| !ours.contains_key(*name)));
        return both.into_iter().find_map(|name| {
            let key = if key.is_empty() {
                name.clone()
            } else {
                format!("{key}.{name}")
            };
            let of = |object: &serde_json::Map<_, _>| object.get(name).cloned().unwrap_or_default();
            difference(&key, &of(ours), &of(theirs))
        });
    }
    Some((key.to_string(), ours.to_string(), theirs.to_string()))
}

fn of_data(error: DataError) -> RecipeError {
    match error {
        DataError::Config { key, value, want } => {
            // Augmentation is checked by the data crate but stands beside `data` in a recipe.
            let ours = key.starts_with("augment.");
            let key = if ours { key } else { format!("data.{key}") };
            RecipeError::Value {
                key,
                value,
                allowed: want,
            }
        }
        other => RecipeError::Json(other.to_string()),
    }
}

fn whole(key: &str, is: u64, allowed: RangeInclusive<u64>) -> Result<(), RecipeError> {
    if allowed.contains(&is) {
        return Ok(());
    }
    Err(value(
        key,
        is,
        &format!(
            "a whole number from {} to {}",
            allowed.start(),
            allowed.end()
        ),
    ))
}

fn number(key: &str, is: f64, fits: bool, allowed: &str) -> Result<(), RecipeError> {
    if fits && is.is_finite() {
        Ok(())
    } else {
        Err(value(key, is, allowed))
    }
}

fn value(key: &str, is: impl ToString, allowed: &str) -> RecipeError {
    RecipeError::Value {
        key: key.into(),
        value: is.to_string(),
        allowed: allowed.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::recipe;

    #[test]
    fn survives_json_to_the_bit() {
        let recipe = Recipe {
            optimizer: Sgd {
                lr: 0.1 + 0.2,
                ..recipe().optimizer
            },
            ..recipe()
        };
        let again = Recipe::from_json(&recipe.to_json_pretty()).unwrap();
        assert_eq!(again, recipe);
        assert_eq!(again.hash(), recipe.hash());
    }

    #[test]
    fn the_hash_follows_content_not_order() {
        let value = serde_json::to_value(recipe()).unwrap();
        let Value::Object(map) = value else {
            panic!("{value}")
        };
        let backwards: serde_json::Map<_, _> = map.into_iter().rev().collect();
        let again = Recipe::from_json(&Value::Object(backwards).to_string()).unwrap();
        assert_eq!(again.hash(), recipe().hash());
        assert_eq!(recipe().hash().len(), 16);
        assert_ne!(
            Recipe {
                seed: 2,
                ..recipe()
            }
            .hash(),
            recipe().hash()
        );
        assert_ne!(
            Recipe {
                augment: None,
                ..recipe()
            }
            .hash(),
            recipe().hash()
        );
    }

    #[test]
    fn impossible_values_are_named_with_their_range() {
        let sgd = recipe().optimizer;
        let data = recipe().data;
        let cosine = Schedule::Cosine {
            warmup_steps: 1,
            end_fraction: f64::NAN,
        };
        let augment = recipe().augment.map(|augment| Augment {
            zoom: -0.1,
            ..augment
        });
        for (recipe, says) in [
            (
                Recipe {
                    batch: 0,
                    ..recipe()
                },
                "batch is 0, want a whole number from 2 to 65536",
            ),
            (
                Recipe {
                    batch: 1,
                    ..recipe()
                },
                "batch is 1, want",
            ),
            (
                Recipe {
                    epochs: 0,
                    ..recipe()
                },
                "epochs is 0, want",
            ),
            (
                Recipe {
                    steps_per_epoch: Some(0),
                    ..recipe()
                },
                "steps_per_epoch is 0, want",
            ),
            (
                Recipe {
                    validation_steps: Some(0),
                    ..recipe()
                },
                "validation_steps is 0, want",
            ),
            (
                Recipe {
                    optimizer: Sgd {
                        lr: -1.0,
                        ..sgd.clone()
                    },
                    ..recipe()
                },
                "optimizer.lr is -1, want a finite number above 0",
            ),
            (
                Recipe {
                    optimizer: Sgd {
                        lr: f64::NAN,
                        ..sgd.clone()
                    },
                    ..recipe()
                },
                "optimizer.lr is NaN, want",
            ),
            (
                Recipe {
                    optimizer: Sgd {
                        lr: f64::INFINITY,
                        ..sgd.clone()
                    },
                    ..recipe()
                },
                "optimizer.lr is inf, want",
            ),
            (
                Recipe {
                    optimizer: Sgd {
                        momentum: 1.0,
                        ..sgd.clone()
                    },
                    ..recipe()
                },
                "optimizer.momentum is 1, want",
            ),
            (
                Recipe {
                    optimizer: Sgd {
                        weight_decay: -1e-4,
                        ..sgd
                    },
                    ..recipe()
                },
                "optimizer.weight_decay is -0.0001, want 0 or more",
            ),
            (
                Recipe {
                    data: DataConfig { size_px: 0, ..data },
                    ..recipe()
                },
                "data.size_px is 0, want",
            ),
            (
                Recipe {
                    schedule: cosine,
                    ..recipe()
                },
                "schedule.end_fraction is NaN, want",
            ),
            (
                Recipe {
                    augment,
                    ..recipe()
                },
                "recipe: augment.zoom is -0.1, want",
            ),
        ] {
            let error = recipe.validate().unwrap_err();
            assert!(error.to_string().contains(says), "{error}, want {says}");
            assert_eq!(error.exit_code(), 2);
        }
        recipe().validate().unwrap();
    }

    #[test]
    fn unknown_keys_are_named() {
        for (key, wrong) in [
            ("batch", "bacth"),
            ("momentum", "momentom"),
            ("size_px", "size"),
        ] {
            let text = recipe()
                .to_json_pretty()
                .replace(&format!("\"{key}\""), &format!("\"{wrong}\""));
            let error = Recipe::from_json(&text).unwrap_err();
            assert!(error.to_string().contains(wrong), "{error}");
        }
    }

    #[test]
    fn the_first_difference_is_found_at_its_depth() {
        let sgd = Sgd {
            lr: 0.5,
            ..recipe().optimizer
        };
        let other = Recipe {
            optimizer: sgd,
            epochs: 9,
            ..recipe()
        };
        let (key, here, there) = recipe().first_difference(&other).unwrap();
        assert_eq!(
            (key.as_str(), here.as_str(), there.as_str()),
            ("optimizer.lr", "0.05", "0.5")
        );
        assert_eq!(recipe().first_difference(&recipe()), None);
    }
}
