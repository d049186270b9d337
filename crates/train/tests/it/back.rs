//! Going back, elsewhere, or on after something was lost: a run keeps what is on its way, and
//! loses nothing of what is not.

use std::fs;
use std::path::{Path, PathBuf};

use catscan_train::checkpoint::{self, best, read_state};
use catscan_train::{Event, Job, Outcome, Recipe, RunRecord, Saving, Sgd, read_gradients};

use crate::common::{Watcher, every, job, metrics, newest, recipe, run, tensors};
use crate::faults::refused;
use crate::inexact::{edit_state, mend_manifest};
use crate::testing::sgd;

/// All checkpoints stay.
fn all(steps: u64) -> Saving {
    Saving { keep: 20, ..every(steps) }
}

/// A run of two epochs, of nine steps each, with a checkpoint every so many.
fn finished(recipe: &Recipe, steps: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    run(&Job { saving: all(steps), ..job(recipe, folder.path()) }, &mut ()).unwrap();
    folder
}

fn step(run: &Path, step: u64) -> PathBuf {
    run.join(format!("checkpoints/step-{step}"))
}

/// The names in a run's folder and among its checkpoints.
fn names(run: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| fs::read_dir(folder).unwrap().flatten();
    let mut found: Vec<PathBuf> =
        entries(run).chain(entries(&run.join("checkpoints"))).map(|entry| entry.path()).collect();
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_way_back_that_is_refused_changes_nothing_and_one_that_is_not_loses_no_result() {
    let recipe = recipe();
    let folder = finished(&recipe, 3);
    let here = folder.path();
    let mut other = recipe.clone();
    other.model.outputs = 3;
    let other = catscan_models::Model::build(&other.model, 1, tch::Device::Cpu).unwrap();
    let spoilt = step(here, 6);
    other.weights().save(&spoilt.join("weights.safetensors")).unwrap();
    mend_manifest(&spoilt, "weights.safetensors");
    let before = names(here);
    refused(&Job { resume: Some(&spoilt), ..job(&recipe, here) }, 4, &["2 difference(s)"]);
    assert_eq!(names(here), before, "later checkpoints and test.json are where they were");

    let test = fs::read(here.join("test.json")).unwrap();
    let mut watcher = Watcher::stopping(|event| matches!(event, Event::Step { step: 4, .. }));
    let named = step(here, 3);
    run(&Job { resume: Some(&named), ..job(&recipe, here) }, &mut watcher).unwrap();
    assert!(!here.join("test.json").exists(), "it was of another course");
    assert_eq!(fs::read(here.join("left-test.json")).unwrap(), test);
    assert!(watcher.warnings().iter().any(|text| text.contains("left-test.json")));
}

#[test]
fn the_best_of_a_course_that_was_left_is_not_the_best_of_the_new_one() {
    let recipe = recipe();
    let folder = finished(&recipe, 9);
    let here = folder.path();
    // Whichever was the lower: now it is the later one.
    fs::remove_dir_all(here.join("checkpoints/best")).unwrap();
    copy(&step(here, 18), &here.join("checkpoints/best"));

    let steeper = Recipe { optimizer: Sgd { lr: 0.2, ..sgd(0.05) }.into(), ..recipe };
    let named = step(here, 9);
    let back = Job { resume: Some(&named), allow_inexact_resume: true, ..job(&steeper, here) };
    let mut watcher = Watcher::stopping(|event| matches!(event, Event::Step { step: 10, .. }));
    run(&back, &mut watcher).unwrap();
    assert_eq!(read_state(&here.join("checkpoints/left-best")).unwrap().step, 18);
    let made_up = best(here).expect("the first epoch's checkpoint is left");
    assert_eq!(read_state(&made_up).unwrap().step, 9);
    checkpoint::verify(&made_up).unwrap();

    run(&job(&steeper, here), &mut ()).unwrap();
    let state = read_state(&newest(here)).unwrap();
    let lowest = checkpoint::best_epoch(&state).unwrap();
    assert_eq!(read_state(&best(here).unwrap()).unwrap().epochs.last(), Some(lowest));
}

#[test]
fn a_run_that_goes_on_elsewhere_has_its_past_with_it() {
    let recipe = recipe();
    let (folder, own) = (finished(&recipe, 9), tempfile::tempdir().unwrap());
    let (there, here) = (folder.path(), own.path());
    let named = step(there, 9);
    edit_state(&named, "\"threads\": 1,", "\"threads\": 64,");
    let on = Job { resume: Some(&named), allow_inexact_resume: true, ..job(&recipe, here) };
    let mut watcher = Watcher::stopping(|event| matches!(event, Event::Step { step: 10, .. }));
    run(&on, &mut watcher).unwrap();
    let resumed = RunRecord::read(here).unwrap().environment.resumed;
    assert_eq!(resumed.len(), 1);
    assert_eq!(resumed[0].inexact, ["threads was 64 until step 9, then 1"]);
    assert_eq!(resumed[0].from.as_deref(), named.to_str());
    assert_eq!(read_state(&best(here).expect("the first epoch's")).unwrap().step, 9);
    assert_eq!(read_gradients(here).unwrap(), read_gradients(there).unwrap()[..1]);

    run(&job(&recipe, here), &mut ()).unwrap();
    assert_eq!(read_gradients(here).unwrap(), read_gradients(there).unwrap());
    assert_eq!(metrics(here), metrics(there));
    assert!(tensors(here) == tensors(there));
}

#[test]
fn a_lone_checkpoint_says_itself_what_it_means() {
    let recipe = recipe();
    let (folder, own) = (finished(&recipe, 9), tempfile::tempdir().unwrap());
    let lone = own.path().join("brought/along");
    copy(&step(folder.path(), 9), &lone);
    let here = own.path().join("run");
    let with = |optimizer: Sgd| Recipe { optimizer: optimizer.into(), ..recipe.clone() };
    let keras = with(Sgd { semantics: catscan_train::Semantics::Keras, ..sgd(0.05) });
    let faster = with(Sgd { lr: 0.1, ..sgd(0.05) });
    let on = |recipe, allow_inexact_resume| Job {
        resume: Some(&lone),
        allow_inexact_resume,
        max_steps: Some(10),
        ..job(recipe, &here)
    };
    refused(&on(&keras, true), 2, &["optimizer.sgd.semantics is \"pytorch\""]);
    refused(&on(&faster, false), 2, &["optimizer.sgd.lr was 0.05", "--allow-inexact-resume"]);

    // Of before checkpoints said it: only what is the very same can be trusted.
    forget(&lone, &["recipe", "processor", "libtorch"]);
    refused(&on(&faster, true), 4, &["what differs cannot be told", "recipe.json"]);
    assert!(!here.join("recipe.json").exists());
    let mut watcher = Watcher::default();
    assert_eq!(run(&on(&recipe, false), &mut watcher).unwrap(), Outcome::Finished);
    assert_eq!(watcher.resumed_from(), Some(9));
    // In its run's folder, the recipe there tells.
    let old = step(folder.path(), 18);
    forget(&old, &["recipe", "processor", "libtorch"]);
    fs::remove_file(folder.path().join("test.json")).unwrap();
    let mut watcher = Watcher::default();
    run(&job(&recipe, folder.path()), &mut watcher).unwrap();
    assert_eq!((watcher.resumed_from(), watcher.warnings().len()), (Some(18), 0));
}

/// Makes a checkpoint one of an earlier program, without these.
fn forget(checkpoint: &Path, keys: &[&str]) {
    let path = checkpoint.join("state.json");
    let mut state: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    for key in keys {
        state.as_object_mut().unwrap().remove(*key).expect("it was there");
    }
    fs::write(&path, state.to_string()).unwrap();
    mend_manifest(checkpoint, "state.json");
}

#[test]
fn another_processor_or_libtorch_is_told_in_a_line_and_noted_but_not_refused() {
    let recipe = recipe();
    for (from, to, says) in [
        ("\"processor\": \"", "\"processor\": \"Z80, not ", "the processor was Z80, not "),
        ("\"libtorch\": \"", "\"libtorch\": \"0.", "libtorch was 0."),
    ] {
        let folder = tempfile::tempdir().unwrap();
        run(&Job { max_steps: Some(2), ..job(&recipe, folder.path()) }, &mut ()).unwrap();
        edit_state(&newest(folder.path()), from, to);
        let mut watcher = Watcher::default();
        let on = Job { max_steps: Some(3), ..job(&recipe, folder.path()) };
        assert_eq!(run(&on, &mut watcher).unwrap(), Outcome::Finished);
        let warnings = watcher.warnings();
        assert!(warnings.len() == 1 && warnings[0].starts_with(says), "{warnings:?}");
        assert!(warnings[0].ends_with("the last bits may differ"), "{warnings:?}");
        let resumed = RunRecord::read(folder.path()).unwrap().environment.resumed;
        assert_eq!(resumed[0].inexact, warnings);
        // From here on it is this run's.
        let mut watcher = Watcher::default();
        run(&Job { max_steps: Some(4), ..on }, &mut watcher).unwrap();
        assert!(watcher.warnings().is_empty(), "{:?}", watcher.warnings());
    }
}

#[test]
fn where_no_checkpoint_is_intact_it_says_so_and_keeps_what_was_recorded() {
    let recipe = recipe();
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    run(&Job { max_steps: Some(11), ..job(&recipe, here) }, &mut ()).unwrap();
    let began = RunRecord::read(here).unwrap().environment.started;
    let old = fs::read(here.join("metrics.jsonl")).unwrap();
    for name in ["step-9", "step-11", "best"] {
        fs::remove_file(here.join("checkpoints").join(name).join("manifest.json")).unwrap();
    }
    let mut watcher = Watcher::default();
    let stop = |event: &Event| matches!(event, Event::Step { step: 1, .. });
    watcher.stop_at = Some(stop);
    run(&job(&recipe, here), &mut watcher).unwrap();
    assert_eq!(watcher.resumed_from(), None);
    let said = watcher.warnings().join("\n");
    assert!(said.contains("no intact checkpoint is left; begins at step 0"), "{said}");
    for name in ["damaged-step-9", "damaged-step-11", "damaged-best"] {
        assert!(here.join("checkpoints").join(name).is_dir(), "{name}");
    }
    assert_eq!(fs::read(here.join("left-metrics.jsonl")).unwrap(), old);
    let record = RunRecord::read(here).unwrap().environment;
    assert_eq!((record.started, record.resumed.len()), (began, 1));
    assert_eq!((record.resumed[0].step, record.resumed[0].inexact.len()), (0, 0));
}
