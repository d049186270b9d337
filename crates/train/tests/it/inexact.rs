//! What may not change when a run goes on: refused by its name, or allowed and written down.

use std::fs;
use std::path::Path;

use catscan_data::Dataset;
use catscan_models::Precision;
use catscan_train::checkpoint::read_state;
use catscan_train::{Job, Outcome, Recipe, RunRecord, Sgd, TrainError};

use crate::common::{
    STEPS_PER_EPOCH, Watcher, cache, every, job, metrics, newest, recipe, run, tensors,
};
use crate::faults::refused;
use crate::testing::{adam, sgd};

/// A run of `recipe` that was cut after two steps.
fn cut(recipe: &Recipe) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    run(&Job { max_steps: Some(2), ..job(recipe, folder.path()) }, &mut ()).unwrap();
    folder
}

/// Goes on although it is inexact; gives what was warned of, which is what was noted.
fn allowed(job: Job) -> Vec<String> {
    let mut watcher = Watcher::default();
    let outcome = run(&Job { allow_inexact_resume: true, ..job }, &mut watcher).unwrap();
    assert_eq!(outcome, Outcome::Finished);
    let record = RunRecord::read(job.folder).unwrap();
    let noted = record.environment.resumed.last().unwrap().inexact.clone();
    assert_eq!(watcher.warnings(), noted);
    assert_eq!(&record.recipe, job.recipe);
    noted
}

#[test]
fn another_recipe_is_refused_by_field_and_goes_on_when_told() {
    let recipe = recipe();
    let folder = cut(&recipe);
    let before = newest(folder.path());
    let optimizer = Sgd { lr: 0.01, ..sgd(0.05) }.into();
    let changed = Recipe { batch: 4, optimizer, ..recipe.clone() };
    let going_on = Job { max_steps: Some(9), ..job(&changed, folder.path()) };
    let says = ["optimizer.sgd.lr was 0.05", "is 0.01 now", "--allow-inexact-resume"];
    refused(&going_on, 2, &says);
    assert_eq!(newest(folder.path()), before, "nothing was touched");

    // 68 pictures: 9 steps of 8 are 17 of 4, so the second of 9 is the third of 17.
    let noted = allowed(going_on);
    assert_eq!(noted.len(), 3, "{noted:?}");
    assert_eq!(noted[0], "optimizer.sgd.lr was 0.05 until step 2, then 0.01");
    assert_eq!(noted[1], "batch was 8 until step 2, then 4");
    assert_eq!(noted[2], "an epoch had 9 steps and has 17: step 2 is step 3");
    let state = read_state(&newest(folder.path())).unwrap();
    assert_eq!((state.step, state.steps_per_epoch), (9, 17));
    // From here on the changed recipe is this run's, and going on with it is exact.
    let whole = Job { max_steps: Some(12), ..job(&changed, folder.path()) };
    assert_eq!(run(&whole, &mut ()).unwrap(), Outcome::Finished);
}

#[test]
fn with_fewer_steps_an_epoch_what_was_saved_before_does_not_count_as_newer() {
    let recipe = recipe();
    let folder = tempfile::tempdir().unwrap();
    run(&Job { max_steps: Some(8), ..job(&recipe, folder.path()) }, &mut ()).unwrap();
    // 68 pictures: 9 steps of 8 are 5 of 16 (the rest of four is one), so step 8 is step 4.
    let changed = Recipe { batch: 16, ..recipe.clone() };
    let going_on = Job { max_steps: Some(6), ..job(&changed, folder.path()) };
    let mut watcher = Watcher::default();
    let allowed = Job { allow_inexact_resume: true, ..going_on };
    assert_eq!(run(&allowed, &mut watcher).unwrap(), Outcome::Finished);
    let warned = watcher.warnings();
    assert!(warned.iter().any(|line| line.contains("set aside as")), "{warned:?}");
    let newest = newest(folder.path());
    assert_eq!(read_state(&newest).unwrap().step, 6, "{}", newest.display());
    let record = RunRecord::read(folder.path()).unwrap();
    assert_eq!(record.weights_path().unwrap().parent(), Some(&*newest));
}

