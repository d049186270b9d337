//! Decode once: all pictures of a set as `[N, H, W, C]` bytes in a memory-mapped file.
//!
//! A cache is a folder `pixels/<fingerprint>/` with `pixels.u8`, for drawings `evidence.u8`
//! (`[N, H, W]`), and `index.json`. The fingerprint covers paths, sizes and times of the files or
//! archives, the size, the filter, colour or grey, and a format number: it is found again without
//! reading a picture.
//! It is built in `<fingerprint>.tmp` and renamed when complete; whoever builds holds
//! `<fingerprint>.lock`, so two processes that start at once build it once, and a build that was
//! killed leaves nothing that could be taken for whole.
//!
//! Pixels go to the file as they are decoded, so memory stays bounded however many there
//! are; afterwards the system's page cache decides what stays in memory.

mod build;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};

use crate::colour::Colour;
use crate::config::{DataConfig, Part};
use crate::error::{DataError, Rejected};
use crate::map::map;
use crate::progress::Progress;
use crate::source::Source;

/// Raise it when the files' layout, the decoders or the resizing change what a cache would hold.
const FORMAT: u32 = 2;

const PIXELS: &str = "pixels.u8";
const EVIDENCE: &str = "evidence.u8";
const INDEX: &str = "index.json";

/// The user's cache folder: `CATSCAN_CACHE`, else the platform's place for caches.
pub fn default_cache_dir() -> PathBuf {
    let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(chosen) = folder("CATSCAN_CACHE") {
        return chosen;
    }
    if let Some(xdg) = folder("XDG_CACHE_HOME") {
        return xdg.join("catscan");
    }
    if cfg!(windows)
        && let Some(local) = folder("LOCALAPPDATA")
    {
        return local.join("catscan").join("cache");
    }
    match folder("HOME") {
        Some(home) if cfg!(target_os = "macos") => home.join("Library/Caches/catscan"),
        Some(home) => home.join(".cache").join("catscan"),
        None => std::env::temp_dir().join("catscan-cache"),
    }
}

/// What a cache holds, beside the pixels.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Index {
    pub format: u32,
    pub size_px: u32,
    pub colour: Colour,
    pub digest: String,
    pub drawings: bool,
    pub classes: Vec<String>,
    pub samples: Vec<Indexed>,
    pub rejected: Vec<Rejected>,
    /// How many of `rejected` are of each class. Caches of before lack it and do without.
    #[serde(default)]
    pub rejected_by_class: Vec<usize>,
    pub ignored: Vec<Rejected>,
    pub notes: Vec<String>,
    /// Some files could not be opened at all: the next run tries them again.
    pub retry: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Indexed {
    pub name: String,
    pub label: u32,
    pub part: Option<Part>,
    /// Where its pixels are: slots of rejected pictures stay empty.
    pub slot: u32,
    /// blake3 of the picture's file (of its pixels, if it was drawn).
    pub hash: String,
}

pub(crate) struct Cache {
    pub index: Index,
    pixels: Mmap,
    evidence: Option<Mmap>,
}

impl Cache {
    /// The cache of `source`: found, waited for, or built.
    pub fn open(
        source: &dyn Source,
        config: &DataConfig,
        cache_dir: &Path,
        progress: &dyn Progress,
    ) -> Result<Cache, DataError> {
        let folder = cache_dir.join("pixels");
        let name = fingerprint(source, config);
        let place = folder.join(&name);
        if let Some(cache) = Cache::find(&place, config) {
            return Ok(cache);
        }
        let storing = |error| DataError::storage(&folder, "making the pixel cache", error);
        std::fs::create_dir_all(&folder).map_err(storing)?;
        let lock = File::create(folder.join(format!("{name}.lock"))).map_err(storing)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                progress.stage("waiting for another process that decodes the same pictures", 0);
                lock.lock().map_err(storing)?;
                if let Some(cache) = Cache::find(&place, config) {
                    return Ok(cache);
                }
            }
            Err(TryLockError::Error(error)) => return Err(storing(error)),
        }
        // Between our first look and the lock another process may have come and gone.
        if let Some(cache) = Cache::find(&place, config) {
            return Ok(cache);
        }
        build::build(source, config, &place, progress)?;
        let cache = Cache::map(&place, config).map_err(|error| {
            DataError::storage(&place, "reading back the new pixel cache", error)
        })?;
        Ok(cache)
    }

    /// A complete cache that need not be tried again.
    fn find(place: &Path, config: &DataConfig) -> Option<Cache> {
        // Anything that is wrong with it is answered by building it anew.
        Cache::map(place, config).ok().filter(|cache| !cache.index.retry)
    }

    fn map(place: &Path, config: &DataConfig) -> std::io::Result<Cache> {
        let invalid = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, what);
        let index: Index = serde_json::from_slice(&std::fs::read(place.join(INDEX))?)?;
        let asked = (FORMAT, config.size_px, config.colour);
        if (index.format, index.size_px, index.colour) != asked {
            return Err(invalid("made by another version"));
        }
        let open = |name: &str| File::open(place.join(name)).and_then(|file| map(&file));
        let pixels = open(PIXELS)?;
        let evidence = if index.drawings { Some(open(EVIDENCE)?) } else { None };
        let plane = index.size_px as usize * index.size_px as usize;
        let slots = index.samples.iter().map(|s| s.slot as usize + 1).max().unwrap_or(0);
        let short = |map: &Mmap, bytes: usize| map.len() < slots * bytes;
        let picture = plane * index.colour.channels();
        if short(&pixels, picture) || evidence.as_ref().is_some_and(|map| short(map, plane)) {
            return Err(invalid("shorter than its index says"));
        }
        Ok(Cache { index, pixels, evidence })
    }

    /// `[H, W, C]` of sample `i`.
    pub fn pixels(&self, i: u32) -> &[u8] {
        self.slot(&self.pixels, i, self.index.colour.channels())
    }

    /// `[H, W]` of sample `i`.
    pub fn evidence(&self, i: u32) -> Option<&[u8]> {
        Some(self.slot(self.evidence.as_ref()?, i, 1))
    }

    fn slot<'a>(&self, map: &'a Mmap, i: u32, channels: usize) -> &'a [u8] {
        let bytes = self.index.size_px as usize * self.index.size_px as usize * channels;
        let slot = self.index.samples[i as usize].slot as usize;
        &map[slot * bytes..][..bytes]
    }
}

fn fingerprint(source: &dyn Source, config: &DataConfig) -> String {
    let mut hasher = blake3::Hasher::new();
    let DataConfig { size_px, filter, colour, .. } = config;
    let head = format!("{FORMAT} {size_px} {} {} ", filter.name(), colour.name());
    hasher.update(head.as_bytes());
    if let Some(px) = config.centre_crop_of_px {
        hasher.update(format!("middle of {px} ").as_bytes());
    }
    source.fingerprint(&mut hasher);
    hasher.finalize().to_hex()[..32].to_string()
}
