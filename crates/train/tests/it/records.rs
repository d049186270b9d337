//! What a run leaves behind, read back.

use std::time::Instant;

use catscan_data::Dataset;
use catscan_models::Model;
use catscan_train::{Event, Job, Outcome, Recipe, RunRecord, TrainError, evaluate};
use tch::Device;

use crate::common::{STEPS_PER_EPOCH, Watcher, dataset, job, newest, recipe, run, write_colours};

#[test]
fn a_finished_run_tells_everything() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe();
    let mut watcher = Watcher::default();
    assert_eq!(run(&job(&recipe, folder.path()), &mut watcher).unwrap(), Outcome::Finished);
    let record = RunRecord::read(folder.path()).unwrap();
    assert_eq!(record.recipe, recipe);
    assert_eq!(record.recipe_hash, recipe.hash());
    assert_eq!(record.epochs.len(), 2);
    assert_eq!(record.epochs[1].step, 2 * STEPS_PER_EPOCH);
    assert_eq!(record.split.data_digest, dataset().digest);
    assert_eq!(record.split.counts.train.iter().sum::<u64>(), 68);
    assert_eq!(record.split.counts.test, [8, 8]);
    assert!(record.environment.libtorch_version.starts_with("2.11."));
    assert_eq!(record.environment.arm, "only");
    assert!(record.train_seconds > 0.0);
    let peak = record.test.as_ref().unwrap().peak_memory_bytes;
    assert_eq!(peak.is_some_and(|bytes| bytes > 50_000_000), cfg!(target_os = "linux"));
    let tfevents = std::fs::read_dir(folder.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("tfevents"));
    assert_eq!(tfevents.count(), 1);
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".tmp"))
        .collect();
    assert_eq!(left, Vec::<String>::new());

    let kinds: Vec<String> = watcher
        .events
        .iter()
        .map(|event| serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_string())
        .collect();
    assert_eq!(kinds[..3], ["data", "started", "step"]);
    assert_eq!(kinds.iter().filter(|kind| *kind == "step").count(), 18);
    assert_eq!(kinds[kinds.len() - 2..], ["tested", "finished"]);

    let begun = Instant::now();
    assert_eq!(run(&job(&recipe, folder.path()), &mut ()).unwrap(), Outcome::AlreadyDone);
    assert!(begun.elapsed().as_millis() < 500, "a finished run is passed at once");
}

#[test]
fn the_weights_on_the_disk_are_those_that_were_tested() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe { epochs: 1, ..recipe() };
    run(&job(&recipe, folder.path()), &mut ()).unwrap();
    let record = RunRecord::read(folder.path()).unwrap();
    let test = record.test.clone().unwrap();
    let model = Model::build(&recipe.model, 99, Device::Cpu).unwrap();
    model.weights().load(&record.weights_path().unwrap()).unwrap();
    let indices = &dataset().split.test;
    let again = evaluate(&model, dataset(), indices, 64, Device::Cpu, &mut |_| None).unwrap();
    assert_eq!(again.probabilities, probabilities(&test));
    assert_eq!((again.loss, again.accuracy), (test.loss, test.accuracy));
    // The mean of logit losses is the log-loss of the probabilities, up to their 32-bit rounding.
    let log_loss = catscan_train::metrics::log_loss(&again.probabilities, &again.labels);
    assert!((log_loss - again.loss).abs() < 1e-5, "{log_loss} {}", again.loss);
    // In batches of another size the same up to rounding.
    let other = evaluate(&model, dataset(), indices, 3, Device::Cpu, &mut |_| None).unwrap();
    assert!((other.loss - again.loss).abs() < 1e-5, "{} {}", other.loss, again.loss);
}

fn probabilities(test: &catscan_train::TestRecord) -> Vec<Vec<f32>> {
    test.pictures.iter().map(|picture| picture.probabilities.clone()).collect()
}

#[test]
fn three_classes_are_learnt_with_three_logits() {
    let folder = tempfile::tempdir().unwrap();
    write_colours(&folder.path().join("pictures"));
    // Eight epochs: the running statistics of batch norm need some fifty steps to settle.
    let mut recipe = Recipe { epochs: 8, augment: None, ..recipe() };
    recipe.model.outputs = 3;
    recipe.data.source = format!("folder:{}", folder.path().join("pictures").display());
    let dataset = Dataset::open(&recipe.data, &folder.path().join("cache"), &()).unwrap();
    let run_folder = folder.path().join("run");
    run(&Job { dataset: &dataset, ..job(&recipe, &run_folder) }, &mut ()).unwrap();

    let record = RunRecord::read(&run_folder).unwrap();
    assert_eq!(record.split.classes, ["blue", "green", "red"]);
    assert_eq!(record.split.counts.train, [17, 17, 17]);
    let (first, last) = (&record.epochs[0], &record.epochs[7]);
    assert!(last.train_loss < 0.5 * first.train_loss, "{first:?} {last:?}");
    assert!(last.lr < first.lr, "the cosine came down");
    let test = record.test.unwrap();
    assert!(test.accuracy > 0.9, "{}", test.accuracy);
    for picture in &test.pictures {
        let sum: f32 = picture.probabilities.iter().sum();
        assert!(picture.probabilities.len() == 3 && (sum - 1.0).abs() < 1e-5, "{picture:?}");
    }
}

#[test]
fn every_step_says_how_fast_and_how_long() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe { epochs: 1, ..recipe() };
    let mut watcher = Watcher::default();
    run(&job(&recipe, folder.path()), &mut watcher).unwrap();
    let mut last_s = f64::INFINITY;
    for event in &watcher.events {
        if let Event::Step { step, images_per_s, remaining_s, loss, .. } = event {
            assert!(*images_per_s > 0.0 && remaining_s.is_finite() && loss.is_finite());
            last_s = if *step == STEPS_PER_EPOCH { *remaining_s } else { last_s };
        }
    }
    assert!(last_s < 30.0, "only a validation and the test are left: {last_s}");
}

#[test]
fn damage_to_final_weights_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe { epochs: 1, ..recipe() };
    run(&job(&recipe, folder.path()), &mut ()).unwrap();
    let weights = newest(folder.path()).join("weights.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let error = RunRecord::read(folder.path()).unwrap().weights_path().unwrap_err();
    assert!(matches!(error, TrainError::Checkpoint { .. }), "{error}");
    assert_eq!(error.exit_code(), 4);
}
