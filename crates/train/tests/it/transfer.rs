//! Transfer learning, whole: weights of one run begin another, whose body is frozen or slower.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use catscan_data::Dataset;
use catscan_models::{Head, Model};
use catscan_train::{Event, Group, Init, InitFile, Job, Outcome, Recipe, RunRecord, TrainError};
use tch::{Device, Tensor};

use crate::common::{Watcher, job, newest, recipe, run, tensors, write_colours};
use crate::testing::adam;

/// The weights of a net that has learnt cats and dogs for an epoch, trained once for all tests.
fn learnt() -> &'static Path {
    static FOLDER: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let make = || {
        let folder = tempfile::tempdir().unwrap();
        let recipe = Recipe { epochs: 1, ..recipe() };
        run(&job(&recipe, folder.path()), &mut ()).unwrap();
        let weights = RunRecord::read(folder.path()).unwrap().weights_path().unwrap();
        (folder, weights)
    };
    &FOLDER.get_or_init(make).1
}

fn begin_with(weights: &Path, head: Head) -> Init {
    Init::File(InitFile::of(weights, head).unwrap())
}

/// Name and values of all weights of a run's newest checkpoint.
fn weights(recipe: &Recipe, file: &Path) -> Vec<(String, Tensor)> {
    let model = Model::build(&recipe.model, 1, Device::Cpu).unwrap();
    model.weights().load(file).unwrap();
    model.weights().iter().map(|weight| (weight.name.clone(), weight.tensor.copy())).collect()
}

#[test]
fn other_classes_are_learnt_on_a_frozen_body() {
    let folder = tempfile::tempdir().unwrap();
    write_colours(&folder.path().join("pictures"));
    let mut transfer = Recipe {
        init: begin_with(learnt(), Head::Replace),
        freeze: vec!["features.*".into()],
        optimizer: adam(0.02).into(),
        epochs: 4,
        augment: None,
        ..recipe()
    };
    transfer.model.outputs = 3;
    transfer.data.source = format!("folder:{}", folder.path().join("pictures").display());
    let dataset = Dataset::open(&transfer.data, &folder.path().join("cache"), &()).unwrap();
    let run_folder = folder.path().join("run");
    let mut watcher = Watcher::default();
    run(&Job { dataset: &dataset, ..job(&transfer, &run_folder) }, &mut watcher).unwrap();

    let head = ["classifier.weight", "classifier.bias"];
    let said = watcher.events.iter().find_map(|event| match event {
        Event::Loaded { random, .. } => Some(random.clone()),
        _ => None,
    });
    assert_eq!(said.expect("the head is said to be fresh"), head);
    let (parameters, frozen) = watcher.started().unwrap();
    assert_eq!(parameters, 3 * 32 + 3, "a weight for each of 32 features, and a bias, a class");

    let record = RunRecord::read(&run_folder).unwrap();
    let test = record.test.as_ref().unwrap();
    assert!(test.accuracy > 0.8, "{} of three classes", test.accuracy);
    let (before, after) =
        (weights(&recipe(), learnt()), weights(&transfer, &record.weights_path().unwrap()));
    let mut kept = 0;
    for ((name, before), (_, after)) in before.iter().zip(&after) {
        if head.contains(&name.as_str()) {
            continue;
        }
        assert_eq!(before, after, "{name} is of the frozen body and has moved");
        kept += if name.contains("running") { 0 } else { before.numel() as u64 };
    }
    assert_eq!(kept, frozen);
    let moments = fs::metadata(newest(&run_folder).join("optimizer.safetensors")).unwrap().len();
    assert!(moments < 4 * 2 * parameters + 1024, "nothing is remembered of the frozen: {moments}");
}

#[test]
fn a_transfer_that_was_stopped_goes_on_to_the_bit_from_the_same_file_alone() {
    let (straight, stopped) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = stopped.path().join("start.safetensors");
    fs::copy(learnt(), &file).unwrap();
    let recipe = Recipe {
        init: begin_with(&file, Head::Keep),
        freeze: vec!["features.conv0.*".into(), "features.norm0.*".into()],
        groups: vec![
            Group { pattern: "classifier.*".into(), lr_factor: 1.0, weight_decay: Some(0.0) },
            Group { pattern: "features.*".into(), lr_factor: 0.1, weight_decay: None },
        ],
        optimizer: adam(1e-3).into(),
        ..recipe()
    };
    run(&job(&recipe, straight.path()), &mut ()).unwrap();
    let folder = stopped.path().join("run");
    let going_on = job(&recipe, &folder);
    run(&Job { max_steps: Some(5), ..job(&recipe, &folder) }, &mut ()).unwrap();

    let bytes = fs::read(&file).unwrap();
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&file, changed).unwrap();
    let error = run(&going_on, &mut ()).unwrap_err();
    assert!(matches!(error, TrainError::OtherWeights { .. }), "{error}");
    assert_eq!(error.exit_code(), 4);
    assert!(error.to_string().contains("put the file back"), "{error}");

    fs::write(&file, bytes).unwrap();
    assert_eq!(run(&going_on, &mut ()).unwrap(), Outcome::Finished);
    assert!(tensors(straight.path()) == tensors(&folder));
}

#[test]
fn groups_that_change_nothing_change_no_bit() {
    let (plain, grouped) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let recipe = Recipe { epochs: 1, ..recipe() };
    run(&job(&recipe, plain.path()), &mut ()).unwrap();
    let group = Group { pattern: "features.*".into(), lr_factor: 1.0, weight_decay: Some(1e-4) };
    let recipe = Recipe { groups: vec![group], ..recipe };
    run(&job(&recipe, grouped.path()), &mut ()).unwrap();
    assert!(tensors(plain.path()) == tensors(grouped.path()));
}

#[test]
fn a_start_that_does_not_fit_makes_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let run_folder = folder.path().join("run");
    let refused = |recipe: Recipe, exit_code: u8, says: &str| {
        let error = run(&job(&recipe, &run_folder), &mut ()).unwrap_err();
        assert!(error.to_string().contains(says), "{error}, want {says}");
        assert_eq!(error.exit_code(), exit_code, "{error}");
    };
    let mut three = recipe();
    three.model.outputs = 3;
    let model = Model::build(&three.model, 1, Device::Cpu).unwrap();
    let other = folder.path().join("three.safetensors");
    model.weights().save(&other).unwrap();
    let keep = begin_with(&other, Head::Keep);
    refused(Recipe { init: keep, ..recipe() }, 4, "only the classifier differs");
    let gone = begin_with(&other, Head::Replace);
    fs::remove_file(&other).unwrap();
    refused(Recipe { init: gone, ..recipe() }, 2, "three.safetensors: cannot read weights");
    let freeze = |pattern: &str| Recipe { freeze: vec![pattern.into()], ..recipe() };
    refused(freeze("feature.*"), 2, "the nearest of which is features.");
    refused(freeze("*"), 2, "leave something to train");
    assert!(!run_folder.exists());
}
