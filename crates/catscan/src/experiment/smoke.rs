//! `smoke`: a check of the machine and of every step from the command to the report, in seconds.

use super::pooling::{POOLING_ARMS, TRANSITION_BY_HEAD};
use super::{Experiment, Plan};
use crate::recipes::smoke;

/// Its accuracies mean nothing.
pub const SMOKE: Experiment = Experiment {
    name: "smoke",
    question: "Does this machine train, resume and report?",
    about: "A tiny DenseNet on a few drawings, in seconds. Its accuracies mean nothing.",
    metric: "test accuracy",
    arms: POOLING_ARMS,
    default_arms: &["avg", "max"],
    factorial: Some(&TRANSITION_BY_HEAD),
    needs: None,
    fits: None,
    plan: |_| Plan { recipe: smoke(), seeds: 1 },
};
