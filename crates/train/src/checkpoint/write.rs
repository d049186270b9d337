//! Writing a checkpoint: into a temporary folder, synced, renamed; then the oldest goes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use catscan_models::weights::stream::{self, Content};
use tch::{Kind, Tensor, no_grad};

use super::files::{self, FileEntry};
use super::{
    BEST, Contents, MANIFEST_FILE, Manifest, OLD, OPTIMIZER_FILE, STATE_FILE, STEPS, Saved,
    TRAINED_FILE, WEIGHTS_FILE, find, folder, set_aside_after, size,
};
use crate::error::TrainError;
use crate::optimizer::Moments;
use crate::storage::{TEMPORARY, sync_folder, write_synced};

/// Saves one checkpoint as `step-N` and prunes to the newest `keep`, at least one. On failure
/// nothing is left of the new one and the old ones are untouched. Where the same contents were just
/// saved as `twin`, its files get a second name; if that cannot be, they are written once more.
///
/// Checkpoints of higher steps are older: after an inexact resume an epoch may have fewer steps.
/// They are set aside, and `warn` hears of each.
///
/// # Errors
/// Weights that are not finite, and whatever the storage says.
pub fn save(
    run: &Path,
    contents: Contents,
    twin: Option<&Saved>,
    keep: usize,
    warn: &mut dyn FnMut(String),
) -> Result<Saved, TrainError> {
    let saved = contents.save_as(run, &format!("step-{}", contents.state.step), twin)?;
    set_aside_after(run, saved.step, warn)?;
    prune(&folder(run), keep).map_err(|error| TrainError::storage(&saved.path, 0, error))?;
    Ok(saved)
}

/// Saves one as the best, in the place of the last best.
///
/// # Errors
/// As [`save`].
pub fn save_best(run: &Path, contents: Contents) -> Result<Saved, TrainError> {
    contents.save_as(run, BEST, None)
}

impl Contents<'_> {
    fn save_as(self, run: &Path, name: &str, twin: Option<&Saved>) -> Result<Saved, TrainError> {
        self.refuse_bad()?;
        let all = folder(run);
        let (path, temporary) = (all.join(name), all.join(format!("{TEMPORARY}{name}")));
        let failed = |error| TrainError::storage(&path, self.size(), error);
        let linked = twin.and_then(|twin| self.link_files(twin, &temporary).ok());
        let written = linked
            .map_or_else(|| self.write_files(&temporary), Ok)
            .and_then(|bytes| replace(&temporary, &path).map(|()| bytes));
        match written {
            Ok(bytes) => Ok(Saved { path, step: self.state.step, bytes }),
            Err(error) => {
                let _ = fs::remove_dir_all(&temporary);
                Err(failed(error))
            }
        }
    }

    fn size(self) -> u64 {
        size(self.weights, self.moments, self.average)
    }

    /// An update may overflow although its gradient is finite: such weights are nothing to go on
    /// from, and must not become the newest.
    fn refuse_bad(self) -> Result<(), TrainError> {
        let bad = |tensor: &Tensor| no_grad(|| tensor.isfinite().logical_not().sum(Kind::Int64));
        let counts: Vec<Tensor> = self.weights.iter().map(|weight| bad(&weight.tensor)).collect();
        // One wait for the device, not one a tensor.
        let counts = Vec::<i64>::try_from(Tensor::stack(&counts, 0)).expect("a flat i64 tensor");
        let Some(at) = counts.iter().position(|count| *count > 0) else { return Ok(()) };
        Err(TrainError::BadWeights {
            step: self.state.step,
            bad: counts.iter().sum::<i64>() as u64,
            numbers: self.weights.count_all() as u64,
            first: self.weights.iter().nth(at).expect("a count each").name.clone(),
        })
    }

    /// In the order of writing, without the manifest.
    fn names(self) -> Vec<&'static str> {
        let mut names = vec![WEIGHTS_FILE, OPTIMIZER_FILE, STATE_FILE];
        names.extend(self.average.map(|_| TRAINED_FILE));
        names
    }

    fn link_files(self, twin: &Saved, temporary: &Path) -> io::Result<u64> {
        make_anew(temporary)?;
        files::link(&twin.path, temporary, self.names().into_iter().chain([MANIFEST_FILE]))?;
        sync_folder(temporary)?;
        Ok(twin.bytes)
    }

    fn write_files(self, temporary: &Path) -> io::Result<u64> {
        make_anew(temporary)?;
        let mut manifest = Manifest { step: self.state.step, files: BTreeMap::new() };
        for name in self.names() {
            let entry = FileEntry::write(&temporary.join(name), |out| self.write(name, out))?;
            manifest.files.insert(name.to_string(), entry);
        }
        let bytes = manifest.files.values().map(|entry| entry.bytes).sum();
        let text = serde_json::to_vec_pretty(&manifest).expect("a manifest is plain data");
        write_synced(&temporary.join(MANIFEST_FILE), &text)?;
        sync_folder(temporary)?;
        Ok(bytes)
    }

    /// The content of one of the files.
    fn write(self, name: &str, out: &mut dyn Write) -> io::Result<()> {
        match (name, self.average) {
            (OPTIMIZER_FILE, _) => write_moments(self.moments, out),
            (STATE_FILE, _) => out
                .write_all(&serde_json::to_vec_pretty(self.state).expect("a state is plain data")),
            (WEIGHTS_FILE, Some(average)) => average.standing_in(|| self.weights.write(out)),
            _ => self.weights.write(out),
        }
    }
}

