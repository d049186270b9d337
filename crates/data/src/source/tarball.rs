//! Files out of a tar archive, gzip or not, read into memory: nothing is ever extracted by the path
//! it claims. The whole archive is refused for one entry that no honest one has: a path that leads
//! out, a link, a device, a mode that gives rights away, a bomb. (The `tar` crate's own unpacking
//! skips some of these and says nothing.)

use std::io::{self, Read};
use std::path::{Component, Path};

use tar::{Archive, Entry, EntryType, PaxExtensions};

use super::unpack::Unpack;
use crate::error::DataError;

/// CIFAR-10's has 9 entries.
const MAX_ENTRIES: usize = 10_000;
/// In all, unpacked; CIFAR-10's has 184 million.
const MAX_BYTES: u64 = 1 << 30;
/// Of a name that does not fit a header; systems allow 4,096.
const MAX_NAME_BYTES: u64 = 1 << 16;
/// What may follow the end mark: tar pads to blocks of 10 KiB, or of what `-b` says.
const MAX_PADDING: u64 = 1 << 24;
/// Of an entry stored as its pieces between holes, which no reader here puts together again.
pub(super) const SPARSE: &str = "is stored in pieces, without its holes (GNU.sparse)";

const BLOCK: u64 = 512;

const DAMAGED: &str = "it is cut short or no tar archive; get it again";

/// The files that are called like one of `wanted`, in whatever folder, each with its number in
/// `wanted`; each holds `most` bytes at most.
pub(super) fn read(
    path: &Path,
    wanted: &[String],
    most: u64,
) -> Result<Vec<(usize, Vec<u8>)>, DataError> {
    let damaged = |error: io::Error| DataError::refused(path, error.to_string(), DAMAGED);
    let refuse = |what: String| {
        Err(DataError::refused(path, what, "the whole archive is refused; get it from elsewhere"))
    };
    let mut archive = Archive::new(Unpack::open(path)?.into_reader());
    let mut found: Vec<(usize, Vec<u8>)> = Vec::new();
    let (mut count, mut total) = (0, 0u64);
    let (mut names, mut last) = (Names::default(), 0u64);
    for entry in archive.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        last = entry.raw_file_position().saturating_add(entry.size());
        (count, total) = (count + 1, total.saturating_add(entry.size()));
        if count > MAX_ENTRIES || total > MAX_BYTES {
            return refuse(format!(
                "holds {count} entries of {total} bytes and more, at most {MAX_ENTRIES} of \
                 {MAX_BYTES} are read"
            ));
        }
        if let Some(reason) = too_long_a_name(&entry) {
            return refuse(reason);
        }
        let Some(name) = names.of(&mut entry).map_err(damaged)? else { continue };
        let name = String::from_utf8_lossy(&name).into_owned();
        if let Some(reason) = dishonest(&entry, &name) {
            return refuse(format!("entry {name:?} {reason}"));
        }
        if names.sparse {
            return refuse(format!("entry {name:?} {SPARSE}"));
        }
        let file = name.rsplit('/').next().unwrap_or_default();
        let Some(number) = wanted.iter().position(|wanted| wanted == file) else { continue };
        if entry.header().entry_type() == EntryType::Directory {
            continue;
        }
        if found.iter().any(|(known, _)| *known == number) {
            return refuse(format!("holds {file} twice"));
        }
        if entry.size() > most {
            return refuse(format!("entry {name:?} has {} bytes, at most {most}", entry.size()));
        }
        let mut bytes = Vec::new();
        let size = entry.size();
        let outcome = entry.by_ref().take(most).read_to_end(&mut bytes);
        if outcome.is_err() || bytes.len() as u64 != size {
            let error = outcome.err().map_or(String::new(), |error| format!(" ({error})"));
            let what = format!("entry {name:?} ends after {} of {size} bytes{error}", bytes.len());
            return Err(DataError::refused(path, what, DAMAGED));
        }
        found.push((number, bytes));
    }
    // To the end, where gzip has its checksum.
    let behind = last.checked_next_multiple_of(BLOCK).unwrap_or(last).saturating_add(BLOCK);
    goes_on(archive.into_inner(), behind).map_err(damaged)?.map_or(Ok(found), refuse)
}

