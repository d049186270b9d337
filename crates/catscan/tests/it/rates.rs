//! What one asks before and after a training: what it costs, which rate it takes, and how well it
//! did, class by class.

use std::fs;

use catscan_train::Recipe;
use serde_json::Value;

use super::support::{refined, succeed};

const SMOKE: [&str; 4] = ["--experiment", "smoke", "--arm", "max"];

#[test]
fn a_dry_run_prints_the_recipe_and_its_cost_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let args = [&["train", "--dry-run", "--json", "--max-steps", "3"][..], &SMOKE].concat();
    let said = succeed(&args, folder.path());
    let found: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(found["recipe"]["model"]["name"], "densenet-mini");
    assert_eq!(found["recipe"]["model"]["outputs"], 1);
    let estimate = &found["estimate"];
    // 85 pictures in steps of 20, of which three are taken; 20 to validate and 20 to test.
    assert_eq!((&estimate["steps"], &estimate["steps_per_epoch"]), (&3.into(), &5.into()));
    assert_eq!(estimate["scored_pictures"], 40);
    assert!(estimate["step_s"].as_f64().unwrap() > 0.0);
    assert_eq!(estimate["saves"], 1);
    let total_s = 3.0 * number(&estimate["step_s"])
        + number(&estimate["save_s"])
        + 40.0 / number(&estimate["scored_per_s"]);
    assert!((number(&estimate["total_s"]) - total_s).abs() < 1e-9, "{estimate}");
    let memory = &estimate["memory"];
    assert!(memory["total"].as_u64() > memory["weights"].as_u64(), "{memory}");
    // Where the system tells: what was promised held what the steps and the scoring took.
    let told = |name: &str| found[name].as_u64();
    if let (Some(peak), Some(before)) = (told("measured_peak_bytes"), told("bytes_before")) {
        let promised = before + memory["total"].as_u64().unwrap();
        assert!(peak <= promised, "a peak of {peak} bytes, {promised} were promised: {memory}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something was written");

    let said = succeed(&[&["train", "--dry-run"][..], &SMOKE].concat(), folder.path());
    for words in ["\"densenet-mini\"", "at most", "pictures scored", "checkpoints", "saving"] {
        assert!(said.stdout.contains(words), "no {words:?} in\n{}", said.stdout);
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// A network that is mostly weights and moments: it is when these are saved that a run needs most.
#[test]
fn a_run_holds_what_its_dry_run_promised_its_checkpoints_included() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = catscan::recipes::with_model(catscan::recipes::smoke(), "resnet50");
    let whole = Recipe { batch: 4, ..recipe };
    let pieces = Recipe { micro_batch: Some(2), ..whole.clone() };
    for (out, recipe) in [("whole", whole), ("pieces", pieces)] {
        fs::write(folder.path().join("large.json"), recipe.to_json_pretty()).unwrap();
        let line = ["train", "--recipe", "large.json", "--out", out, "--max-steps", "2"];
        let line = [&line[..], &["--threads", "1"]].concat();
        let said = succeed(&[&line[..], &["--dry-run", "--json"]].concat(), folder.path());
        let found: Value = serde_json::from_str(&said.stdout).unwrap();
        succeed(&line, folder.path());
        let test = fs::read_to_string(folder.path().join(out).join("test.json")).unwrap();
        let test: Value = serde_json::from_str(&test).unwrap();
        let before = found["bytes_before"].as_u64();
        let Some((before, peak)) = before.zip(test["peak_memory_bytes"].as_u64()) else {
            println!("skipped: the system does not tell of memory");
            return;
        };
        let memory = &found["estimate"]["memory"];
        let promised = before + memory["total"].as_u64().unwrap();
        println!("{out}: a peak of {} MB, {} promised", peak / 1_000_000, promised / 1_000_000);
        assert!(peak <= promised, "{out}: peak {peak} bytes, {promised} promised: {memory}");
    }
}

#[test]
fn a_rate_is_searched_for_without_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let args = [&["find-lr", "--steps", "15", "--out", "found", "--json"][..], &SMOKE].concat();
    let said = succeed(&args, folder.path());
    let found: Value = serde_json::from_str(&said.stdout).unwrap();
    let written = fs::read_to_string(folder.path().join("found/find-lr.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), found);
    let points = found["points"].as_array().unwrap();
    assert!(points.len() == 15 || found["flew_off"] == true, "{found}");
    assert_eq!(points[0]["lr"], 1e-7);
    let chart = fs::read_to_string(folder.path().join("found/find-lr.svg")).unwrap();
    assert!(chart.starts_with("<svg") && chart.contains("Loss by learning rate"), "{chart}");
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(names, [folder.path().join("found")], "something else was written");
}

#[test]
fn averaged_weights_are_what_evaluate_scores_by_class() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("refined.json"), refined().to_json_pretty()).unwrap();
    let said = succeed(&["train", "--recipe", "refined.json", "--out", "run"], folder.path());
    assert!(said.stderr.contains("calibration error"), "{}", said.stderr);
    let said = succeed(&["evaluate", "--weights", "run", "--batch", "64", "--json"], folder.path());
    let found: Value = serde_json::from_str(&said.stdout).unwrap();
    let test = fs::read_to_string(folder.path().join("run/test.json")).unwrap();
    let test: Value = serde_json::from_str(&test).unwrap();
    let gap = |name: &str| found[name].as_f64().unwrap() - test[name].as_f64().unwrap();
    assert!(gap("loss").abs() < 1e-3 && gap("accuracy").abs() < 1e-9, "{found}");
    let scores = &found["scores"];
    assert_eq!(scores["classes"].as_array().unwrap().len(), 2);
    assert_eq!(scores["accuracy"], found["accuracy"]);
    assert!((0.0..=1.0).contains(&scores["roc_auc"].as_f64().unwrap()));
    let said = succeed(&["evaluate", "--weights", "run"], folder.path());
    for words in ["balanced accuracy, %", "ROC-AUC", "precision, %", "true \\ predicted"] {
        assert!(said.stdout.contains(words), "no {words:?} in\n{}", said.stdout);
    }
}
