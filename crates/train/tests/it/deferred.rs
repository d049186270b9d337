//! A host that hears of its steps later, as on a CUDA device, gets the very same run: here on the
//! processor, where both ways can be held against one another.

use std::path::Path;

use catscan_train::{
    EpochRecord, Event, Job, Outcome, Reading, Recipe, RunRecord, Schedule, TestPicture,
    TrainError, read_gradients, train_reading,
};

use crate::common::{Watcher, every, job, metrics, newest, recipe, tensors};
use crate::testing::adam;

/// Weights and moments of the newest checkpoint, and all that was counted, times apart.
type Results = ((Vec<u8>, Vec<u8>), Vec<EpochRecord>, Vec<TestPicture>);

fn results(folder: &Path) -> Results {
    let test = RunRecord::read(folder).unwrap().test.unwrap();
    (tensors(folder), metrics(folder), test.pictures)
}

fn trained(recipe: &Recipe, reading: Reading) -> Results {
    tch::set_num_threads(1);
    let folder = tempfile::tempdir().unwrap();
    // Saves in the middle of a reading's stretch, too.
    let job = Job { saving: every(5), ..job(recipe, folder.path()) };
    assert_eq!(train_reading(&job, reading, &mut ()).unwrap(), Outcome::Finished);
    results(folder.path())
}

#[test]
fn read_later_a_run_is_the_same_to_the_bit() {
    for recipe in [recipe(), Recipe { optimizer: adam(1e-3).into(), ..recipe() }] {
        let at_once = trained(&recipe, Reading::AtOnce);
        for steps in [1, 4, 1000] {
            assert!(trained(&recipe, Reading::Every(steps)) == at_once, "every {steps}");
        }
    }
}

#[test]
fn read_later_a_bad_step_is_still_the_one_that_is_named_and_has_moved_nothing() {
    let optimizer = recipe().optimizer.with_lr(1e24);
    let wild = Recipe { optimizer, schedule: Schedule::Constant, ..recipe() };
    let failed = |reading, saving| {
        let folder = tempfile::tempdir().unwrap();
        let job = Job { saving, ..job(&wild, folder.path()) };
        let error = train_reading(&job, reading, &mut ()).unwrap_err();
        assert!(matches!(error, TrainError::NotFinite { .. }), "{error}");
        error.to_string()
    };
    let at_once = failed(Reading::AtOnce, every(1));
    assert!(at_once.starts_with("step 2: "), "{at_once}");
    // Six steps later: same step, same first tap, same pictures.
    assert_eq!(failed(Reading::Every(7), every(100)), at_once);
    // A checkpoint asks first.
    assert_eq!(failed(Reading::Every(7), every(1)), at_once);
}

/// What was bad reached no file: with a milder rate the run goes on from its last checkpoint.
#[test]
fn a_step_that_goes_bad_at_an_epochs_end_leaves_a_folder_to_go_on_with() {
    let optimizer = recipe().optimizer.with_lr(1e24);
    let wild =
        Recipe { optimizer, schedule: Schedule::Constant, steps_per_epoch: Some(2), ..recipe() };
    let folder = tempfile::tempdir().unwrap();
    let job = Job { saving: every(1), ..job(&wild, folder.path()) };
    let fails = || train_reading(&job, Reading::Every(7), &mut ()).unwrap_err().to_string();
    let error = fails();
    assert!(error.starts_with("step 2: "), "{error}");
    assert_eq!(read_gradients(folder.path()).unwrap(), [], "of the epoch that was not closed");
    assert!(newest(folder.path()).ends_with("step-1"));
    assert_eq!(fails(), error, "it went on from step 1");
}

#[test]
fn a_stop_in_the_middle_of_a_stretch_loses_nothing() {
    tch::set_num_threads(1);
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe();
    let job = job(&recipe, folder.path());
    // The first reading, after four steps of nine, asks to stop.
    let mut watcher = Watcher::stopping(|event| matches!(event, Event::Step { .. }));
    let outcome = train_reading(&job, Reading::Every(4), &mut watcher).unwrap();
    assert!(matches!(outcome, Outcome::Interrupted(_)), "{outcome:?}");
    assert!(newest(folder.path()).ends_with("step-4"));
    assert_eq!(train_reading(&job, Reading::Every(4), &mut ()).unwrap(), Outcome::Finished);
    assert!(results(folder.path()) == trained(&recipe, Reading::AtOnce));
}

#[test]
fn every_epoch_is_heard_of_however_seldom_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut watcher = Watcher::default();
    let recipe = recipe();
    let job = job(&recipe, folder.path());
    train_reading(&job, Reading::Every(1000), &mut watcher).unwrap();
    let step = |event: &Event| match event {
        Event::Step { step, .. } => Some(*step),
        _ => None,
    };
    let heard: Vec<u64> = watcher.events.iter().filter_map(step).collect();
    let ends: Vec<u64> = metrics(folder.path()).iter().map(|epoch| epoch.step).collect();
    assert_eq!(heard, ends);
}
