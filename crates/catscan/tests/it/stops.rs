//! Stopped runs: a checkpoint first, the shells' exit codes, and the same command goes on.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::support::{Running, names, run, same_run, start, start_events, steps, succeed};

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

/// The queue hears of it, and tells its cells.
#[test]
#[cfg(target_os = "linux")]
fn an_experiment_whose_terminal_is_closed_saves_its_cells() {
    let folder = tempfile::tempdir().unwrap();
    let long = ["experiment", "smoke", "--arms", "avg", "--epochs", LONG, "--no-report"];
    let mut running = start(&long, folder.path());
    running.wait_for("epoch 1:");
    let (code, text) = running.stop("-HUP");
    assert_eq!(code, 129, "{text}");
    assert!(text.contains("stopped by SIGHUP; nothing is lost"), "{text}");
    assert!(newest_step(&folder.path().join("runs/smoke/avg/seed-1/checkpoints")) >= 5);
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

#[test]
fn a_search_for_a_rate_that_was_interrupted_tells_what_it_found() {
    let folder = tempfile::tempdir().unwrap();
    let search = ["find-lr", "--experiment", "smoke", "--arm", "avg", "--steps", "100000"];
    let mut running = start(&[&search[..], &["--out", "found"]].concat(), folder.path());
    running.wait_for("rate ");
    let (code, text) = running.stop("-INT");
    assert_eq!(code, 130, "{text}");
    assert!(text.contains("stopped by SIGINT after "), "{text}");
    let found = std::fs::read_to_string(folder.path().join("found/find-lr.json")).unwrap();
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert!((1..100_000).contains(&found["points"].as_array().unwrap().len()), "{found}");
}

/// A run that saves after every step.
fn saving(out: &str) -> Vec<&str> {
    let train = ["train", "--experiment", "smoke", "--arm", "avg", "--threads", "1"];
    [&train[..], &["--epochs", LONG, "--save-every-steps", "1", "--out", out]].concat()
}

/// The run in `stopped` goes on for two steps, and is then the run that was never stopped.
#[track_caller]
fn check_goes_on_exactly(here: &Path) {
    let end = newest_step(&here.join("stopped/checkpoints")) + 2;
    for run in ["stopped", "straight"] {
        succeed(&[&saving(run)[..], &["--max-steps", &end.to_string()]].concat(), here);
    }
    same_run(&here.join("stopped"), &here.join("straight"), end);
}

/// Ended by this signal after a checkpoint, and soon.
#[track_caller]
fn check_stops(running: Running, signal: &str, code: i32) {
    let began = Instant::now();
    let (got, text) = running.stop(signal);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(got, code, "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.contains("\"event\":\"interrupted\""), "{last}");
}

#[test]
fn a_signal_at_the_start_in_a_step_or_in_evaluation_loses_nothing() {
    for (event, signal, code) in
        [("started", "-TERM", 143), ("step", "-INT", 130), ("evaluating", "-HUP", 129)]
    {
        let folder = tempfile::tempdir().unwrap();
        let mut running =
            start_events(&[&saving("stopped")[..], &["--events"]].concat(), folder.path());
        running.wait_for(&format!("\"event\":\"{event}\""));
        check_stops(running, signal, code);
        check_goes_on_exactly(folder.path());
    }
}

/// A run that stands still by SIGSTOP: in the middle of a save, or of a step.
#[cfg(unix)]
fn halted(here: &Path, in_a_save: bool) -> Running {
    let mut running = start_events(&[&saving("stopped")[..], &["--events"]].concat(), here);
    running.wait_for("\"event\":\"saved\"");
    let checkpoints = here.join("stopped/checkpoints");
    let saves = || names(&checkpoints).iter().any(|name| name.starts_with(".tmp-step-"));
    for pause_ms in 1.. {
        assert!(pause_ms < 500, "it was never met so");
        running.signal("-STOP");
        // The signal takes a moment to reach every thread.
        thread::sleep(Duration::from_millis(10));
        if saves() == in_a_save {
            break;
        }
        running.signal("-CONT");
        thread::sleep(Duration::from_millis(pause_ms % 17));
    }
    running
}

#[test]
#[cfg(unix)]
fn a_signal_in_a_save_waits_for_its_end() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let folder = tempfile::tempdir().unwrap();
        let running = halted(folder.path(), true);
        running.signal(signal);
        check_stops(running, "-CONT", code);
        check_goes_on_exactly(folder.path());
    }
}

/// A closed terminal is told twice: by the shell, and by the system once the shell is gone.
#[test]
#[cfg(target_os = "linux")]
fn a_second_hangup_waits_for_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let mut running =
        start_events(&[&saving("stopped")[..], &["--events"]].concat(), folder.path());
    running.wait_for("\"event\":\"saved\"");
    running.signal("-STOP");
    running.signal("-HUP");
    running.signal("-CONT");
    thread::sleep(Duration::from_millis(2));
    // It may have ended in between.
    let pid = running.child.id().to_string();
    let _ = std::process::Command::new("kill").args(["-HUP", &pid]).output();
    let (code, text) = running.finish();
    assert_eq!(code, 129, "{text}");
    assert!(text.lines().last().unwrap().contains("\"event\":\"interrupted\""), "{text}");
    check_goes_on_exactly(folder.path());
}

#[test]
#[cfg(target_os = "linux")]
fn a_run_under_nohup_outlives_its_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let args = [&saving("r")[..], &["--max-steps", "8", "--events"]].concat();
    let program = super::support::catscan(&args, folder.path());
    let mut command = std::process::Command::new("sh");
    // As nohup does, and then the signal.
    let script = "trap '' HUP; \"$0\" \"$@\" > said & until grep -q saved said; do sleep 0.02; done; \
                  kill -HUP $!; wait $!";
    command.args(["-c", script]).arg(program.get_program()).args(program.get_args());
    command.current_dir(folder.path());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    let said = std::fs::read_to_string(folder.path().join("said")).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.lines().last().unwrap().contains("\"event\":\"finished\""), "{said}");
}

#[test]
#[cfg(unix)]
fn a_second_signal_ends_it_at_once() {
    for in_a_save in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let running = halted(folder.path(), in_a_save);
        // Both are delivered before anything goes on.
        ["-TERM", "-INT"].into_iter().for_each(|signal| running.signal(signal));
        let (code, text) = running.stop("-CONT");
        assert!([130, 143].contains(&code), "{code}: {text}");
        assert!(!text.contains("\"event\":\"interrupted\""), "{text}");
        check_goes_on_exactly(folder.path());
    }
}

#[test]
fn numbers_that_went_bad_end_the_cell_and_the_experiment_with_5() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = catscan::recipes::smoke();
    let optimizer = recipe.optimizer.clone().with_lr(1e24);
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
    steps(checkpoints).last().expect("a checkpoint").0
}
