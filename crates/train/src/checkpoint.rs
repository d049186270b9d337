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
//! which goes on from `step-N` has it; where the file system has hard links, the two are one set of
//! files with two names, which nothing ever writes into.
//!
//! Tensors go to the disk in pieces and are hashed on the way (`files.rs`): a save needs the memory
//! of one tensor at most.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use catscan_models::Weights;
use catscan_models::weights::stream;
use catscan_torch_ext::{cpu, determinism};
use serde::{Deserialize, Serialize};

use crate::ema::Average;
use crate::environment::{WORLD_SIZE, computing_on, libtorch_version, processor};
use crate::error::TrainError;
use crate::metrics::Tally;
use crate::optimizer::Moments;
use crate::recipe::Recipe;
use crate::record::EpochRecord;
use crate::setup::Setup;

mod course;
mod files;
mod find;
mod write;

pub use course::{best_epoch, restore_best, set_aside_off};
pub(crate) use course::{steps_to, was_damaged};
use files::FileEntry;
pub(crate) use find::{LEFT, set_aside};
pub use find::{newest, newest_intact, read_moments, read_state, set_aside_after, verify};
pub use write::{save, save_best};

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
    /// [`Dataset::packing`](catscan_data::Dataset::packing) of its pictures, where the recipe has a
    /// window; absent in the first checkpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packing: Option<String>,
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
    /// What the numbers beside it mean; absent in the first checkpoints, whose run's folder tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Box<Recipe>>,
    /// Name, units and limits of the processor that computed: the last bits depend on them. Empty
    /// in the first checkpoints, and where a CUDA device computes.
    #[serde(default)]
    pub processor: String,
    /// Its version, for the same reason; empty in the first checkpoints.
    #[serde(default)]
    pub libtorch: String,
}

impl State {
    /// Before the first step, with what this process computes by, on what and with.
    pub(crate) fn begin(setup: &Setup) -> State {
        let Setup { recipe, dataset, device, .. } = setup;
        State {
            step: 0,
            epochs: Vec::new(),
            tally: Tally::default(),
            recipe_hash: recipe.hash(),
            data_digest: dataset.digest.clone(),
            packing: dataset.packing(),
            threads: cpu::threads() as u32,
            device: computing_on(*device),
            world_size: WORLD_SIZE,
            deterministic: determinism::is_required(),
            steps_per_epoch: setup.steps_per_epoch(),
            recipe: Some(Box::new((*recipe).clone())),
            processor: processor(*device),
            libtorch: libtorch_version(),
        }
    }
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

/// Whether a folder is a checkpoint, damaged or not.
pub(crate) fn is_one(path: &Path) -> bool {
    path.join(MANIFEST_FILE).is_file()
}

/// The weights of the checkpoint in `path`, whose hashes are checked.
///
/// # Errors
/// A damaged checkpoint.
pub fn weights_path(path: &Path) -> Result<PathBuf, TrainError> {
    verify(path).map(|()| path.join(WEIGHTS_FILE))
}

/// Bytes one checkpoint needs, without the few of its JSON files.
pub fn size(weights: &Weights, moments: &Moments, average: Option<&Average>) -> u64 {
    4 * (weights.count_all() as u64 + moments.numbers() + average.map_or(0, Average::numbers))
}

/// Main memory that a save needs: the largest tensor, where it has to be brought into order, and a
/// piece of it.
pub(crate) fn saving_bytes(weights: &Weights) -> u64 {
    let largest = weights.iter().map(|weight| weight.tensor.numel()).max().unwrap_or(0);
    (size_of::<f32>() * largest + stream::PIECE_BYTES) as u64
}

/// Bytes that all checkpoints of a run need: those kept, the best, and one being written.
pub fn room(one: u64, keep: usize) -> u64 {
    one * (keep as u64 + 2)
}
