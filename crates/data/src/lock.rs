//! A lock that processes take in turns, so that what each of them wants is made once.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::progress::Progress;

/// The lock of that name, held until the file is dropped, however the process ends. Where another
/// process has it, `progress` is told what that one `does`. The file stays: removing it would let
/// two processes hold two locks of one name.
pub(crate) fn take(path: &Path, does: &str, progress: &dyn Progress) -> io::Result<File> {
    let lock = File::create(path)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress.stage(&format!("waiting for another process that {does}"), 0);
            lock.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(lock)
}
