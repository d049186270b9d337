//! What lies on the disk by name is opened only if it is a file: whoever opens a pipe stands there
//! until somebody writes to it, and neither a pipe nor a device has a length to hold it to.

use std::fs::{File, Metadata};
use std::path::Path;

use crate::error::DataError;

/// The file at `path`, or through a link there.
///
/// # Errors
/// [`DataError::Refused`] where it is something else, before it is opened; [`DataError::Read`].
pub(super) fn open(path: &Path) -> Result<(File, Metadata), DataError> {
    let unreadable = |error| DataError::read(path, error);
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() {
        let what = if meta.is_dir() { "is a folder" } else { "is a device or a pipe" };
        return Err(DataError::refused(path, format!("{what}, want a file"), "move it away"));
    }
    Ok((File::open(path).map_err(unreadable)?, meta))
}
