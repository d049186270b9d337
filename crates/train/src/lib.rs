//! Recipes, the training loop, metrics, checkpoints and run records. In reading order:
//!
//! 1. [`recipe`]: what one training is, as plain data; validated, hashed, written as `recipe.json`.
//! 2. [`init`] and [`groups`]: the weights before the first step, and which of them are trained.
//! 3. [`schedule`] and [`optimizer`]: the learning rate of a step, and the step.
//! 4. [`batches`]: which pictures a step sees, gathered ahead of the trainer on a thread.
//! 5. [`mod@train`]: **the loop**, batches → forward → loss → backward → step → metrics → events;
//!    `open` refuses what cannot be trained, `resume` finds the place to go on from, `run` holds
//!    the state, `pace` the speed; `first_bad` looks where a NaN came from.
//! 6. [`event`]: what the loop tells its watcher; bars and logs are drawn from it.
//! 7. [`mod@evaluate`], [`loss`] and [`metrics`]: how good a model is, on pictures it never met.
//! 8. [`checkpoint`]: complete or absent on the disk; [`storage`] writes, [`lock`] keeps others
//!    out.
//! 9. [`record`], [`environment`] and [`tensorboard`]: a run's folder, written and read back.
//!
//! Axes: `N` batch, `C` channels, `H W` space, `K` classes.

pub mod batches;
pub mod checkpoint;
pub mod environment;
pub mod error;
pub mod evaluate;
pub mod event;
mod fault;
mod first_bad;
pub mod groups;
pub mod init;
pub mod lock;
pub mod loss;
pub mod metrics;
mod open;
pub mod optimizer;
mod pace;
pub mod recipe;
pub mod record;
mod resume;
mod run;
pub mod schedule;
pub mod storage;
pub mod tensorboard;
#[cfg(test)]
extern crate self as catscan_train;
#[cfg(test)]
mod testing;
pub mod train;

pub use environment::Environment;
pub use error::TrainError;
pub use evaluate::{Evaluation, evaluate};
pub use event::{Event, Signal, Watch};
pub use groups::Group;
pub use init::{Init, InitFile};
pub use optimizer::{Adam, Decay, Optimizer, Semantics, Sgd};
pub use recipe::{Difference, Recipe, RecipeError};
pub use record::{
    EpochRecord, PartCounts, RunRecord, SplitSummary, TestPicture, TestRecord, read_split,
};
pub use schedule::{Anneal, Schedule};
pub use train::{Job, OnSaveError, Outcome, Saving, train};
