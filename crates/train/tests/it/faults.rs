//! Everything that must be refused or survived, and how it is said.

use std::fs;
use std::path::Path;

use catscan_data::{Colour, DataConfig, Dataset};
use catscan_models::{Pooling, Transitions};
use catscan_train::batches::Plan;
use catscan_train::checkpoint::verify;
use catscan_train::{Event, Job, Outcome, Recipe, TrainError};

use crate::common::{Watcher, cache, dataset, every, job, newest, recipe, run};

pub fn refused(job: &Job, exit_code: u8, says: &[&str]) -> TrainError {
    let error = run(job, &mut ()).unwrap_err();
    let text = error.to_string();
    for part in says {
        assert!(text.contains(part), "{text}, want {part}");
    }
    assert_eq!(error.exit_code(), exit_code, "{text}");
    error
}

#[test]
fn an_impossible_recipe_makes_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let run_folder = folder.path().join("run");
    let nan = Recipe { optimizer: recipe().optimizer.with_lr(f64::NAN), ..recipe() };
    refused(&job(&nan, &run_folder), 2, &["optimizer.sgd.lr is NaN"]);
    let mut three = recipe();
    three.model.outputs = 3;
    refused(&job(&three, &run_folder), 2, &["model.outputs is 3, want 1 for 2 classes"]);
    let mut size = recipe();
    size.data.size_px = 64;
    refused(&job(&size, &run_folder), 2, &["data.size_px is 64, want 32"]);
    let mut unknown = recipe();
    unknown.model.name = "densenet-minni".into();
    refused(&job(&unknown, &run_folder), 2, &["densenet-minni", "nearest is densenet-mini"]);
    let mut pools = recipe();
    pools.model.pooling =
        Pooling { transition: Transitions::Each(Vec::new()), ..pools.model.pooling };
    let error = run(&job(&pools, &run_folder), &mut ()).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{error}");
    let recipe = recipe();
    let none = Job { max_steps: Some(0), ..job(&recipe, &run_folder) };
    refused(&none, 2, &["max_steps is 0, want 1 or more"]);
    assert!(!run_folder.exists());
}

#[test]
fn grey_pictures_want_a_network_of_one_channel() {
    let folder = tempfile::tempdir().unwrap();
    let run_folder = folder.path().join("run");
    let mut grey = recipe();
    grey.data = DataConfig { source: "critters:30".into(), colour: Colour::Grey, ..grey.data };
    let dataset = Dataset::open(&grey.data, &cache(), &()).unwrap();
    let of_grey = |recipe| Job { dataset: &dataset, ..job(recipe, &run_folder) };
    refused(&of_grey(&grey), 2, &["model.in_channels is 3, want 1, as data.colour is grey"]);
    let colour = recipe();
    refused(&of_grey(&colour), 2, &["model.in_channels is 3, want 1, the channels of the open"]);
    assert!(!run_folder.exists());
    let mut one = grey.clone();
    one.model.in_channels = 1;
    let short = Job { max_steps: Some(2), ..of_grey(&one) };
    assert_eq!(run(&short, &mut ()).unwrap(), Outcome::Finished);
}

#[test]
fn numbers_that_go_bad_stop_before_the_weights() {
    let folder = tempfile::tempdir().unwrap();
    let optimizer = recipe().optimizer.with_lr(1e24);
    let wild = Recipe { optimizer, schedule: catscan_train::Schedule::Constant, ..recipe() };
    let wild_job = Job { saving: every(1), ..job(&wild, folder.path()) };
    let error = refused(&wild_job, 5, &["step 2: ", " was the first to ", "weights were left as"]);
    let TrainError::NotFinite { pictures, .. } = &error else { panic!("{error}") };
    assert_eq!(pictures.len(), 8);
    let planned = Plan::new(&wild, &dataset().split.train).unwrap().steps(1..2).next().unwrap();
    let of_step_2: Vec<&str> =
        planned.indices.iter().map(|i| &*dataset().samples[*i as usize].name).collect();
    assert_eq!(pictures, &of_step_2);
    assert!(newest(folder.path()).ends_with("step-1"), "the last checkpoint is untouched");
}

#[test]
fn a_validation_that_goes_bad_names_its_step_and_says_nothing_untrue() {
    let folder = tempfile::tempdir().unwrap();
    let optimizer = recipe().optimizer.with_lr(1e24);
    let schedule = catscan_train::Schedule::Constant;
    let wild = Recipe { optimizer, schedule, steps_per_epoch: Some(1), ..recipe() };
    let says =
        ["validation after step 1: the loss is ", "the batch was ", "look at these pictures"];
    let error = refused(&job(&wild, folder.path()), 5, &says);
    let TrainError::BadScore { pictures, .. } = &error else { panic!("{error}") };
    assert!(dataset().split.val.iter().any(|i| dataset().samples[*i as usize].name == pictures[0]));
    for untrue in ["weights were left", "learning rate"] {
        assert!(!error.to_string().contains(untrue), "{error}");
    }
    assert!(!folder.path().join("checkpoints").exists(), "nothing was saved");
}