#[test]
fn other_pictures_are_refused_and_go_on_when_told() {
    let recipe = recipe();
    let folder = cut(&recipe);
    let mut config = recipe.data.clone();
    config.source = "critters:120".into();
    let others = Dataset::open(&config, &cache(), &()).unwrap();
    let changed = Job { dataset: &others, max_steps: Some(4), ..job(&recipe, folder.path()) };
    refused(&changed, 2, &["the data's digest was", "--allow-inexact-resume"]);
    let noted = allowed(changed);
    assert!(noted[0].starts_with("the data's digest was "), "{noted:?}");
    assert!(noted[1].starts_with("an epoch had 9 steps and has 10"), "{noted:?}");
}

#[test]
fn what_this_process_computes_with_is_refused_and_goes_on_when_told() {
    let recipe = recipe();
    for (from, to, name) in [
        ("\"threads\": 1,", "\"threads\": 64,", "threads was 64"),
        ("\"world_size\": 1,", "\"world_size\": 2,", "world size was 2"),
        ("\"device\": \"cpu\"", "\"device\": \"cuda:0\"", "device was cuda:0"),
        ("\"deterministic\": false", "\"deterministic\": true", "deterministic was true"),
    ] {
        let folder = cut(&recipe);
        edit_state(&newest(folder.path()), from, to);
        let going_on = Job { max_steps: Some(3), ..job(&recipe, folder.path()) };
        refused(&going_on, 2, &[name, "--allow-inexact-resume"]);
        let noted = allowed(going_on);
        assert!(noted.len() == 1 && noted[0].starts_with(name), "{noted:?}");
    }
}

#[test]
fn a_checkpoint_that_means_nothing_here_is_refused_whatever_is_allowed() {
    let recipe = recipe();
    let folder = cut(&recipe);
    let keras = Sgd { semantics: catscan_train::Semantics::Keras, ..sgd(0.05) };
    let plain = Sgd { momentum: 0.0, ..sgd(0.05) };
    let with = |optimizer| Recipe { optimizer, ..recipe.clone() };
    let frozen = Recipe { freeze: vec!["features.*".into()], ..recipe.clone() };
    for (other, field) in [
        (with(adam(0.05).into()), "optimizer.adam is null"),
        (with(keras.into()), "optimizer.sgd.semantics is \"pytorch\""),
        (with(plain.into()), "optimizer.sgd.momentum is 0.9"),
        (frozen, "freeze is []"),
    ] {
        let other = Job { allow_inexact_resume: true, ..job(&other, folder.path()) };
        refused(&other, 2, &[field, "name another folder", "--fresh"]);
    }
    let mut bf16 = recipe.clone();
    bf16.model.precision = Precision::Bf16;
    let bf16 = Job { max_steps: Some(3), ..job(&bf16, folder.path()) };
    assert_eq!(allowed(bf16), ["model.precision was \"fp32\" until step 2, then \"bf16\""]);
}

#[test]
fn a_named_checkpoint_is_gone_back_to_and_the_later_ones_are_set_aside() {
    let (straight, back) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let recipe = recipe();
    let saving = catscan_train::Saving { keep: 20, ..every(3) };
    run(&Job { saving, ..job(&recipe, straight.path()) }, &mut ()).unwrap();
    run(&Job { saving, max_steps: Some(11), ..job(&recipe, back.path()) }, &mut ()).unwrap();
    let named = back.path().join("checkpoints/step-6");
    let again = Job { saving, resume: Some(&named), ..job(&recipe, back.path()) };
    let mut watcher = Watcher::default();
    assert_eq!(run(&again, &mut watcher).unwrap(), Outcome::Finished);
    assert_eq!(watcher.resumed_from(), Some(6));
    let warned = watcher.warnings();
    assert_eq!(warned.len(), 3, "two steps and the best of the later one: {warned:?}");
    assert!(back.path().join("checkpoints/left-step-11").is_dir());
    assert!(tensors(straight.path()) == tensors(back.path()));
    assert_eq!(metrics(straight.path()), metrics(back.path()));

    // In a folder of its own too, where only what the checkpoint says can be compared.
    let own = tempfile::tempdir().unwrap();
    let elsewhere = Job { folder: own.path(), ..again };
    assert_eq!(run(&elsewhere, &mut ()).unwrap(), Outcome::Finished);
    assert!(tensors(straight.path()) == tensors(own.path()));
}

