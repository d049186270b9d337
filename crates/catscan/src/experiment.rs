//! EXPERIMENTS: questions, each with its arms, its metric and its profiles, fixed before any run.
//!
//! An arm is a function from recipe to recipe, so an arm may change anything: a pooling layer, the
//! model, the data. Arms of one seed share initial weights (where shapes agree), the order of the
//! pictures and the augmentation draws, because all of these are functions of the seed alone;
//! therefore their differences are paired.

use catscan_data::{BadImages, DataConfig};
use catscan_models::ModelConfig;
use catscan_train::Recipe;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::recipes::{full, original, pooling, quick, smoke};
use crate::refusal::Refusal;
use crate::transfer::Transfer;
use crate::{names, recipes};

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
    /// The base recipe and the number of seeds that a profile pays for.
    pub plan: fn(Profile) -> Plan,
}

/// Every experiment; help, tests and `catscan list` loop over it.
pub static EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "pooling-compare",
        question: "Does max pooling beat average pooling in DenseNet-121?",
        about: "The published comparison changes the three transitions and the head together; \
                the two mixed arms tell these apart. The stem's max pool stays in every arm.",
        metric: "test accuracy",
        arms: POOLING_ARMS,
        default_arms: &["avg", "max"],
        plan: pooling_plan,
    },
    Experiment {
        name: "smoke",
        question: "Does this machine train, resume and report?",
        about: "A tiny DenseNet on a few drawings, in seconds. Its accuracies mean nothing.",
        metric: "test accuracy",
        arms: POOLING_ARMS,
        default_arms: &["avg", "max"],
        plan: |_| Plan { recipe: smoke(), seeds: 1 },
    },
];

const POOLING_ARMS: &[Arm] = &[
    Arm {
        name: "avg",
        about: "average in the three transitions and the head",
        change: |recipe| with_pooling(recipe, "avg"),
    },
    Arm {
        name: "max",
        about: "maximum in the three transitions and the head",
        change: |recipe| with_pooling(recipe, "max"),
    },
    Arm {
        name: "transition-max_head-avg",
        about: "maximum in the transitions only",
        change: |recipe| with_pooling(recipe, "transition-max_head-avg"),
    },
    Arm {
        name: "transition-avg_head-max",
        about: "maximum in the head only",
        change: |recipe| with_pooling(recipe, "transition-avg_head-max"),
    },
    Arm {
        name: "stochastic",
        about: "stochastic pooling in the three transitions, average in the head",
        change: |recipe| with_pooling(recipe, "stochastic"),
    },
    Arm {
        name: "mixed",
        about: "mixed max-average pooling in the three transitions, average in the head",
        change: |recipe| with_pooling(recipe, "mixed"),
    },
    Arm {
        name: "gated",
        about: "gated max-average pooling in the three transitions, average in the head",
        change: |recipe| with_pooling(recipe, "gated"),
    },
    Arm {
        name: "lp",
        about: "Lp pooling (root mean square) in the three transitions, average in the head",
        change: |recipe| with_pooling(recipe, "lp"),
    },
    Arm {
        name: "gem",
        about: "generalised-mean pooling in the three transitions, average in the head",
        change: |recipe| with_pooling(recipe, "gem"),
    },
    Arm {
        name: "soft",
        about: "SoftPool in the three transitions, average in the head",
        change: |recipe| with_pooling(recipe, "soft"),
    },
    Arm {
        name: "lse",
        about: "log-sum-exp pooling in the three transitions, average in the head",
        change: |recipe| with_pooling(recipe, "lse"),
    },
    Arm {
        name: "blur",
        about: "blurred max pooling in the three transitions, average in the head",
        change: |recipe| with_pooling(recipe, "blur"),
    },
    Arm {
        name: "s3",
        about: "S3Pool in the three transitions, average in the head",
        change: |recipe| with_pooling(recipe, "s3"),
    },
];

fn with_pooling(recipe: Recipe, arm: &str) -> Recipe {
    let pooling = pooling(arm).expect("the arms above are named by their pooling");
    Recipe { model: ModelConfig { pooling, ..recipe.model }, ..recipe }
}

