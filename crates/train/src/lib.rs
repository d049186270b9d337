//! Recipes, the training loop, metrics, checkpoints and run records. In reading order:
//!
//! 1. [`recipe`]: what one training is, as plain data; validated, hashed, written as `recipe.json`.
//! 2. [`init`] and [`groups`]: the weights before the first step, and which of them are trained.
//! 3. [`schedule`] and [`optimizer`]: the learning rate of a step, and the step; [`clip`] holds a
//!    gradient down, [`ema`] averages the weights, [`early_stop`] knows when it is enough.
//! 4. [`batches`]: which pictures a step sees, gathered ahead of the trainer on a thread.
//! 5. [`mod@train`]: **the loop**, batches → step → metrics → events; `learner` is the step:
//!    forward → loss → backward → update; `step` takes it, as a CUDA graph where it can, and
//!    [`readings`] tells when the host hears of it; `feed` and `resident`: pictures that lie on the
//!    device already;
//!    `setup` and `open` refuse what cannot be trained, `resume` finds the place to go on from,
//!    `room` looks at the disk, `run` holds the state, `pace` the speed; `first_bad` looks where a
//!    NaN came from.
//! 6. [`event`]: what the loop tells its watcher; bars and logs are drawn from it.
//! 7. [`mod@evaluate`], [`loss`] and [`metrics`]: how good a model is, on pictures it never met.
//! 8. [`mod@find_lr`] and [`mod@estimate`]: before a run, which rate to take and what it will cost;
//!    they begin in `setup` as a run does, and `rehearsal` takes the loop's own steps for who
//!    measures.
//! 9. [`checkpoint`]: complete or absent on the disk; [`storage`] writes, [`lock`] keeps others
//!    out.
//! 10. [`record`], [`gradients`], [`environment`] and [`tensorboard`]: a run's folder, written and
//!     read back.
//!
//! Axes: `N` batch, `C` channels, `H W` space, `K` classes.

pub mod batches;
pub mod checkpoint;
pub mod clip;
pub mod early_stop;
pub mod ema;
pub mod environment;
pub mod error;
pub mod estimate;
pub mod evaluate;
pub mod event;
mod fault;
mod feed;
pub mod find_lr;
mod first_bad;
pub mod gradients;
pub mod groups;
pub mod init;
mod learner;
pub mod lock;
pub mod loss;
pub mod metrics;
mod open;
pub mod optimizer;
mod pace;
pub mod readings;
pub mod recipe;
pub mod record;
mod rehearsal;
mod resident;
mod resume;
mod room;
mod run;
pub mod schedule;
mod setup;
mod step;
pub mod storage;
pub mod tensorboard;
#[cfg(test)]
extern crate self as catscan_train;
#[cfg(test)]
mod testing;
pub mod train;

pub use clip::Clip;
pub use early_stop::EarlyStop;
pub use ema::Ema;
pub use environment::Environment;
pub use error::TrainError;
pub use estimate::{Estimate, Trial, estimate};
pub use evaluate::{Evaluation, evaluate};
pub use event::{Event, Signal, Watch};
pub use find_lr::{RangeTest, RatePoint, RateSearch, find_lr};
pub use gradients::{GradientRecord, read_gradients};
pub use groups::{Decayed, Group};
pub use init::{Init, InitFile};
pub use loss::ClassWeights;
pub use optimizer::{Adam, Decay, Optimizer, Semantics, Sgd};
pub use readings::Reading;
pub use recipe::{Difference, Recipe, RecipeError};
pub use record::{
    EpochRecord, PartCounts, RunRecord, SplitSummary, TestPicture, TestRecord, read_split,
};
pub use rehearsal::Rehearsal;
pub use room::check_room_for_all;
pub use schedule::{Anneal, Schedule, Warmup};
pub use train::{Job, OnSaveError, Outcome, Saving, train, train_reading};
