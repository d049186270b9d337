//! Checkpoints: complete or absent.
//!
//! `checkpoints/step-N/` holds `weights.safetensors`, `optimizer.safetensors`, `state.json` and,
//! written last, `manifest.json` with the size and blake3 hash of each. All four are written and
//! synced in a temporary folder beside their place, which is then renamed. So whatever the moment
//! a process dies, every `step-N` that exists was complete; what the disk does to it later, the
//! hashes find.
//!
//! Where weights are averaged ([`crate::ema`]), `weights.safetensors` holds the averages, which is
//! what every reader of a run wants, and `trained.safetensors` the weights that training goes on
//! with.
//!
//! The newest few are kept, and beside them `checkpoints/best/`: the same four files, of the epoch
//! with the lowest validation loss. It is written before the `step-N` of its epoch, so that a run
//! which goes on from `step-N` has it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use catscan_models::{ModelError, Weights};
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::ema::Average;
use crate::error::TrainError;
use crate::metrics::Tally;
use crate::optimizer::Moments;
use crate::record::EpochRecord;
use crate::storage::{TEMPORARY, sync_folder, write_synced};

mod find;

pub use find::{newest, newest_intact, read_moments, read_state, set_aside_after, verify};

pub(crate) const WEIGHTS_FILE: &str = "weights.safetensors";
/// Beside averaged weights alone.
pub(crate) const TRAINED_FILE: &str = "trained.safetensors";
const OPTIMIZER_FILE: &str = "optimizer.safetensors";
const STATE_FILE: &str = "state.json";
const MANIFEST_FILE: &str = "manifest.json";
/// A checkpoint that is being replaced is this and its name, between two renames.
const OLD: &str = ".tmp-old-";
/// The number of steps, beside the moments.
const STEPS: &str = "steps";
/// What the best checkpoint's folder is called.
const BEST: &str = "best";

/// Where a run stands, besides its weights and moments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Steps taken.
    pub step: u64,
    /// Closed epochs. `metrics.jsonl` is written anew from these when a run goes on.
    pub epochs: Vec<EpochRecord>,
    /// The open epoch.
    pub tally: Tally,
    /// [`crate::Recipe::hash`] of the run.
    pub recipe_hash: String,
    /// [`Dataset::digest`](catscan_data::Dataset::digest) of its pictures.
    pub data_digest: String,
    /// Threads within an operator: the last bits depend on them.
    pub threads: u32,
    /// `cpu` or `cuda:N`; with `threads`, what must be the same to go on bit for bit.
    pub device: String,
    /// Processes that train together.
    #[serde(default = "one")]
    pub world_size: u32,
    /// Whether only deterministic operations were allowed.
    #[serde(default)]
    pub deterministic: bool,
    /// Of the recipe and the data then: where in its epoch `step` is. 0 in the first checkpoints,
    /// which had none of these three.
    #[serde(default)]
    pub steps_per_epoch: u64,
}

fn one() -> u32 {
    1
}

/// What a checkpoint is made of.
#[derive(Clone, Copy)]
pub struct Contents<'a> {
    /// Where the run stands.
    pub state: &'a State,
    /// All tensors of the model.
    pub weights: &'a Weights,
    /// The optimiser's.
    pub moments: &'a Moments,
    /// Of the weights, where the recipe asks for it.
    pub average: Option<&'a Average>,
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
    /// Its folder, `checkpoints/step-N`.
    pub path: PathBuf,
    /// Steps taken when it was saved.
    pub step: u64,
    /// Of weights, moments and state; the manifest is not counted.
    pub bytes: u64,
}

/// The folder of all checkpoints of a run.
pub fn folder(run: &Path) -> PathBuf {
    run.join("checkpoints")
}

/// The checkpoint of the epoch with the lowest validation loss, if there is one.
pub fn best(run: &Path) -> Option<PathBuf> {
    Some(folder(run).join(BEST)).filter(|path| path.is_dir())
}

/// Bytes one checkpoint needs, without the few of its JSON files.
pub fn size(weights: &Weights, moments: &Moments, average: Option<&Average>) -> u64 {
    4 * (weights.count_all() as u64 + moments.numbers() + average.map_or(0, Average::numbers))
}

/// Bytes that all checkpoints of a run need: those kept, the best, and one being written.
pub fn room(one: u64, keep: usize) -> u64 {
    one * (keep as u64 + 2)
}

/// Saves one checkpoint as `step-N` and prunes to the newest `keep`, at least one. On failure
/// nothing is left of the new one and the old ones are untouched.
///
/// Checkpoints of higher steps are older: after an inexact resume an epoch may have fewer steps.
/// They are set aside, and `warn` hears of each.
pub fn save(
    run: &Path,
    contents: Contents,
    keep: usize,
    warn: &mut dyn FnMut(String),
) -> Result<Saved, TrainError> {
    let saved = contents.save_as(run, &format!("step-{}", contents.state.step))?;
    set_aside_after(run, saved.step, warn)?;
    prune(&folder(run), keep).map_err(|error| TrainError::storage(&saved.path, 0, error))?;
    Ok(saved)
}

