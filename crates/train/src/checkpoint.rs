//! Checkpoints: complete or absent.
//!
//! `checkpoints/step-N/` holds `weights.safetensors`, `optimizer.safetensors`, `state.json` and,
//! written last, `manifest.json` with the size and blake3 hash of each. All four are written and
//! synced in a temporary folder beside their place, which is then renamed. So whatever the moment
//! a process dies, every `step-N` that exists was complete; what the disk does to it later, the
//! hashes find.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use catscan_models::{ModelError, Weights};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::error::TrainError;
use crate::metrics::Tally;
use crate::record::EpochRecord;
use crate::sgd::Velocity;
use crate::storage::{TEMPORARY, read_json, remove_leftovers, sync_folder, write_synced};

pub const WEIGHTS_FILE: &str = "weights.safetensors";
const OPTIMIZER_FILE: &str = "optimizer.safetensors";
const STATE_FILE: &str = "state.json";
const MANIFEST_FILE: &str = "manifest.json";
const VELOCITY: &str = "velocity";
/// A checkpoint that does not verify is renamed to this and its step, so that it neither counts
/// nor is lost.
const DAMAGED: &str = "damaged-";
/// How many of the newest are kept: the second is there for when the first is damaged.
pub const KEEP: usize = 2;

/// Where a run stands, besides its weights and velocity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Steps taken.
    pub step: u64,
    /// Closed epochs. `metrics.jsonl` is written anew from these when a run goes on.
    pub epochs: Vec<EpochRecord>,
    /// The open epoch.
    pub tally: Tally,
    pub recipe_hash: String,
    pub data_digest: String,
    /// What the bits of the next step depend on, besides recipe and data.
    pub threads: u32,
    pub device: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    step: u64,
    files: BTreeMap<String, FileEntry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    bytes: u64,
    blake3: String,
}

/// A complete checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    pub path: PathBuf,
    pub step: u64,
    pub bytes: u64,
}

/// The folder of all checkpoints of a run.
pub fn folder(run: &Path) -> PathBuf {
    run.join("checkpoints")
}

/// Bytes one checkpoint of `weights` needs, without the few of its JSON files.
pub fn size(weights: &Weights) -> u64 {
    4 * (weights.count_all() + weights.count_parameters()) as u64
}

/// Saves one checkpoint and prunes to the newest [`KEEP`]. On failure nothing is left of the new
/// one and the old ones are untouched.
pub fn save(
    run: &Path,
    state: &State,
    weights: &Weights,
    velocity: &Velocity,
) -> Result<Saved, TrainError> {
    let all = folder(run);
    let path = all.join(format!("step-{}", state.step));
    let temporary = all.join(format!("{TEMPORARY}step-{}", state.step));
    let failed = |error| TrainError::storage(&path, size(weights), error);
    let written = fs::create_dir_all(&temporary)
        .map_err(failed)
        .and_then(|()| write_files(&temporary, &path, state, weights, velocity))
        .and_then(|bytes| replace(&temporary, &path).map_err(failed).map(|()| bytes));
    match written {
        Ok(bytes) => {
            prune(&all).map_err(failed)?;
            Ok(Saved {
                path,
                step: state.step,
                bytes,
            })
        }
        Err(error) => {
            let _ = fs::remove_dir_all(&temporary);
            Err(error)
        }
    }
}

fn write_files(
    temporary: &Path,
    path: &Path,
    state: &State,
    weights: &Weights,
    velocity: &Velocity,
) -> Result<u64, TrainError> {
    let failed = |error| TrainError::storage(path, size(weights), error);
    weights
        .save(&temporary.join(WEIGHTS_FILE))
        .map_err(|error| match error {
            ModelError::Save { source, .. } => failed(source),
            other => other.into(),
        })?;
    let state_text = serde_json::to_vec_pretty(state).expect("a state is plain data");
    write_synced(&temporary.join(OPTIMIZER_FILE), &encode(velocity)).map_err(failed)?;
    write_synced(&temporary.join(STATE_FILE), &state_text).map_err(failed)?;
    let mut manifest = Manifest {
        step: state.step,
        files: BTreeMap::new(),
    };
    for name in [WEIGHTS_FILE, OPTIMIZER_FILE, STATE_FILE] {
        let entry = FileEntry::of(&temporary.join(name)).map_err(failed)?;
        manifest.files.insert(name.to_string(), entry);
    }
    let bytes = manifest.files.values().map(|entry| entry.bytes).sum();
    let text = serde_json::to_vec_pretty(&manifest).expect("a manifest is plain data");
    write_synced(&temporary.join(MANIFEST_FILE), &text).map_err(failed)?;
    sync_folder(temporary).map_err(failed)?;
    Ok(bytes)
}

/// Puts `temporary` in the place of `path`. A checkpoint of the same step may be there: from a run
/// that was stopped before its first new step.
fn replace(temporary: &Path, path: &Path) -> std::io::Result<()> {
    let parent = path.parent().expect("a checkpoint lies in a folder");
    if path.exists() {
        let old = parent.join(format!("{TEMPORARY}old"));
        fs::rename(path, &old)?;
        fs::rename(temporary, path)?;
        sync_folder(parent)?;
        return fs::remove_dir_all(old);
    }
    fs::rename(temporary, path)?;
    sync_folder(parent)
}