/// The published study trained each arm once, so `original` has one seed; `--seeds` gives more.
fn pooling_plan(profile: Profile) -> Plan {
    match profile {
        Profile::Quick => Plan { recipe: quick(), seeds: 2 },
        Profile::Original => Plan { recipe: original(), seeds: 1 },
        Profile::Full => Plan { recipe: full(), seeds: 5 },
    }
}

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
}

/// What the command line may change in any recipe, before the arm does.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Overrides {
    /// Pictures: critters[:N], folder:PATH, cats-vs-dogs:PATH, mnist:PATH, cifar10:PATH and others
    /// (see `catscan list sources`)
    #[arg(long, value_name = "SOURCE")]
    pub data: Option<String>,
    /// Epochs
    #[arg(long, value_name = "N")]
    pub epochs: Option<u32>,
    /// Side of the pictures in pixels
    #[arg(long, value_name = "PX")]
    pub size: Option<u32>,
    /// What to do about pictures that cannot be used
    #[arg(long, value_enum)]
    pub bad_images: Option<BadImagesPolicy>,
    #[command(flatten)]
    pub transfer: Transfer,
}

/// [`BadImages`] as the command line spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BadImagesPolicy {
    /// Stop, and list them
    Fail,
    /// Leave them out, and list them in the report
    Skip,
}

impl From<BadImagesPolicy> for BadImages {
    fn from(policy: BadImagesPolicy) -> BadImages {
        match policy {
            BadImagesPolicy::Fail => BadImages::Fail,
            BadImagesPolicy::Skip => BadImages::Skip,
        }
    }
}

impl Overrides {
    /// The recipe with these changes.
    ///
    /// # Errors
    /// Where the weights to begin with cannot be read.
    pub fn apply(&self, recipe: Recipe) -> anyhow::Result<Recipe> {
        let bad_images = self.bad_images.map_or(recipe.data.bad_images, BadImages::from);
        self.transfer.apply(Recipe {
            epochs: self.epochs.unwrap_or(recipe.epochs),
            data: DataConfig {
                source: self.data.clone().unwrap_or(recipe.data.source),
                size_px: self.size.unwrap_or(recipe.data.size_px),
                bad_images,
                ..recipe.data
            },
            ..recipe
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

    #[test]
    fn every_row_resolves_in_every_profile() {
        for experiment in EXPERIMENTS {
            for &name in experiment.default_arms {
                experiment.arm(name).unwrap();
            }
            for profile in Profile::value_variants() {
                let plan = (experiment.plan)(*profile);
                assert!(plan.seeds >= 1, "{}", experiment.name);
                let recipes: Vec<Recipe> = experiment
                    .arms
                    .iter()
                    .map(|arm| cell_recipe(&plan.recipe, arm, 3, 2).unwrap())
                    .collect();
                for (i, recipe) in recipes.iter().enumerate() {
                    assert!(!recipes[..i].contains(recipe), "two equal arms: {}", experiment.name);
                    assert_eq!(recipe.seed, 3);
                }
            }
        }
    }

    #[test]
    fn arms_of_the_pooling_study_differ_in_nothing_but_pooling() {
        let experiment = find("pooling-compare").unwrap();
        let base = (experiment.plan)(Profile::Original).recipe;
        for arm in experiment.arms {
            let recipe = (arm.change)(base.clone());
            let pooling = base.model.pooling.clone();
            let back = Recipe { model: ModelConfig { pooling, ..recipe.model.clone() }, ..recipe };
            assert_eq!(back, base, "{}", arm.name);
        }
    }

    #[test]
    fn unknown_names_come_with_the_nearest() {
        let message = find("pooling-compar").err().unwrap().message;
        assert!(message.contains("nearest is pooling-compare"), "{message}");
        let message = find("smoke").unwrap().arm("maxx").err().unwrap().message;
        assert!(message.contains("nearest is max;"), "{message}");
    }

    #[test]
    fn overrides_change_only_what_they_name() {
        let overrides = Overrides { epochs: Some(3), size: Some(48), ..Overrides::default() };
        let changed = overrides.apply(quick()).unwrap();
        assert_eq!((changed.epochs, changed.data.size_px), (3, 48));
        let data = DataConfig { size_px: quick().data.size_px, ..changed.data.clone() };
        assert_eq!(Recipe { epochs: quick().epochs, data, ..changed }, quick());
    }
}