/// Saves one as the best, in the place of the last best.
pub fn save_best(run: &Path, contents: Contents) -> Result<Saved, TrainError> {
    contents.save_as(run, BEST)
}

impl Contents<'_> {
    fn save_as(self, run: &Path, name: &str) -> Result<Saved, TrainError> {
        let all = folder(run);
        let (path, temporary) = (all.join(name), all.join(format!("{TEMPORARY}{name}")));
        let failed = |error| TrainError::storage(&path, self.size(), error);
        let written = fs::create_dir_all(&temporary)
            .map_err(failed)
            .and_then(|()| self.write_files(&temporary, &path))
            .and_then(|bytes| replace(&temporary, &path).map_err(failed).map(|()| bytes));
        match written {
            Ok(bytes) => Ok(Saved { path, step: self.state.step, bytes }),
            Err(error) => {
                let _ = fs::remove_dir_all(&temporary);
                Err(error)
            }
        }
    }

    fn size(self) -> u64 {
        size(self.weights, self.moments, self.average)
    }

    fn write_files(self, temporary: &Path, path: &Path) -> Result<u64, TrainError> {
        let failed = |error| TrainError::storage(path, self.size(), error);
        let save = |name: &str| {
            self.weights.save(&temporary.join(name)).map_err(|error| match error {
                ModelError::Save { source, .. } => failed(source),
                other => other.into(),
            })
        };
        let mut names = vec![WEIGHTS_FILE, OPTIMIZER_FILE, STATE_FILE];
        if let Some(average) = self.average {
            average.standing_in(self.weights, || save(WEIGHTS_FILE))?;
            save(TRAINED_FILE)?;
            names.push(TRAINED_FILE);
        } else {
            save(WEIGHTS_FILE)?;
        }
        let state_text = serde_json::to_vec_pretty(self.state).expect("a state is plain data");
        write_synced(&temporary.join(OPTIMIZER_FILE), &encode(self.moments)).map_err(failed)?;
        write_synced(&temporary.join(STATE_FILE), &state_text).map_err(failed)?;
        let mut manifest = Manifest { step: self.state.step, files: BTreeMap::new() };
        for name in names {
            let entry = FileEntry::of(&temporary.join(name)).map_err(failed)?;
            manifest.files.insert(name.to_string(), entry);
        }
        let bytes = manifest.files.values().map(|entry| entry.bytes).sum();
        let text = serde_json::to_vec_pretty(&manifest).expect("a manifest is plain data");
        write_synced(&temporary.join(MANIFEST_FILE), &text).map_err(failed)?;
        sync_folder(temporary).map_err(failed)?;
        Ok(bytes)
    }
}

/// Puts `temporary` in the place of `path`, where one may be: the last best, or a checkpoint of the
/// same step, from a run that was stopped before its first new step.
fn replace(temporary: &Path, path: &Path) -> std::io::Result<()> {
    let parent = path.parent().expect("a checkpoint lies in a folder");
    if path.exists() {
        let name = path.file_name().expect("a folder's path").to_string_lossy();
        let old = parent.join(format!("{OLD}{name}"));
        fs::rename(path, &old)?;
        fs::rename(temporary, path)?;
        sync_folder(parent)?;
        return fs::remove_dir_all(old);
    }
    fs::rename(temporary, path)?;
    sync_folder(parent)
}

fn prune(all: &Path, keep: usize) -> std::io::Result<()> {
    for (_, path) in find::steps(all)?.into_iter().rev().skip(keep.max(1)) {
        // Renamed first: a folder half removed must not look like a checkpoint.
        let doomed = all.join(format!("{TEMPORARY}pruned"));
        fs::rename(&path, &doomed)?;
        fs::remove_dir_all(doomed)?;
    }
    Ok(())
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

fn encode(moments: &Moments) -> Vec<u8> {
    let raw = |(name, flat): (&'static str, &Tensor)| {
        let flat = flat.to_device(Device::Cpu).to_kind(Kind::Float);
        let values = Vec::<f32>::try_from(&flat).expect("a flat f32 tensor");
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        (name, Dtype::F32, vec![values.len()], bytes)
    };
    let mut tensors: Vec<_> = moments.iter().map(raw).collect();
    tensors.push((STEPS, Dtype::U64, Vec::new(), moments.steps().to_le_bytes().to_vec()));
    let views = tensors.iter().map(|(name, kind, shape, bytes)| {
        (*name, TensorView::new(*kind, shape.clone(), bytes).expect("as long as its shape says"))
    });
    serialize(views, None).expect("tensors of distinct names serialise")
}