#[test]
fn a_named_checkpoint_that_is_damaged_is_an_error_not_another_checkpoint() {
    let recipe = recipe();
    let folder = cut(&recipe);
    let named = newest(folder.path());
    let weights = named.join("weights.safetensors");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() - 10]).unwrap();
    let going_on = Job { resume: Some(&named), ..job(&recipe, folder.path()) };
    let error = run(&going_on, &mut ()).unwrap_err();
    assert!(matches!(error, TrainError::Checkpoint { .. }), "{error}");
    assert_eq!(error.exit_code(), 4, "{error}");
    assert!(error.to_string().contains("weights.safetensors has"), "{error}");
    assert!(named.is_dir(), "it stays where it was");
    let nothing = folder.path().join("checkpoints/step-1");
    refused(&Job { resume: Some(&nothing), ..going_on }, 4, &["step-1", "manifest.json"]);
}

#[test]
fn weights_of_another_model_in_a_sound_checkpoint_are_listed_and_nothing_is_loaded() {
    let recipe = recipe();
    let folder = cut(&recipe);
    let mut other = recipe.clone();
    other.model.outputs = 3;
    let other = catscan_models::Model::build(&other.model, 1, tch::Device::Cpu).unwrap();
    let path = newest(folder.path());
    other.weights().save(&path.join("weights.safetensors")).unwrap();
    mend_manifest(&path, "weights.safetensors");
    let says = ["2 difference(s)", "classifier.weight: file has [3, ", "model wants [1, "];
    refused(&job(&recipe, folder.path()), 4, &says);
}

#[test]
fn the_best_by_validation_is_kept_apart_and_gone_on_from_when_all_else_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe { epochs: 3, ..recipe() };
    run(&job(&recipe, folder.path()), &mut ()).unwrap();
    let best = catscan_train::checkpoint::best(folder.path()).unwrap();
    let epochs = metrics(folder.path());
    let lowest = epochs.iter().min_by(|a, b| a.val_loss.total_cmp(&b.val_loss)).unwrap();
    let state = read_state(&best).unwrap();
    assert_eq!(state.step, lowest.step);
    assert_eq!(state.epochs.len() as u64 * STEPS_PER_EPOCH, lowest.step);

    for step in [18, 27] {
        let path = folder.path().join(format!("checkpoints/step-{step}/manifest.json"));
        fs::remove_file(path).unwrap();
    }
    fs::remove_file(folder.path().join("test.json")).unwrap();
    let mut watcher = Watcher::default();
    assert_eq!(run(&job(&recipe, folder.path()), &mut watcher).unwrap(), Outcome::Finished);
    assert_eq!(watcher.resumed_from(), Some(lowest.step));
    assert_eq!(watcher.warnings().len(), 2, "{:?}", watcher.warnings());
}

/// Edits a checkpoint's state and its hash.
pub fn edit_state(checkpoint: &Path, from: &str, to: &str) {
    let state = checkpoint.join("state.json");
    let text = fs::read_to_string(&state).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&state, text.replace(from, to)).unwrap();
    mend_manifest(checkpoint, "state.json");
}

/// Makes the manifest agree with a file that was changed.
pub fn mend_manifest(checkpoint: &Path, name: &str) {
    let bytes = fs::read(checkpoint.join(name)).unwrap();
    let path = checkpoint.join("manifest.json");
    let mut manifest: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    manifest["files"][name]["bytes"] = bytes.len().into();
    manifest["files"][name]["blake3"] = blake3::hash(&bytes).to_hex().to_string().into();
    fs::write(&path, manifest.to_string()).unwrap();
}
