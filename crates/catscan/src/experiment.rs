//! EXPERIMENTS: questions, each with its arms, its metric and its profiles, fixed before any run.
//!
//! An arm is a function from recipe to recipe, so an arm may change anything: a pooling layer, the
//! model, the data. Arms of one seed share initial weights (where shapes agree), the order of the
//! pictures and the augmentation draws, because all of these are functions of the seed alone;
//! therefore their differences are paired.
//!
//! One file an experiment; the recipes they begin with are in [`crate::recipes`].

use std::path::Path;

use catscan_models::{MODELS, ModelRow};
use catscan_train::Recipe;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::refusal::Refusal;
use crate::stats::Design;
use crate::{names, recipes};

mod degradation;
mod dense_variants;
mod depth;
mod mnist;
mod overrides;
mod pooling;
mod preactivation;
mod precision;
mod residual_vs_dense;
mod smoke;

pub(crate) use overrides::{BadImagesPolicy, Overrides, bad_images, share};

/// How much a run costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Minutes on two CPU cores
    Quick,
    /// The published study's settings to the letter
    Original,
    /// Today's good practice, several seeds, a GPU
    Full,
}

impl Profile {
    /// As the command line spells it.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Quick => "quick",
            Profile::Original => "original",
            Profile::Full => "full",
        }
    }
}

/// What a profile comes to: the recipe that arms change, and how many seeds.
pub struct Plan {
    /// The base: an arm and a seed make a cell's recipe of it, see [`cell_recipe`].
    pub recipe: Recipe,
    /// Seeds 1 to this.
    pub seeds: u64,
}

/// One way of building or training the network.
pub struct Arm {
    /// What `--arms` takes, and the folder its runs lie in.
    pub name: &'static str,
    /// Half a sentence: how it differs from the other arms.
    pub about: &'static str,
    /// What it does to the base, and all that it does.
    pub change: fn(Recipe) -> Recipe,
}

/// A question that training can answer.
pub struct Experiment {
    /// What `catscan experiment` takes, and the folder under `--runs`.
    pub name: &'static str,
    /// One sentence that the report's answer answers.
    pub question: &'static str,
    /// What the arms tell apart, and what stays the same in all of them.
    pub about: &'static str,
    /// What the arms are judged by.
    pub metric: &'static str,
    /// All arms there are; `--arms` chooses.
    pub arms: &'static [Arm],
    /// Arms that run when none are named; the first is the one others are compared with.
    pub default_arms: &'static [&'static str],
    /// Some of the arms as every combination of several factors' levels (`--factorial`).
    pub factorial: Option<&'static Design>,
    /// What `--data` must name, for an experiment that drawings cannot answer. Others begin with
    /// drawings where no `--data` is given.
    pub needs: Option<&'static str>,
    /// The networks of `--recipe` that its arms can begin with; any, where this is `None`.
    pub fits: Option<fn(&str) -> bool>,
    /// The base recipe and the number of seeds that a profile pays for.
    pub plan: fn(Profile) -> Plan,
}

/// Every experiment; help, tests and `catscan list` loop over it.
pub static EXPERIMENTS: &[Experiment] = &[
    pooling::POOLING_COMPARE,
    depth::DEPTH_COMPARE,
    mnist::MNIST_COMPARE,
    dense_variants::DENSE_VARIANTS,
    residual_vs_dense::RESIDUAL_VS_DENSE,
    degradation::DEGRADATION,
    preactivation::PREACTIVATION,
    precision::PRECISION_COMPARE,
    smoke::SMOKE,
];

/// The experiment of this name.
///
/// # Errors
/// Where there is none: the nearest is named.
pub(crate) fn find(name: &str) -> Result<&'static Experiment, Refusal> {
    let known: Vec<&str> = EXPERIMENTS.iter().map(|row| row.name).collect();
    names::find("experiment", name, &known)?;
    Ok(EXPERIMENTS.iter().find(|row| row.name == name).expect("just found"))
}

