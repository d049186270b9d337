//! Checkpoints that cannot be written for a while: what is tried again, and what is said.

use std::fs;
use std::path::{Path, PathBuf};

use catscan_train::checkpoint::{best, read_state, restore_best, verify};
use catscan_train::{Event, Job, OnSaveError, Outcome, Recipe, Saving, TrainError, Watch};

use crate::common::{job, newest, recipe, run};

/// Puts files where a save makes its temporary folders, which then fails, from the first
/// validation until an event says that it is enough.
struct Blocking {
    run: PathBuf,
    names: &'static [&'static str],
    until: fn(&Event) -> bool,
    over: bool,
    events: Vec<Event>,
}

impl Blocking {
    fn new(run: &Path, names: &'static [&'static str], until: fn(&Event) -> bool) -> Blocking {
        Blocking { run: run.to_path_buf(), names, until, over: false, events: Vec::new() }
    }

    fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.names.iter().map(|name| self.run.join("checkpoints").join(name))
    }

    fn warned(&self, words: &str) -> bool {
        self.events
            .iter()
            .any(|event| matches!(event, Event::Warning { text } if text.contains(words)))
    }
}

impl Watch for Blocking {
    fn on_event(&mut self, event: &Event) {
        self.events.push(event.clone());
        if self.over {
            return;
        }
        if matches!(event, Event::Evaluating { .. }) {
            fs::create_dir_all(self.run.join("checkpoints")).unwrap();
            self.paths().for_each(|path| fs::write(path, "in the way").unwrap());
        }
        if (self.until)(event) {
            // A save that succeeds removes leftovers.
            self.paths().for_each(|path| drop(fs::remove_file(path)));
            self.over = true;
        }
    }
}

fn one_epoch() -> Recipe {
    Recipe { epochs: 1, ..recipe() }
}

fn warning(event: &Event) -> bool {
    matches!(event, Event::Warning { text } if text.contains("goes on without it"))
}

const WARN: Saving = Saving { on_error: OnSaveError::Warn, ..Saving::USUAL };

#[test]
fn a_best_that_fails_is_made_up_for_from_the_step_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = one_epoch();
    let saved = |event: &Event| matches!(event, Event::Saved { .. });
    let mut watch = Blocking::new(folder.path(), &[".tmp-best"], saved);
    assert_eq!(run(&job(&recipe, folder.path()), &mut watch).unwrap(), Outcome::Finished);
    assert!(watch.over, "the step's own was saved");
    let best = best(folder.path()).expect("it was made up for");
    verify(&best).unwrap();
    assert_eq!(read_state(&best).unwrap(), read_state(&newest(folder.path())).unwrap());
}

#[test]
fn what_failed_last_is_tried_again_before_the_test() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = one_epoch();
    let mut watch = Blocking::new(folder.path(), &[".tmp-best", ".tmp-step-9"], warning);
    let with_warnings = Job { saving: WARN, ..job(&recipe, folder.path()) };
    assert_eq!(run(&with_warnings, &mut watch).unwrap(), Outcome::Finished);
    assert!(watch.warned("goes on without it"));
    assert!(newest(folder.path()).ends_with("step-9"));
    assert!(best(folder.path()).is_some());
    assert!(folder.path().join("test.json").exists());
}

#[test]
fn a_result_whose_weights_exist_nowhere_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = one_epoch();
    let mut watch = Blocking::new(folder.path(), &[".tmp-best", ".tmp-step-9"], |_| false);
    let with_warnings = Job { saving: WARN, ..job(&recipe, folder.path()) };
    let error = run(&with_warnings, &mut watch).unwrap_err();
    assert!(matches!(error, TrainError::Storage { .. }), "{error}");
    assert_eq!(error.exit_code(), 7);
    assert!(watch.warned("goes on without it"), "it went on as it was told");
    assert!(!folder.path().join("test.json").exists());
}

#[test]
fn a_best_that_is_no_more_the_best_does_not_stay_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let recipe = recipe();
    let one = Saving { keep: 1, ..Saving::USUAL };
    run(&Job { saving: one, ..job(&recipe, here) }, &mut ()).unwrap();
    let mut now = read_state(&newest(here)).unwrap();
    let mut said = Vec::new();
    assert!(restore_best(here, here, &now, &mut |text| said.push(text)).unwrap());
    assert!(said.is_empty(), "{said:?}");
    // As after an epoch of which no checkpoint could be written.
    let mut better = now.epochs[1].clone();
    (better.epoch, better.step, better.val_loss) = (3, 27, 0.0);
    now.epochs.push(better);
    assert!(!restore_best(here, here, &now, &mut |text| said.push(text)).unwrap());
    assert!(said.len() == 1 && said[0].contains("set aside as"), "{said:?}");
    assert!(best(here).is_none() && here.join("checkpoints/left-best").is_dir());
}

#[test]
fn a_best_that_could_not_be_kept_is_told_of_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = one_epoch();
    let spoil = |event: &Event| {
        if let Event::Saved { path, .. } = event {
            fs::remove_file(Path::new(path).join("manifest.json")).unwrap();
        }
        false
    };
    let mut watch = Blocking::new(folder.path(), &[".tmp-best"], spoil);
    let with_warnings = Job { saving: WARN, ..job(&recipe, folder.path()) };
    assert_eq!(run(&with_warnings, &mut watch).unwrap(), Outcome::Finished);
    assert!(watch.warned("goes on without it"));
    assert!(watch.warned("there is no checkpoints/best"), "{:?}", watch.events);
    assert!(best(folder.path()).is_none());
}
