//! One process a folder. The lock is the system's own on an open file, so it ends with its
//! process however that ends: a stale one cannot exist. The number in the file only names the
//! holder in a message.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::error::TrainError;

/// The lock's file in a run's folder.
pub const LOCK_FILE: &str = "run.lock";

/// Held until dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the folder, or names the process that holds it.
    pub fn take(folder: &Path) -> Result<Lock, TrainError> {
        let unusable = |error: std::io::Error| TrainError::Folder {
            path: folder.to_path_buf(),
            reason: format!("cannot be written ({error})"),
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(folder.join(LOCK_FILE)).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim().to_string();
                return Err(TrainError::Held { folder: folder.to_path_buf(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        let mut lock = Lock { file };
        lock.name_holder(&std::process::id().to_string()).map_err(unusable)?;
        Ok(lock)
    }

    fn name_holder(&mut self, holder: &str) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(holder.as_bytes())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Nothing to be done if these fail: the lock itself goes when the file closes.
        let _ = self.name_holder("");
        // Not left to closing alone: a child that was just forked has the file open until it
        // becomes its program.
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_the_first_is_and_waits_for_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path()).unwrap();
        let error = Lock::take(folder.path()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
        drop(first);
        Lock::take(folder.path()).unwrap();
    }

    #[test]
    fn what_a_dead_process_left_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(LOCK_FILE), "4194304999").unwrap();
        let _lock = Lock::take(folder.path()).unwrap();
        let holder = std::fs::read_to_string(folder.path().join(LOCK_FILE)).unwrap();
        assert_eq!(holder, std::process::id().to_string());
    }
}