impl Experiment {
    /// The arm of this name.
    ///
    /// # Errors
    /// Where there is none: the nearest is named.
    pub(crate) fn arm(&self, name: &str) -> Result<&'static Arm, Refusal> {
        let known: Vec<&str> = self.arms.iter().map(|arm| arm.name).collect();
        names::find("arm", name, &known)?;
        Ok(self.arms.iter().find(|arm| arm.name == name).expect("just found"))
    }

    /// The base recipe of a profile with what the command line changes in it.
    ///
    /// # Errors
    /// Where it needs pictures and was given none, or the weights to begin with cannot be read.
    pub(crate) fn base(&self, profile: Profile, overrides: &Overrides) -> anyhow::Result<Recipe> {
        if let (Some(needs), None) = (self.needs, &overrides.data) {
            let message = format!("{}: drawings cannot answer it; give --data {needs}", self.name);
            return Err(Refusal::usage(message).into());
        }
        overrides.apply((self.plan)(profile).recipe)
    }

    /// A `recipe` that was read from a `file`, with what the command line changes in it, as the
    /// base of these arms.
    ///
    /// # Errors
    /// Where an arm would change more than it says: one that brings another network cannot keep
    /// a shape and poolings that are the file's own. Exit code 2.
    pub(crate) fn base_of_file(
        &self,
        file: &Path,
        recipe: Recipe,
        overrides: &Overrides,
        arms: &[&Arm],
    ) -> anyhow::Result<Recipe> {
        let recipe = overrides.apply(recipe)?;
        let network = ModelRow::find(&recipe.model.name)?.name;
        let refuse = |what: String| Refusal::usage(format!("{}: {what}", file.display())).into();
        if let Some(fits) = self.fits.filter(|fits| !fits(network)) {
            let names = MODELS.iter().map(|row| row.name).filter(|name| fits(name));
            let names = names.collect::<Vec<_>>().join(", ");
            return Err(refuse(format!(
                "model.name is {network}, but {} begins with one of {names}; name one there",
                self.name
            )));
        }
        let row = recipes::with_model(recipe.clone(), network).model;
        let as_in_row = row.shape == recipe.model.shape && row.pooling == recipe.model.pooling;
        let replaces = |arm: &&&Arm| (arm.change)(recipe.clone()).model.name != network;
        match arms.iter().find(replaces) {
            Some(arm) if !as_in_row => Err(refuse(format!(
                "model.shape and model.pooling are not those of {network}, and arm {} brings another \
                 network, which cannot have them: the arms would differ in more than they say; \
                 leave both out there, or choose other arms",
                arm.name
            ))),
            _ => Ok(recipe),
        }
    }

    /// The arms of its factorial.
    ///
    /// # Errors
    /// Where it has none: those that have one are named.
    pub(crate) fn factorial_arms(&self) -> Result<&'static [&'static str], Refusal> {
        self.factorial.map(|design| design.arms).ok_or_else(|| {
            let with = EXPERIMENTS.iter().filter(|row| row.factorial.is_some());
            let names: Vec<&str> = with.map(|row| row.name).collect();
            let message =
                "--factorial: has no factorial; choose its arms with --arms, or run one of";
            Refusal::usage(format!("{} {message}: {}", self.name, names.join(", ")))
        })
    }
}

/// The recipe of one cell: the base for these classes, changed by the arm, under this seed.
///
/// # Errors
/// Where a value is impossible.
pub fn cell_recipe(
    base: &Recipe,
    arm: &Arm,
    seed: u64,
    classes: usize,
) -> Result<Recipe, catscan_train::RecipeError> {
    let recipe = recipes::for_classes((arm.change)(base.clone()), classes);
    let recipe = Recipe { seed, ..recipe };
    recipe.validate()?;
    Ok(recipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use catscan_models::Summary;

    #[test]
    fn every_row_resolves_in_every_profile() {
        for experiment in EXPERIMENTS {
            for &name in experiment.default_arms {
                experiment.arm(name).unwrap();
            }
            for profile in Profile::value_variants() {
                let plan = (experiment.plan)(*profile);
                assert!(plan.seeds >= 1, "{}", experiment.name);
                if let Some(design) = experiment.factorial {
                    assert_eq!(design.arms.len(), 1 << design.factors.len());
                    for name in design.arms {
                        experiment.arm(name).unwrap();
                    }
                }
                let recipes: Vec<Recipe> = experiment
                    .arms
                    .iter()
                    .map(|arm| cell_recipe(&plan.recipe, arm, 3, 2).unwrap())
                    .collect();
                for (i, recipe) in recipes.iter().enumerate() {
                    // The network exists and takes pictures of this size.
                    Summary::of(&recipe.model, recipe.data.size_px.into()).unwrap();
                    assert!(!recipes[..i].contains(recipe), "two equal arms: {}", experiment.name);
                    assert_eq!(recipe.seed, 3);
                }
            }
        }
    }

    #[test]
    fn unknown_names_come_with_the_nearest() {
        let message = find("pooling-compar").err().unwrap().message;
        assert!(message.contains("nearest is pooling-compare"), "{message}");
        let message = find("smoke").unwrap().arm("maxx").err().unwrap().message;
        assert!(message.contains("nearest is max;"), "{message}");
    }
}
