//! A run's name: its arm and its seed; and what its folder holds.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use anyhow::Result;
use catscan_train::{RunRecord, checkpoint};

use crate::files::folders;
use crate::refusal::Refusal;

/// What an experiment's runs are told apart by; `avg seed 1` in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunName {
    /// An arm's name in the experiment's table.
    pub arm: String,
    /// The same as in the recipe.
    pub seed: u64,
}

impl RunName {
    pub fn new(arm: &str, seed: u64) -> RunName {
        RunName { arm: arm.to_owned(), seed }
    }

    /// `EXPERIMENT/ARM/seed-N`.
    pub fn folder(&self, experiment: &Path) -> PathBuf {
        experiment.join(&self.arm).join(format!("seed-{}", self.seed))
    }

    /// Whose run `EXPERIMENT/ARM/FOLDER` is; none where `folder` is no seed's.
    pub fn of_folder(arm: &str, folder: &str) -> Option<RunName> {
        let seed: u64 = folder.strip_prefix("seed-")?.parse().ok()?;
        (folder == format!("seed-{seed}")).then(|| RunName::new(arm, seed))
    }
}

impl Display for RunName {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "{} seed {}", self.arm, self.seed)
    }
}

/// Whether a folder is a run's, however far it came.
pub fn is_run(folder: &Path) -> bool {
    folder.join("recipe.json").exists()
}

/// Whether a run came to a checkpoint. One that did not may lack half its records; there is nothing
/// to go on from, and nothing to lose.
pub fn has_checkpoint(folder: &Path) -> bool {
    checkpoint::folder(folder).exists()
}

/// Names and folders: the run itself, or its checkpoint, or of each arm of an experiment the first
/// seed's run.
///
/// # Errors
/// Where the folder is neither.
pub fn runs(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let path = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let last_two = |path: &Path| {
        let words: Vec<_> = path.iter().map(|word| word.to_string_lossy()).collect();
        words[words.len().saturating_sub(2)..].join(", ")
    };
    if is_run(folder) {
        return Ok(vec![(last_two(&path), folder.to_owned())]);
    }
    if let Some(run) = RunRecord::of_checkpoint(folder) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        return Ok(vec![(format!("{}, {name}", last_two(&run)), folder.to_owned())]);
    }
    let mut found = Vec::new();
    for arm in folders(folder)? {
        let path = folder.join(&arm);
        let seeds = folders(&path)?.into_iter().map(|seed| path.join(seed));
        if let Some(run) = seeds.into_iter().find(|path| is_run(path)) {
            found.push((arm, run));
        }
    }
    if found.is_empty() {
        let message = "neither a run's folder nor an experiment's; such as runs/pooling-compare";
        return Err(Refusal::usage(format!("{}: {message}", folder.display())).into());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_tells_its_runs_name() {
        let name = RunName::new("transition-max_head-avg", 12);
        let folder = name.folder(Path::new("runs/pooling-compare"));
        assert_eq!(folder, Path::new("runs/pooling-compare/transition-max_head-avg/seed-12"));
        let last = folder.file_name().unwrap().to_str().unwrap();
        assert_eq!(RunName::of_folder("transition-max_head-avg", last), Some(name.clone()));
        assert_eq!(name.to_string(), "transition-max_head-avg seed 12");
        for other in ["seed-", "seed-x", "seed-007", "scans", "12"] {
            assert_eq!(RunName::of_folder("avg", other), None, "{other}");
        }
    }
}
