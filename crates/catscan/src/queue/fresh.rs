//! `--fresh`: removes runs, so that they begin again. Never one that is being trained.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use catscan_train::lock::{LOCK_FILE, Lock};
use catscan_train::storage::TEMPORARY;

use crate::refusal::Refusal;
use crate::run_name::is_run;

/// Removes the runs in these folders, or none of them.
///
/// # Errors
/// Where a folder holds something else than a run, or a process that lives is training in it
/// (exit code 2).
pub fn remove_runs(folders: &[PathBuf]) -> Result<()> {
    // Every lock is ours before the first file goes.
    let locks: Vec<Option<Lock>> =
        folders.iter().map(|folder| take(folder)).collect::<Result<_>>()?;
    for (folder, _) in folders.iter().zip(&locks).filter(|(_, lock)| lock.is_some()) {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(())
}

/// The lock of a run's folder; none where there is nothing to remove.
fn take(folder: &Path) -> Result<Option<Lock>> {
    if !folder.exists() {
        return Ok(None);
    }
    if !is_run(folder) && !is_bare(folder) {
        let message =
            "holds no recipe.json, so it is no run; remove it yourself, or name --runs DIR";
        return Err(Refusal::usage(format!("{}: {message}", folder.display())).into());
    }
    Ok(Some(Lock::take(folder)?))
}

/// Whether nothing is there but what a start that was refused leaves behind.
fn is_bare(folder: &Path) -> bool {
    let ours = |name: &str| name == LOCK_FILE || name.starts_with(TEMPORARY);
    fs::read_dir(folder).is_ok_and(|mut entries| {
        entries.all(|entry| entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(ours)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_runs_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
        let error = remove_runs(&[folder.path().to_owned()]).unwrap_err();
        assert!(error.to_string().contains("holds no recipe.json"), "{error}");
        assert!(folder.path().join("thesis.txt").exists());
    }

    #[test]
    fn what_a_refused_start_left_is_no_hindrance() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("seed-1");
        fs::create_dir(&run).unwrap();
        drop(Lock::take(&run).unwrap());
        remove_runs(std::slice::from_ref(&run)).unwrap();
        assert!(!run.exists());
    }

    #[test]
    fn a_run_that_is_held_keeps_all_of_them() {
        let root = tempfile::tempdir().unwrap();
        let folders = ["a", "b", "none"].map(|name| root.path().join(name));
        for folder in &folders[..2] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("recipe.json"), "{}").unwrap();
        }
        let held = Lock::take(&folders[1]).unwrap();
        let error = remove_runs(&folders).unwrap_err();
        assert_eq!(crate::refusal::exit_code(&error), crate::refusal::USAGE);
        assert!(folders.iter().take(2).all(|folder| folder.join("recipe.json").exists()));
        drop(held);
        remove_runs(&folders).unwrap();
        assert!(folders.iter().all(|folder| !folder.exists()));
    }
}
