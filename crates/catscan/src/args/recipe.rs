//! Which recipe a command is about: a file's, or an experiment's arm.

use std::path::PathBuf;

use anyhow::Result;
use catscan_train::Recipe;

use crate::experiment::{self, Overrides, Profile};
use crate::recipes;
use crate::refusal::Refusal;

/// Options that name one recipe, and what may be changed in it.
#[derive(Debug, clap::Args)]
pub struct RecipeArgs {
    /// A recipe.json; else give --experiment and --arm
    #[arg(long, value_name = "FILE", conflicts_with_all = ["profile", "seed"])]
    pub recipe: Option<PathBuf>,
    /// A row of `catscan list experiments`
    #[arg(long, value_name = "NAME")]
    pub experiment: Option<String>,
    /// One of the experiment's arms
    #[arg(long, value_name = "NAME", requires = "experiment")]
    pub arm: Option<String>,
    /// How much it may cost; quick by default
    #[arg(long, value_enum)]
    pub profile: Option<Profile>,
    /// Of initial weights, order and augmentation
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub overrides: Overrides,
}

impl RecipeArgs {
    /// What the records call a run of it: the experiment and the arm.
    pub fn names(&self) -> (String, String) {
        let name = |name: &Option<String>, other: &str| name.clone().unwrap_or(other.into());
        (name(&self.experiment, "train"), name(&self.arm, "run"))
    }

    /// The recipe, for `command`. Its number of outputs is set when the data is open.
    ///
    /// # Errors
    /// Where none is named, or it is not possible; exit code 2.
    pub fn read(&self, command: &str) -> Result<Recipe> {
        if let Some(path) = &self.recipe {
            return self.overrides.apply(recipes::read(path)?);
        }
        let (Some(experiment), Some(arm)) = (&self.experiment, &self.arm) else {
            return Err(Refusal::usage(format!(
                "{command}: got no recipe, want --recipe FILE or --experiment NAME --arm NAME"
            ))
            .into());
        };
        let experiment = experiment::find(experiment)?;
        let arm = experiment.arm(arm)?;
        let profile = self.profile.unwrap_or(Profile::Quick);
        let recipe = (arm.change)(experiment.base(profile, &self.overrides)?);
        let recipe = Recipe { seed: self.seed.unwrap_or(recipe.seed), ..recipe };
        recipe.validate()?;
        Ok(recipe)
    }

    /// The recipe that was read, for data of so many classes.
    ///
    /// # Errors
    /// Where a file's recipe is for another number; exit code 2.
    pub fn for_classes(&self, recipe: Recipe, classes: usize) -> Result<Recipe> {
        recipes::check_outputs(self.recipe.as_deref(), &recipe, classes)?;
        Ok(recipes::for_classes(recipe, classes))
    }
}
