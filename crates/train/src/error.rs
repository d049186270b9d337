//! What can go wrong in a training, and the exit status that tells a script which kind it was.

use std::path::{Path, PathBuf};

use catscan_data::{BadImage, DataError};
use catscan_models::ModelError;

use crate::event::Signal;
use crate::recipe::RecipeError;

/// A refusal or a failure: where, what with both numbers, what to do next.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The recipe, or a job that does not fit it.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// From the data crate, unchanged.
    #[error(transparent)]
    Data(#[from] DataError),
    /// From the models crate: an impossible architecture, or weights that do not fit.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A picture of a streamed set is gone, or no longer the one that was listed.
    #[error("loader: {0}")]
    Picture(#[from] BadImage),
    /// The loader's thread ended before its last batch.
    #[error("loader: {0}")]
    Loader(String),
    /// A CUDA device failed; what it computed is lost, what was saved is not.
    #[error("{0}; the same command goes on from the last checkpoint")]
    Device(String),
    /// A part of the split holds too few pictures to be trained or scored on.
    #[error("{part}: {pictures} pictures, want at least {least}; give the source more pictures")]
    TooFewPictures {
        /// `train`, `val`, `test` or `evaluation`.
        part: &'static str,
        /// How many it holds.
        pictures: usize,
        /// How many it must hold.
        least: usize,
    },
    /// A run's folder that cannot be made or written.
    #[error("{}: {reason}; name a folder that can be written", path.display())]
    Folder {
        /// As it was given.
        path: PathBuf,
        /// In words, the system's message included.
        reason: String,
    },
    /// A folder that is to be read as a run's and is none.
    #[error(
        "{}: no recipe.json here, so this is no run's folder; \
         name a run's folder, or a checkpoint in one",
        path.display()
    )]
    NoRun {
        /// As it was given.
        path: PathBuf,
    },
    /// Another process has the folder's lock.
    #[error(
        "{}: held by process {holder}; wait for it, stop it, or name another folder",
        folder.display()
    )]
    Held {
        /// The run's.
        folder: PathBuf,
        /// Its process id; empty in the moment before it has written that.
        holder: String,
    },
    /// The folder belongs to a run whose checkpoints mean nothing to this recipe.
    #[error(
        "{}: {field} is {there} in this folder's recipe and {here} in yours; \
         name another folder, or remove this one to start it afresh (catscan experiment: --fresh)",
        folder.display()
    )]
    OtherRun {
        /// The run's.
        folder: PathBuf,
        /// The first differing key, such as `optimizer.sgd.lr`, or the data's digest.
        field: String,
        /// The folder's value, as JSON.
        there: String,
        /// The job's value, as JSON.
        here: String,
    },
    /// The file that the weights begin in is not the one of the recipe.
    #[error(
        "{}: hashes to {here}, the recipe's init says {there}; \
         put the file back, or start afresh from this one",
        path.display()
    )]
    OtherWeights {
        /// The file.
        path: PathBuf,
        /// The recipe's digest.
        there: String,
        /// The file's.
        here: String,
    },
    /// Going on would not give the bits the uninterrupted run would have given.
    #[error(
        "{}: {field} was {there} when this run was written and is {here} now, \
         so it cannot go on bit for bit; set it back to {there}, name another folder, or go on \
         all the same with --allow-inexact-resume, which is noted in environment.json",
        folder.display()
    )]
    Inexact {
        /// The run's.
        folder: PathBuf,
        /// Such as `threads`, `batch` or `the data's digest`.
        field: String,
        /// When the checkpoint was written.
        there: String,
        /// In this process.
        here: String,
    },
    /// A checkpoint is absent, incomplete or damaged.
    #[error("{}: {reason}; name another checkpoint, or start afresh", path.display())]
    Checkpoint {
        /// Its folder, or the file in it.
        path: PathBuf,
        /// What is wrong, with both numbers or hashes.
        reason: String,
    },
    /// NaN or infinity, found before it reached the weights.
    #[error(
        "{place}: {what} is {value}, and {first}; the weights were left as they were; \
         the batch was {}; lower the learning rate, or look at these pictures",
        shortened(pictures)
    )]
    NotFinite {
        /// `step N`, counted from 1.
        place: String,
        /// `the loss` or `the largest gradient`.
        what: &'static str,
        /// NaN or ±infinity.
        value: f64,
        /// Where it came up first, such as `features.norm0 was the first to give such numbers`.
        first: String,
        /// Names of the whole batch; the message shows eight.
        pictures: Vec<String>,
    },
    /// NaN or infinity while pictures are scored.
    #[error(
        "{place}: the loss is {value}, and {first}; the batch was {}; \
         look at these pictures, or take the weights of an earlier checkpoint",
        shortened(pictures)
    )]
    BadScore {
        /// `validation after step N`, `test after step N` or `evaluation`.
        place: String,
        /// NaN or ±infinity.
        value: f64,
        /// As in [`TrainError::NotFinite`].
        first: String,
        /// The same.
        pictures: Vec<String>,
    },
    /// NaN or infinity in weights that were to be saved.
    #[error(
        "step {step}: {bad} of {numbers} numbers of the weights are not finite, the first in \
         {first}; they were not saved: lower the learning rate, and go on from the checkpoint \
         before, or start afresh"
    )]
    BadWeights {
        /// Steps taken.
        step: u64,
        /// How many are NaN or infinite.
        bad: u64,
        /// Of so many.
        numbers: u64,
        /// The first such tensor's name.
        first: String,
    },
    /// The disk is full or fails. What was complete before is still there.
    #[error(
        "{}; make room and run again: it goes on from the last checkpoint",
        unwritten(path, source, *needed, *free)
    )]
    Storage {
        /// What was to be written.
        path: PathBuf,
        /// Bytes; 0 where nothing was to be written.
        needed: u64,
        /// Bytes left to this process; 0 where the system does not tell.
        free: u64,
        /// The system's error.
        source: std::io::Error,
    },
    /// A file of a run's folder is absent or does not say what it must.
    #[error("{}: {reason}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// With the line, where it has lines.
        reason: String,
    },
    /// Asked to stop while scoring; what was saved stays.
    #[error("stopped by {0}")]
    Stopped(Signal),
}

