//! A run that is open: its folder held, its place found, its state moved by the loop.
//!
//! The order of writing is what makes a run safe to kill: an epoch's line in `metrics.jsonl` comes
//! before the checkpoint that closes the epoch, and `metrics.jsonl` is written anew from the
//! checkpoint when a run goes on. So no line is lost and none doubles.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use crate::checkpoint::{self, Contents, State};
use crate::environment::{peak_memory_bytes, unix_s};
use crate::error::TrainError;
use crate::evaluate::{Evaluation, evaluate};
use crate::event::{Event, Signal, Watch};
use crate::gradients;
use crate::learner::Learner;
use crate::lock::Lock;
use crate::metrics::Tally;
use crate::optimizer::Gradient;
use crate::pace::{Ahead, Pace};
use crate::readings::{Row, Taken};
use crate::record::{self, EpochRecord, METRICS_FILE, TEST_FILE, TestPicture, TestRecord};
use crate::setup::Setup;
use crate::tensorboard::EventFile;
use crate::train::{Job, OnSaveError};

/// What [`Run::open`] found.
pub(crate) enum Opened<'a> {
    Run(Box<Run<'a>>),
    AlreadyDone,
}

/// An open run.
pub(crate) struct Run<'a> {
    pub job: &'a Job<'a>,
    pub setup: Setup<'a>,
    pub learner: Learner,
    pub state: State,
    /// Where this call stops: after all of the recipe's steps, or before when it is bounded.
    pub steps_target: u64,
    /// The pictures each epoch is validated on.
    pub validation: Vec<u32>,
    pub ledger: Ledger,
    pub pace: Pace,
    /// Of the epoch's last step, not written yet.
    pub gradient: Option<gradients::Unread>,
    /// The bound fell inside an epoch, whose line has been written.
    pub cut: bool,
    /// The last step's checkpoint could not be written, and the run went on without it.
    pub unsaved: bool,
    pub _lock: Lock,
}

