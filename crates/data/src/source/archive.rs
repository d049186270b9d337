//! Zip archives, read where they lie: entries are decompressed into memory, never extracted by the
//! path they claim. Each thread reads through a clone of its own over one open file.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::plain;
use crate::decode::{MAX_BYTES, too_long};
use crate::error::{BadImage, DataError, Doing};
use crate::window::Window;

mod whole;

/// More entries than any set of pictures in one archive that we know of; a bomb has more.
const MAX_ENTRIES: u64 = 500_000;

/// Deflate cannot do better than 1032:1; photographs do not reach 2:1, flat BMPs may reach 100:1.
const MAX_RATIO: u64 = 200;

#[derive(Clone, Debug)]
pub(super) struct Archive {
    /// For messages; `outer.zip: inner.zip` for an archive within an archive.
    pub path: PathBuf,
    zip: ZipArchive<Window>,
}

const DAMAGED: &str = "it is cut short or not a zip; get it again";
const REFUSED: &str = "the whole archive is refused; get it from elsewhere";

impl Archive {
    pub fn open(path: &Path) -> Result<Archive, DataError> {
        let (file, _) = plain::open(path)?;
        Archive::over(file, path.into())
    }

    fn over(file: File, path: PathBuf) -> Result<Archive, DataError> {
        let window = Window::of(file).map_err(|error| DataError::read(&path, error))?;
        Archive::within(window, path)
    }

    fn within(window: Window, path: PathBuf) -> Result<Archive, DataError> {
        if window.length() == 0 {
            return Err(DataError::refused(&path, "holds 0 bytes", DAMAGED));
        }
        let damaged = |error: ZipError| DataError::refused(&path, error.to_string(), DAMAGED);
        let (window, names) = whole::whole(&window, &path)?;
        let mut zip = ZipArchive::new(window).map_err(damaged)?;
        if zip.len() != names {
            let what = format!("has {names} names, of which {} can be told apart", zip.len());
            return Err(DataError::refused(&path, what, REFUSED));
        }
        check(&mut zip, &path)?;
        Ok(Archive { path, zip })
    }

    /// Names of the files in it, with their numbers.
    pub fn names(&self) -> Vec<(usize, String)> {
        let name = |i| Some((i, self.zip.name_for_index(i)?.to_string()));
        (0..self.zip.len()).filter_map(name).filter(|(_, name)| !name.ends_with('/')).collect()
    }

    /// The bytes of entry `index`; the checksum is verified by reading to the end.
    pub fn read(&mut self, index: usize, name: &str) -> Result<Vec<u8>, BadImage> {
        let broken = |error: String| BadImage::new(name, format!("cannot be unpacked: {error}"));
        let entry = self.zip.by_index(index).map_err(|error| broken(error.to_string()))?;
        if entry.size() > MAX_BYTES {
            return Err(BadImage::new(name, too_long(entry.size())));
        }
        let mut bytes = Vec::with_capacity(entry.size() as usize);
        // The size is only what the archive claims, hence the second check.
        let mut bounded = entry.take(MAX_BYTES + 1);
        bounded.read_to_end(&mut bytes).map_err(|error| broken(error.to_string()))?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(BadImage::new(name, too_long(bytes.len() as u64)));
        }
        Ok(bytes)
    }

    /// The archive that lies in this one as entry `index`. One that is merely stored is read in
    /// place; a compressed one is unpacked into a nameless temporary file under `cache_dir`.
    pub fn inner(&mut self, index: usize, cache_dir: &Path) -> Result<Archive, DataError> {
        let outer = self.zip.clone().into_inner();
        let damaged = |e: ZipError| DataError::refused(&self.path, e.to_string(), DAMAGED);
        let mut entry = self.zip.by_index(index).map_err(damaged)?;
        let path = PathBuf::from(format!("{}: {}", self.path.display(), entry.name()));
        if entry.compression() == CompressionMethod::Stored {
            return match outer.part(entry.data_start(), entry.size()) {
                Some(part) => Archive::within(part, path),
                None => Err(DataError::refused(&path, "ends outside its archive", DAMAGED)),
            };
        }
        let room = |error| DataError::storage(cache_dir, Doing::UnpackingAnArchive, error);
        std::fs::create_dir_all(cache_dir).map_err(room)?;
        let free = fs4::available_space(cache_dir).map_err(room)?;
        let needed = entry.size();
        if free < needed {
            let (path, doing) = (cache_dir.into(), Doing::UnpackingAnArchive);
            return Err(DataError::NoRoom { path, doing, needed, free });
        }
        let mut spool = tempfile::tempfile_in(cache_dir).map_err(room)?;
        let copied = std::io::copy(&mut entry.by_ref().take(needed + 1), &mut spool);
        match copied {
            Ok(bytes) if bytes == needed => Archive::over(spool, path),
            Ok(bytes) => {
                let what = format!("unpacks to {bytes} bytes, its header says {needed}");
                Err(DataError::refused(&path, what, DAMAGED))
            }
            // Made by the unpacker, of whatever kind: the system's own have a number.
            Err(error) if error.raw_os_error().is_none() => {
                Err(DataError::refused(&path, error.to_string(), DAMAGED))
            }
            Err(error) => Err(room(error)),
        }
    }
}

/// Whole archives are refused for one entry that no honest set of pictures has: a path that leads
/// out, a link, a device, a mode that gives rights away, a secret, a bomb.
fn check(zip: &mut ZipArchive<Window>, path: &Path) -> Result<(), DataError> {
    let refuse = |what: String| Err(DataError::refused(path, what, REFUSED));
    for i in 0..zip.len() {
        let damaged = |error: ZipError| DataError::refused(path, error.to_string(), DAMAGED);
        let entry = zip.by_index_raw(i).map_err(damaged)?;
        let name = entry.name();
        // Dropbox has the folder itself as an entry.
        if name == "/" {
            continue;
        }
        if entry.enclosed_name().is_none() || name.starts_with('/') || name.contains('\\') {
            return refuse(format!("entry {name:?} leads out of the archive"));
        }
        const KIND: u32 = 0o170_000;
        const FILE: u32 = 0o100_000;
        const FOLDER: u32 = 0o040_000;
        let kind = entry.unix_mode().unwrap_or(0) & KIND;
        if entry.is_symlink() || ![0, FILE, FOLDER].contains(&kind) {
            return refuse(format!("entry {name:?} is a link or a device (mode {kind:o})"));
        }
        let mode = entry.unix_mode().unwrap_or(0);
        if mode & 0o6000 != 0 {
            return refuse(format!("entry {name:?} gives its user's rights away (mode {mode:o})"));
        }
        if entry.encrypted() {
            return refuse(format!("entry {name:?} is encrypted"));
        }
        // Below a megabyte even the best ratio does no harm.
        if entry.size() > 1 << 20 && entry.size() / MAX_RATIO > entry.compressed_size() {
            let (big, small) = (entry.size(), entry.compressed_size());
            return refuse(format!("entry {name:?} unpacks {small} bytes to {big}: a bomb"));
        }
    }
    Ok(())
}
