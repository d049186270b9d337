//! Decode once: all pictures of a set as `[N, H, W, C]` bytes in a memory-mapped file.
//!
//! Where there is no room for that file, pixels are held in memory or read from their source when
//! they are asked for; see [`crate::placement`]. What is known of the pictures (the index) is the
//! same in each case, because it always takes one strict look at every picture.
//!
//! A cache is a folder `pixels/<fingerprint>/` with `pixels.u8`, for drawings `evidence.u8`
//! (`[N, H, W]`), and `index.json`. The fingerprint covers paths, sizes and times of the files or
//! archives (on Unix also their numbers, so that a file which is replaced and given its old time is
//! noticed), the size, the filter, colour or grey, and a format number: it is found again without
//! reading a picture.
//! It is built in `<fingerprint>.tmp` and renamed when complete; whoever builds holds
//! `<fingerprint>.lock`, so two processes that start at once build it once, and a build that was
//! killed leaves nothing that could be taken for whole.
//!
//! Pixels go to the file as they are decoded, so memory stays bounded however many there
//! are; afterwards the system's page cache decides what stays in memory. A streamed set's folder
//! holds the index alone.

mod build;
mod folder;
mod memory;
mod stream;

use std::borrow::Cow;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;
use serde::{Deserialize, Serialize};

use crate::colour::Colour;
use crate::config::{DataConfig, Part};
use crate::error::{BadImage, DataError, Doing, Rejected};
use crate::lock;
use crate::map::map;
use crate::placement::{Placement, Room};
use crate::progress::Progress;
use crate::source::Source;
use memory::Memory;
use stream::Stream;

pub use folder::default_cache_dir;

/// Raise it when the files' layout, the decoders or the resizing change what a cache would hold.
const FORMAT: u32 = 5;

const PIXELS: &str = "pixels.u8";
const EVIDENCE: &str = "evidence.u8";
const INDEX: &str = "index.json";

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
    pub samples: Vec<IndexEntry>,
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
pub(crate) struct IndexEntry {
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
    pixels: Pixels,
}

enum Pixels {
    Mapped(Maps),
    Memory(Memory),
    Streamed(Stream),
}

/// By slot.
struct Maps {
    pixels: Mmap,
    evidence: Option<Mmap>,
}

impl Cache {
    /// The cache of `source`: found, waited for, or built; pixels are kept as `want` says, else as
    /// there is room.
    pub fn open(
        source: Arc<dyn Source>,
        config: &DataConfig,
        cache_dir: &Path,
        want: Option<Placement>,
        progress: &dyn Progress,
    ) -> Result<Cache, DataError> {
        let folder = cache_dir.join("pixels");
        let name = fingerprint(source.as_ref(), config);
        let place = folder.join(&name);
        let found = || match want {
            None | Some(Placement::Mapped) => Cache::find(&place, config),
            Some(Placement::Memory | Placement::Streamed) => None,
        };
        if let Some(cache) = found() {
            return Ok(cache);
        }
        let storing = |error| DataError::storage(&folder, Doing::MakingTheCache, error);
        std::fs::create_dir_all(&folder).map_err(storing)?;
        let lock = folder.join(format!("{name}.lock"));
        let lock = lock::take(&lock, "decodes the same pictures", progress).map_err(storing)?;
        // Between our first look and the lock another process may have come and gone.
        if let Some(cache) = found() {
            return Ok(cache);
        }
        let needed = room_for(source.as_ref(), config)?;
        let room = Room::now(&folder).map_err(storing)?;
        match want.unwrap_or_else(|| room.choose(needed)) {
            Placement::Mapped => {
                build::build(source.as_ref(), config, &place, build::Target::File, progress)?;
                let reading = |e| DataError::storage(&place, Doing::ReadingTheCache, e);
                Cache::map(&place, config).map_err(reading)
            }
            Placement::Memory => {
                // Each process decodes for itself, so none waits for another.
                drop(lock);
                let (index, memory) = Memory::filled(source.as_ref(), config, progress)?;
                Ok(Cache { index, pixels: Pixels::Memory(memory) })
            }
            Placement::Streamed => Cache::stream(source, config, &place, progress),
        }
    }

    /// From the index of an earlier run, else from one made now.
    fn stream(
        source: Arc<dyn Source>,
        config: &DataConfig,
        place: &Path,
        progress: &dyn Progress,
    ) -> Result<Cache, DataError> {
        let earlier = read_index(place, config).ok().filter(|index| !index.retry);
        let index = match earlier {
            Some(index) => index,
            None => build::build(source.as_ref(), config, place, build::Target::Nowhere, progress)?,
        };
        Ok(Cache { index, pixels: Pixels::Streamed(Stream::new(source, config)?) })
    }

