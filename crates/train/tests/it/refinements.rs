//! What surrounds an optimiser's formula: clipping, averaged weights, smoothed labels, weighted
//! classes, pieces of a batch, an early end. Against the tools they imitate, and in whole runs.

use catscan_models::Model;
use catscan_train::checkpoint::read_state;
use catscan_train::ema::Average;
use catscan_train::loss::{Loss, Targets};
use catscan_train::{
    ClassWeights, Clip, Decayed, EarlyStop, Ema, Event, Outcome, Recipe, RunRecord, Schedule,
    Warmup,
};
use serde_json::Value;
use tch::{Device, Kind, Tensor, no_grad};

use crate::common::{STEPS_PER_EPOCH, Watcher, job, metrics, newest, run, tensors};
use crate::goldens::{golden, numbers};
use crate::testing::recipe;

/// sin(1 + i + 3 t), as scripts/golden/training.py has it.
fn wave(count: usize, step: usize) -> Tensor {
    let numbers: Vec<f32> = (0..count).map(|i| ((1 + i + 3 * step) as f64).sin() as f32).collect();
    Tensor::from_slice(&numbers)
}

#[track_caller]
fn close(got: &Tensor, want: &Value, what: &Value) {
    let got = Vec::<f32>::try_from(got.to_kind(Kind::Float).reshape([-1])).unwrap();
    let want = numbers(want);
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        // Ours is 32-bit, the golden 64-bit, of numbers near 1.
        assert!((f64::from(*got) - want).abs() < 2e-6, "{what}: {got}, want {want}");
    }
}

#[test]
fn clipping_is_torchs() {
    let golden = golden(include_str!("../golden/training.json"));
    for case in golden["clip"].as_array().unwrap() {
        let clip: Clip = serde_json::from_value(case["clip"].clone()).unwrap();
        let mut gradient = wave(7, 0) * case["scale"].as_f64().unwrap();
        clip.apply(&mut gradient);
        close(&gradient, &case["after"], &case["clip"]);
    }
}

#[test]
fn averages_are_torchs_and_timms() {
    let golden = golden(include_str!("../golden/training.json"));
    let model = Model::build(&recipe().model, 1, Device::Cpu).unwrap();
    let weights: Vec<Tensor> =
        model.weights().iter().map(|weight| weight.tensor.shallow_clone()).collect();
    let seven = || {
        let weight = model.weights().get("classifier.weight").unwrap();
        weight.detach().flatten(0, -1).narrow(0, 0, 7)
    };
    for case in golden["average"].as_array().unwrap() {
        let ema: Ema = serde_json::from_value(case["ema"].clone()).unwrap();
        let mut average = Average::of(ema, &weights);
        for (update, want) in case["after"].as_array().unwrap().iter().enumerate() {
            let update = update + 1;
            no_grad(|| seven().copy_(&wave(7, update)));
            average.update(update as u64);
            close(&average.standing_in(|| seven().copy()), want, &case["ema"]);
        }
    }
}

#[test]
fn losses_and_their_gradients_are_torchs() {
    let golden = golden(include_str!("../golden/training.json"));
    let cases = golden["loss"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let labels: Vec<i64> = numbers(&case["labels"]).iter().map(|&label| label as i64).collect();
        let outputs = case["outputs"].as_i64().unwrap();
        let n = labels.len() as i64;
        let logits = (wave((n * outputs) as usize, 0) * 2.0).view([n, outputs]);
        let logits = logits.set_requires_grad(true);
        let weights = case["class_weights"].as_array().map(|_| numbers(&case["class_weights"]));
        let loss = Loss {
            label_smoothing: case["label_smoothing"].as_f64().unwrap(),
            class_weights: weights.map(|weights| Tensor::from_slice(&weights).to_kind(Kind::Float)),
        };
        let got = loss.mean(&logits, &Targets::new(Tensor::from_slice(&labels), None));
        let gradient = Tensor::run_backward(&[&got], &[&logits], false, false);
        assert!((got.double_value(&[]) - case["loss"].as_f64().unwrap()).abs() < 2e-6, "{case}");
        close(&gradient[0], &case["gradient"], case);
    }
}