#[test]
fn folders_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "here first").unwrap();
    let recipe = recipe();
    refused(&job(&recipe, &file), 2, &["file: cannot be made", "name a folder"]);
    refused(&job(&recipe, &file.join("below")), 2, &["below: cannot be made"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "here first");
    if cfg!(target_os = "linux") {
        // Read-only even for root.
        refused(&job(&recipe, Path::new("/proc/self/run")), 2, &["/proc/self/run: cannot be"]);
        refused(&job(&recipe, Path::new("/proc/self")), 2, &["cannot be written"]);
    }
}

#[test]
fn a_folder_held_by_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe();
    let lock = catscan_train::lock::Lock::take(folder.path()).unwrap();
    let pid = std::process::id().to_string();
    refused(&job(&recipe, folder.path()), 2, &["held by process", &pid]);
    drop(lock);
    let short = Job { max_steps: Some(1), ..job(&recipe, folder.path()) };
    assert_eq!(run(&short, &mut ()).unwrap(), Outcome::Finished);
}

#[test]
fn a_damaged_newest_checkpoint_falls_back_with_a_warning() {
    for damage in [cut_by_ten, flip_a_bit, lose_the_manifest] {
        let folder = tempfile::tempdir().unwrap();
        let recipe = Recipe { epochs: 1, ..recipe() };
        let every = Job { saving: every(3), ..job(&recipe, folder.path()) };
        run(&Job { max_steps: Some(7), ..every }, &mut ()).unwrap();
        let path = newest(folder.path());
        assert!(path.ends_with("step-7"));
        damage(&path);
        let error = verify(&path).unwrap_err();
        assert_eq!(error.exit_code(), 4, "{error}");

        let mut watcher = Watcher::default();
        let outcome = run(&job(&recipe, folder.path()), &mut watcher).unwrap();
        assert_eq!(outcome, Outcome::Finished);
        assert_eq!(watcher.resumed_from(), Some(6));
        assert_eq!(watcher.warnings().len(), 1);
        assert!(watcher.warnings()[0].contains("step-7"), "{:?}", watcher.warnings());
        assert!(folder.path().join("checkpoints/damaged-step-7").is_dir(), "set aside, not lost");
    }
}

#[test]
fn a_crash_between_the_renames_of_a_replaced_checkpoint_loses_neither() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe();
    run(&Job { max_steps: Some(2), ..job(&recipe, folder.path()) }, &mut ()).unwrap();
    let path = newest(folder.path());
    fs::rename(&path, path.with_file_name(".tmp-old-step-2")).unwrap();
    fs::create_dir(path.with_file_name(".tmp-step-2")).unwrap();
    assert_eq!(newest(folder.path()), path);
    assert_eq!(fs::read_dir(folder.path().join("checkpoints")).unwrap().count(), 1);
}

fn cut_by_ten(checkpoint: &Path) {
    let path = checkpoint.join("weights.safetensors");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 10]).unwrap();
}

fn flip_a_bit(checkpoint: &Path) {
    let path = checkpoint.join("optimizer.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 16;
    fs::write(&path, bytes).unwrap();
}

fn lose_the_manifest(checkpoint: &Path) {
    fs::remove_file(checkpoint.join("manifest.json")).unwrap();
}

#[test]
fn a_worker_that_dies_is_an_error_not_a_short_epoch() {
    use catscan_train::batches::{Loader, Planned};
    let plan = (0..3u32).map(|step| {
        // A picture that does not exist: gathering it panics.
        let index = if step < 2 { step } else { 1_000_000 };
        Planned::as_they_are(vec![index])
    });
    std::thread::scope(|scope| {
        let mut batches = Loader::start(scope, dataset(), tch::Device::Cpu, 1, plan);
        assert!(batches.next_batch().unwrap().is_some());
        assert!(batches.next_batch().unwrap().is_some());
        let error = batches.next_batch().err().expect("an error");
        assert_eq!(error.exit_code(), 3, "{error}");
        assert!(matches!(error, TrainError::Loader(_)));
    });
}

#[test]
fn a_stop_between_events_saves_first() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe();
    let mut watcher = Watcher::stopping(|event| matches!(event, Event::Step { step: 4, .. }));
    run(&job(&recipe, folder.path()), &mut watcher).unwrap();
    assert!(newest(folder.path()).ends_with("step-4"));
    verify(&newest(folder.path())).unwrap();
}
