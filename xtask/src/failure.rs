//! How a command ends when it does not succeed: one message and an exit status.

use std::path::Path;

/// One message (*where: what; what to do next*) and the exit status that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// 1 a step failed, 2 bad command line or configuration, 7 storage; or a child's own status.
    pub exit: u8,
    /// Printed once, by `main`.
    pub message: String,
}

impl Failure {
    /// A step that failed.
    pub fn step(message: impl Into<String>) -> Self {
        Self { exit: 1, message: message.into() }
    }

    /// A command line or a setting that cannot work.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { exit: 2, message: message.into() }
    }

    /// A folder that cannot be written, or is full.
    pub fn storage(message: impl Into<String>) -> Self {
        Self { exit: 7, message: message.into() }
    }

    /// The cache refused an operation on `path`.
    pub fn cache(path: &Path, error: &std::io::Error) -> Self {
        Self::storage(format!(
            "{}: {error}; make it writable with room to spare, or set CATSCAN_CACHE to a folder \
             that is",
            path.display()
        ))
    }
}
