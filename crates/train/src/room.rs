//! Whether the disk has room for what runs will write, told while room can still be made.

use std::fs::{self, Metadata};
use std::path::Path;

use tch::Device;

use crate::checkpoint;
use crate::error::TrainError;
use crate::event::{Event, Watch};
use crate::init::Init;
use crate::learner::Learner;
use crate::recipe::Recipe;
use crate::train::{Job, OnSaveError, Saving};

/// Room for the JSON files and the event file, besides the checkpoints.
const SMALL_FILES_BYTES: u64 = 1 << 20;

/// Refuses a disk with too little room for a run whose checkpoints are of `one` bytes each, or
/// warns of it, as the job says.
pub(crate) fn check_room(
    job: &Job,
    one: u64,
    step: u64,
    watch: &mut dyn Watch,
) -> Result<(), TrainError> {
    let needed = needed(job.folder, job.saving, one, step, job.resume.is_some());
    let Err(error) = fits(job.folder, needed) else { return Ok(()) };
    match job.saving.on_error {
        OnSaveError::Stop => Err(error),
        OnSaveError::Warn => {
            watch.on_event(&Event::Warning { text: error.to_string() });
            Ok(())
        }
    }
}

/// Refuses a disk with too little room for all these runs, each of its recipe and in its folder,
/// which begin, or go on, and stay. Asks for what each would ask for; those that lie on another
/// disk than `place`, or whose network cannot be built, are left to themselves.
///
/// # Errors
/// Too little room; exit code 7.
pub fn check_room_for_all(
    place: &Path,
    runs: &[(&Recipe, &Path)],
    saving: Saving,
) -> Result<(), TrainError> {
    let mut sizes: Vec<(Recipe, u64)> = Vec::new();
    let mut all = 0;
    for (recipe, folder) in runs.iter().filter(|(_, folder)| disk(folder) == disk(place)) {
        let of_any_seed = Recipe { seed: 0, ..(*recipe).clone() };
        let known = sizes.iter().find(|(recipe, _)| *recipe == of_any_seed).map(|(_, one)| *one);
        let one = match known {
            Some(one) => one,
            None => {
                let one = checkpoint_bytes(&of_any_seed).unwrap_or(0);
                sizes.push((of_any_seed, one));
                one
            }
        };
        if one > 0 {
            all += needed(folder, saving, one, u64::MAX, false);
        }
    }
    fits(place, all)
}

/// Of one checkpoint of such a run. Neither a file to begin with nor weights of classes are asked
/// for: no number of bytes depends on them.
fn checkpoint_bytes(recipe: &Recipe) -> Result<u64, TrainError> {
    let recipe = Recipe { init: Init::Random, class_weights: None, ..recipe.clone() };
    let (learner, _) = Learner::build(&recipe, &[], Device::Cpu)?;
    Ok(learner.checkpoint_bytes())
}

/// Bytes that a run has yet to find room for. What its folder holds already, and the run at `step`
/// will replace, needs no room again: a run can go on where it could begin.
fn needed(folder: &Path, saving: Saving, one: u64, step: u64, goes_back: bool) -> u64 {
    let needed = checkpoint::room(one, saving.keep) + SMALL_FILES_BYTES;
    needed.saturating_sub(replaced(folder, saving, one, step, goes_back))
}

fn fits(folder: &Path, needed: u64) -> Result<(), TrainError> {
    let free = fs4::available_space(folder).unwrap_or(u64::MAX);
    if free >= needed {
        return Ok(());
    }
    let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
    Err(TrainError::Storage { path: folder.to_path_buf(), needed, free, source })
}

/// Bytes of the run's folder that its new files will take the place of: the best and as many
/// checkpoints up to `step` as are kept, and the small files. What is set aside stays.
fn replaced(folder: &Path, saving: Saving, one: u64, step: u64, goes_back: bool) -> u64 {
    let mut seen = Vec::new();
    let steps = checkpoint::steps_to(folder, step);
    let steps: u64 = steps.iter().map(|path| on_disk(path, &mut seen)).sum();
    // A run that goes back may leave the best beside it.
    let best = checkpoint::best(folder).filter(|_| !goes_back);
    let best = best.map_or(0, |path| on_disk(&path, &mut seen));
    let kept = (steps.min(one * saving.keep as u64), best.min(one));
    // A checkpoint's own small files are beyond the bytes of its tensors.
    let small = on_disk(folder, &mut seen) + (steps - kept.0) + (best - kept.1);
    kept.0 + kept.1 + small.min(SMALL_FILES_BYTES)
}

/// Bytes that the files right in `folder` take, those in `seen` not again: a file may have two
/// names.
fn on_disk(folder: &Path, seen: &mut Vec<(u64, u64)>) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| entry.metadata().ok()).filter(Metadata::is_file);
    files.map(|file| taken(&file, seen)).sum()
}

/// What tells the disk of a folder, or of the nearest one above it, from others; none where the
/// system does not tell, so that all are one.
#[cfg(unix)]
fn disk(folder: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    folder.ancestors().find_map(|folder| fs::metadata(folder).ok()).map(|there| there.dev())
}

#[cfg(not(unix))]
fn disk(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(unix)]
fn taken(file: &Metadata, seen: &mut Vec<(u64, u64)>) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let name = (file.dev(), file.ino());
    if seen.contains(&name) {
        return 0;
    }
    seen.push(name);
    file.blocks() * 512
}

#[cfg(not(unix))]
fn taken(file: &Metadata, _seen: &mut Vec<(u64, u64)>) -> u64 {
    file.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ema::Ema;
    use crate::testing::recipe;

    #[test]
    fn too_little_room_is_told_in_both_numbers() {
        let folder = tempfile::tempdir().unwrap();
        fits(folder.path(), 0).unwrap();
        let error = fits(folder.path(), u64::MAX).unwrap_err();
        assert_eq!(error.exit_code(), 7);
        let text = error.to_string();
        let there = format!("{}: ", folder.path().display());
        assert!(text.starts_with(&there), "{text}");
        assert!(text.contains(&format!("{} bytes needed, ", u64::MAX)), "{text}");
    }

    #[test]
    fn a_checkpoint_is_as_large_as_the_run_itself_would_find_it() {
        let plain = recipe();
        let averaged = Recipe { ema: Some(Ema { decay: 0.99, warmup_power: None }), ..recipe() };
        let first = checkpoint_bytes(&plain).unwrap();
        assert!(checkpoint_bytes(&averaged).unwrap() > first);
        let (learner, _) = Learner::build(&plain, &[1, 1], Device::Cpu).unwrap();
        assert_eq!(first, learner.checkpoint_bytes());
        let folder = tempfile::tempdir().unwrap();
        let all = needed(folder.path(), Saving::USUAL, first, u64::MAX, false);
        assert_eq!(all, 4 * first + SMALL_FILES_BYTES);
    }

    #[test]
    #[cfg(unix)]
    fn a_file_with_two_names_takes_its_room_once() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["a", "b"].map(|name| folder.path().join(name));
        fs::write(&first, vec![1; 100_000]).unwrap();
        let alone = on_disk(folder.path(), &mut Vec::new());
        assert!(alone >= 100_000, "{alone}");
        fs::hard_link(&first, second).unwrap();
        assert_eq!(on_disk(folder.path(), &mut Vec::new()), alone);
    }
}
