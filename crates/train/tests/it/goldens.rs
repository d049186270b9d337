//! Our arithmetic and our bytes against those of the tools they imitate.

use std::process::Command;

use catscan_train::metrics::{Scores, confusion, top_k_accuracy};
use catscan_train::optimizer::{Moments, ParameterGroup, flatten};
use catscan_train::tensorboard::EventFile;
use catscan_train::{Adam, Anneal, EpochRecord, Optimizer, Recipe, Schedule, Semantics, Sgd};
use serde_json::Value;
use tch::{Device, Tensor};

use crate::testing::recipe;

pub fn golden(text: &str) -> Value {
    let value: Value = serde_json::from_str(text).unwrap();
    println!("{}", value["made_by"]);
    value
}

pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// Ten steps of `optimizer` at the moving rate of scripts/golden/*.py, against `case.after`.
#[track_caller]
fn check_ten_steps(golden: &Value, case: &Value, optimizer: &Optimizer) {
    let start = numbers(&golden["start"]);
    let mut first = 0;
    let shapes = golden["shapes"].as_array().unwrap().iter();
    let parameters: Vec<Tensor> = shapes
        .map(|shape| {
            let shape: Vec<i64> = numbers(shape).iter().map(|&size| size as i64).collect();
            let length = shape.iter().product::<i64>() as usize;
            let part: Vec<f32> = start[first..first + length].iter().map(|&x| x as f32).collect();
            first += length;
            Tensor::from_slice(&part).view(shape.as_slice())
        })
        .collect();
    let groups = [ParameterGroup::of_all(parameters)];
    let mut moments = Moments::zeros(optimizer, start.len() as i64, Device::Cpu);
    for (step, want) in case["after"].as_array().unwrap().iter().enumerate() {
        let gradient: Vec<f32> =
            (0..start.len()).map(|i| ((1 + i + 3 * step) as f64).sin() as f32).collect();
        let lr = 0.1 / (1 + step) as f64;
        optimizer.step(&groups, &Tensor::from_slice(&gradient).into(), &mut moments, lr);
        let got = Vec::<f32>::try_from(flatten(&groups[0].parameters)).unwrap();
        for (got, want) in got.iter().zip(numbers(want)) {
            // Ours is 32-bit, the golden 64-bit; ten steps of numbers near 1 round to this.
            assert!((f64::from(*got) - want).abs() < 1e-6, "{optimizer:?} {step}: {got} {want}");
        }
    }
}

#[test]
fn ten_steps_of_sgd_are_torchs() {
    let golden = golden(include_str!("../golden/sgd.json"));
    for case in golden["sgd"].as_array().unwrap() {
        let sgd = Sgd {
            lr: 1.0,
            momentum: case["momentum"].as_f64().unwrap(),
            nesterov: case["nesterov"].as_bool().unwrap(),
            dampening: case["dampening"].as_f64().unwrap(),
            weight_decay: case["weight_decay"].as_f64().unwrap(),
            semantics: Semantics::Pytorch,
        };
        check_ten_steps(&golden, case, &sgd.into());
    }
}

#[test]
fn ten_steps_of_adam_are_torchs_and_keras() {
    let golden = golden(include_str!("../golden/adam.json"));
    let cases = golden["adam"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        // As a recipe would spell it, but for the rate, which the check moves.
        let mut settings = case["settings"].clone();
        settings["lr"] = 1.0.into();
        let adam: Adam = serde_json::from_value(settings).unwrap();
        check_ten_steps(&golden, case, &adam.into());
    }
}

#[test]
fn one_cycle_is_torchs() {
    let golden = golden(include_str!("../golden/sgd.json"));
    for case in golden["one_cycle"].as_array().unwrap() {
        let anneal = if case["anneal"] == "linear" { Anneal::Linear } else { Anneal::Cosine };
        let rise_fraction = case["rise_fraction"].as_f64().unwrap();
        let (start_divisor, end_divisor) = (20.0, 100.0);
        let schedule = Schedule::OneCycle { rise_fraction, start_divisor, end_divisor, anneal };
        let steps = case["steps"].as_u64().unwrap();
        for (step, want) in numbers(&case["lr"]).into_iter().enumerate() {
            let got = schedule.lr(0.4, step as u64, steps);
            assert!((got - want).abs() < 1e-12, "{schedule:?} step {step}: {got}, want {want}");
        }
    }
}

#[test]
fn steps_are_torchs_multi_step() {
    let golden = golden(include_str!("../golden/schedules.json"));
    for case in golden["multi_step"].as_array().unwrap() {
        let steps = case["steps"].as_u64().unwrap();
        let shares = numbers(&case["milestones"]).iter().map(|at| at / steps as f64).collect();
        let factor = case["factor"].as_f64().unwrap();
        let schedule =
            Schedule::Step { milestones: shares, factor, warmup_steps: 0, warmup_factor: 1.0 };
        for (step, want) in numbers(&case["lr"]).into_iter().enumerate() {
            let got = schedule.lr(case["peak"].as_f64().unwrap(), step as u64, steps);
            assert!((got - want).abs() < 1e-15, "{schedule:?} step {step}: {got}, want {want}");
        }
    }
}

