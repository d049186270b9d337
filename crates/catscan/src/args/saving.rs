//! How a run is kept safe, as options: none of them changes a result.

use std::path::PathBuf;

use catscan_train::{OnSaveError, Saving};
use clap::ValueEnum;

/// Options about checkpoints.
#[derive(Debug, clap::Args)]
pub struct SavingArgs {
    /// Also save in the middle of an epoch, every so many steps
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub save_every_steps: Option<u64>,
    /// How many of the newest checkpoints to keep; the best by validation is kept apart
    #[arg(long, value_name = "N", default_value_t = 2)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    pub keep: u16,
    /// A checkpoint cannot be written: stop with exit code 7, or go on with a warning
    #[arg(long, value_enum, default_value_t = Otherwise::Stop)]
    pub on_save_error: Otherwise,
    /// Go on from this checkpoint, not from the newest; later ones are set aside
    #[arg(long, value_name = "CHECKPOINT")]
    pub resume: Option<PathBuf>,
}

/// `--on-save-error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Otherwise {
    Stop,
    Warn,
}

impl SavingArgs {
    /// As the trainer takes it.
    pub fn saving(&self) -> Saving {
        let on_error = match self.on_save_error {
            Otherwise::Stop => OnSaveError::Stop,
            Otherwise::Warn => OnSaveError::Warn,
        };
        Saving { every_steps: self.save_every_steps, keep: self.keep.into(), on_error }
    }
}
