//! What can go wrong with data: *where: what, with both numbers; what to do next*.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::shown::{shown, shown_lines, shown_path};

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
#[error("{}: {}", shown(name), shown(reason))]
pub struct BadImage {
    /// The picture's, for the message.
    pub name: String,
    /// Why not, in words.
    pub reason: String,
    /// Why not, by its kind.
    pub fault: Fault,
}

/// What is wrong with a picture, by what helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The bytes are there, and they are no whole picture: it must be had again, or done without.
    Broken,
    /// It may be whole, and is of a kind that is not read here: saved anew as a PNG it is.
    OtherKind,
    /// The bytes could not be had at all (permissions, a file that vanished): trying again may
    /// help, so such a refusal is never remembered in the cache.
    Unreadable,
}

impl BadImage {
    /// The bytes are there, and they are no whole picture.
    pub fn new(name: &str, reason: impl Into<String>) -> BadImage {
        BadImage { name: name.into(), reason: reason.into(), fault: Fault::Broken }
    }

    /// They may be one, of a kind that is not read.
    pub fn other_kind(name: &str, reason: impl Into<String>) -> BadImage {
        BadImage { name: name.into(), reason: reason.into(), fault: Fault::OtherKind }
    }

    /// The bytes could not be had.
    pub fn unreadable(name: &str, reason: impl Into<String>) -> BadImage {
        BadImage { name: name.into(), reason: reason.into(), fault: Fault::Unreadable }
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

    #[error("{}: no such file or folder; check the path after the colon", shown_path(path))]
    Missing { path: PathBuf },

    #[error(
        "{}: holds no {missing}; {looked_for}; check the path after the colon",
        shown_path(path)
    )]
    MissingFiles { path: PathBuf, missing: String, looked_for: String },

    #[error(
        "{}: holds {found} class folders, want at least 2; lay pictures out as PATH/class/picture",
        shown_path(path)
    )]
    TooFewClasses { path: PathBuf, found: usize },

    #[error("{}: {}; {}", shown_path(path), shown(what), shown(hint))]
    Refused { path: PathBuf, what: String, hint: String },

    #[error(
        "{}: 0 pictures in this class{}; add pictures or remove the class",
        shown(place),
        shown_lines(table)
    )]
    EmptyClass { place: String, table: String },

    #[error("{}", bad_pictures(*checked, *total, first))]
    BadPictures { checked: usize, total: usize, first: Vec<Rejected> },

    #[error(transparent)]
    Picture(#[from] BadImage),

    #[error(
        "{total} of {checked} pictures cannot be used, more than the {} % allowed ({}); \
         the first: {}: {}; repair them or allow more (--max-bad)",
        limit * 100.0, shown_lines(table), shown(&first.name), shown(&first.reason)
    )]
    TooManyBad { checked: usize, total: usize, limit: f64, table: String, first: Rejected },

    #[error(
        "--url {}: {what}; give a folder on the web, such as https://mirror.example/mnist",
        shown(url)
    )]
    Mirror { url: String, what: String },

    #[error("{}: {}; {}", shown(url), shown(what), shown(hint))]
    Download { url: String, what: String, hint: String },

    #[error("{}: cannot be read ({}); {}", shown_path(path), told(error), remedy(error))]
    Read { path: PathBuf, error: io::Error },

    #[error(
        "{}: {} failed ({}); {}, or name another folder by {}",
        shown_path(path), doing.words(), told(error), remedy(error), doing.folder_by()
    )]
    Storage { path: PathBuf, doing: Doing, error: io::Error },

    #[error(
        "{}: {free} bytes are free, {} needs {needed}; make room or name another folder by {}",
        shown_path(path), doing.words(), doing.folder_by()
    )]
    NoRoom { path: PathBuf, doing: Doing, needed: u64, free: u64 },
}

impl DataError {
    /// 2 wrong command line or configuration, 3 bad data, 7 storage.
    pub fn exit_code(&self) -> u8 {
        match self {
            DataError::Config { .. }
            | DataError::UnknownSource { .. }
            | DataError::Usage { .. }
            | DataError::Mirror { .. }
            | DataError::Missing { .. }
            | DataError::MissingFiles { .. }
            | DataError::TooFewClasses { .. } => 2,
            DataError::Refused { .. }
            | DataError::EmptyClass { .. }
            | DataError::BadPictures { .. }
            | DataError::Picture(_)
            | DataError::TooManyBad { .. }
            | DataError::Download { .. }
            | DataError::Read { .. } => 3,
            DataError::Storage { .. } | DataError::NoRoom { .. } => 7,
        }
    }

    pub(crate) fn refused(path: &Path, what: impl Into<String>, hint: &str) -> DataError {
        DataError::Refused { path: path.into(), what: what.into(), hint: hint.into() }
    }

    pub(crate) fn read(path: &Path, error: io::Error) -> DataError {
        DataError::Read { path: path.into(), error }
    }

    pub(crate) fn storage(path: &Path, doing: Doing, error: io::Error) -> DataError {
        DataError::Storage { path: path.into(), doing, error }
    }
}

/// What is written when storage fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Doing {
    MakingTheCache,
    WritingTheCache,
    ReadingTheCache,
    UnpackingAnArchive,
    Fetching,
}

