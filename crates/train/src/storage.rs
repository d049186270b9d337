//! Files that are complete or absent: written beside their place, synced, renamed, and the folder
//! synced, so that neither a crash nor a full disk leaves half of one behind.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::TrainError;

/// What a temporary file or folder of ours begins with; leftovers may be removed by the lock's
/// holder.
pub const TEMPORARY: &str = ".tmp-";

/// Replaces `path` by `bytes` in one step.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let folder = path.parent().expect("a file in a folder");
    let name = path.file_name().expect("a file's path").to_string_lossy();
    let temporary = folder.join(format!("{TEMPORARY}{name}"));
    write_synced(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_folder(folder))
        .map_err(|error| {
            let _ = fs::remove_file(&temporary);
            TrainError::storage(path, bytes.len() as u64, error)
        })
}

/// Writes a file that nobody looks for yet, down to the disk.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes a rename in `folder` last. Windows cannot open a folder and needs no such call.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Removes what an earlier process left half written in `folder`.
pub fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    Ok(())
}

/// Reads a JSON file of a run's folder.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, TrainError> {
    let text = read_text(path)?;
    serde_json::from_str(&text).map_err(|error| record_error(path, error))
}

/// Reads a text file of a run's folder.
pub fn read_text(path: &Path) -> Result<String, TrainError> {
    fs::read_to_string(path).map_err(|error| record_error(path, error))
}

/// Reads a file of JSON lines, none where there is no file. What stands behind the last line break
/// was cut while it was written, by a full disk or a crash, and does not count.
pub fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, TrainError> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = read_text(path)?;
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let read = |(number, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|error| record_error(path, format!("line {}: {error}", number + 1)))
    };
    whole.lines().enumerate().map(read).collect()
}

/// `path` does not say what a file of a run's folder must.
pub fn record_error(path: &Path, reason: impl ToString) -> TrainError {
    TrainError::Record { path: path.to_path_buf(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_stays_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_atomic(&path, b"first, and longer").unwrap();
        write_atomic(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_says_where_and_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone/a.json");
        let error = write_atomic(&path, b"x").unwrap_err();
        assert_eq!(error.exit_code(), 7);
        assert!(error.to_string().contains("a.json"), "{error}");
    }

    #[test]
    fn a_line_that_was_cut_does_not_count_and_a_bad_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let read = || read_lines::<u32>(&path);
        assert!(read().unwrap().is_empty());
        for (text, want) in [("", &[][..]), ("1", &[]), ("1\n", &[1]), ("1\n22\n3", &[1, 22])] {
            fs::write(&path, text).unwrap();
            assert_eq!(read().unwrap(), want, "{text:?}");
        }
        fs::write(&path, "1\n{\n3\n").unwrap();
        let error = read().unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        assert_eq!(error.exit_code(), 4);
    }

    #[test]
    fn leftovers_go_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(".tmp-step-3/inner")).unwrap();
        fs::write(folder.path().join(".tmp-a.json"), b"half").unwrap();
        fs::write(folder.path().join("a.json"), b"whole").unwrap();
        remove_leftovers(folder.path()).unwrap();
        let left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(left, [folder.path().join("a.json")]);
    }
}