/// In words, that there is more than padding in what `reader` gives, which begins at byte `start`:
/// a reader that stops at the end mark would lose it in silence.
pub(super) fn goes_on(mut reader: impl Read, start: u64) -> io::Result<Option<String>> {
    let (mut bytes, mut done) = ([0; 1 << 13], 0);
    while done <= MAX_PADDING {
        let n = match reader.read(&mut bytes) {
            Ok(0) => return Ok(None),
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if let Some(at) = bytes[..n].iter().position(|byte| *byte != 0) {
            let at = start.saturating_add(done + at as u64);
            return Ok(Some(format!("goes on after its end mark, at byte {at}")));
        }
        done += n as u64;
    }
    Ok(Some(format!("goes on for more than {MAX_PADDING} bytes after its end mark")))
}

/// The names of entries that are read raw, one after the other. (The library, asked for whole
/// entries, would read a long name of any length into memory.)
#[derive(Default)]
pub(super) struct Names {
    /// Of the next entry.
    long: Option<Vec<u8>>,
    /// Whether the entry that was named last is a [`SPARSE`] one: pax writes its name, its size and
    /// its first bytes otherwise than it has them.
    pub sparse: bool,
    /// The next one is.
    next_sparse: bool,
}

impl Names {
    /// The name of `entry`; `None` for one that is no file, but what the next one's header has no
    /// room for, as GNU's tar or pax write it. Ask [`too_long_a_name`] first.
    pub fn of<R: Read>(&mut self, entry: &mut Entry<R>) -> io::Result<Option<Vec<u8>>> {
        if !names_the_next(entry) {
            self.sparse = std::mem::take(&mut self.next_sparse);
            let short = || entry.path_bytes().into_owned();
            return Ok(Some(self.long.take().unwrap_or_else(short)));
        }
        let mut bytes = Vec::new();
        entry.by_ref().take(MAX_NAME_BYTES).read_to_end(&mut bytes)?;
        if entry.header().entry_type() == EntryType::GNULongName {
            self.long = Some(bytes.strip_suffix(&[0]).unwrap_or(&bytes).to_vec());
            return Ok(None);
        }
        for extension in PaxExtensions::new(&bytes) {
            let extension = extension?;
            self.next_sparse |= extension.key_bytes().starts_with(b"GNU.sparse.");
            if extension.key_bytes() == b"path" {
                self.long = Some(extension.value_bytes().to_vec());
            }
        }
        Ok(None)
    }
}

/// Why an entry that names the next one is not read.
pub(super) fn too_long_a_name<R: Read>(entry: &Entry<R>) -> Option<String> {
    let size = entry.size();
    let too_long = names_the_next(entry) && size > MAX_NAME_BYTES;
    too_long.then(|| format!("holds a name of {size} bytes, at most {MAX_NAME_BYTES}"))
}

fn names_the_next<R: Read>(entry: &Entry<R>) -> bool {
    matches!(entry.header().entry_type(), EntryType::GNULongName | EntryType::XHeader)
}

/// Why an entry condemns its archive, if it does.
pub(super) fn dishonest<R: Read>(entry: &Entry<R>, name: &str) -> Option<String> {
    let plain = |piece: Component| matches!(piece, Component::Normal(_) | Component::CurDir);
    if name.contains('\\') || !Path::new(name).components().all(plain) {
        return Some("leads out of the archive".into());
    }
    let kind = entry.header().entry_type();
    if !matches!(kind, EntryType::Regular | EntryType::Directory | EntryType::XGlobalHeader) {
        return Some(format!("is neither file nor folder ({kind:?})"));
    }
    match entry.header().mode() {
        Ok(mode) if mode & 0o6000 == 0 => None,
        Ok(mode) => Some(format!("gives its user's rights away (mode {mode:o})")),
        Err(error) => Some(format!("has no readable mode ({error})")),
    }
}
