//! That an archive holds what is read of it, and nothing else. The library looks for an end record
//! and reads what that one lists: of two archives in one file a part of one, of two entries with
//! one name the last, and never says that there is more.

use std::collections::HashSet;
use std::io::{self, BufReader, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::{DAMAGED, MAX_ENTRIES};
use crate::error::DataError;
use crate::source::tarball::goes_on;
use crate::window::Window;

const HINT: &str = "only a part of it would be read; unpack it yourself, or get it again";

/// Refuses an archive whose first entry does not begin the file, whose end record does not end it,
/// or that lists more entries than the library tells apart.
pub(super) fn check(zip: &mut ZipArchive<Window>, path: &Path) -> Result<(), DataError> {
    let refuse = |what: String| Err(DataError::refused(path, what, HINT));
    let listing = Listing::of(zip).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            DataError::refused(path, "ends within its listing", DAMAGED)
        }
        _ => DataError::read(path, error),
    })?;
    if let Some(more) = listing.more {
        return refuse(more);
    }
    if listing.entries != zip.len() as u64 {
        let what = match listing.twice {
            Some(name) => format!("entry {name:?} is there twice"),
            None => format!("lists {} entries, counts {}", listing.entries, zip.len()),
        };
        return refuse(what);
    }
    let mut begins = None;
    for i in 0..zip.len() {
        let damaged = |error: ZipError| DataError::refused(path, error.to_string(), DAMAGED);
        let at = zip.by_index_raw(i).map_err(damaged)?.header_start();
        begins = Some(begins.map_or(at, |first: u64| first.min(at)));
    }
    if let Some(begins @ 1..) = begins {
        let what = format!("has {begins} bytes before its first entry, as two files in one have");
        return refuse(what);
    }
    Ok(())
}

/// What a central directory and what is behind it say.
struct Listing {
    entries: u64,
    /// The first name that is there again.
    twice: Option<String>,
    /// In words, what is there that is neither listing nor end.
    more: Option<String>,
}

impl Listing {
    fn of(zip: &ZipArchive<Window>) -> io::Result<Listing> {
        let (start, window) = (zip.central_directory_start(), zip.clone().into_inner());
        let behind = window.part(start, window.length().saturating_sub(start));
        let bytes = BufReader::new(behind.ok_or(io::ErrorKind::UnexpectedEof)?);
        let mut directory = Directory { bytes, at: start };
        let mut names = HashSet::new();
        let mut listing = Listing { entries: 0, twice: None, more: None };
        loop {
            let at = directory.at;
            match directory.record()? {
                Record::Entry(name) => {
                    listing.entries += 1;
                    if let Some(known) = names.replace(name) {
                        let name = || String::from_utf8_lossy(&known).into_owned();
                        listing.twice.get_or_insert_with(name);
                    }
                    if listing.entries > MAX_ENTRIES {
                        return Ok(listing);
                    }
                }
                Record::BeforeTheEnd => {}
                Record::End => {
                    listing.more = goes_on(directory.bytes, directory.at)?;
                    return Ok(listing);
                }
                Record::Unknown => {
                    listing.more =
                        Some(format!("has no end record behind its listing, at byte {at}"));
                    return Ok(listing);
                }
            }
        }
    }
}

/// Reads records; `at` is the place of the next one.
struct Directory {
    bytes: BufReader<Window>,
    at: u64,
}

enum Record {
    /// With its name.
    Entry(Vec<u8>),
    /// A signature of the listing, or what ZIP64 has beside the end record.
    BeforeTheEnd,
    End,
    Unknown,
}

impl Directory {
    fn record(&mut self) -> io::Result<Record> {
        let signature = self.take(4)?;
        let u16_of =
            |bytes: &[u8], at: usize| u64::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        match signature.as_slice() {
            b"PK\x01\x02" => {
                let header = self.take(42)?;
                let [name, extra, comment] = [24, 26, 28].map(|at| u16_of(&header, at));
                let name = self.take(name)?;
                self.skip(extra + comment)?;
                Ok(Record::Entry(name))
            }
            b"PK\x05\x05" => {
                let length = self.take(2)?;
                self.skip(u16_of(&length, 0))?;
                Ok(Record::BeforeTheEnd)
            }
            b"PK\x06\x06" => {
                let length = self.take(8)?.try_into().expect("as many as were asked for");
                self.skip(u64::from_le_bytes(length))?;
                Ok(Record::BeforeTheEnd)
            }
            b"PK\x06\x07" => {
                self.skip(16)?;
                Ok(Record::BeforeTheEnd)
            }
            b"PK\x05\x06" => {
                let rest = self.take(18)?;
                self.skip(u16_of(&rest, 16))?;
                Ok(Record::End)
            }
            _ => Ok(Record::Unknown),
        }
    }

    /// So many bytes, less than 65,536.
    fn take(&mut self, length: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length as usize];
        self.bytes.read_exact(&mut bytes)?;
        self.at += length;
        Ok(bytes)
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.bytes.by_ref().take(length), &mut io::sink())?;
        self.at += skipped;
        if skipped < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}