fn prune(all: &Path) -> std::io::Result<()> {
    for (_, path) in steps(all)?.into_iter().rev().skip(KEEP) {
        // Renamed first: a folder half removed must not look like a checkpoint.
        let doomed = all.join(format!("{TEMPORARY}pruned"));
        fs::rename(&path, &doomed)?;
        fs::remove_dir_all(doomed)?;
    }
    Ok(())
}

/// The `step-N` folders, oldest first.
fn steps(all: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(all)? {
        let entry = entry?;
        let name = entry.file_name();
        if let Some(step) = name.to_str().and_then(|name| name.strip_prefix("step-")) {
            if let Ok(step) = step.parse() {
                found.push((step, entry.path()));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The newest checkpoint that verifies. Newer ones that do not are set aside and `warn` hears of
/// each. For the holder of the run's lock only.
pub fn newest(run: &Path, warn: &mut dyn FnMut(String)) -> Result<Option<PathBuf>, TrainError> {
    let all = folder(run);
    if !all.is_dir() {
        return Ok(None);
    }
    let failed = |error| TrainError::storage(&all, 0, error);
    restore_old(&all)
        .and_then(|()| remove_leftovers(&all))
        .map_err(failed)?;
    for (step, path) in steps(&all).map_err(failed)?.into_iter().rev() {
        let Err(error) = verify(&path) else {
            return Ok(Some(path));
        };
        let aside = all.join(format!("{DAMAGED}step-{step}"));
        let _ = fs::remove_dir_all(&aside);
        fs::rename(&path, &aside).map_err(failed)?;
        warn(format!(
            "{error}; set aside as {}, trying the one before",
            aside.display()
        ));
    }
    Ok(None)
}

/// A process may have died in [`replace`], between the two renames: then the old one is whole.
fn restore_old(all: &Path) -> std::io::Result<()> {
    let old = all.join(format!("{TEMPORARY}old"));
    let Ok(text) = fs::read_to_string(old.join(MANIFEST_FILE)) else {
        return Ok(());
    };
    let Ok(manifest) = serde_json::from_str::<Manifest>(&text) else {
        return Ok(());
    };
    let path = all.join(format!("step-{}", manifest.step));
    if path.exists() {
        Ok(())
    } else {
        fs::rename(old, path)
    }
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
    let manifest: Manifest =
        read_json(&path.join(MANIFEST_FILE)).map_err(|error| damaged(error.to_string()))?;
    for name in [WEIGHTS_FILE, OPTIMIZER_FILE, STATE_FILE] {
        let Some(want) = manifest.files.get(name) else {
            return Err(damaged(format!("{name} is missing from {MANIFEST_FILE}")));
        };
        let got = FileEntry::of(&path.join(name))
            .map_err(|error| damaged(format!("{name} cannot be read ({error})")))?;
        if got.bytes != want.bytes {
            return Err(damaged(format!(
                "{name} has {} bytes, want {}",
                got.bytes, want.bytes
            )));
        }
        if got.blake3 != want.blake3 {
            let (got, want) = (&got.blake3[..16], &want.blake3[..16.min(want.blake3.len())]);
            return Err(damaged(format!("{name} hashes to {got}…, want {want}…")));
        }
    }
    Ok(())
}

fn checkpoint_error(path: &Path, reason: String) -> TrainError {
    TrainError::Checkpoint {
        path: path.to_path_buf(),
        reason,
    }
}

impl FileEntry {
    fn of(path: &Path) -> std::io::Result<FileEntry> {
        let bytes = fs::read(path)?;
        Ok(FileEntry {
            bytes: bytes.len() as u64,
            blake3: blake3::hash(&bytes).to_hex().to_string(),
        })
    }
}

/// The state of a checkpoint that was verified.
pub fn read_state(path: &Path) -> Result<State, TrainError> {
    read_json(&path.join(STATE_FILE))
}

/// The velocity of a checkpoint that was verified, for `numbers` trainable numbers.
pub fn read_velocity(path: &Path, numbers: i64, device: Device) -> Result<Velocity, TrainError> {
    let file = path.join(OPTIMIZER_FILE);
    let damaged = |reason: String| checkpoint_error(&file, reason);
    let bytes = fs::read(&file).map_err(|error| damaged(error.to_string()))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    let view = tensors
        .tensor(VELOCITY)
        .map_err(|error| damaged(error.to_string()))?;
    if view.dtype() != Dtype::F32 || view.shape() != [numbers as usize] {
        let (dtype, shape) = (view.dtype(), view.shape());
        return Err(damaged(format!(
            "{VELOCITY} is {dtype:?} {shape:?}, want F32 [{numbers}]"
        )));
    }
    let values: Vec<f32> = view
        .data()
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
        .collect();
    Ok(Velocity::from_flat(
        Tensor::from_slice(&values).to_device(device),
    ))
}

fn encode(velocity: &Velocity) -> Vec<u8> {
    let flat = velocity.flat().to_device(Device::Cpu).to_kind(Kind::Float);
    let values = Vec::<f32>::try_from(&flat).expect("a flat f32 tensor");
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let view = TensorView::new(Dtype::F32, vec![values.len()], &bytes).expect("four bytes each");
    serialize([(VELOCITY, view)], None).expect("one tensor")
}
