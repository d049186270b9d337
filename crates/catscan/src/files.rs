//! Files and folders that commands write: whole or as they were, and refused before anything is
//! computed for them.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use catscan_data::error::remedy;
use catscan_train::storage::write_atomic;

use crate::refusal::{Refusal, STORAGE, USAGE};

/// Refuses a folder that cannot be written, before anything is read or computed for it; makes it.
/// `option` is what names another.
///
/// # Errors
/// Where it cannot; exit code 2, or 7 where only room is wanting.
pub fn writable(folder: &Path, option: &str) -> Result<()> {
    let try_it = || {
        std::fs::create_dir_all(folder)?;
        tempfile::NamedTempFile::new_in(folder).map(drop)
    };
    try_it().map_err(|error| {
        let (place, what) = (folder.display(), remedy(&error));
        let hint = format!("{what}, or name another folder with {option} DIR");
        let code = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => STORAGE,
            _ => USAGE,
        };
        Refusal::new(code, format!("{place}: cannot be written ({error}); {hint}")).into()
    })
}

/// Writes a whole file or leaves what was there; makes its folder.
///
/// # Errors
/// Where the folder cannot be written; exit code 7.
pub fn write_file(path: &Path, contents: &[u8]) -> Result<()> {
    let path = std::path::absolute(path).context("finding the current folder")?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    make_folder(folder)?;
    Ok(write_atomic(&path, contents)?)
}

/// A folder and those above it.
///
/// # Errors
/// Where it cannot be made; exit code 7.
fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| {
        let (place, what) = (folder.display(), remedy(&error));
        let message = format!("{place}: cannot be made ({error}); {what}, or name another folder");
        Refusal::new(STORAGE, message).into()
    })
}

/// The names of the folders in a folder, in order.
///
/// # Errors
/// Where it cannot be read.
pub fn folders(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?
    {
        let entry = entry?;
        if entry.path().is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_with_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.json");
        write_file(&path, b"{}").unwrap();
        write_file(&path, b"[]").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"[]");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_a_file_is_a_storage_failure() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, b"x").unwrap();
        let error = write_file(&file.join("report.html"), b"x").unwrap_err();
        assert_eq!(crate::refusal::exit_code(&error), STORAGE);
    }
}
