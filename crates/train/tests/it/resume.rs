//! A run that was stopped and went on is the run that was not: to the bit.

use catscan_models::Shape;
use catscan_models::densenet::{DENSENET_MINI, DenseNetConfig};
use catscan_train::{Event, Job, Outcome, Recipe, Signal, read_gradients};

use crate::common::{STEPS_PER_EPOCH, Watcher, every, job, metrics, newest, recipe, run, tensors};
use crate::refinements::refined;
use crate::testing::adam;

/// Runs `recipe` straight, and once more stopped where `stop_at` says; both must end alike.
fn check(recipe: &Recipe, stop_at: fn(&Event) -> bool) {
    let (straight, stopped) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(run(&job(recipe, straight.path()), &mut ()).unwrap(), Outcome::Finished);

    let mut watcher = Watcher::stopping(stop_at);
    let outcome = run(&job(recipe, stopped.path()), &mut watcher).unwrap();
    assert_eq!(outcome, Outcome::Interrupted(Signal::Terminate));
    assert!(matches!(watcher.events.last(), Some(Event::Interrupted { .. })));
    let mut watcher = Watcher::default();
    let outcome = run(&job(recipe, stopped.path()), &mut watcher).unwrap();
    assert_eq!(outcome, Outcome::Finished);
    assert!(watcher.resumed_from().is_some());

    assert_eq!(metrics(straight.path()), metrics(stopped.path()));
    assert_eq!(metrics(straight.path()).len(), recipe.epochs as usize, "no line doubles");
    assert_eq!(read_gradients(straight.path()).unwrap(), read_gradients(stopped.path()).unwrap());
    assert!(tensors(straight.path()) == tensors(stopped.path()), "weights or moments differ");
    let trained = |folder| std::fs::read(newest(folder).join("trained.safetensors")).ok();
    assert!(trained(straight.path()) == trained(stopped.path()), "trained weights differ");
    assert_eq!(trained(straight.path()).is_some(), recipe.ema.is_some());
    let test = |folder: &std::path::Path| {
        let record = catscan_train::RunRecord::read(folder).unwrap();
        let test = record.test.unwrap();
        assert!(!test.bounded);
        test.pictures
    };
    assert_eq!(test(straight.path()), test(stopped.path()));
}

#[test]
fn stopped_in_the_middle_of_an_epoch() {
    check(&recipe(), |event| matches!(event, Event::Step { step: 5, .. }));
}

#[test]
fn stopped_in_the_second_epoch_of_a_stream_that_ignores_passes() {
    let recipe = Recipe { steps_per_epoch: Some(6), validation_steps: Some(1), ..recipe() };
    check(&recipe, |event| matches!(event, Event::Step { step: 10, .. }));
}

/// Averaged weights, pieces of a batch, clipping, a warm-up: all that a step can be made of.
#[test]
fn stopped_in_the_middle_of_an_epoch_with_every_refinement_on() {
    check(&refined(), |event| matches!(event, Event::Step { step: 5, .. }));
}

#[test]
fn stopped_while_averaged_weights_are_validated() {
    check(
        &refined(),
        |event| matches!(event, Event::Evaluating { part, .. } if part == "validation"),
    );
}

#[test]
fn stopped_between_two_steps_of_adam() {
    let recipe = Recipe { optimizer: adam(1e-3).into(), ..recipe() };
    check(&recipe, |event| matches!(event, Event::Step { step: 5, .. }));
}

/// Dropout's draws are a function of (seed, pass, picture, layer), so none has to be saved.
#[test]
fn stopped_while_layers_draw_at_random() {
    let shape = DenseNetConfig { dropout: 0.2, ..DENSENET_MINI };
    let mut random = recipe();
    random.model.shape = Some(Shape::DenseNet(shape));
    check(&random, |event| matches!(event, Event::Step { step: 12, .. }));

    let trained = |recipe: &Recipe| {
        let folder = tempfile::tempdir().unwrap();
        run(&Job { max_steps: Some(2), ..job(recipe, folder.path()) }, &mut ()).unwrap();
        tensors(folder.path())
    };
    assert!(trained(&random) != trained(&recipe()), "nothing was dropped");
}

#[test]
fn stopped_while_validating() {
    check(
        &recipe(),
        |event| matches!(event, Event::Evaluating { part, .. } if part == "validation"),
    );
}

#[test]
fn stopped_while_testing() {
    check(&recipe(), |event| matches!(event, Event::Evaluating { part, .. } if part == "test"));
}

#[test]
fn stopped_right_after_a_checkpoint() {
    check(&recipe(), |event| matches!(event, Event::Saved { .. }));
}

#[test]
fn a_trial_is_marked_and_the_whole_run_goes_on_from_it() {
    let (straight, trial) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let recipe = recipe();
    run(&job(&recipe, straight.path()), &mut ()).unwrap();

    let mut bounded = job(&recipe, trial.path());
    bounded.max_steps = Some(STEPS_PER_EPOCH + 2);
    assert_eq!(run(&bounded, &mut ()).unwrap(), Outcome::Finished);
    let record = catscan_train::RunRecord::read(trial.path()).unwrap();
    let test = record.test.unwrap();
    assert!(test.bounded);
    assert_eq!((test.steps, test.steps_total), (STEPS_PER_EPOCH + 2, 2 * STEPS_PER_EPOCH));
    assert_eq!(record.epochs.len(), 2, "the cut epoch has a line");
    assert_eq!(record.epochs[1].step, STEPS_PER_EPOCH + 2);
    assert_eq!(run(&bounded, &mut ()).unwrap(), Outcome::AlreadyDone);

    assert_eq!(run(&job(&recipe, trial.path()), &mut ()).unwrap(), Outcome::Finished);
    assert_eq!(metrics(straight.path()), metrics(trial.path()));
    assert_eq!(read_gradients(straight.path()).unwrap(), read_gradients(trial.path()).unwrap());
    assert!(tensors(straight.path()) == tensors(trial.path()));
    assert_eq!(run(&bounded, &mut ()).unwrap(), Outcome::AlreadyDone, "more is there than asked");
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    let (first, second, other) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let recipe = Recipe { epochs: 1, ..recipe() };
    run(&job(&recipe, first.path()), &mut ()).unwrap();
    run(&job(&recipe, second.path()), &mut ()).unwrap();
    assert!(tensors(first.path()) == tensors(second.path()));
    let recipe = Recipe { seed: 2, ..recipe };
    run(&job(&recipe, other.path()), &mut ()).unwrap();
    assert!(tensors(first.path()) != tensors(other.path()));
}

#[test]
fn two_checkpoints_are_kept_and_the_best() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe { epochs: 1, ..recipe() };
    let mut every_step = job(&recipe, folder.path());
    every_step.saving = every(1);
    run(&every_step, &mut ()).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder.path().join("checkpoints"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["best", "step-8", "step-9"]);
    assert!(newest(folder.path()).ends_with("step-9"));
}
