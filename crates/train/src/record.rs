//! A run's folder read back: what was asked, where it ran, how it went, how it ended.

use std::path::{Path, PathBuf};

use catscan_data::{Dataset, Rejected, SplitRecord};
use serde::{Deserialize, Serialize};

use crate::batches::steps_per_pass;
use crate::checkpoint;
use crate::environment::{ENVIRONMENT_FILE, Environment};
use crate::error::TrainError;
use crate::metrics::{Answer, Scores, answers};
use crate::recipe::Recipe;
use crate::storage::{read_json, read_lines, read_text, record_error, write_atomic};

/// The resolved [`Recipe`]; its presence makes a folder a run's.
pub(crate) const RECIPE_FILE: &str = "recipe.json";
/// Which picture is in which part; [`SplitSummary`] reads it.
pub(crate) const SPLIT_FILE: &str = "split.json";
/// [`PartCounts`] in it, beside the data crate's record.
const COUNTS: &str = "counts";
/// One [`EpochRecord`] a line.
pub(crate) const METRICS_FILE: &str = "metrics.jsonl";
/// The [`TestRecord`]; absent until the end.
pub(crate) const TEST_FILE: &str = "test.json";

/// A line of `metrics.jsonl`: one epoch, closed. Losses are in nats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// Counts from 1.
    pub epoch: u32,
    /// Steps taken since the run began. Below `epoch · steps per epoch` only in the last line of a
    /// bounded run, whose last epoch was cut short.
    pub step: u64,
    /// Learning rate of the epoch's last step.
    pub lr: f64,
    /// Mean over the training pictures *as they were met*: augmented, while the weights changed. It
    /// is what the network is trained by, smoothed labels and weights of classes included.
    pub train_loss: f64,
    /// Over the same pictures as `train_loss`, 0 to 1.
    pub train_accuracy: f64,
    /// Mean cross-entropy, whatever it is trained by, after the epoch's last step, on the pictures
    /// that `validation_steps` chooses.
    pub val_loss: f64,
    /// Over the same pictures as `val_loss`, 0 to 1.
    pub val_accuracy: f64,
    /// Training pictures a second, without waiting for data and without validation.
    pub images_per_s: f64,
    /// Wall-clock of the epoch: steps, waiting and validation. Saving is in no line.
    pub seconds: f64,
    /// The part of `seconds` in which the trainer had no batch to work on.
    pub seconds_waiting_for_data: f64,
    /// When the epoch closed, seconds since 1970 (UTC).
    pub unix_s: f64,
}

/// One picture of the test part and what the model thinks of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestPicture {
    /// [`Sample::name`](catscan_data::Sample::name).
    pub name: String,
    /// Into [`TestRecord::classes`].
    pub label: u32,
    /// `[K]`, sums to one.
    pub probabilities: Vec<f32>,
}

/// `test.json`: the test part scored once, at the end. With the same recipe hash and data digest
/// and `bounded == false` it says that this run is finished.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestRecord {
    /// [`Recipe::hash`] of the run.
    pub recipe_hash: String,
    /// [`Dataset::digest`] of its pictures.
    pub data_digest: String,
    /// Steps taken when the test was made.
    pub steps: u64,
    /// What the recipe asks for.
    pub steps_total: u64,
    /// `steps < steps_total`: a trial, not a finished training.
    pub bounded: bool,
    /// Finished before `steps_total`, because validation no longer got better; then not `bounded`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stopped_early: bool,
    /// `[K]` names, in the order of the labels.
    pub classes: Vec<String>,
    /// Mean cross-entropy over `pictures`, nats.
    pub loss: f64,
    /// Share of `pictures` whose most probable class is their label, 0 to 1.
    pub accuracy: f64,
    /// Waiting for data included.
    pub images_per_s: f64,
    /// Wall-clock of scoring the test part.
    pub seconds: f64,
    /// The most main memory that the process held until then, training included; absent in the
    /// first runs' files and where the system does not tell. Of a resumed run, since it went on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
    /// In the order of the split's test part.
    pub pictures: Vec<TestPicture>,
}