impl Run<'_> {
    /// Stopped before the recipe's last step, though there was something left to gain.
    pub fn is_bounded(&self) -> bool {
        self.state.step < self.setup.steps_total() && !self.is_stopped_early()
    }

    /// Whether the closed epochs say that it is enough.
    fn is_stopped_early(&self) -> bool {
        self.closed_epochs() < u64::from(self.job.recipe.epochs)
            && self.job.recipe.early_stop.is_some_and(|stop| stop.is_due(&self.state.epochs))
    }

    /// The steps still to be taken in the open (or next) epoch; `None` when all is done. May be
    /// empty: a run can have been stopped between an epoch's last step and its validation.
    pub fn next_epoch(&self) -> Option<Range<u64>> {
        let begun = self.state.step > self.epoch_start() || self.state.step < self.steps_target;
        let left =
            self.closed_epochs() < u64::from(self.job.recipe.epochs) && !self.is_stopped_early();
        let open = left && begun && !self.cut;
        open.then(|| self.state.step..self.epoch_end().min(self.steps_target))
    }

    fn closed_epochs(&self) -> u64 {
        self.state.epochs.len() as u64
    }

    fn epoch_start(&self) -> u64 {
        self.closed_epochs() * self.setup.steps_per_epoch()
    }

    fn epoch_end(&self) -> u64 {
        self.epoch_start() + self.setup.steps_per_epoch()
    }

    /// A step was taken and what it came to is known.
    pub fn took_step(&mut self, taken: Taken, row: Row) {
        let Taken { pictures, lr, time, .. } = taken;
        let tally = &mut self.state.tally;
        tally.add(row.loss, row.right, pictures, lr);
        tally.step_seconds += time.step_s;
        tally.seconds_waiting_for_data += time.wait_s;
        self.pace.step(pictures, time.step_s, time.wait_s);
    }

    /// Before an epoch's last step: how much of the loss's gradient reaches each layer.
    pub fn note_gradient(&mut self, gradient: &Gradient) {
        if self.state.step + 1 == self.epoch_end().min(self.steps_target) {
            let epoch = self.closed_epochs() as u32 + 1;
            self.gradient = Some(gradients::of_step(self, epoch, &gradient.row()));
        }
    }

    /// Once the step of what was noted is known to be finite.
    pub fn write_gradient(&mut self, watch: &mut dyn Watch) -> Result<(), TrainError> {
        let Some(noted) = self.gradient.take() else { return Ok(()) };
        self.forgive(gradients::write(self.job.folder, &noted.read()), watch)
    }

    pub fn step_event(&self) -> Event {
        Event::Step {
            epoch: self.closed_epochs() as u32 + 1,
            epochs: self.job.recipe.epochs,
            step: self.state.step,
            steps_total: self.steps_target,
            loss: self.state.tally.loss(),
            accuracy: self.state.tally.accuracy(),
            images_per_s: self.pace.images_per_s(),
            remaining_s: self.pace.remaining_s(self.ahead()),
        }
    }

    fn ahead(&self) -> Ahead {
        let steps = self.steps_target.saturating_sub(self.state.step);
        let last_epoch = self.steps_target.div_ceil(self.setup.steps_per_epoch());
        let validations = last_epoch.saturating_sub(self.closed_epochs());
        Ahead {
            training_pictures: steps * u64::from(self.job.recipe.batch),
            scored_pictures: validations * self.validation.len() as u64
                + self.job.dataset.split.test.len() as u64,
        }
    }

    /// Validates, writes the epoch's line, saves. An epoch that the bound cut short gets a line
    /// too, so that a trial has its numbers, but stays open in the checkpoint.
    pub fn close_epoch(&mut self, watch: &mut dyn Watch) -> Result<(), TrainError> {
        let pictures = self.validation.clone();
        let scores = self.score(&pictures, "validation", watch)?;
        self.pace.scored(scores.images_per_s);
        let record = self.epoch_record(&scores);
        let written = self.ledger.append(self.job.folder, &self.state.epochs, &record);
        self.forgive(written, watch)?;
        if self.state.step < self.epoch_end() {
            self.cut = true;
        } else {
            self.state.epochs.push(record.clone());
            self.state.tally = Tally::default();
        }
        watch.on_event(&Event::Epoch(record));
        if self.is_stopped_early() {
            let epoch = self.closed_epochs() as u32;
            watch.on_event(&Event::StoppedEarly { epoch, best: self.best_epoch() });
        }
        self.save_or_warn(watch)
    }

    fn best_epoch(&self) -> u32 {
        checkpoint::best_epoch(&self.state).map_or(0, |best| best.epoch)
    }

    fn epoch_record(&self, scores: &Evaluation) -> EpochRecord {
        let tally = &self.state.tally;
        EpochRecord {
            epoch: self.closed_epochs() as u32 + 1,
            step: self.state.step,
            lr: tally.lr,
            train_loss: tally.loss(),
            train_accuracy: tally.accuracy(),
            val_loss: scores.loss,
            val_accuracy: scores.accuracy,
            images_per_s: tally.images_per_s(),
            seconds: tally.step_seconds + tally.seconds_waiting_for_data + scores.seconds,
            seconds_waiting_for_data: tally.seconds_waiting_for_data,
            unix_s: unix_s(),
        }
    }

    /// Writes the step's checkpoint; after the best epoch so far, that of the best before it. Where
    /// that one fails, the step's own is tried all the same, and made the best.
    pub fn save(&mut self, watch: &mut dyn Watch) -> Result<(), TrainError> {
        let Learner { model, moments, average, .. } = &self.learner;
        let (state, weights) = (&self.state, model.weights());
        let contents = Contents { state, weights, moments, average: average.as_ref() };
        let best = match self.just_closed_the_best() {
            true => checkpoint::save_best(self.job.folder, contents).map(Some),
            false => Ok(None),
        };
        let twin = best.as_ref().ok().and_then(Option::as_ref);
        let mut warn = |text| watch.on_event(&Event::Warning { text });
        let saved =
            checkpoint::save(self.job.folder, contents, twin, self.job.saving.keep, &mut warn);
        self.unsaved = saved.is_err();
        let saved = saved?;
        let path = saved.path.display().to_string();
        watch.on_event(&Event::Saved { step: saved.step, path, bytes: saved.bytes });
        match best {
            Err(error) if !self.restore_best(watch)? => Err(error),
            _ => Ok(()),
        }
    }

    /// The same, where a checkpoint that cannot be written need not end the run. A best that is no
    /// more the best does not stay in the place of one that failed.
    pub fn save_or_warn(&mut self, watch: &mut dyn Watch) -> Result<(), TrainError> {
        let saved = self.save(watch);
        let failed = saved.is_err();
        self.forgive(saved, watch)?;
        if failed {
            let restored = self.restore_best(watch).map(drop);
            self.forgive(restored, watch)?;
        }
        Ok(())
    }

    /// After the last step: tries what failed once more, for a result whose weights exist nowhere
    /// is none, and tells of a best that could not be kept.
    pub fn save_at_last(&mut self, watch: &mut dyn Watch) -> Result<(), TrainError> {
        if self.unsaved {
            let saved = self.save(watch);
            if self.unsaved {
                return saved;
            }
            self.forgive(saved, watch)?;
        }
        let restored = self.restore_best(watch);
        if !matches!(restored, Ok(true)) {
            let epoch = self.best_epoch();
            let text = format!(
                "epoch {epoch} has the lowest validation loss, and there is no checkpoints/best: \
                 it could not be kept"
            );
            watch.on_event(&Event::Warning { text });
        }
        self.forgive(restored.map(drop), watch)
    }

    fn restore_best(&self, watch: &mut dyn Watch) -> Result<bool, TrainError> {
        let mut warn = |text| watch.on_event(&Event::Warning { text });
        checkpoint::restore_best(self.job.folder, self.job.folder, &self.state, &mut warn)
    }

    fn forgive(
        &self,
        written: Result<(), TrainError>,
        watch: &mut dyn Watch,
    ) -> Result<(), TrainError> {
        match (written, self.job.saving.on_error) {
            (Err(error @ TrainError::Storage { .. }), OnSaveError::Warn) => {
                watch.on_event(&Event::Warning { text: error.forgiven() });
                Ok(())
            }
            (written, _) => written,
        }
    }

    /// Whether the last step closed an epoch, and none before had as low a validation loss.
    fn just_closed_the_best(&self) -> bool {
        let Some((last, before)) = self.state.epochs.split_last() else { return false };
        last.step == self.state.step && before.iter().all(|epoch| epoch.val_loss > last.val_loss)
    }

    /// Scores the test part and writes `test.json`: the only place that opens it.
    pub fn test(&mut self, watch: &mut dyn Watch) -> Result<(), TrainError> {
        let indices = &self.job.dataset.split.test;
        let scores = self.score(indices, "test", watch)?;
        let pictures = indices.iter().zip(scores.probabilities).map(|(index, probabilities)| {
            let sample = &self.job.dataset.samples[*index as usize];
            TestPicture { name: sample.name.clone(), label: sample.label, probabilities }
        });
        let record = TestRecord {
            recipe_hash: self.state.recipe_hash.clone(),
            data_digest: self.state.data_digest.clone(),
            steps: self.state.step,
            steps_total: self.setup.steps_total(),
            bounded: self.is_bounded(),
            stopped_early: self.is_stopped_early(),
            classes: self.job.dataset.classes.clone(),
            loss: scores.loss,
            accuracy: scores.accuracy,
            images_per_s: scores.images_per_s,
            seconds: scores.seconds,
            peak_memory_bytes: peak_memory_bytes(),
            pictures: pictures.collect(),
        };
        record::write_json(&self.job.folder.join(TEST_FILE), &record)?;
        let scores = record.scores();
        watch.on_event(&Event::Tested {
            pictures: indices.len() as u64,
            loss: record.loss,
            accuracy: record.accuracy,
            macro_f1: scores.macro_f1,
            calibration_error: scores.calibration_error,
            images_per_s: record.images_per_s,
        });
        Ok(())
    }

    fn score(
        &self,
        indices: &[u32],
        part: &str,
        watch: &mut dyn Watch,
    ) -> Result<Evaluation, TrainError> {
        let total = indices.len() as u64;
        let mut on_batch = |done: u64| -> Option<Signal> {
            watch.on_event(&Event::Evaluating { part: part.to_string(), done, total });
            watch.should_stop()
        };
        let batch = scoring_batch(self.job.recipe.batch);
        let scored = self.learner.judged(|model| {
            evaluate(model, self.job.dataset, indices, batch, self.job.device, &mut on_batch)
        });
        scored.map_err(|error| error.scoring(format!("{part} after step {}", self.state.step)))
    }
}

