//! A process killed while saving, and a disk that is full: played by this test program itself,
//! started once more with `CATSCAN_TEST_FOLDER` set.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use catscan_train::checkpoint::verify;
use catscan_train::{Job, Outcome, Recipe, TrainError};

use crate::common::{dataset, every, job, newest, recipe, run, tensors};

const FOLDER: &str = "CATSCAN_TEST_FOLDER";

/// The folder a child plays in; `None` in the test run itself.
fn child_folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

fn long() -> Recipe {
    Recipe { epochs: 3, ..recipe() }
}

/// Not a test by itself: trains in the given folder and saves at every step.
#[test]
fn child_saves_at_every_step() {
    let Some(folder) = child_folder() else { return };
    let recipe = long();
    let _ = run(&Job { saving: every(1), ..job(&recipe, &folder) }, &mut ());
}

/// Not a test by itself: goes on under a limit on the size of files.
#[test]
fn child_meets_a_full_disk() {
    let Some(folder) = child_folder() else { return };
    let recipe = recipe();
    let error = run(&Job { max_steps: Some(4), ..job(&recipe, &folder) }, &mut ()).unwrap_err();
    let TrainError::Storage { needed, free, .. } = &error else { panic!("{error}") };
    assert!(*needed > 32 * 1024 && *free > 0, "{error}");
    assert_eq!(error.exit_code(), 7);
    assert!(error.to_string().contains("bytes needed"), "{error}");
}

#[test]
fn killed_at_any_moment_some_complete_checkpoint_is_gone_on_from() {
    let _drawn = dataset();
    let (straight, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let recipe = long();
    run(&job(&recipe, straight.path()), &mut ()).unwrap();
    let mut reached = 0;
    for round in 0..6u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::child_saves_at_every_step"])
            .env(FOLDER, killed.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        wait_for_a_new_step(killed.path(), reached, &mut child);
        // Anywhere within the next steps, of which each is mostly saving.
        std::thread::sleep(Duration::from_millis(7 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        // `newest` here panics if any checkpoint does not verify: none is ever half there.
        let path = newest(killed.path());
        verify(&path).unwrap();
        let step = step_of(&path);
        assert!(step >= reached, "step {reached} was there and {step} is the newest now");
        reached = step;
    }
    assert_eq!(run(&job(&recipe, killed.path()), &mut ()).unwrap(), Outcome::Finished);
    assert!(tensors(straight.path()) == tensors(killed.path()));
    let left = std::fs::read_dir(killed.path().join("checkpoints")).unwrap();
    assert_eq!(left.count(), 3, "two and the best: leftovers were removed");
}

fn step_of(checkpoint: &Path) -> u64 {
    let name = checkpoint.file_name().unwrap().to_str().unwrap();
    name.strip_prefix("step-").unwrap().parse().unwrap()
}

/// Until a checkpoint beyond `reached` is there, or the child has ended.
fn wait_for_a_new_step(folder: &Path, reached: u64, child: &mut std::process::Child) {
    let all = folder.join("checkpoints");
    while child.try_wait().unwrap().is_none() {
        let names = std::fs::read_dir(&all).into_iter().flatten().flatten();
        let steps = names.filter_map(|entry| {
            entry.file_name().to_str()?.strip_prefix("step-")?.parse::<u64>().ok()
        });
        if steps.max().is_some_and(|newest| newest > reached) {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
#[cfg(unix)]
fn a_full_disk_leaves_the_old_checkpoint_and_says_how_much_is_missing() {
    let _drawn = dataset();
    let folder = tempfile::tempdir().unwrap();
    let recipe = recipe();
    run(&Job { max_steps: Some(2), ..job(&recipe, folder.path()) }, &mut ()).unwrap();
    // Files end at 64 blocks of 512 (or 1024) bytes: a write beyond fails with EFBIG.
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" --exact killed::child_meets_a_full_disk";
    let output = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");

    let path = newest(folder.path());
    assert!(path.ends_with("step-2"));
    let left = std::fs::read_dir(folder.path().join("checkpoints")).unwrap();
    assert_eq!(left.count(), 1, "nothing is left of the new one");
    let going_on = Job { max_steps: Some(4), ..job(&recipe, folder.path()) };
    assert_eq!(run(&going_on, &mut ()).unwrap(), Outcome::Finished);
}
