//! In which fields two recipes differ: what an experiment varies, or why a folder is not ours.

use catscan_train::Recipe;
use serde_json::Value;

/// A field, and what it is in the first and in the second recipe, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Such as `model.pooling.head`.
    pub field: String,
    pub first: String,
    pub second: String,
}

/// All fields in which `second` differs from `first`, in the order of the recipe.
pub fn differences(first: &Recipe, second: &Recipe) -> Vec<Difference> {
    let value = |recipe: &Recipe| serde_json::to_value(recipe).expect("a recipe is plain data");
    let mut found = Vec::new();
    compare("", &value(first), &value(second), &mut found);
    found
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
    use crate::recipes::{pooling, quick};
    use catscan_models::ModelConfig;

    #[test]
    fn every_differing_field_is_named() {
        let first = quick();
        let pooling = pooling("transition-avg_head-max").unwrap();
        let model = ModelConfig { pooling, ..first.model.clone() };
        let second = Recipe { model, epochs: first.epochs + 1, ..first.clone() };
        let found = differences(&first, &second);
        let fields: Vec<&str> = found.iter().map(|found| &*found.field).collect();
        assert_eq!(fields, ["model.pooling.head", "epochs"]);
        assert_eq!((&*found[0].first, &*found[0].second), ("\"avg\"", "\"max\""));
        assert!(differences(&first, &first).is_empty());
    }

    #[test]
    fn a_part_that_one_lacks_is_a_difference() {
        let first = quick();
        let second = Recipe { augment: None, ..first.clone() };
        assert_eq!(differences(&first, &second)[0].field, "augment");
    }
}
