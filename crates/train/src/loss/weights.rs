//! How much each class counts in the loss, where some are rarer or dearer than others.

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::recipe::RecipeError;

/// A rule for the weights of the classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassWeights {
    /// `n / (K · n_c)` for the `n_c` of `n` training pictures that are of class `c`: every class
    /// counts as much as every other. scikit-learn's `class_weight="balanced"`.
    Balanced,
    /// One a class, in the order of the labels, above 0.
    Values(Vec<f64>),
}

impl ClassWeights {
    /// `[K]`, for a training part that holds `counts [K]` pictures of each class.
    ///
    /// # Errors
    /// As many values as there are classes are wanted, and a class to balance has pictures.
    pub fn resolve(&self, counts: &[u64]) -> Result<Vec<f64>, RecipeError> {
        let wrong = |value: String, allowed: String| {
            Err(RecipeError::Value { key: "class_weights".into(), value, allowed })
        };
        match self {
            ClassWeights::Balanced => {
                if let Some(class) = counts.iter().position(|count| *count == 0) {
                    let allowed = format!("pictures of class {class} in the training part");
                    return wrong("balanced".into(), allowed);
                }
                let all = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
                Ok(counts.iter().map(|count| all / *count as f64).collect())
            }
            ClassWeights::Values(values) if values.len() != counts.len() => {
                let allowed = format!("{} values, one a class", counts.len());
                wrong(format!("{} values", values.len()), allowed)
            }
            ClassWeights::Values(values) => Ok(values.clone()),
        }
    }

    /// The same as a tensor `[K]` f32.
    ///
    /// # Errors
    /// As [`ClassWeights::resolve`].
    pub(crate) fn tensor(&self, counts: &[u64], device: Device) -> Result<Tensor, RecipeError> {
        let values: Vec<f32> = self.resolve(counts)?.iter().map(|&value| value as f32).collect();
        Ok(Tensor::from_slice(&values).to_device(device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_classes_count_alike_together() {
        let weights = ClassWeights::Balanced.resolve(&[60, 20, 40]).unwrap();
        assert_eq!(weights, [40.0 / 60.0, 2.0, 1.0]);
        let error = ClassWeights::Balanced.resolve(&[60, 0]).unwrap_err().to_string();
        assert!(error.contains("class_weights is balanced, want pictures of class 1"), "{error}");
    }

    #[test]
    fn there_is_one_value_a_class() {
        let two = ClassWeights::Values(vec![1.0, 2.0]);
        assert_eq!(two.resolve(&[5, 5]).unwrap(), [1.0, 2.0]);
        let error = two.resolve(&[5, 5, 5]).unwrap_err().to_string();
        assert!(error.contains("is 2 values, want 3 values, one a class"), "{error}");
    }

    #[test]
    fn both_rules_are_read_as_a_recipe_spells_them() {
        let read = |text| serde_json::from_str::<ClassWeights>(text).unwrap();
        assert_eq!(read(r#""balanced""#), ClassWeights::Balanced);
        assert_eq!(read(r#"{"values":[1,2.5]}"#), ClassWeights::Values(vec![1.0, 2.5]));
    }
}
