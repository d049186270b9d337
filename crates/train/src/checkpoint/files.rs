//! The files of a checkpoint: hashed while they are written, and again before they are trusted.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What a manifest says of a file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileEntry {
    pub bytes: u64,
    pub blake3: String,
}

/// Hashes what passes through to a file.
struct Hashed {
    file: BufWriter<File>,
    hasher: blake3::Hasher,
}

impl FileEntry {
    /// Of the file as it lies on the disk, read piece by piece.
    pub fn of(path: &Path) -> io::Result<FileEntry> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(path)?)?;
        Ok(FileEntry::from(&hasher))
    }

    /// Writes a new file down to the disk. One that is there already is not touched: it might be
    /// another checkpoint's as well ([`link`]).
    pub fn write(
        path: &Path,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<FileEntry> {
        let file = BufWriter::new(File::create_new(path)?);
        let mut out = Hashed { file, hasher: blake3::Hasher::new() };
        content(&mut out)?;
        out.flush()?;
        out.file.get_ref().sync_all()?;
        Ok(FileEntry::from(&out.hasher))
    }
}

impl From<&blake3::Hasher> for FileEntry {
    fn from(hasher: &blake3::Hasher) -> FileEntry {
        FileEntry { bytes: hasher.count(), blake3: hasher.finalize().to_hex().to_string() }
    }
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Gives the files `names` of one folder a second name in another, in this order. They are on the
/// disk already; the folder is still to be synced.
///
/// # Errors
/// A file that is not there, and a file system without hard links.
pub(super) fn link<'a>(
    from: &Path,
    to: &Path,
    names: impl IntoIterator<Item = &'a str>,
) -> io::Result<()> {
    names.into_iter().try_for_each(|name| fs::hard_link(from.join(name), to.join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hashed_while_it_is_written_is_what_lies_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let bytes: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
        let in_pieces =
            |out: &mut dyn Write| bytes.chunks(977).try_for_each(|piece| out.write_all(piece));
        let entry = FileEntry::write(&path, in_pieces).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert_eq!((entry.bytes, &*entry.blake3), (100_000, &*blake3::hash(&bytes).to_hex()));
        assert_eq!(FileEntry::of(&path).unwrap(), entry);
    }

    #[test]
    fn a_file_with_two_names_is_not_written_through_one_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        [&first, &second].into_iter().for_each(|path| fs::create_dir(path).unwrap());
        fs::write(first.join("file"), "kept").unwrap();
        link(&first, &second, ["file"]).unwrap();
        let error = FileEntry::write(&second.join("file"), |out| out.write_all(b"new"));
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(first.join("file")).unwrap(), "kept");
        assert!(link(&first, &second, ["absent"]).is_err());
    }
}