fn write_moments(moments: &Moments, out: &mut dyn Write) -> io::Result<()> {
    let flat = moments.iter().map(|(name, flat)| (name, Content::Numbers(flat)));
    stream::write(out, flat.chain([(STEPS, Content::Count(moments.steps()))]).collect(), None)
}

/// An empty folder: what an earlier try left in it may be files of two names, which are not to be
/// written through one of them.
pub(super) fn make_anew(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    match folder.parent().filter(|parent| !parent.exists()) {
        Some(parent) => {
            fs::create_dir_all(folder)?;
            // Its own name is kept by the folder above it.
            sync_folder(parent.parent().expect("a checkpoint lies in a run's folder"))
        }
        None => fs::create_dir_all(folder),
    }
}

/// Puts `temporary` in the place of `path`, where one may be: the last best, or a checkpoint of the
/// same step, from a run that was stopped before its first new step.
pub(super) fn replace(temporary: &Path, path: &Path) -> io::Result<()> {
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

fn prune(all: &Path, keep: usize) -> io::Result<()> {
    for (_, path) in find::steps(all)?.into_iter().rev().skip(keep.max(1)) {
        // Renamed first: a folder half removed must not look like a checkpoint.
        let doomed = all.join(format!("{TEMPORARY}pruned"));
        fs::rename(&path, &doomed)?;
        fs::remove_dir_all(doomed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use catscan_data::Dataset;
    use tch::Device;

    use super::super::{State, verify};
    use super::*;
    use crate::ema::Ema;
    use crate::learner::Learner;
    use crate::recipe::Recipe;
    use crate::setup::Setup;
    use crate::testing::recipe;

    fn learner() -> Learner {
        let recipe = Recipe { ema: Some(Ema { decay: 0.9, warmup_power: None }), ..recipe() };
        Learner::build(&recipe, &[1, 1], Device::Cpu).unwrap().0
    }

    /// Of no step yet.
    fn beginning() -> State {
        let (cache, recipe) = (tempfile::tempdir().unwrap(), recipe());
        let dataset = Dataset::open(&recipe.data, cache.path(), &()).unwrap();
        State::begin(&Setup::of(&recipe, &dataset, Device::Cpu).unwrap())
    }

    fn contents<'a>(learner: &'a Learner, state: &'a State) -> Contents<'a> {
        let Learner { model, moments, average, .. } = learner;
        Contents { state, weights: model.weights(), moments, average: average.as_ref() }
    }

    fn silent(text: String) {
        panic!("{text}");
    }

    /// The bytes of every file, by name.
    fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
        let read = |entry: io::Result<fs::DirEntry>| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
        };
        fs::read_dir(path).unwrap().map(read).collect()
    }

    #[test]
    fn a_second_copy_is_a_second_name_or_else_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (learner, state) = (learner(), State { step: 3, ..beginning() });
        let contents = contents(&learner, &state);
        let best = save_best(folder.path(), contents).unwrap();
        let step = save(folder.path(), contents, Some(&best), 2, &mut silent).unwrap();
        assert_eq!((step.step, step.bytes), (3, best.bytes));
        assert_eq!(files(&step.path).len(), 5);
        assert_eq!(files(&step.path), files(&best.path));
        #[cfg(unix)]
        for name in files(&step.path).keys() {
            use std::os::unix::fs::MetadataExt;
            let inode = |saved: &Saved| fs::metadata(saved.path.join(name)).unwrap().ino();
            assert_eq!(inode(&step), inode(&best), "{name} was written twice");
        }

        // The next best replaces the one, and the other keeps its files.
        let before = files(&step.path);
        let later = State { step: 4, ..state.clone() };
        save_best(folder.path(), Contents { state: &later, ..contents }).unwrap();
        assert_eq!(files(&step.path), before);
        assert_ne!(files(&best.path), before);

        // Where there is nothing to link to, half way through, all is written.
        fs::remove_file(best.path.join(STATE_FILE)).unwrap();
        let step = save(folder.path(), contents, Some(&best), 2, &mut silent).unwrap();
        verify(&step.path).unwrap();
        assert_eq!(files(&step.path), before);
    }

    #[test]
    fn weights_that_are_not_finite_are_no_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let (learner, state) = (learner(), beginning());
        let contents = contents(&learner, &state);
        let good = save(folder.path(), contents, None, 1, &mut silent).unwrap();
        no_grad(|| {
            let weight = contents.weights.get("classifier.weight").unwrap();
            let _ = weight.get(0).get(1).fill_(f64::INFINITY);
            let _ =
                contents.weights.get("classifier.bias").unwrap().shallow_clone().fill_(f64::NAN);
        });
        let state = State { step: 7, ..state.clone() };
        let bad = Contents { state: &state, ..contents };
        for error in [
            save(folder.path(), bad, None, 1, &mut silent).unwrap_err(),
            save_best(folder.path(), bad).unwrap_err(),
        ] {
            assert_eq!(error.exit_code(), 5);
            let all = contents.weights.count_all();
            let text = error.to_string();
            assert!(
                text.starts_with(&format!("step 7: 2 of {all} numbers of the weights")),
                "{text}"
            );
            assert!(text.contains("classifier.weight"), "{text}");
        }
        verify(&good.path).unwrap();
        assert_eq!(fs::read_dir(super::folder(folder.path())).unwrap().count(), 1);
    }
}
