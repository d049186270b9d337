//! Which parameters are trained, and which of them step alike: freezing and groups, by patterns
//! over parameter names.
//!
//! A pattern is a whole name in which `*` stands for any characters (dots included), `?` for one
//! and `[12]` for one of those: `features.*`, `layer[12].*`, `*.bias`. Names are torchvision's;
//! `catscan summary MODEL --weights` lists them.
//!
//! The rules, in this order. A parameter that any pattern of `freeze` matches is not trained: it
//! needs no gradient and no moments, and a batch norm whose two parameters are frozen keeps its
//! running statistics as well. Any other belongs to the first group whose pattern matches it, or
//! else to the rest, which steps as the optimiser says. A pattern that freezes no name, or a group
//! that is left with none, is an error, because its author meant something.

use catscan_models::{Weight, Weights};
use glob::Pattern;
use serde::{Deserialize, Serialize};

use crate::optimizer::ParameterGroup;
use crate::recipe::{Recipe, RecipeError};

/// Which parameters weight decay acts on, whatever their group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decayed {
    /// Every trained number: biases and batch norm included, as PyTorch's and Keras' optimisers
    /// have it of themselves.
    #[default]
    All,
    /// Weights of two axes or more alone, those of convolutions and linear layers: a bias or a
    /// batch norm's scale has nothing to gain from being small (Goyal et al. 2017,
    /// arXiv:1706.02677, section 5.1; timm's `no_weight_decay` of one-dimensional parameters).
    Matrices,
}

impl Decayed {
    pub(crate) fn is_all(&self) -> bool {
        *self == Decayed::All
    }

    /// Whether decay acts on this one.
    fn covers(self, weight: &Weight) -> bool {
        self == Decayed::All || weight.tensor.dim() > 1
    }
}

/// Parameters that step at their own rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Over parameter names, such as `features.*`.
    pub pattern: String,
    /// Above 0: their learning rate is that of the schedule times this.
    pub lr_factor: f64,
    /// `None`: the optimiser's.
    pub weight_decay: Option<f64>,
}

/// The pattern that `text` is.
///
/// # Errors
/// Brackets or asterisks that make no pattern; `key` is where it stands in the recipe.
pub(crate) fn pattern(key: &str, text: &str) -> Result<Pattern, RecipeError> {
    let value =
        |allowed: String| RecipeError::Value { key: key.into(), value: text.into(), allowed };
    if text.is_empty() {
        return Err(value("a pattern over parameter names".into()));
    }
    Pattern::new(text).map_err(|error| value(format!("a pattern ({error})")))
}

/// Freezes what the recipe freezes, and sorts the rest by group: the recipe's groups first, in
/// their order, then the rest, each in two where decay does not act on all of it. No group is
/// empty.
///
/// # Errors
/// A pattern that decides nothing, or a network of which nothing is left to train.
pub(crate) fn resolve(
    recipe: &Recipe,
    weights: &Weights,
) -> Result<Vec<ParameterGroup>, RecipeError> {
    freeze(recipe, weights)?;
    let key = |i: usize| format!("groups[{i}].pattern");
    let mut patterns = Vec::new();
    for (i, group) in recipe.groups.iter().enumerate() {
        patterns.push(pattern(&key(i), &group.pattern)?);
    }
    // Of each group first what decays, then what does not.
    let halves = |lr_factor: f64, weight_decay: Option<f64>| {
        [weight_decay, Some(0.0)].map(|weight_decay| {
            let parameters = Vec::new();
            ParameterGroup { parameters, lr_factor, weight_decay }
        })
    };
    let mut groups: Vec<[ParameterGroup; 2]> =
        recipe.groups.iter().map(|group| halves(group.lr_factor, group.weight_decay)).collect();
    groups.push(halves(1.0, None));
    for weight in weights.parameters().filter(|weight| weight.is_trained()) {
        let first = patterns.iter().position(|pattern| pattern.matches(&weight.name));
        let half = usize::from(!recipe.decayed.covers(weight));
        let parameters = &mut groups[first.unwrap_or(patterns.len())][half].parameters;
        parameters.push(weight.tensor.shallow_clone());
    }
    for (i, pattern) in patterns.iter().enumerate() {
        if groups[i].iter().all(|half| half.parameters.is_empty()) {
            return Err(decides_nothing(key(i), pattern, weights));
        }
    }
    let mut groups: Vec<ParameterGroup> = groups.into_iter().flatten().collect();
    groups.retain(|group| !group.parameters.is_empty());
    Ok(groups)
}

fn freeze(recipe: &Recipe, weights: &Weights) -> Result<(), RecipeError> {
    for (i, text) in recipe.freeze.iter().enumerate() {
        let key = format!("freeze[{i}]");
        let pattern = pattern(&key, text)?;
        let matched: Vec<&Weight> =
            weights.parameters().filter(|weight| pattern.matches(&weight.name)).collect();
        if matched.is_empty() {
            return Err(decides_nothing(key, &pattern, weights));
        }
        matched.iter().for_each(|weight| weight.freeze());
    }
    if weights.parameters().any(Weight::is_trained) {
        return Ok(());
    }
    Err(RecipeError::Value {
        key: "freeze".into(),
        value: recipe.freeze.join(", "),
        allowed: "patterns that leave something to train, such as the classifier".into(),
    })
}