impl Doing {
    fn words(self) -> &'static str {
        match self {
            Doing::MakingTheCache => "making the pixel cache",
            Doing::WritingTheCache => "writing the pixel cache",
            Doing::ReadingTheCache => "reading back the new pixel cache",
            Doing::UnpackingAnArchive => "unpacking an archive",
            Doing::Fetching => "fetching",
        }
    }

    /// What names another folder for it.
    fn folder_by(self) -> &'static str {
        if self == Doing::Fetching { "--to" } else { "CATSCAN_CACHE" }
    }
}

/// The system's own words, which may hold a path.
fn told(error: &io::Error) -> String {
    shown(&error.to_string()).into_owned()
}

/// What to do about an error of the system, by its kind.
pub fn remedy(error: &io::Error) -> &'static str {
    use io::ErrorKind as Kind;
    // A walk through folders tells a loop before the system does.
    let within = error.get_ref().and_then(|error| error.downcast_ref::<walkdir::Error>());
    if within.is_some_and(|error| error.loop_ancestor().is_some()) {
        return LOOP;
    }
    match (error.kind(), error.raw_os_error()) {
        (Kind::NotFound, _) => "check the path",
        (Kind::PermissionDenied, _) => "check its permissions",
        (Kind::ReadOnlyFilesystem, _) => "mount its disk so that it can be written to",
        (Kind::NotADirectory | Kind::AlreadyExists, _) => {
            "a file is where a folder should be: move it, or correct the path"
        }
        (Kind::IsADirectory, _) => {
            "a folder is where a file should be: move it, or correct the path"
        }
        (Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge, _) => "make room",
        (Kind::TimedOut | Kind::StaleNetworkFileHandle | Kind::NetworkDown, _) => {
            "see to the network drive, then start again"
        }
        (_, Some(code)) if cfg!(unix) && code == ELOOP => LOOP,
        (_, Some(EIO)) if cfg!(unix) => {
            "its disk or drive is failing: save what can be read, and work on a copy"
        }
        (_, Some(ENFILE | EMFILE)) if cfg!(unix) => {
            "too many files are open at once: raise the limit (ulimit -n)"
        }
        _ => "look into the system's log",
    }
}

const LOOP: &str = "a link leads to itself or to a folder above it: remove the link";
/// The same on Linux and macOS, but for the loop.
const EIO: i32 = 5;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ELOOP: i32 = if cfg!(target_os = "linux") { 40 } else { 62 };

fn bad_pictures(checked: usize, total: usize, first: &[Rejected]) -> String {
    let mut text = format!("{total} of {checked} pictures cannot be used:\n");
    for rejected in first {
        text.push_str(&format!("  {}: {}\n", shown(&rejected.name), shown(&rejected.reason)));
    }
    if total > first.len() {
        text.push_str(&format!("  and {} more\n", total - first.len()));
    }
    text.push_str("mend or delete them, or pass --bad-images skip");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_hint_is_for_the_kind_of_error() {
        let told = |code, doing: Option<Doing>| {
            let error = io::Error::from_raw_os_error(code);
            match doing {
                None => DataError::read(Path::new("x"), error).to_string(),
                Some(doing) => DataError::storage(Path::new("x"), doing, error).to_string(),
            }
        };
        let (eacces, enotdir, enospc, erofs, enoent) = (13, 20, 28, 30, 2);
        for (code, hint) in [
            (eacces, "check its permissions"),
            (enotdir, "a file is where a folder should be"),
            (enoent, "check the path"),
            (ELOOP, "a link leads to itself"),
            (EIO, "work on a copy"),
            (EMFILE, "ulimit -n"),
        ] {
            let text = told(code, None);
            assert!(text.contains(hint), "{text}");
            assert_eq!(text.contains("permissions"), code == eacces, "{text}");
        }
        let text = told(enospc, Some(Doing::WritingTheCache));
        assert!(text.ends_with("; make room, or name another folder by CATSCAN_CACHE"), "{text}");
        let text = told(erofs, Some(Doing::Fetching));
        assert!(!text.contains("room") && text.ends_with("another folder by --to"), "{text}");
    }

    #[test]
    fn names_cannot_steer_a_terminal_from_a_message() {
        let evil = "\x1b[2J\u{202e}cat";
        let rejected = Rejected { name: evil.into(), reason: evil.into() };
        let texts = [
            DataError::refused(Path::new(evil), evil, evil).to_string(),
            DataError::read(Path::new(evil), io::Error::other(evil)).to_string(),
            DataError::EmptyClass { place: evil.into(), table: format!("\n{evil}") }.to_string(),
            DataError::BadPictures { checked: 1, total: 1, first: vec![rejected] }.to_string(),
            BadImage::new(evil, evil).to_string(),
        ];
        for text in texts {
            assert!(text.contains("\\u{1b}[2J\\u{202e}cat"), "{text}");
            assert!(!text.contains(['\x1b', '\u{202e}']), "{text}");
        }
    }

    #[test]
    fn each_shortage_of_room_is_told_for_what_it_is() {
        let text =
            |doing| DataError::NoRoom { path: "x".into(), doing, needed: 9, free: 5 }.to_string();
        assert_eq!(
            text(Doing::Fetching),
            "x: 5 bytes are free, fetching needs 9; make room or name another folder by --to"
        );
        let text = text(Doing::UnpackingAnArchive);
        assert!(text.contains("unpacking an archive needs 9") && !text.contains("pixel"), "{text}");
    }
}
