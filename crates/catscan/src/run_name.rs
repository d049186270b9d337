//! A run's name: its arm and its seed; and what its folder holds.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use catscan_train::checkpoint;

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