impl TrainError {
    /// The process's exit status for this error: 1 the device failed, 2 configuration, 3 data, 4
    /// weights, checkpoint or record, 5 numbers went bad, 7 storage, 129, 130 or 143 stopped.
    pub fn exit_code(&self) -> u8 {
        match self {
            TrainError::Recipe(error) => error.exit_code(),
            TrainError::Data(error) => error.exit_code(),
            TrainError::Model(error) => error.exit_code(),
            TrainError::Picture(_) | TrainError::Loader(_) | TrainError::TooFewPictures { .. } => 3,
            TrainError::Folder { .. }
            | TrainError::NoRun { .. }
            | TrainError::Held { .. }
            | TrainError::OtherRun { .. }
            | TrainError::Inexact { .. } => 2,
            TrainError::OtherWeights { .. }
            | TrainError::Checkpoint { .. }
            | TrainError::Record { .. } => 4,
            TrainError::NotFinite { .. }
            | TrainError::BadScore { .. }
            | TrainError::BadWeights { .. } => 5,
            TrainError::Device(_) => 1,
            TrainError::Storage { .. } => 7,
            TrainError::Stopped(signal) => signal.exit_code(),
        }
    }

    /// The same, told where pictures were scored.
    pub(crate) fn scoring(self, place: String) -> TrainError {
        match self {
            TrainError::BadScore { value, first, pictures, .. } => {
                TrainError::BadScore { place, value, first, pictures }
            }
            other => other,
        }
    }

    /// As a warning of a run that goes on: without the advice to start it again.
    pub(crate) fn forgiven(&self) -> String {
        let what = match self {
            TrainError::Storage { path, needed, free, source } => {
                unwritten(path, source, *needed, *free)
            }
            other => other.to_string(),
        };
        format!("{what}; goes on without it")
    }

    /// A write under `path` failed; asks the system how much room is left there.
    pub(crate) fn storage(path: &Path, needed: u64, source: std::io::Error) -> TrainError {
        let there = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
        let free = fs4::available_space(there).unwrap_or(0);
        TrainError::Storage { path: path.to_path_buf(), needed, free, source }
    }
}

/// What a failed write says before any advice.
fn unwritten(path: &Path, source: &std::io::Error, needed: u64, free: u64) -> String {
    format!("{}: {source}; {needed} bytes needed, {free} bytes free", path.display())
}

/// The first eight names, and how many more there are.
fn shortened(names: &[String]) -> String {
    let mut text = names.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > 8 {
        text.push_str(&format!(" and {} more", names.len() - 8));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_batch_is_named_shortly() {
        let names: Vec<String> = (0..10).map(|i| format!("{i}.jpg")).collect();
        let error = TrainError::NotFinite {
            place: "step 7".into(),
            what: "the loss",
            value: f64::NAN,
            first: "features.conv0 was the first to give such numbers".into(),
            pictures: names,
        };
        let text = error.to_string();
        assert!(text.starts_with("step 7: the loss is NaN, and features.conv0 was"), "{text}");
        assert!(text.contains("7.jpg and 2 more"), "{text}");
        assert_eq!(error.exit_code(), 5);
    }

    #[test]
    fn a_failed_write_tells_the_room_that_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let error = TrainError::storage(&folder.path().join("not/there"), 99, full);
        let TrainError::Storage { needed, free, .. } = &error else { panic!("{error}") };
        assert_eq!(*needed, 99);
        assert!(*free > 0);
        assert_eq!(error.exit_code(), 7);
        let (told, forgiven) = (error.to_string(), error.forgiven());
        assert!(told.contains("run again") && !forgiven.contains("run again"), "{forgiven}");
        assert!(forgiven.contains("99 bytes needed") && forgiven.ends_with("goes on without it"));
    }
}