fn decides_nothing(key: String, pattern: &Pattern, weights: &Weights) -> RecipeError {
    let allowed = match weights.parameters().any(|weight| pattern.matches(&weight.name)) {
        true => {
            "a pattern that matches a parameter which is neither frozen nor of an earlier group"
                .into()
        }
        false => {
            let near = weights.nearest_parameter(pattern.as_str());
            let near = near.map(|name| format!(", the nearest of which is {name}"));
            format!("a pattern that matches a parameter{}", near.unwrap_or_default())
        }
    };
    RecipeError::Value { key, value: pattern.as_str().into(), allowed }
}

#[cfg(test)]
mod tests {
    use catscan_models::Model;
    use tch::Device;

    use super::*;
    use crate::testing::recipe;

    fn group(pattern: &str) -> Group {
        Group { pattern: pattern.into(), lr_factor: 0.1, weight_decay: None }
    }

    /// The shared recipe with these patterns, resolved on its own model.
    fn resolved(groups: &[&str], freeze: &[&str]) -> Result<Vec<ParameterGroup>, RecipeError> {
        let recipe = Recipe {
            groups: groups.iter().map(|pattern| group(pattern)).collect(),
            freeze: freeze.iter().map(ToString::to_string).collect(),
            ..recipe()
        };
        let model = Model::build(&recipe.model, 1, Device::Cpu).unwrap();
        resolve(&recipe, model.weights())
    }

    fn sizes(groups: &[ParameterGroup]) -> Vec<usize> {
        groups.iter().map(|group| group.parameters.len()).collect()
    }

    #[test]
    fn the_first_match_wins_and_the_rest_comes_last() {
        let all: usize = sizes(&resolved(&[], &[]).unwrap()).iter().sum();
        let groups = resolved(&["*.bias", "features.*"], &[]).unwrap();
        let [biases, body, rest] = sizes(&groups)[..] else { panic!("{groups:?}") };
        assert_eq!(biases + body + rest, all);
        assert_eq!(rest, 1, "classifier.weight is neither a bias nor a feature");
        assert_eq!((groups[0].lr_factor, groups[2].lr_factor), (0.1, 1.0));
        let tail = resolved(&["features.*", "classifier.*"], &[]).unwrap();
        assert_eq!(sizes(&tail).len(), 2, "an empty rest is no group");
    }

    #[test]
    fn vectors_need_not_decay() {
        let decay = Group { weight_decay: Some(0.5), ..group("classifier.*") };
        let recipe = Recipe { groups: vec![decay], decayed: Decayed::Matrices, ..recipe() };
        let model = Model::build(&recipe.model, 1, Device::Cpu).unwrap();
        let groups = resolve(&recipe, model.weights()).unwrap();
        let found: Vec<_> =
            groups.iter().map(|group| (group.lr_factor, group.weight_decay)).collect();
        assert_eq!(found, [(0.1, Some(0.5)), (0.1, Some(0.0)), (1.0, None), (1.0, Some(0.0))]);
        for group in &groups {
            let decays = group.weight_decay != Some(0.0);
            assert!(group.parameters.iter().all(|tensor| (tensor.dim() > 1) == decays));
        }
        let all = model.weights().parameters().count();
        assert_eq!(sizes(&groups).iter().sum::<usize>(), all);
    }

    #[test]
    fn what_is_frozen_belongs_to_no_group() {
        let groups = resolved(&["*.weight"], &["features.*"]).unwrap();
        assert_eq!(sizes(&groups), [1, 1]);
        assert!(groups.iter().all(|group| group.parameters[0].requires_grad()));
    }

    #[test]
    fn a_pattern_that_decides_nothing_is_refused() {
        for (groups, freeze, says) in [
            (&["clasifier.*"][..], &[][..], "groups[0].pattern is clasifier.*"),
            (&["clasifier.*"], &[], "the nearest of which is classifier."),
            (&["zzzzzz"], &[], "want a pattern that matches a parameter; change it"),
            (&["*", "classifier.*"], &[], "groups[1].pattern is classifier.*, want a pattern that"),
            (&["classifier.*"], &["classifier.*"], "neither frozen nor of an earlier group"),
            (&[], &["features.conv0"], "freeze[0] is features.conv0, want"),
            (&[], &["features.conv0"], "the nearest of which is features.conv0.weight"),
            (&[], &["features.*", "class*"], "freeze is features.*, class*, want patterns that"),
            (&[], &["[a"], "freeze[0] is [a, want a pattern ("),
        ] {
            let error = resolved(groups, freeze).unwrap_err().to_string();
            assert!(error.contains(says), "{error}, want {says}");
        }
    }
}