/// What `split.json` says, in numbers. The file itself also names every picture of every part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitSummary {
    /// `digest` in the file: of class names and of every picture, wherever they lie.
    #[serde(rename = "digest")]
    pub data_digest: String,
    /// `[K]` names, in the order of the labels.
    pub classes: Vec<String>,
    /// How many; the names are in the file alone.
    pub counts: PartCounts,
    /// Pictures of the training part that `train_fraction` leaves out; in no count.
    pub train_left_out: u64,
    /// What must be known of the set as a whole, in sentences: what of it is missing.
    pub notes: Vec<String>,
    /// Pictures that could not be used, with the reason.
    pub rejected: Vec<Rejected>,
}

/// Pictures of each class in each part, `[K]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartCounts {
    /// What the weights are fitted to.
    pub train: Vec<u64>,
    /// What each epoch is judged by.
    pub val: Vec<u64>,
    /// What the finished run is judged by, once.
    pub test: Vec<u64>,
}

impl PartCounts {
    /// Counts the labels of each part of `dataset`.
    pub fn of(dataset: &Dataset) -> PartCounts {
        let count = |indices: &[u32]| {
            let mut counts = vec![0; dataset.classes.len()];
            for index in indices {
                counts[dataset.samples[*index as usize].label as usize] += 1;
            }
            counts
        };
        let split = &dataset.split;
        PartCounts { train: count(&split.train), val: count(&split.val), test: count(&split.test) }
    }
}

/// All that is needed to believe a run or to repeat it.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// As it was given to [`RunRecord::read`].
    pub folder: PathBuf,
    /// `recipe.json`, validated.
    pub recipe: Recipe,
    /// [`Recipe::hash`], taken anew, not read.
    pub recipe_hash: String,
    /// `environment.json`: where it began, and each time it went on.
    pub environment: Environment,
    /// `split.json`, in numbers.
    pub split: SplitSummary,
    /// `metrics.jsonl`, oldest first; empty before the first epoch closed.
    pub epochs: Vec<EpochRecord>,
    /// `test.json`; `None` while the run is not at its end.
    pub test: Option<TestRecord>,
    /// Wall-clock of all epochs, seconds.
    pub train_seconds: f64,
}

impl TestRecord {
    /// What this run's probabilities are worth, class by class.
    pub fn scores(&self) -> Scores {
        let (probabilities, labels) = self.columns();
        Scores::of(&probabilities, &labels, &self.classes)
    }

    /// How sure it was of each picture, and whether it was right.
    pub fn answers(&self) -> Vec<Answer> {
        let (probabilities, labels) = self.columns();
        answers(&probabilities, &labels)
    }

    /// `[N][K]` probabilities and `[N]` labels.
    fn columns(&self) -> (Vec<Vec<f32>>, Vec<u32>) {
        let probabilities = self.pictures.iter().map(|picture| picture.probabilities.clone());
        let labels = self.pictures.iter().map(|picture| picture.label);
        (probabilities.collect(), labels.collect())
    }

    /// Whether it is about the pictures of `split`, each in its part and met in the same order.
    ///
    /// # Errors
    /// Where the run's `split.json` cannot be read.
    pub fn is_of(&self, folder: &Path, split: &SplitRecord) -> Result<bool, TrainError> {
        if self.data_digest != split.digest {
            return Ok(false);
        }
        // The digest is of the pictures; in which part they lie, a manifest may have changed, and
        // which of them lie together, whoever packed them.
        let then = read_split(folder)?;
        Ok(then.difference(split).is_none() && then.is_packed_as(split))
    }

    /// Whether it is of as many steps as are asked for, or of a run that had no more to take.
    pub fn covers(&self, steps: u64) -> bool {
        self.stopped_early || self.steps >= steps
    }
}

