//! The place to go on from, and whether going on gives the bits of a run that was never stopped.
//!
//! A checkpoint's numbers belong to its network, to its optimiser and to what was frozen: another
//! one is refused. So is, by its name, anything else that has changed since (threads, device,
//! batch, pictures and so on), unless the job allows an inexact resume, which is then noted in
//! `environment.json` line by line.

use std::path::{Path, PathBuf};

use catscan_torch_ext::{cpu, determinism};

use crate::checkpoint::{self, State};
use crate::environment::{WORLD_SIZE, computing_on};
use crate::error::TrainError;
use crate::event::{Event, Watch};
use crate::recipe::{Difference, Recipe};
use crate::record::{RECIPE_FILE, read_split};
use crate::storage::{read_text, record_error};
use crate::train::Job;

/// A checkpoint that may be gone on with.
pub(crate) struct Place {
    pub path: PathBuf,
    /// Where the run stands, in steps of today's epochs.
    pub state: State,
    /// What makes going on inexact, when that was allowed.
    pub inexact: Vec<String>,
}

/// Something that was so then and is otherwise now.
struct Change {
    field: String,
    there: String,
    here: String,
}

/// Refuses a folder whose recipe is not the job's, before anything in it is touched.
pub(crate) fn refuse_other_run(job: &Job) -> Result<(), TrainError> {
    refuse(job, &recipe_changes(job, job.folder)?)
}

/// The checkpoint that the job names, or the newest; `None` where the run begins.
pub(crate) fn find_place(
    job: &Job,
    steps_per_epoch: u64,
    watch: &mut dyn Watch,
) -> Result<Option<Place>, TrainError> {
    let mut warn = |text| watch.on_event(&Event::Warning { text });
    let found = match job.resume {
        Some(path) => checkpoint::verify(path).map(|()| Some(path.to_path_buf()))?,
        None => checkpoint::newest(job.folder, &mut warn)?,
    };
    let Some(path) = found else { return Ok(None) };
    let mut state = checkpoint::read_state(&path)?;
    let changes = changes(job, &path, &state)?;
    refuse(job, &changes)?;
    if job.resume.is_some() {
        checkpoint::set_aside_after(job.folder, state.step, &mut warn)?;
    }
    let mut inexact: Vec<String> = changes
        .iter()
        .map(|Change { field, there, here }| {
            format!("{field} was {there} until step {}, then {here}", state.step)
        })
        .collect();
    inexact.extend(rescale(&mut state, steps_per_epoch));
    for text in &inexact {
        warn(text.clone());
    }
    Ok(Some(Place { path, state, inexact }))
}

/// The first change is an error, unless the job allows it.
fn refuse(job: &Job, changes: &[Change]) -> Result<(), TrainError> {
    let Some(Change { field, there, here }) = changes.first().filter(|_| !job.allow_inexact_resume)
    else {
        return Ok(());
    };
    let (field, there, here) = (field.clone(), there.clone(), here.clone());
    Err(TrainError::Inexact { folder: job.folder.to_path_buf(), field, there, here })
}

/// All that has changed since this checkpoint.
fn changes(job: &Job, checkpoint: &Path, state: &State) -> Result<Vec<Change>, TrainError> {
    let run = checkpoint.parent().and_then(Path::parent).unwrap_or(job.folder);
    let mut found = recipe_changes(job, run)?;
    found.extend(moved(job, run, state));
    let mut note = |field: &str, there: String, here: String| {
        if there != here {
            found.push(Change { field: field.into(), there, here });
        }
    };
    if !run.join(RECIPE_FILE).exists() {
        note("the recipe's hash", state.recipe_hash.clone(), job.recipe.hash());
    }
    note("the data's digest", state.data_digest.clone(), digest_now(job, run, state));
    note("threads", state.threads.to_string(), cpu::threads().to_string());
    note("device", state.device.clone(), computing_on(job.device));
    note("world size", state.world_size.to_string(), WORLD_SIZE.to_string());
    let deterministic = determinism::is_required();
    note("deterministic", state.deterministic.to_string(), deterministic.to_string());
    Ok(found)
}

/// Pictures that are the same but have moved to another part, as a manifest or folders say: the
/// digest is of the pictures alone.
fn moved(job: &Job, run: &Path, state: &State) -> Option<Change> {
    let then = read_split(run).ok().filter(|_| job.dataset.digest == state.data_digest)?;
    let here = then.difference(&job.dataset.split_record())?;
    Some(Change { field: "the split".into(), there: "another".into(), here })
}

/// The digest of the job's pictures; where it is another one, with the picture that differs, if the
/// run's `split.json` is there and tells.
fn digest_now(job: &Job, run: &Path, state: &State) -> String {
    let digest = job.dataset.digest.clone();
    if digest == state.data_digest {
        return digest;
    }
    let then = read_split(run).ok().filter(|split| split.digest == state.data_digest);
    match then.and_then(|then| then.difference(&job.dataset.split_record())) {
        Some(difference) => format!("{digest} ({difference})"),
        None => digest,
    }
}

/// Where the recipe of the run in `folder` differs from the job's.
///
/// # Errors
/// [`TrainError::OtherRun`] where the checkpoints of the one mean nothing to the other.
fn recipe_changes(job: &Job, folder: &Path) -> Result<Vec<Change>, TrainError> {
    let path = folder.join(RECIPE_FILE);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let theirs =
        Recipe::from_json(&read_text(&path)?).map_err(|error| record_error(&path, error))?;
    let remembers = |recipe: &Recipe| recipe.optimizer.moment_names();
    let same_moments = remembers(job.recipe) == remembers(&theirs);
    let mut changes = Vec::new();
    for Difference { field, first: here, second: there } in job.recipe.differences(&theirs) {
        if !may_change(&field, same_moments) {
            let folder = folder.to_path_buf();
            return Err(TrainError::OtherRun { folder, field, there, here });
        }
        changes.push(Change { field, there, here });
    }
    Ok(changes)
}

/// Whether a checkpoint still fits a recipe that differs in this field.
fn may_change(field: &str, same_moments: bool) -> bool {
    match field.split('.').next().unwrap_or_default() {
        "model" => ["model.precision", "model.memory"].contains(&field),
        // Keras' velocity holds the learning rate, PyTorch's does not.
        "optimizer" => same_moments && !field.ends_with(".semantics"),
        "init" | "freeze" | "groups" | "decayed" | "ema" => false,
        _ => true,
    }
}

/// Where epochs have another number of steps now, the run goes on at the same share of its epoch.
fn rescale(state: &mut State, steps_per_epoch: u64) -> Option<String> {
    let then = std::mem::replace(&mut state.steps_per_epoch, steps_per_epoch);
    if then == steps_per_epoch || then == 0 {
        return None;
    }
    let closed = state.epochs.len() as u64;
    let begun = state.step.saturating_sub(closed * then);
    let step = closed * steps_per_epoch + begun * steps_per_epoch / then;
    let was = std::mem::replace(&mut state.step, step);
    Some(format!("an epoch had {then} steps and has {steps_per_epoch}: step {was} is step {step}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_checkpoint_is_made_of_may_not_change() {
        for (field, may) in [
            ("batch", true),
            ("data.source", true),
            ("optimizer.sgd.lr", true),
            ("optimizer.sgd.semantics", false),
            ("model.precision", true),
            ("model.name", false),
            ("groups", false),
            ("decayed", false),
            ("ema.decay", false),
            ("clip.norm", true),
            ("micro_batch", true),
        ] {
            assert_eq!(may_change(field, true), may, "{field}");
        }
        assert!(!may_change("optimizer.sgd.momentum", false));
    }
}