#[test]
fn a_warm_up_before_any_schedule_is_torchs_chained() {
    let golden = golden(include_str!("../golden/schedules.json"));
    let cases = golden["warmed_up"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let recipe = Recipe {
            schedule: serde_json::from_value(case["schedule"].clone()).unwrap(),
            warmup: serde_json::from_value(case["warmup"].clone()).unwrap(),
            optimizer: recipe().optimizer.with_lr(case["peak"].as_f64().unwrap()),
            ..recipe()
        };
        let steps = case["steps"].as_u64().unwrap();
        for (step, want) in numbers(&case["lr"]).into_iter().enumerate() {
            let got = recipe.lr(step as u64, steps);
            // torch multiplies its rate on from step to step, which rounds.
            assert!((got - want).abs() < 1e-14, "{case} step {step}: {got}, want {want}");
        }
    }
}

#[test]
fn scores_are_scikit_learns() {
    let golden = golden(include_str!("../golden/metrics.json"));
    let close = |got: Option<f64>, want: &Value, what: &str| {
        assert_eq!(got.is_none(), want.is_null(), "{what}: {got:?}, want {want}");
        let Some((got, want)) = got.zip(want.as_f64()) else { return };
        // Probabilities are multiples of 1/256, so both compute with the same numbers in 64-bit.
        assert!((got - want).abs() < 1e-12, "{what}: {got}, want {want}");
    };
    for case in golden["cases"].as_array().unwrap() {
        let labels: Vec<u32> = numbers(&case["labels"]).iter().map(|&label| label as u32).collect();
        let row = |row: &Value| numbers(row).iter().map(|&p| (p / 256.0) as f32).collect();
        let rows = case["probabilities_256"].as_array().unwrap().iter();
        let probabilities: Vec<Vec<f32>> = rows.map(row).collect();
        let classes = case["classes"].as_u64().unwrap() as usize;
        let names: Vec<String> = (0..classes).map(|class| format!("class {class}")).collect();
        let scores = Scores::of(&probabilities, &labels, &names);
        close(Some(scores.accuracy), &case["accuracy"], "accuracy");
        close(Some(scores.balanced_accuracy), &case["balanced_accuracy"], "balanced");
        close(Some(scores.macro_precision), &case["macro"][0], "precision");
        close(Some(scores.macro_recall), &case["macro"][1], "recall");
        close(Some(scores.macro_f1), &case["macro"][2], "F1");
        close(scores.roc_auc, &case["auc"], "AUC");
        close(Some(scores.log_loss), &case["log_loss"], "log-loss");
        close(Some(scores.calibration_error), &case["calibration_error"], "calibration");
        assert_eq!(scores.top_k_accuracy, case["top_5"].as_f64());
        if classes > 2 {
            close(Some(top_k_accuracy(&probabilities, &labels, 2)), &case["top_2"], "top 2");
        }
        for (class, scores) in scores.classes.iter().enumerate() {
            close(scores.precision, &case["precision"][class], "a precision");
            close(scores.recall, &case["recall"][class], "a recall");
            close(Some(scores.f1), &case["f1"][class], "an F1");
            close(scores.roc_auc, &case["auc_each"][class], "an AUC");
        }
        let counts = confusion(&probabilities, &labels, classes);
        assert_eq!(serde_json::to_value(counts).unwrap(), case["confusion"]);
    }
}

/// The two epochs of the golden.
fn epochs(golden: &Value) -> Vec<EpochRecord> {
    let epoch = |(number, epoch): (usize, &Value)| EpochRecord {
        epoch: number as u32 + 1,
        step: epoch["step"].as_u64().unwrap(),
        lr: golden["lr"].as_f64().unwrap(),
        train_loss: epoch["loss"][0].as_f64().unwrap(),
        train_accuracy: epoch["accuracy"][0].as_f64().unwrap(),
        val_loss: epoch["loss"][1].as_f64().unwrap(),
        val_accuracy: epoch["accuracy"][1].as_f64().unwrap(),
        images_per_s: golden["images_per_s"].as_f64().unwrap(),
        seconds: 0.0,
        seconds_waiting_for_data: 0.0,
        unix_s: epoch["unix_s"].as_f64().unwrap(),
    };
    golden["epochs"].as_array().unwrap().iter().enumerate().map(epoch).collect()
}

#[test]
fn event_files_are_tensorboards_to_the_byte() {
    let golden = golden(include_str!("../golden/tensorboard.json"));
    let folder = tempfile::tempdir().unwrap();
    let records = epochs(&golden);
    let started_s = golden["started_s"].as_u64().unwrap();
    // One epoch from before a stop, one appended after it.
    let mut events = EventFile::restart(folder.path(), started_s, &records[..1]).unwrap();
    events.append(&records[1]).unwrap();
    let path = folder.path().join("events.out.tfevents.1700000000.catscan");
    let bytes = std::fs::read(&path).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, golden["hex"].as_str().unwrap());

    let python = std::env::var("CATSCAN_PYTHON").unwrap_or_else(|_| "python3".into());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/golden/event_file.py");
    let output = Command::new(&python).args([script, "--read"]).arg(&path).output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        let required = std::env::var_os("CATSCAN_REQUIRE_PYTHON").is_some();
        assert!(!required, "CATSCAN_REQUIRE_PYTHON is set, and {python} cannot read it back");
        println!("skipped reading it back: {python} has no tensorboard (set CATSCAN_PYTHON)");
        return;
    };
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 12);
    assert_eq!(found[6][0], "loss/train");
    assert_eq!(found[6][1], 300);
    assert!((found[6][2].as_f64().unwrap() - 0.4).abs() < 1e-6);
}
