//! Whether the disk has room for what a run will write, told while room can still be made.

use std::fs::{self, Metadata};
use std::path::Path;

use crate::checkpoint;
use crate::error::TrainError;
use crate::event::{Event, Watch};
use crate::train::{Job, OnSaveError};

/// Room for the JSON files and the event file, besides the checkpoints.
const SMALL_FILES_BYTES: u64 = 1 << 20;

/// Refuses a disk with too little room for a run whose checkpoints are of `one` bytes each, or
/// warns of it, as the job says. What the folder holds already, and the run at `step` will
/// replace, needs no room again: a run can go on where it could begin.
pub(crate) fn check_room(
    job: &Job,
    one: u64,
    step: u64,
    watch: &mut dyn Watch,
) -> Result<(), TrainError> {
    let needed = checkpoint::room(one, job.saving.keep) + SMALL_FILES_BYTES;
    let needed = needed.saturating_sub(replaced(job, one, step));
    let free = fs4::available_space(job.folder).unwrap_or(u64::MAX);
    let Err(error) = fits(job.folder, needed, free) else { return Ok(()) };
    match job.saving.on_error {
        OnSaveError::Stop => Err(error),
        OnSaveError::Warn => {
            watch.on_event(&Event::Warning { text: error.to_string() });
            Ok(())
        }
    }
}

fn fits(folder: &Path, needed: u64, free: u64) -> Result<(), TrainError> {
    if free >= needed {
        return Ok(());
    }
    let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
    Err(TrainError::Storage { path: folder.to_path_buf(), needed, free, source })
}

/// Bytes of the run's folder that its new files will take the place of: the best and as many
/// checkpoints up to `step` as are kept, and the small files. What is set aside stays.
fn replaced(job: &Job, one: u64, step: u64) -> u64 {
    let mut seen = Vec::new();
    let steps = checkpoint::steps_to(job.folder, step);
    let steps: u64 = steps.iter().map(|path| on_disk(path, &mut seen)).sum();
    // A run that goes back may leave the best beside it.
    let best = checkpoint::best(job.folder).filter(|_| job.resume.is_none());
    let best = best.map_or(0, |path| on_disk(&path, &mut seen));
    let kept = (steps.min(one * job.saving.keep as u64), best.min(one));
    // A checkpoint's own small files are beyond the bytes of its tensors.
    let small = on_disk(job.folder, &mut seen) + (steps - kept.0) + (best - kept.1);
    kept.0 + kept.1 + small.min(SMALL_FILES_BYTES)
}

/// Bytes that the files right in `folder` take, those in `seen` not again: a file may have two
/// names.
fn on_disk(folder: &Path, seen: &mut Vec<(u64, u64)>) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| entry.metadata().ok()).filter(Metadata::is_file);
    files.map(|file| taken(&file, seen)).sum()
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

    #[test]
    fn too_little_room_is_told_in_both_numbers() {
        let folder = Path::new("runs/one");
        fits(folder, 100, 100).unwrap();
        let error = fits(folder, 100, 99).unwrap_err();
        assert_eq!(error.exit_code(), 7);
        let text = error.to_string();
        assert!(text.contains("runs/one: ") && text.contains("100 bytes needed, 99"), "{text}");
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