#[test]
fn balanced_class_weights_are_scikit_learns() {
    let golden = golden(include_str!("../golden/training.json"));
    for case in golden["balanced"].as_array().unwrap() {
        let counts: Vec<u64> = numbers(&case["counts"]).iter().map(|&count| count as u64).collect();
        let got = ClassWeights::Balanced.resolve(&counts).unwrap();
        for (got, want) in got.iter().zip(numbers(&case["weights"])) {
            assert!((got - want).abs() < 1e-12, "{case}");
        }
    }
}

/// Every refinement at once.
pub fn refined() -> Recipe {
    Recipe {
        decayed: Decayed::Matrices,
        schedule: Schedule::Cosine { warmup_steps: 0, end_fraction: 0.0 },
        warmup: Some(Warmup { steps: 4, start_fraction: 0.1 }),
        clip: Some(Clip::Norm(0.5)),
        ema: Some(Ema { decay: 0.9, warmup_power: Some(2.0 / 3.0) }),
        label_smoothing: 0.1,
        class_weights: Some(ClassWeights::Balanced),
        micro_batch: Some(3),
        ..recipe()
    }
}

#[test]
fn a_recipe_of_before_trains_to_the_bits_of_one_that_spells_the_new_values_out() {
    let (plain, spelt) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let schedule = Schedule::Cosine { warmup_steps: 0, end_fraction: 0.0 };
    let before = Recipe { epochs: 1, schedule, ..recipe() };
    run(&job(&before, plain.path()), &mut ()).unwrap();
    let idle = Recipe {
        warmup: Some(Warmup { steps: 1, start_fraction: 1.0 }),
        clip: Some(Clip::Norm(1e9)),
        micro_batch: Some(8),
        early_stop: Some(EarlyStop { patience: 1_000, min_delta: 0.0 }),
        ..before
    };
    run(&job(&idle, spelt.path()), &mut ()).unwrap();
    assert!(tensors(plain.path()) == tensors(spelt.path()));
}

#[test]
fn averaged_weights_are_what_is_scored_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe { epochs: 1, ..refined() };
    run(&job(&recipe, folder.path()), &mut ()).unwrap();
    let path = newest(folder.path());
    let read = |name: &str| {
        let model = Model::build(&recipe.model, 1, Device::Cpu).unwrap();
        model.weights().load(&path.join(name)).unwrap();
        let dataset = crate::common::dataset();
        let test = &dataset.split.test;
        let scores =
            catscan_train::evaluate(&model, dataset, test, 64, Device::Cpu, &mut |_| None).unwrap();
        scores.loss
    };
    let record = RunRecord::read(folder.path()).unwrap();
    let said = record.test.as_ref().unwrap().loss;
    assert_eq!(record.weights_path().unwrap(), path.join("weights.safetensors"));
    assert_eq!(read("weights.safetensors"), said);
    assert_ne!(read("trained.safetensors"), said);
}

#[test]
fn a_run_without_a_better_validation_is_finished_early() {
    let folder = tempfile::tempdir().unwrap();
    // No loss is lower than the first by a hundred nats.
    let early_stop = Some(EarlyStop { patience: 2, min_delta: 100.0 });
    let recipe = Recipe { epochs: 9, early_stop, ..recipe() };
    let mut watcher = Watcher::default();
    assert_eq!(run(&job(&recipe, folder.path()), &mut watcher).unwrap(), Outcome::Finished);
    let record = RunRecord::read(folder.path()).unwrap();
    let test = record.test.unwrap();
    assert!(test.stopped_early && !test.bounded);
    assert_eq!((test.steps, test.steps_total), (3 * STEPS_PER_EPOCH, 9 * STEPS_PER_EPOCH));
    let said = |event: &&Event| matches!(event, Event::StoppedEarly { epoch: 3, .. });
    assert_eq!(watcher.events.iter().filter(said).count(), 1);
    assert_eq!(run(&job(&recipe, folder.path()), &mut ()).unwrap(), Outcome::AlreadyDone);

    // Cut between its last epoch and its test, it is tested and not trained on.
    std::fs::remove_file(folder.path().join("test.json")).unwrap();
    assert_eq!(run(&job(&recipe, folder.path()), &mut ()).unwrap(), Outcome::Finished);
    assert_eq!(metrics(folder.path()).len(), 3);
    assert_eq!(read_state(&newest(folder.path())).unwrap().step, 3 * STEPS_PER_EPOCH);
    assert_eq!(RunRecord::read(folder.path()).unwrap().test.unwrap().pictures, test.pictures);
}
