//! Finding the checkpoint to go on from: the newest whose files hash as its manifest says.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors};
use tch::{Device, Tensor};

use super::{
    FileEntry, MANIFEST_FILE, Manifest, OLD, OPTIMIZER_FILE, STATE_FILE, STEPS, State,
    WEIGHTS_FILE, best, folder,
};
use crate::error::TrainError;
use crate::optimizer::{Moments, Optimizer};
use crate::storage::{read_json, remove_leftovers};

/// A checkpoint that does not verify is renamed to this and its step, so that it neither counts
/// nor is lost.
const DAMAGED: &str = "damaged-";
/// The same for one that a run went back behind.
pub(crate) const LEFT: &str = "left-";

/// The `step-N` folders, oldest first.
pub(super) fn steps(all: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(all)? {
        let entry = entry?;
        let name = entry.file_name();
        let step = name.to_str().and_then(|name| name.strip_prefix("step-"));
        if let Some(step) = step.and_then(|step| step.parse().ok()) {
            found.push((step, entry.path()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The newest checkpoint that verifies, or else the best. Newer ones that do not verify are set
/// aside; `warn` hears of each, and of it when none is left. For the holder of the run's lock only.
pub fn newest(run: &Path, warn: &mut dyn FnMut(String)) -> Result<Option<PathBuf>, TrainError> {
    let all = folder(run);
    if !all.is_dir() {
        return Ok(None);
    }
    let failed = |error| TrainError::storage(&all, 0, error);
    restore_old(&all).and_then(|()| remove_leftovers(&all)).map_err(failed)?;
    let steps = steps(&all).map_err(failed)?.into_iter().rev().map(|(_, path)| path);
    let mut damaged = false;
    for path in steps.chain(best(run)) {
        let Err(error) = verify(&path) else {
            return Ok(Some(path));
        };
        damaged = true;
        let aside = set_aside(&path, DAMAGED).map_err(failed)?;
        warn(format!("{error}; set aside as {}, trying the one before", aside.display()));
    }
    if damaged {
        warn(format!("{}: no intact checkpoint is left; begins at step 0", all.display()));
    }
    Ok(None)
}

/// Whether this is the name of a checkpoint that did not verify.
pub(super) fn is_damaged(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(DAMAGED)
}

/// Takes the checkpoints after `step` out of the way of a run that is there; `warn` hears of each.
/// For the holder of the run's lock only.
pub fn set_aside_after(
    run: &Path,
    step: u64,
    warn: &mut dyn FnMut(String),
) -> Result<(), TrainError> {
    set_aside_steps(run, &|at, _| at > step, warn)
}

/// The same of those that are `off`, told by step and folder.
pub(super) fn set_aside_steps(
    run: &Path,
    off: &dyn Fn(u64, &Path) -> bool,
    warn: &mut dyn FnMut(String),
) -> Result<(), TrainError> {
    let all = folder(run);
    if !all.is_dir() {
        return Ok(());
    }
    let failed = |error| TrainError::storage(&all, 0, error);
    restore_old(&all).and_then(|()| remove_leftovers(&all)).map_err(failed)?;
    for (_, path) in steps(&all).map_err(failed)?.into_iter().filter(|(at, path)| off(*at, path)) {
        leave(&path, warn).map_err(failed)?;
    }
    Ok(())
}

/// Sets aside what is sound, but not of this run's course.
pub(super) fn leave(path: &Path, warn: &mut dyn FnMut(String)) -> std::io::Result<()> {
    let aside = set_aside(path, LEFT)?;
    warn(format!("{}: set aside as {}", path.display(), aside.display()));
    Ok(())
}

/// Renames a checkpoint so that it neither counts nor is lost.
pub(crate) fn set_aside(path: &Path, why: &str) -> std::io::Result<PathBuf> {
    let name = path.file_name().expect("a checkpoint's path").to_string_lossy();
    let mut names = (1..).map(|time| match time {
        1 => format!("{why}{name}"),
        _ => format!("{why}{name}-{time}"),
    });
    let free = names.find(|name| !path.with_file_name(name).exists()).expect("names do not end");
    let aside = path.with_file_name(free);
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// A process may have died in [`replace`](super::replace), between the two renames: then the old
/// one is whole.
pub(super) fn restore_old(all: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(all)? {
        let old = entry?.path();
        let name = old.file_name().and_then(|name| name.to_str()?.strip_prefix(OLD));
        let Some(path) = name.map(|name| all.join(name)) else { continue };
        if old.join(MANIFEST_FILE).is_file() && !path.exists() {
            fs::rename(old, path)?;
        }
    }
    Ok(())
}

/// The newest checkpoint of a run that somebody else may be writing: it must verify, nothing is
/// set aside.
pub fn newest_intact(run: &Path) -> Result<PathBuf, TrainError> {
    let all = folder(run);
    let found = steps(&all).unwrap_or_default();
    let Some((_, path)) = found.into_iter().next_back() else {
        return Err(checkpoint_error(&all, "no checkpoint here".into()));
    };
    verify(&path)?;
    Ok(path)
}

/// Checks size and hash of every file. Returns nothing but the trust in them.
pub fn verify(path: &Path) -> Result<(), TrainError> {
    let damaged = |reason: String| checkpoint_error(path, reason);
    let manifest = path.join(MANIFEST_FILE);
    if !manifest.exists() {
        let hint = "a run's are the folders step-N under its checkpoints/";
        return Err(damaged(format!("no checkpoint here, it has no {MANIFEST_FILE}; {hint}")));
    }
    let manifest: Manifest = read_json(&manifest).map_err(|error| damaged(error.to_string()))?;
    for name in [WEIGHTS_FILE, OPTIMIZER_FILE, STATE_FILE] {
        if !manifest.files.contains_key(name) {
            return Err(damaged(format!("{name} is missing from {MANIFEST_FILE}")));
        }
    }
    for (name, want) in &manifest.files {
        let got = FileEntry::of(&path.join(name))
            .map_err(|error| damaged(format!("{name} cannot be read ({error})")))?;
        if got.bytes != want.bytes {
            return Err(damaged(format!("{name} has {} bytes, want {}", got.bytes, want.bytes)));
        }
        if got.blake3 != want.blake3 {
            let (got, want) = (&got.blake3[..16], &want.blake3[..16.min(want.blake3.len())]);
            return Err(damaged(format!("{name} hashes to {got}…, want {want}…")));
        }
    }
    Ok(())
}

/// The state of a checkpoint that was verified.
pub fn read_state(path: &Path) -> Result<State, TrainError> {
    read_json(&path.join(STATE_FILE))
}

/// The moments of a checkpoint that was verified, for `numbers` trained numbers.
pub fn read_moments(
    path: &Path,
    optimizer: &Optimizer,
    numbers: i64,
    device: Device,
) -> Result<Moments, TrainError> {
    let file = path.join(OPTIMIZER_FILE);
    let damaged = |reason: String| checkpoint_error(&file, reason);
    let bytes = fs::read(&file).map_err(|error| damaged(error.to_string()))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    let read = |name: &str, want: Dtype, shape: &[usize]| {
        let view = tensors.tensor(name).map_err(|error| damaged(error.to_string()))?;
        if view.dtype() != want || view.shape() != shape {
            let (dtype, got) = (view.dtype(), view.shape());
            let reason = format!("{name} is {dtype:?} {got:?}, want {want:?} {shape:?}");
            return Err(damaged(reason));
        }
        Ok(view)
    };
    let moment = |name: &&'static str| {
        let view = read(name, Dtype::F32, &[numbers as usize])?;
        let bytes = view.data().chunks_exact(4);
        let values: Vec<f32> =
            bytes.map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes"))).collect();
        Ok((*name, Tensor::from_slice(&values).to_device(device)))
    };
    let flat: Result<Vec<_>, TrainError> = optimizer.moment_names().iter().map(moment).collect();
    let steps = read(STEPS, Dtype::U64, &[])?.data().try_into().expect("eight bytes");
    Ok(Moments::restore(flat?, u64::from_le_bytes(steps)))
}

fn checkpoint_error(path: &Path, reason: String) -> TrainError {
    TrainError::Checkpoint { path: path.to_path_buf(), reason }
}
