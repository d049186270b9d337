//! The place to go on from, and whether going on gives the bits of a run that was never stopped.
//!
//! A checkpoint's numbers belong to its network, to its optimiser and to what was frozen: another
//! one is refused. So is, by its name, anything else that has changed since (threads, device,
//! batch, pictures and so on), unless the job allows an inexact resume, which is then noted in
//! `environment.json` line by line. Another processor or libtorch is noted and not refused: a run
//! may have to move.

use std::path::{Path, PathBuf};

use catscan_torch_ext::{cpu, determinism};

use crate::checkpoint::{self, State};
use crate::environment::{
    ENVIRONMENT_FILE, Environment, Resumption, WORLD_SIZE, computing_on, libtorch_version,
    processor, rfc3339, unix_s,
};
use crate::error::TrainError;
use crate::event::{Event, Watch};
use crate::gradients::{self, GRADIENTS_FILE};
use crate::recipe::{Difference, Recipe};
use crate::record::{METRICS_FILE, RECIPE_FILE, TEST_FILE, read_split, read_test, write_json};
use crate::storage::{read_json, read_text, record_error};
use crate::train::Job;

/// A checkpoint that may be gone on with.
pub(crate) struct ResumePoint {
    pub path: PathBuf,
    /// Where the run stands, in steps of today's epochs.
    pub state: State,
    /// Where it stood, in steps of then.
    then: State,
    /// What makes going on inexact, when that was allowed.
    pub inexact: Vec<String>,
    /// What has changed besides, and changes no result.
    noted: Vec<String>,
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

/// The checkpoint that the job names, or the newest; `None` where the run begins. Nothing but
/// damaged checkpoints is moved: what else may be refused comes before [`go_on_from`].
pub(crate) fn find_place(
    job: &Job,
    steps_per_epoch: u64,
    watch: &mut dyn Watch,
) -> Result<Option<ResumePoint>, TrainError> {
    let mut warn = |text| watch.on_event(&Event::Warning { text });
    let found = match job.resume {
        Some(path) => checkpoint::verify(path).map(|()| Some(path.to_path_buf()))?,
        None => checkpoint::newest(job.folder, &mut warn)?,
    };
    let Some(path) = found else { return Ok(None) };
    let then = checkpoint::read_state(&path)?;
    let changes = changes(job, &path, &then)?;
    refuse(job, &changes)?;
    let mut state = then.clone();
    let mut inexact: Vec<String> = changes
        .iter()
        .map(|Change { field, there, here }| {
            format!("{field} was {there} until step {}, then {here}", state.step)
        })
        .collect();
    inexact.extend(moved_to(job, &then));
    inexact.extend(rescale(&mut state, steps_per_epoch));
    let noted = Vec::from_iter(rejected_since(job, &path));
    for text in inexact.iter().chain(&noted) {
        warn(text.clone());
    }
    Ok(Some(ResumePoint { path, state, then, inexact, noted }))
}

/// Makes the folder that of a run at `place`, once nothing can be refused any more: what is not on
/// the way there is set aside, and what another folder's run has kept for it comes along.
pub(crate) fn go_on_from(
    job: &Job,
    place: Option<&ResumePoint>,
    watch: &mut dyn Watch,
) -> Result<(), TrainError> {
    let mut warn = |text| watch.on_event(&Event::Warning { text });
    let folder = job.folder;
    if folder.join(TEST_FILE).exists() {
        // A trial's says of itself how far it went; a whole run's must be known to be another's.
        let trial = read_test(folder).is_ok_and(|test| test.is_some_and(|test| test.bounded));
        leave(folder, TEST_FILE, &mut |text| {
            if !trial {
                warn(text)
            }
        })?;
    }
    let Some(place) = place else {
        if checkpoint::was_damaged(folder) {
            leave(folder, METRICS_FILE, &mut warn)?;
            leave(folder, GRADIENTS_FILE, &mut warn)?;
        }
        return Ok(());
    };
    if job.resume.is_some() || !place.inexact.is_empty() {
        checkpoint::set_aside_off(folder, &place.then, &mut warn)?;
    }
    let from = place.run(job);
    if checkpoint::best(folder).is_none() {
        checkpoint::restore_best(folder, from, &place.then, &mut warn)?;
    }
    gradients::restart(folder, from, place.then.step)
}

/// Sets a file of the run's folder aside, where there is one.
fn leave(folder: &Path, name: &str, warn: &mut dyn FnMut(String)) -> Result<(), TrainError> {
    let path = folder.join(name);
    if path.exists() {
        let aside = checkpoint::set_aside(&path, checkpoint::LEFT)
            .map_err(|error| TrainError::storage(&path, 0, error))?;
        warn(format!("{}: set aside as {}", path.display(), aside.display()));
    }
    Ok(())
}

/// `environment.json`: of this process, or as it was with one more line.
pub(crate) fn write_environment(job: &Job, place: Option<&ResumePoint>) -> Result<(), TrainError> {
    let path = job.folder.join(ENVIRONMENT_FILE);
    let now = Environment::now(job);
    let anew = place.is_none() && !checkpoint::was_damaged(job.folder);
    let mut environment = match path.exists() && !anew {
        true => read_json(&path)?,
        false => now.clone(),
    };
    if !anew {
        environment.resumed.push(Resumption {
            at: rfc3339(unix_s() as u64),
            step: place.map_or(0, |place| place.state.step),
            from: job.resume.map(|path| path.display().to_string()),
            git_commit: now.git_commit,
            threads: now.threads,
            device: now.device,
            inexact: place.map_or_else(Vec::new, |place| place.inexact.clone()),
            noted: place.map_or_else(Vec::new, |place| place.noted.clone()),
        });
    }
    write_json(&path, &environment)
}

impl ResumePoint {
    /// The folder of the run that saved it.
    fn run<'a>(&'a self, job: &'a Job) -> &'a Path {
        run_of(&self.path).unwrap_or(job.folder)
    }
}

/// The run's folder that a checkpoint lies in.
fn run_of(checkpoint: &Path) -> Option<&Path> {
    checkpoint.parent().and_then(Path::parent)
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
    let run = run_of(checkpoint).unwrap_or(job.folder);
    let mut found = match &state.recipe {
        Some(theirs) => differences(job, theirs, checkpoint)?,
        None if run.join(RECIPE_FILE).exists() => recipe_changes(job, run)?,
        None => known_by_hash(job, checkpoint, state)?,
    };
    found.extend(moved(job, run, state).or_else(|| repacked(job, state)));
    let mut note = |field: &str, there: String, here: String| {
        if there != here {
            found.push(Change { field: field.into(), there, here });
        }
    };
    note("the data's digest", state.data_digest.clone(), digest_now(job, run, state));
    note("threads", state.threads.to_string(), cpu::threads().to_string());
    note("device", state.device.clone(), computing_on(job.device));
    note("world size", state.world_size.to_string(), WORLD_SIZE.to_string());
    let deterministic = determinism::is_required();
    note("deterministic", state.deterministic.to_string(), deterministic.to_string());
    Ok(found)
}

/// A checkpoint of before they had their recipe, away from its run: its numbers mean something to
/// the very same recipe alone.
fn known_by_hash(job: &Job, path: &Path, state: &State) -> Result<Vec<Change>, TrainError> {
    let (there, here) = (&state.recipe_hash, job.recipe.hash());
    if *there == here {
        return Ok(Vec::new());
    }
    let reason = format!(
        "is of the recipe {there}, yours is {here}, and what differs cannot be told: there is no \
         {RECIPE_FILE} two folders up"
    );
    Err(TrainError::Checkpoint { path: path.to_path_buf(), reason })
}

/// In a line each, another processor or libtorch than the checkpoint's: told, not refused.
fn moved_to(job: &Job, then: &State) -> Vec<String> {
    let step = then.step;
    [
        ("the processor", &then.processor, processor(job.device)),
        ("libtorch", &then.libtorch, libtorch_version()),
    ]
    .into_iter()
    .filter(|(_, there, here)| !there.is_empty() && !here.is_empty() && *there != here)
    .map(|(field, there, here)| {
        format!("{field} was {there} until step {step}, then {here}: the last bits may differ")
    })
    .collect()
}

/// Pictures that are the same but have moved to another part, as a manifest or folders say: the
/// digest is of the pictures alone.
fn moved(job: &Job, run: &Path, state: &State) -> Option<Change> {
    let then = read_split(run).ok().filter(|_| job.dataset.digest == state.data_digest)?;
    let here = then.difference(&job.dataset.split_record())?;
    Some(Change { field: "the split".into(), there: "another".into(), here })
}

/// Pictures that are the same but lie together otherwise, which with a window is another order.
fn repacked(job: &Job, state: &State) -> Option<Change> {
    let then = state.packing.clone().filter(|_| job.dataset.digest == state.data_digest)?;
    let here = job.dataset.packing().filter(|now| *now != then)?;
    let field = "the packing of the pictures, by which data.shuffle_window goes,";
    Some(Change { field: field.into(), there: then, here })
}

/// Pictures that cannot be used and could be before, or the other way round: the digest is of the
/// others.
fn rejected_since(job: &Job, checkpoint: &Path) -> Option<String> {
    let run = run_of(checkpoint).unwrap_or(job.folder);
    read_split(run).ok()?.rejected_since(&job.dataset.split_record())
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
    differences(job, &theirs, folder)
}

/// Where `theirs`, of what lies at `place`, differs from the job's recipe.
fn differences(job: &Job, theirs: &Recipe, place: &Path) -> Result<Vec<Change>, TrainError> {
    let remembers = |recipe: &Recipe| recipe.optimizer.moment_names();
    let same_moments = remembers(job.recipe) == remembers(theirs);
    let mut changes = Vec::new();
    for Difference { field, first: here, second: there } in job.recipe.differences(theirs) {
        if !may_change(&field, same_moments) {
            let folder = place.to_path_buf();
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