impl RunRecord {
    /// Reads a run's folder. A folder without `recipe.json` is no run and is refused as such
    /// (exit 2); a file that says what it must not is an error that names it (exit 4).
    pub fn read(folder: &Path) -> Result<RunRecord, TrainError> {
        let recipe_path = folder.join(RECIPE_FILE);
        if !recipe_path.is_file() {
            return Err(TrainError::NoRun { path: folder.to_path_buf() });
        }
        let recipe = Recipe::from_json(&read_text(&recipe_path)?)
            .map_err(|error| record_error(&recipe_path, error))?;
        let epochs: Vec<EpochRecord> = read_lines(&folder.join(METRICS_FILE))?;
        Ok(RunRecord {
            folder: folder.to_path_buf(),
            recipe_hash: recipe.hash(),
            recipe,
            environment: read_json(&folder.join(ENVIRONMENT_FILE))?,
            split: read_json(&folder.join(SPLIT_FILE))?,
            train_seconds: epochs.iter().map(|epoch| epoch.seconds).sum(),
            epochs,
            test: read_test(folder)?,
        })
    }

    /// Training pictures met by the end of a step. An epoch may be a part of a pass or several
    /// (`steps_per_epoch`), so epochs do not tell; within a pass it is off by less than a batch.
    pub fn pictures_seen(&self, steps: u64) -> f64 {
        let pictures: u64 = self.split.counts.train.iter().sum();
        let a_pass = steps_per_pass(pictures as usize, self.recipe.batch as usize);
        steps as f64 * pictures as f64 / a_pass as f64
    }

    /// The run that the checkpoint in `folder` is of, two folders up; `None` where it is no
    /// checkpoint, or lies in no run.
    pub fn of_checkpoint(folder: &Path) -> Option<PathBuf> {
        // `runs/one/checkpoints/best` may be named from within, as `.` or `best`.
        let folder = folder.canonicalize().ok()?;
        let run = folder.parent()?.parent()?;
        let both = checkpoint::is_one(&folder) && run.join(RECIPE_FILE).is_file();
        both.then(|| run.to_path_buf())
    }

    /// The weights this run ended with, or has reached. The checkpoint's hashes are checked.
    pub fn weights_path(&self) -> Result<PathBuf, TrainError> {
        Ok(checkpoint::newest_intact(&self.folder)?.join(checkpoint::WEIGHTS_FILE))
    }
}

/// `split.json` in full: every picture of every part, and what each of them was.
pub fn read_split(folder: &Path) -> Result<SplitRecord, TrainError> {
    let path = folder.join(SPLIT_FILE);
    let mut value: serde_json::Value = read_json(&path)?;
    value.as_object_mut().and_then(|object| object.remove(COUNTS));
    serde_json::from_value(value).map_err(|error| record_error(&path, error))
}

/// `split.json`: the data crate's record, and the counts that charts are drawn from.
pub(crate) fn write_split(folder: &Path, dataset: &Dataset) -> Result<(), TrainError> {
    let mut value = serde_json::to_value(dataset.split_record()).expect("a split is plain data");
    value[COUNTS] = serde_json::to_value(PartCounts::of(dataset)).expect("counts are plain data");
    write_json(&folder.join(SPLIT_FILE), &value)
}

/// Pretty-printed, with a line break at the end, in one step.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), TrainError> {
    let text = serde_json::to_string_pretty(value).expect("a record is plain data") + "\n";
    write_atomic(path, text.as_bytes())
}

/// `test.json`, if the run has come that far.
pub(crate) fn read_test(folder: &Path) -> Result<Option<TestRecord>, TrainError> {
    let path = folder.join(TEST_FILE);
    if path.exists() { read_json(&path).map(Some) } else { Ok(None) }
}

/// One line of `metrics.jsonl`.
pub(crate) fn metrics_line(record: &EpochRecord) -> String {
    serde_json::to_string(record).expect("a record is plain data") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::epoch as line;

    #[test]
    fn metrics_are_one_line_an_epoch() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(METRICS_FILE);
        let text = metrics_line(&line(1)) + &metrics_line(&line(2));
        std::fs::write(&path, &text).unwrap();
        assert_eq!(read_lines::<EpochRecord>(&path).unwrap(), [line(1), line(2)]);
    }

    #[test]
    fn a_folder_that_is_no_run_is_refused_as_such() {
        let folder = tempfile::tempdir().unwrap();
        let error = RunRecord::read(folder.path()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("no recipe.json here"), "{error}");
    }
}
