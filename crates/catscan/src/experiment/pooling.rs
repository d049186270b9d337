//! `pooling-compare`: the published pooling study, and the factorial that it confounds.
//!
//! The study's two arms change the three transitions and the head together. With the two mixed arms
//! every combination is there, so the transitions' effect can be told from the head's.

use catscan_models::ModelConfig;
use catscan_train::Recipe;

use super::{Arm, Experiment, Plan, Profile};
use crate::recipes::{full, original, pooling, quick};
use crate::stats::{Design, Factor};

/// Average against max pooling in DenseNet-121.
pub const POOLING_COMPARE: Experiment = Experiment {
    name: "pooling-compare",
    question: "Does max pooling beat average pooling in DenseNet-121?",
    about: "The published comparison changes the three transitions and the head together; \
            the two mixed arms tell these apart. The stem's max pool stays in every arm.",
    metric: "test accuracy",
    arms: POOLING_ARMS,
    default_arms: &["avg", "max"],
    factorial: Some(&TRANSITION_BY_HEAD),
    needs: None,
    fits: None,
    plan: pooling_plan,
};

/// The published comparison's two factors. The stem's max pool stays in every arm.
pub const TRANSITION_BY_HEAD: Design = Design {
    factors: &[
        Factor { name: "transition", low: "avg", high: "max" },
        Factor { name: "head", low: "avg", high: "max" },
    ],
    arms: &["avg", "transition-avg_head-max", "transition-max_head-avg", "max"],
};

/// Poolings of a DenseNet.
pub const POOLING_ARMS: &[Arm] = &[
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arms_of_the_pooling_study_differ_in_nothing_but_pooling() {
        let base = pooling_plan(Profile::Original).recipe;
        for arm in POOLING_ARMS {
            let recipe = (arm.change)(base.clone());
            let pooling = base.model.pooling.clone();
            let back = Recipe { model: ModelConfig { pooling, ..recipe.model.clone() }, ..recipe };
            assert_eq!(back, base, "{}", arm.name);
        }
    }
}
