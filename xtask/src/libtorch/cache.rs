//! The per-user cache folder, and one setup in it at a time.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::version::FETCHED;
use crate::failure::Failure;
use crate::say::say;

/// Temporary folders begin so; what is left of them belongs to a setup that died.
const PARTIAL: &str = "partial-";

/// `<cache>/libtorch`.
pub fn folder() -> Result<PathBuf, Failure> {
    Ok(root()?.join("libtorch"))
}

/// `<cache>`, by the rule of `catscan_data::default_cache_dir`; a test holds both to one list.
pub fn root() -> Result<PathBuf, Failure> {
    cache_folder(|name| std::env::var_os(name)).ok_or_else(|| {
        Failure::usage("no cache folder: neither HOME nor CATSCAN_CACHE is set; set one")
    })
}

/// `CATSCAN_CACHE`, else the platform's own folder for caches.
fn cache_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let var = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = if let Some(own) = var("CATSCAN_CACHE") {
        own
    } else if let Some(xdg) = var("XDG_CACHE_HOME") {
        xdg.join("catscan")
    } else if cfg!(windows) {
        var("LOCALAPPDATA")?.join("catscan").join("cache")
    } else if cfg!(target_os = "macos") {
        var("HOME")?.join("Library/Caches/catscan")
    } else {
        var("HOME")?.join(".cache").join("catscan")
    };
    // A relative path would mean another folder to cargo, which changes directory.
    std::path::absolute(folder).ok()
}

/// Where a finished copy lies.
pub fn copy(cuda: bool) -> Result<PathBuf, Failure> {
    let half = if cuda { "cuda" } else { "cpu" };
    Ok(folder()?.join(format!("{FETCHED}-{half}")).join("torch"))
}

/// The copies that would do, best first: one with CUDA serves CPU work as well.
pub fn copies(cuda: bool) -> Result<Vec<PathBuf>, Failure> {
    let mut copies = vec![copy(true)?];
    if !cuda {
        copies.push(copy(false)?);
    }
    Ok(copies)
}

/// Held while fetching. The system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Makes the folder if need be and waits for its turn.
    pub fn take(folder: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(folder).map_err(|error| Failure::cache(folder, &error))?;
        let path = folder.join("lock");
        let file = File::create(&path).map_err(|error| Failure::cache(&path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                say("another setup is fetching libtorch; waiting for it");
                file.lock().map_err(|error| Failure::cache(&path, &error))?;
            }
            Err(TryLockError::Error(error)) => return Err(Failure::cache(&path, &error)),
        }
        Ok(Self { _file: file })
    }

    /// Removes what dead setups left (ours is the only living one) and makes a fresh folder.
    pub fn fresh_partial(&self, folder: &Path) -> Result<Partial, Failure> {
        let entries = fs::read_dir(folder).map_err(|error| Failure::cache(folder, &error))?;
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
                say(format!("removing {}, left by a setup that was cut", entry.path().display()));
                fs::remove_dir_all(entry.path())
                    .map_err(|error| Failure::cache(&entry.path(), &error))?;
            }
        }
        let path = folder.join(format!("{PARTIAL}{}", std::process::id()));
        fs::create_dir(&path).map_err(|error| Failure::cache(&path, &error))?;
        Ok(Partial { path })
    }
}

/// A half-made copy, removed with all it holds unless the process is killed.
#[derive(Debug)]
pub struct Partial {
    /// The temporary folder.
    pub path: PathBuf,
}

impl Drop for Partial {
    fn drop(&mut self) {
        // If this fails the next setup removes it.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_where_the_program_has_it_too() {
        let cases = include_str!("../../../crates/data/src/cache/folder_cases.txt");
        for case in cases.lines().filter(|line| !line.starts_with('#')) {
            let [system, variables, want] = case.split(" | ").collect::<Vec<_>>()[..] else {
                panic!("{case}: want three columns");
            };
            if !["any", std::env::consts::OS].contains(&system) {
                continue;
            }
            let folder = cache_folder(|name| {
                let mut pairs = variables.split(' ').filter_map(|pair| pair.split_once('='));
                pairs.find(|(known, _)| *known == name).map(|(_, value)| value.into())
            });
            let want = (want != "none").then(|| std::path::absolute(want).unwrap());
            assert_eq!(folder, want, "{case}");
        }
    }

    #[test]
    fn leftovers_go_and_finished_copies_stay() {
        let temp = tempfile::tempdir().unwrap();
        let lock = Lock::take(temp.path()).unwrap();
        fs::create_dir_all(temp.path().join("partial-1/tmp")).unwrap();
        fs::create_dir_all(temp.path().join("2.11.0-cpu/torch")).unwrap();
        let partial = lock.fresh_partial(temp.path()).unwrap();
        assert!(!temp.path().join("partial-1").exists());
        assert!(temp.path().join("2.11.0-cpu/torch").exists());
        let path = partial.path.clone();
        drop(partial);
        assert!(!path.exists());
    }
}
