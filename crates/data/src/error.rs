//! What can go wrong with data: *where: what, with both numbers; what to do next*.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A picture that was found and not used, and why. Listed in `split.json` and in the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The picture's, as in [`crate::Sample`].
    pub name: String,
    /// Why not, in words.
    pub reason: String,
}

/// One picture that cannot be read in full.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{name}: {reason}")]
pub struct BadImage {
    /// The picture's, for the message.
    pub name: String,
    /// Why not, in words.
    pub reason: String,
    /// True if the bytes could not be had at all (permissions, a file that vanished): trying again
    /// may help, so such a refusal is never remembered in the cache.
    pub unreadable: bool,
}

impl BadImage {
    /// The bytes are there, and they are no whole picture.
    pub fn new(name: &str, reason: impl Into<String>) -> BadImage {
        BadImage { name: name.into(), reason: reason.into(), unreadable: false }
    }

    /// The bytes could not be had.
    pub fn unreadable(name: &str, reason: impl Into<String>) -> BadImage {
        BadImage { name: name.into(), reason: reason.into(), unreadable: true }
    }

    /// 3: bad data.
    pub fn exit_code(&self) -> u8 {
        3
    }
}

/// An error of this crate; the message holds all of it.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "each variant's message says what it and its fields are")]
pub enum DataError {
    #[error("data.{key}: {value} is not possible, want {want}")]
    Config { key: String, value: String, want: String },

    #[error("data {name}: no such source{nearest}; the sources are {all}")]
    UnknownSource { name: String, nearest: String, all: String },

    #[error("data {source_name}: {what}; write {usage}")]
    Usage { source_name: String, what: String, usage: String },

    #[error("{}: no such file or folder; check the path after the colon", path.display())]
    Missing { path: PathBuf },

    #[error("{}: holds no {missing}; {looked_for}; check the path after the colon", path.display())]
    MissingFiles { path: PathBuf, missing: String, looked_for: String },

    #[error(
        "{}: holds {found} class folders, want at least 2; lay pictures out as PATH/class/picture",
        path.display()
    )]
    TooFewClasses { path: PathBuf, found: usize },

    #[error("{}: {what}; {hint}", path.display())]
    Layout { path: PathBuf, what: String, hint: String },

    #[error("{place}: 0 pictures in this class{table}; add pictures or remove the class")]
    EmptyClass { place: String, table: String },

    #[error("{}", bad_pictures(*checked, *total, first))]
    BadPictures { checked: usize, total: usize, first: Vec<Rejected> },

    #[error(
        "{total} of {checked} pictures cannot be used, more than the {} % allowed ({table}); \
         the first: {}: {}; repair them or allow more (--max-bad)",
        limit * 100.0, first.name, first.reason
    )]
    TooManyBad { checked: usize, total: usize, limit: f64, table: String, first: Rejected },

    #[error(
        "{url}: {what}; run it again to go on with {}, or name a mirror by --url",
        path.display()
    )]
    Download { url: String, what: String, path: PathBuf },

    #[error("{}: {what}; {hint}", path.display())]
    Archive { path: PathBuf, what: String, hint: String },

    #[error("{}: cannot be read ({error}); check its permissions", path.display())]
    Read { path: PathBuf, error: io::Error },

    #[error(
        "{}: {doing} failed ({error}); make room or name another folder by CATSCAN_CACHE",
        path.display()
    )]
    Storage { path: PathBuf, doing: &'static str, error: io::Error },

    #[error(
        "{}: {free} bytes are free, the pixel cache needs {needed}; \
         make room or name another folder by CATSCAN_CACHE",
        path.display()
    )]
    NoRoom { path: PathBuf, needed: u64, free: u64 },
}

impl DataError {
    /// 2 wrong command line or configuration, 3 bad data, 7 storage.
    pub fn exit_code(&self) -> u8 {
        match self {
            DataError::Config { .. }
            | DataError::UnknownSource { .. }
            | DataError::Usage { .. }
            | DataError::Missing { .. }
            | DataError::MissingFiles { .. }
            | DataError::TooFewClasses { .. } => 2,
            DataError::Layout { .. }
            | DataError::EmptyClass { .. }
            | DataError::BadPictures { .. }
            | DataError::TooManyBad { .. }
            | DataError::Download { .. }
            | DataError::Archive { .. }
            | DataError::Read { .. } => 3,
            DataError::Storage { .. } | DataError::NoRoom { .. } => 7,
        }
    }

    pub(crate) fn layout(path: &Path, what: impl Into<String>, hint: &str) -> DataError {
        DataError::Layout { path: path.into(), what: what.into(), hint: hint.into() }
    }

    pub(crate) fn archive(path: &Path, what: impl Into<String>, hint: &str) -> DataError {
        DataError::Archive { path: path.into(), what: what.into(), hint: hint.into() }
    }

    pub(crate) fn read(path: &Path, error: io::Error) -> DataError {
        DataError::Read { path: path.into(), error }
    }

    pub(crate) fn storage(path: &Path, doing: &'static str, error: io::Error) -> DataError {
        DataError::Storage { path: path.into(), doing, error }
    }
}

fn bad_pictures(checked: usize, total: usize, first: &[Rejected]) -> String {
    let mut text = format!("{total} of {checked} pictures cannot be used:\n");
    for rejected in first {
        text.push_str(&format!("  {}: {}\n", rejected.name, rejected.reason));
    }
    if total > first.len() {
        text.push_str(&format!("  and {} more\n", total - first.len()));
    }
    text.push_str("delete them or pass --bad-images skip");
    text
}