/// Without gradients a batch may be larger; how large is part of the last bits, so it follows from
/// the recipe alone.
pub(crate) fn scoring_batch(batch: u32) -> u32 {
    batch.saturating_mul(2).max(64)
}

/// The files that gain by every epoch.
pub(crate) struct Ledger {
    metrics: File,
    events: EventFile,
    /// The last line did not get through, or only in part.
    behind: bool,
}

impl Ledger {
    /// Begins both files anew with the epochs that are closed.
    pub fn restart(folder: &Path, epochs: &[EpochRecord]) -> Result<Ledger, TrainError> {
        let path = folder.join(METRICS_FILE);
        let text: String = epochs.iter().map(record::metrics_line).collect();
        crate::storage::write_atomic(&path, text.as_bytes())?;
        let failed = |error| TrainError::storage(&path, text.len() as u64, error);
        let metrics = OpenOptions::new().append(true).open(&path).map_err(failed)?;
        let events = EventFile::restart(folder, unix_s() as u64, epochs).map_err(failed)?;
        Ok(Ledger { metrics, events, behind: false })
    }

    /// Adds an epoch to those that are `closed`; writes all anew if the last did not get through.
    fn append(
        &mut self,
        folder: &Path,
        closed: &[EpochRecord],
        record: &EpochRecord,
    ) -> Result<(), TrainError> {
        if self.behind {
            *self = Ledger::restart(folder, closed)?;
        }
        let written = self.write(record);
        self.behind = written.is_err();
        written.map_err(|error| TrainError::storage(&folder.join(METRICS_FILE), 1024, error))
    }

    fn write(&mut self, record: &EpochRecord) -> io::Result<()> {
        self.metrics.write_all(record::metrics_line(record).as_bytes())?;
        self.metrics.sync_data()?;
        self.events.append(record)
    }
}
