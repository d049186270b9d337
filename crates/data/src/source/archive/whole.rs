//! That an archive holds what is read of it. The library looks for an end record from the back, and
//! reads what that one lists: of two archives in one file a part of one, of two entries with one
//! name the last. It says of neither that there is more, and reads a listing of any length into
//! memory. So the end record and the listing are walked here, before it gets to see them.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::{DAMAGED, MAX_ENTRIES, REFUSED};
use crate::error::DataError;
use crate::window::Window;

/// Where an end record is looked for: its comment may take half of it.
const TAIL_BYTES: u64 = 1 << 17;

const LOCAL: &[u8] = b"PK\x03\x04";
const ENTRY: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";

/// What may stand before the first entry: that the archive was to be in several files, and is in
/// one (APPNOTE 8.5.4, and what Info-ZIP writes).
const MARKERS: [&[u8]; 2] = [b"PK00", b"PK\x07\x08"];

const PART: &str = "only a part of it would be read; unpack it yourself, or get it again";

/// An archive's listing, as its end record has it.
struct End {
    /// Where it ends with its comment.
    after: u64,
    entries: u64,
    /// Where the listing begins, if there is nothing before the archive.
    said: u64,
    /// Where it begins, reckoned back from the end record.
    begins: u64,
}

/// The part of `window` that is the archive, what is behind its end left out, and how many names
/// are in it.
///
/// # Errors
/// An archive that is cut, that has more entries than are read, or of which the library would show
/// a part alone.
pub(super) fn whole(window: &Window, path: &Path) -> Result<(Window, usize), DataError> {
    let refuse = |what: String, hint| Err(DataError::refused(path, what, hint));
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            DataError::refused(path, "ends within its listing", DAMAGED)
        }
        _ => DataError::read(path, error),
    };
    let tail = window.tail(TAIL_BYTES).map_err(failed)?;
    let Some(at) = last_end(&tail) else {
        return refuse(format!("has no end record in its last {TAIL_BYTES} bytes"), DAMAGED);
    };
    let end = End::of(window, window.length() - (tail.len() - at) as u64).map_err(failed)?;
    if end.entries > MAX_ENTRIES {
        let what = format!("holds {} entries, at most {MAX_ENTRIES} are read", end.entries);
        return refuse(what, REFUSED);
    }
    let behind = &tail[tail.len() - (window.length() - end.after) as usize..];
    if [LOCAL, ENTRY].iter().any(|of| memchr::memmem::find(behind, of).is_some()) {
        return refuse(format!("goes on behind its end, at byte {}", end.after), PART);
    }
    if end.begins != end.said {
        let more = end.begins.abs_diff(end.said);
        return refuse(format!("has {more} bytes before its first entry"), PART);
    }
    let listing = Listing::of(window, &end).map_err(failed)?;
    if listing.entries != end.entries {
        return refuse(format!("lists {} entries, counts {}", listing.entries, end.entries), PART);
    }
    if let Some(name) = listing.twice {
        return refuse(format!("entry {name:?} is there twice"), PART);
    }
    let first = if end.entries == 0 { end.begins } else { listing.first.unwrap_or(0) };
    let marker = || window.read_exact_at(0, 4).is_ok_and(|head| MARKERS.contains(&head.as_slice()));
    if first != 0 && !(first == 4 && marker()) {
        return refuse(format!("has {first} bytes before its first entry"), PART);
    }
    Ok((window.part(0, end.after).expect("it ends within the file"), listing.names.len()))
}

/// Where in `tail` the last end record is that has its whole comment.
fn last_end(tail: &[u8]) -> Option<usize> {
    let whole = |at: &usize| {
        let comment = tail.get(at + 20..at + 22);
        comment.is_some_and(|length| at + 22 + u16_at(length, 0) as usize <= tail.len())
    };
    memchr::memmem::rfind_iter(tail, END).find(whole)
}

impl End {
    /// Of the end record at byte `at`.
    fn of(window: &Window, at: u64) -> io::Result<End> {
        let record = window.read_exact_at(at, 22)?;
        let after = at + 22 + u64::from(u16_at(&record, 20));
        let (mut entries, mut before) = (u16_at(&record, 10).into(), at);
        let (mut bytes, mut said) = (u32_at(&record, 12).into(), u32_at(&record, 16).into());
        // ZIP64 has its own end record, and a locator of it, before this one.
        let locator = at.checked_sub(20).map(|at| window.read_exact_at(at, 20)).transpose()?;
        if let Some(locator) = locator.filter(|locator| locator.starts_with(LOCATOR_64)) {
            before = u64_at(&locator, 8);
            let record = window.read_exact_at(before, 56)?;
            if !record.starts_with(END_64) {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            (entries, bytes, said) =
                (u64_at(&record, 32), u64_at(&record, 40), u64_at(&record, 48));
        }
        let begins = before.checked_sub(bytes).ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(End { after, entries, said, begins })
    }
}

/// What a central directory says.
struct Listing {
    entries: u64,
    /// Hashes alone, as a name may have 64 KiB.
    names: HashSet<u64>,
    /// The first file's name that is there again.
    twice: Option<String>,
    /// Where the first entry is, of those that ZIP64 does not have elsewhere.
    first: Option<u64>,
}

impl Listing {
    fn of(window: &Window, end: &End) -> io::Result<Listing> {
        let bytes = end.after.checked_sub(end.begins).and_then(|n| window.part(end.begins, n));
        let mut directory = BufReader::new(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        let mut listing = Listing { entries: 0, names: HashSet::new(), twice: None, first: None };
        loop {
            let mut signature = [0; 4];
            directory.read_exact(&mut signature)?;
            if signature != ENTRY || listing.entries > end.entries {
                return Ok(listing);
            }
            let mut header = [0; 42];
            directory.read_exact(&mut header)?;
            let [name, extra, comment] = [24, 26, 28].map(|at| usize::from(u16_at(&header, at)));
            let mut rest = vec![0; name + extra + comment];
            directory.read_exact(&mut rest)?;
            let name = &rest[..name];
            let mut hasher = DefaultHasher::new();
            name.hash(&mut hasher);
            if !listing.names.insert(hasher.finish()) && !name.ends_with(b"/") {
                let name = || String::from_utf8_lossy(name).into_owned();
                listing.twice.get_or_insert_with(name);
            }
            let at = Some(u32_at(&header, 38)).filter(|at| *at != u32::MAX).map(u64::from);
            listing.first = listing.first.into_iter().chain(at).min();
            listing.entries += 1;
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
