//! Recipes: every number of a training in one place, each derived from another with `..`.
//!
//! One file a study. Those of the pooling study are what the others derive from: [`original`] is it
//! to the letter, [`quick`] fits two CPU cores and a few minutes, [`full`] is today's good practice
//! for a GPU; [`smoke`] only shows that a machine works. An experiment's arms change them.
//!
//! `outputs` is set again when the data's classes are known ([`for_classes`]); a recipe of a file
//! must say it rightly ([`check_outputs`]).

use std::path::Path;

use anyhow::{Context, Result};
use catscan_data::{Normalize, SplitRule};
use catscan_models::{ModelConfig, ModelRow};
use catscan_train::Recipe;

use crate::refusal::Refusal;

pub mod cifar;
pub mod depth;
pub mod mnist;
mod pooling;

pub use pooling::{full, original, pooling, pools, quick, smoke};

/// A recipe with a name: a row of `catscan list recipes`.
pub struct RecipeRow {
    /// A profile's name, or `smoke`.
    pub name: &'static str,
    /// Half a sentence: what makes it fast or exact.
    pub about: &'static str,
    /// The recipe for two classes as the average arm, under seed 1.
    pub make: fn() -> Recipe,
}

/// Every named recipe, the profiles' first.
pub static RECIPES: &[RecipeRow] = &[
    RecipeRow {
        name: "quick",
        about: "64 px, bf16, AdamW, one-cycle, a few epochs: minutes on two CPU cores",
        make: quick,
    },
    RecipeRow {
        name: "original",
        about: "the published Keras study to the letter: 224 px, fp32, 250 epochs of 80 steps",
        make: original,
    },
    RecipeRow {
        name: "full",
        about: "224 px, bf16, cosine with warm-up, weight decay, normalised: for a GPU",
        make: full,
    },
    RecipeRow {
        name: "depth-original",
        about: "the published depth study to the letter: as `original`, ResNet-50, 550 epochs",
        make: depth::original,
    },
    RecipeRow {
        name: "mnist-original",
        about: "the MNIST notebooks to the letter: 28 px, grey, Adam, 10 epochs of batch 32",
        make: mnist::original,
    },
    RecipeRow {
        name: "cifar-resnet",
        about: "He et al. 2016, §4.2: 32 px shifted and flipped, 64,000 steps of batch 128",
        make: || cifar::resnet("resnet20"),
    },
    RecipeRow {
        name: "cifar-densenet",
        about: "Huang et al. 2017, §4.2: 32 px shifted and flipped, 300 epochs of batch 64",
        make: || cifar::densenet("densenet-40-12"),
    },
    RecipeRow { name: "smoke", about: "a tiny net for seconds: does it run here?", make: smoke },
];

/// Mean and deviation of ImageNet's pictures, as torchvision's models expect them.
fn imagenet() -> Normalize {
    Normalize { mean: vec![0.485, 0.456, 0.406], std: vec![0.229, 0.224, 0.225] }
}

/// The recipe for another network of MODELS, with the poolings that it was made with.
///
/// # Panics
/// Where there is no such row: recipes and arms are written by hand, and a test loops over them.
pub fn with_model(recipe: Recipe, name: &str) -> Recipe {
    let row = ModelRow::find(name).unwrap_or_else(|error| panic!("{error}"));
    let ModelConfig { name, shape, pooling, .. } = row.natural_config();
    let model = ModelConfig { name, shape, pooling, ..recipe.model };
    let model = model.for_pictures(recipe.data.size_px.into()).expect("the row was found");
    Recipe { model, ..recipe }
}

/// How the recipes that are made for a source deal its pictures out.
pub fn split_of(source: &str) -> SplitRule {
    let recipe = match source.split(':').next().unwrap_or_default() {
        "mnist" | "fashion-mnist" => mnist::original(),
        "cifar10" => cifar::resnet("resnet20"),
        _ => original(),
    };
    recipe.data.split
}

/// Reads and validates a recipe's file.
///
/// # Errors
/// Where there is no such file or it is no possible recipe; exit code 2.
pub(crate) fn read(path: &Path) -> Result<Recipe> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Refusal::usage(format!(
            "{}: cannot be read ({error}); name a recipe.json, such as a run's folder holds",
            path.display()
        ))
    })?;
    Recipe::from_json(&text).with_context(|| path.display().to_string())
}

/// Refuses a recipe of a `file`, if it is of one, for data that it was not written for: what stands
/// in a file is not changed behind its writer's back.
///
/// # Errors
/// Where its outputs are not those of so many classes; exit code 2.
pub fn check_outputs(file: Option<&Path>, recipe: &Recipe, classes: usize) -> Result<(), Refusal> {
    let (is, want) = (recipe.model.outputs, ModelConfig::outputs_for(classes));
    let Some(file) = file.filter(|_| is != want) else { return Ok(()) };
    Err(Refusal::usage(format!(
        "{}: model.outputs is {is}, want {}; change it there, or give pictures of as many classes \
         as it is for",
        file.display(),
        ModelConfig::outputs_in_words(classes)
    )))
}

/// The recipe for data of this many classes: one logit tells two classes apart, else one each.
pub fn for_classes(recipe: Recipe, classes: usize) -> Recipe {
    let outputs = ModelConfig::outputs_for(classes);
    Recipe { model: ModelConfig { outputs, ..recipe.model }, ..recipe }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_is_possible_and_survives_json() {
        for row in RECIPES {
            let recipe = (row.make)();
            recipe.validate().unwrap_or_else(|error| panic!("{}: {error}", row.name));
            assert_eq!(
                Recipe::from_json(&recipe.to_json_pretty()).unwrap(),
                recipe,
                "{}",
                row.name
            );
        }
    }

    #[test]
    fn a_set_is_audited_in_the_parts_that_it_is_trained_in() {
        for (experiment, source) in [
            ("mnist-compare", "mnist:x"),
            ("degradation", "cifar10"),
            ("pooling-compare", "cats-vs-dogs:x"),
        ] {
            let experiment = crate::experiment::find(experiment).unwrap();
            let recipe = (experiment.plan)(crate::experiment::Profile::Original).recipe;
            assert_eq!(split_of(source), recipe.data.split, "{source}");
        }
    }

    #[test]
    fn two_classes_need_one_logit() {
        assert_eq!(for_classes(quick(), 2).model.outputs, 1);
        assert_eq!(for_classes(quick(), 7).model.outputs, 7);
        let file = Some(Path::new("a.json"));
        check_outputs(file, &quick(), 2).unwrap();
        check_outputs(None, &quick(), 7).unwrap();
        let message = check_outputs(file, &quick(), 7).unwrap_err().message;
        assert!(
            message.starts_with("a.json: model.outputs is 1, want 7 for 7 classes"),
            "{message}"
        );
    }
}
