//! Stopped runs: a checkpoint first, the shells' exit codes, and the same command goes on.

use std::path::Path;

use super::support::{run, start, start_events, succeed};

/// Long enough never to finish within a test.
const LONG: &str = "2000";

#[test]
fn an_experiment_that_was_interrupted_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let long = ["experiment", "smoke", "--arms", "avg", "--epochs", LONG, "--no-report"];
    let mut running = start(&long, here);
    running.wait_for("epoch 2:");
    let fresh = run(&[&long[..], &["--fresh"]].concat(), here);
    assert_eq!(fresh.code, 2, "{}", fresh.stderr);
    assert!(fresh.stderr.contains("avg/seed-1"), "{}", fresh.stderr);
    let (code, text) = running.stop("-INT");
    assert_eq!(code, 130, "{text}");
    assert!(text.contains("the same command goes on from here"), "{text}");
    let step = newest_step(&here.join("runs/smoke/avg/seed-1/checkpoints"));
    let limit = (step + 3).to_string();
    let mut bounded = long.to_vec();
    bounded.extend(["--max-steps", &limit]);
    let said = succeed(&bounded, here);
    assert!(said.stderr.contains(&format!("goes on from step {step}")), "{}", said.stderr);
    assert!(said.stdout.contains("A bounded trial"), "{}", said.stdout);
}

#[test]
fn a_training_that_was_terminated_says_so_by_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let train = ["train", "--experiment", "smoke", "--arm", "max", "--epochs", LONG, "--out", "r"];
    let mut running = start(&train, folder.path());
    running.wait_for("epoch 1:");
    let (code, text) = running.stop("-TERM");
    assert_eq!(code, 143, "{text}");
    assert!(newest_step(&folder.path().join("r/checkpoints")) >= 5);
}

/// Stopped at this event and gone on with, bounded; then the same steps in one go.
#[track_caller]
fn check_stopped_at(event: &str, signal: &str, code: i32) {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let train = ["train", "--experiment", "smoke", "--arm", "avg", "--threads", "1"];
    let long = [&train[..], &["--epochs", LONG, "--save-every-steps", "1"]].concat();
    let stopped = [&long[..], &["--out", "stopped"]].concat();
    let mut running = start_events(&[&stopped[..], &["--events"]].concat(), here);
    running.wait_for(&format!("\"event\":\"{event}\""));
    let (got, text) = running.stop(signal);
    assert_eq!(got, code, "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.contains("\"event\":\"interrupted\""), "{last}");

    let steps = (newest_step(&here.join("stopped/checkpoints")) + 2).to_string();
    succeed(&[&stopped[..], &["--max-steps", &steps]].concat(), here);
    succeed(&[&long[..], &["--out", "straight", "--max-steps", &steps]].concat(), here);
    let weights = |run: &str| {
        let checkpoint = here.join(run).join(format!("checkpoints/step-{steps}"));
        std::fs::read(checkpoint.join("weights.safetensors")).unwrap()
    };
    assert!(weights("stopped") == weights("straight"), "stopped at {event}");
}

#[test]
fn a_signal_in_a_step_in_a_save_or_in_evaluation_loses_nothing() {
    check_stopped_at("started", "-TERM", 143);
    check_stopped_at("step", "-INT", 130);
    check_stopped_at("evaluating", "-TERM", 143);
}

#[test]
#[cfg(unix)]
fn a_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let train = ["train", "--experiment", "smoke", "--arm", "avg", "--epochs", LONG, "--out", "r"];
    let mut running = start(&train, folder.path());
    running.wait_for("epoch 1:");
    // Both are delivered before the next step can end.
    ["-STOP", "-TERM", "-INT"].into_iter().for_each(|signal| running.signal(signal));
    let (code, text) = running.stop("-CONT");
    assert!([130, 143].contains(&code), "{code}: {text}");
    assert!(!text.contains("checkpoint saved"), "{text}");
}

#[test]
fn numbers_that_went_bad_end_the_cell_and_the_experiment_with_5() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = catscan::recipes::smoke();
    let optimizer = recipe.optimizer.clone().with_lr(1e30);
    let schedule = catscan_train::Schedule::Constant;
    let recipe = catscan_train::Recipe { optimizer, schedule, epochs: 5, ..recipe };
    std::fs::write(folder.path().join("wild.json"), recipe.to_json_pretty()).unwrap();
    let wild = ["experiment", "smoke", "--recipe", "wild.json", "--arms", "avg"];
    let said = run(&wild, folder.path());
    assert_eq!(said.code, 5, "{}", said.stderr);
    assert!(said.stderr.contains("avg seed 1: failed with exit code 5"), "{}", said.stderr);
    assert!(!folder.path().join("runs/smoke/report.html").exists());
}

/// The number of the newest checkpoint's step.
fn newest_step(checkpoints: &Path) -> u64 {
    let step = |name: &str| name.strip_prefix("step-")?.parse().ok();
    let names = std::fs::read_dir(checkpoints).unwrap().flatten().map(|entry| entry.file_name());
    names.filter_map(|name| step(name.to_str()?)).max().expect("a checkpoint")
}
