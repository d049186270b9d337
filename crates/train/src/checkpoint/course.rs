//! Which checkpoints are on the way to where a run stands. A run that went back, or that goes on
//! by another recipe, must not take for its own what it saved behind the fork: that is set aside,
//! the best too, which is then made up for from the checkpoint of its epoch, if that is left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::find::{self, leave, read_state, steps, verify};
use super::{BEST, State, best, folder, write};
use crate::error::TrainError;
use crate::record::EpochRecord;
use crate::storage::{TEMPORARY, sync_folder};

/// The closed epoch with the lowest validation loss, the first of several.
pub fn best_epoch(state: &State) -> Option<&EpochRecord> {
    state.epochs.iter().min_by(|a, b| a.val_loss.total_cmp(&b.val_loss))
}

/// The `step-N` folders up to `step`, oldest first; none where they cannot be read.
pub(crate) fn steps_to(run: &Path, step: u64) -> Vec<PathBuf> {
    let found = steps(&folder(run)).unwrap_or_default();
    found.into_iter().filter(|(at, _)| *at <= step).map(|(_, path)| path).collect()
}

/// Whether one that did not verify was ever set aside here.
pub(crate) fn was_damaged(run: &Path) -> bool {
    let entries = fs::read_dir(folder(run)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| find::is_damaged(&name))
}

/// Takes what is not on the way to `now` out of the way of a run that goes back there: later
/// steps, and checkpoints whose closed epochs are others. `warn` hears of each. For the holder of
/// the run's lock only.
pub fn set_aside_off(
    run: &Path,
    now: &State,
    warn: &mut dyn FnMut(String),
) -> Result<(), TrainError> {
    let on_the_way =
        |path: &Path| read_state(path).map_or(true, |then| now.epochs.starts_with(&then.epochs));
    find::set_aside_steps(run, &|at, path| at > now.step || !on_the_way(path), warn)?;
    match best(run).filter(|path| !on_the_way(path)) {
        Some(off) => leave(&off, warn).map_err(|error| TrainError::storage(&off, 0, error)),
        None => Ok(()),
    }
}

/// Sees to it that the best checkpoint is that of the best epoch of the run at `now`, which may lie
/// among those of the run `from`; whether it is, or there is none to have.
pub fn restore_best(
    run: &Path,
    from: &Path,
    now: &State,
    warn: &mut dyn FnMut(String),
) -> Result<bool, TrainError> {
    let Some(epoch) = best_epoch(now) else { return Ok(true) };
    let closes = |path: &PathBuf| {
        read_state(path)
            .is_ok_and(|then| then.step == epoch.step && then.epochs.last() == Some(epoch))
    };
    let there = best(run);
    if there.as_ref().is_some_and(closes) {
        return Ok(true);
    }
    let (all, theirs) = (folder(run), folder(from));
    let failed = |error| TrainError::storage(&all.join(BEST), 0, error);
    if let Some(stale) = there {
        leave(&stale, warn).map_err(failed)?;
    }
    let steps = steps(&theirs).unwrap_or_default().into_iter().map(|(_, path)| path);
    let mut found = steps.chain(best(from));
    match found.find(|path| closes(path) && verify(path).is_ok()) {
        Some(twin) => second_name(&twin, &all, BEST).map(|()| true).map_err(failed),
        None => Ok(false),
    }
}

/// The same checkpoint as `name` in `all`, complete or absent: its files linked, or else copied.
fn second_name(checkpoint: &Path, all: &Path, name: &str) -> io::Result<()> {
    let temporary = all.join(format!("{TEMPORARY}{name}"));
    let link = || {
        write::make_anew(&temporary)?;
        for entry in fs::read_dir(checkpoint)? {
            let name = entry?.file_name();
            let (file, here) = (checkpoint.join(&name), temporary.join(&name));
            if fs::hard_link(&file, &here).is_err() {
                fs::copy(&file, &here)?;
                fs::File::open(&here)?.sync_all()?;
            }
        }
        sync_folder(&temporary)?;
        write::replace(&temporary, &all.join(name))
    };
    link().inspect_err(|_| {
        let _ = fs::remove_dir_all(&temporary);
    })
}