    /// A complete cache that need not be tried again.
    fn find(place: &Path, config: &DataConfig) -> Option<Cache> {
        // Anything that is wrong with it is answered by building it anew.
        Cache::map(place, config).ok().filter(|cache| !cache.index.retry)
    }

    fn map(place: &Path, config: &DataConfig) -> std::io::Result<Cache> {
        let index = read_index(place, config)?;
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
        Ok(Cache { index, pixels: Pixels::Mapped(Maps { pixels, evidence }) })
    }

    /// Where the pixels are.
    pub fn placement(&self) -> Placement {
        match self.pixels {
            Pixels::Mapped(_) => Placement::Mapped,
            Pixels::Memory(_) => Placement::Memory,
            Pixels::Streamed(_) => Placement::Streamed,
        }
    }

    /// Bytes of all pictures together, without masks.
    pub fn pixel_bytes(&self) -> u64 {
        self.index.samples.len() as u64 * self.picture_bytes() as u64
    }

    /// Asks the system to read the whole map now, in one go, rather than page by page later.
    pub fn read_ahead(&self) {
        #[cfg(unix)]
        if let Pixels::Mapped(maps) = &self.pixels {
            // Advice: where the system cannot follow it, nothing is lost.
            let _ = maps.pixels.advise(memmap2::Advice::WillNeed);
        }
    }

    /// `[H, W, C]` of sample `i`.
    ///
    /// # Errors
    /// Streamed pictures that are gone or have changed.
    pub fn pixels(&self, i: u32) -> Result<Cow<'_, [u8]>, BadImage> {
        let sample = &self.index.samples[i as usize];
        Ok(match &self.pixels {
            Pixels::Mapped(maps) => cut(&maps.pixels, sample.slot, self.picture_bytes()).into(),
            Pixels::Memory(memory) => memory.pixels(sample.slot).into(),
            Pixels::Streamed(stream) => stream.picture(sample)?.raster.into_pixels().into(),
        })
    }

    /// `[H, W]` of sample `i`; errors as [`Cache::pixels`].
    pub fn evidence(&self, i: u32) -> Result<Option<Cow<'_, [u8]>>, BadImage> {
        let sample = &self.index.samples[i as usize];
        Ok(match &self.pixels {
            Pixels::Mapped(maps) => {
                let plane = self.picture_bytes() / self.index.colour.channels();
                maps.evidence.as_ref().map(|map| cut(map, sample.slot, plane).into())
            }
            Pixels::Memory(memory) => memory.evidence(sample.slot).map(Cow::from),
            Pixels::Streamed(stream) => stream.picture(sample)?.evidence.map(Cow::from),
        })
    }

    /// `[N, H, W, C]` of these samples; errors as [`Cache::pixels`].
    pub fn gather(&self, indices: &[u32]) -> Result<Vec<u8>, BadImage> {
        let picture = self.picture_bytes();
        if let Pixels::Streamed(stream) = &self.pixels {
            let samples: Vec<&IndexEntry> =
                indices.iter().map(|i| &self.index.samples[*i as usize]).collect();
            return stream.gather(&samples, picture);
        }
        let mut bytes = Vec::with_capacity(indices.len() * picture);
        for i in indices {
            bytes.extend_from_slice(&self.pixels(*i)?);
        }
        Ok(bytes)
    }

    fn picture_bytes(&self) -> usize {
        self.index.size_px as usize * self.index.size_px as usize * self.index.colour.channels()
    }
}

/// Slot `slot` of a map of pieces of so many bytes.
fn cut(map: &Mmap, slot: u32, bytes: usize) -> &[u8] {
    &map[slot as usize * bytes..][..bytes]
}

fn invalid(what: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what)
}

fn read_index(place: &Path, config: &DataConfig) -> std::io::Result<Index> {
    let file = std::io::BufReader::new(File::open(place.join(INDEX))?);
    let index: Index = serde_json::from_reader(file)?;
    let asked = (FORMAT, config.size_px, config.colour);
    if (index.format, index.size_px, index.colour) != asked {
        return Err(invalid("made by another version"));
    }
    Ok(index)
}

/// Bytes of all pixels, and masks where there are any, of what `source` lists.
fn room_for(source: &dyn Source, config: &DataConfig) -> Result<u64, DataError> {
    let plane = u64::from(config.size_px) * u64::from(config.size_px);
    let planes = config.colour.channels() as u64 + u64::from(source.drawings());
    Ok(source.listing()?.entries.len() as u64 * plane * planes)
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
