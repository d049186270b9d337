//! Pictures that lie somewhere, as files or in archives: what `folder` and `cats-vs-dogs` share.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::archive::Archive;
use super::volumes::{VolumeReader, Volumes};
use super::{Entry, Listing, Look, NEIGHBOURS, Picture, Reader, Source};
use crate::config::{DataConfig, Part};
use crate::error::{BadImage, DataError, Rejected};
use crate::{decode, natural, resize};

/// A tar file of more than this counts as several shards.
const STRETCH_BYTES: u64 = 1 << 28;

/// File name endings that announce a picture. What is inside decides how it is read.
pub(super) const ENDINGS: [&str; 9] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "gif", "bmp", "webp", "tif"];

/// True for `7.jpg`, `7.JPEG`, `7.tiff`.
pub(super) fn looks_like_a_picture(name: &str) -> bool {
    let Some((_, ending)) = name.rsplit_once('.') else {
        return false;
    };
    let ending = ending.to_ascii_lowercase();
    ENDINGS.contains(&ending.as_str()) || ending == "tiff"
}

/// What tells, without reading it, that a file is still the same: path, size and time of change. A
/// program can set that time back; what the system keeps beside it (number of the file, time of its
/// last change of any kind) it cannot, so on Unix that counts too.
pub(super) fn stamp(path: &Path) -> Result<String, DataError> {
    let meta = std::fs::metadata(path).map_err(|error| DataError::read(path, error))?;
    Ok(stamp_of(path, &meta))
}

fn stamp_of(path: &Path, meta: &Metadata) -> String {
    let changed = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let changed = changed.map_or(0, |time| time.as_nanos());
    format!("{}\t{}\t{changed}\t{}", path.display(), meta.len(), kept_by_system(meta))
}

#[cfg(unix)]
fn kept_by_system(meta: &Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    format!("{} {}.{:09}", meta.ino(), meta.ctime(), meta.ctime_nsec())
}

#[cfg(not(unix))]
fn kept_by_system(_meta: &Metadata) -> String {
    String::new()
}

#[derive(Clone, Debug)]
pub(super) enum Place {
    File(PathBuf),
    /// Numbers of an archive on the shelf and of an entry in it.
    Zipped(usize, usize),
    /// Number of a shard on the shelf, and from where to where in it.
    Within(usize, u64, u64),
    /// Listed as a picture, but known not to be one.
    Bad(String),
}

#[derive(Debug)]
pub(super) struct Shelf {
    listing: Listing,
    places: Vec<Place>,
    archives: Vec<Archive>,
    shards: Volumes,
    stamp: blake3::Hash,
}

/// Collects what a source finds, in any order.
pub(super) struct Collector {
    found: Vec<(Entry, Place)>,
    ignored: Vec<Rejected>,
    /// By folder, how many hidden pictures there are, and one of them.
    hidden: BTreeMap<String, (usize, String)>,
    pub archives: Vec<Archive>,
    /// Tar files, as they lie on disk.
    pub shards: Volumes,
    /// One line for each file or archive: path, size, time of change.
    stamps: Vec<String>,
}

impl Collector {
    pub fn new() -> Collector {
        Collector {
            found: Vec::new(),
            ignored: Vec::new(),
            hidden: BTreeMap::new(),
            archives: Vec::new(),
            shards: Volumes::default(),
            stamps: Vec::new(),
        }
    }

    pub fn add(&mut self, name: String, label: u32, part: Option<Part>, place: Place) {
        self.found.push((Entry { name, label, part }, place));
    }

    pub fn ignore(&mut self, name: impl Into<String>, reason: impl Into<String>) {
        self.ignored.push(Rejected { name: name.into(), reason: reason.into() });
    }

    /// A hidden file of a folder, ignored; those that are called like pictures are told, all of a
    /// folder in a line: macOS puts one beside each picture that it packs.
    pub fn hide(&mut self, folder: impl Into<String>, name: &str) {
        if looks_like_a_picture(name) {
            let (count, first) = self.hidden.entry(folder.into()).or_default();
            if *count == 0 {
                *first = name.to_owned();
            }
            *count += 1;
        }
    }

    /// A file or archive whose change must be noticed.
    pub fn stamp(&mut self, path: &Path, meta: &Metadata) {
        self.stamps.push(stamp_of(path, meta));
    }

    pub fn found_any(&self) -> bool {
        !self.found.is_empty()
    }

    /// Sorts by class, then name; refuses two pictures of one name and classes without pictures.
    pub fn finish(mut self, root: &Path, classes: Vec<String>) -> Result<Shelf, DataError> {
        self.found.sort_by(|(a, _), (b, _)| {
            a.label.cmp(&b.label).then_with(|| natural::compare(&a.name, &b.name))
        });
        for pair in self.found.windows(2) {
            if pair[0].0.name == pair[1].0.name {
                let (first, second) = (self.tell(&pair[0].1), self.tell(&pair[1].1));
                let what = format!("{} is there twice: {first} and {second}", pair[0].0.name);
                let hint = match pair[1].1 {
                    Place::Within(..) => "keep one of them and pack the shard again",
                    _ => "name the folder of one of them",
                };
                return Err(DataError::refused(root, what, hint));
            }
        }
        let mut has_some = vec![false; classes.len()];
        self.found.iter().for_each(|(entry, _)| has_some[entry.label as usize] = true);
        for (class, has_some) in classes.iter().zip(has_some) {
            if !has_some {
                let place = format!("{}: {class}", root.display());
                return Err(DataError::EmptyClass { place, table: String::new() });
            }
        }
        for (folder, (count, first)) in std::mem::take(&mut self.hidden) {
            let reason = match count {
                1 => format!("1 hidden picture, {first}"),
                _ => format!("{count} hidden pictures, such as {first}"),
            };
            self.ignore(folder, reason);
        }
        self.ignored.sort_by(|a, b| natural::compare(&a.name, &b.name));
        self.stamps.sort_unstable();
        let stamp = blake3::hash(self.stamps.join("\n").as_bytes());
        let (entries, places) = self.found.into_iter().unzip();
        let listing = Listing { classes, entries, ignored: self.ignored, notes: Vec::new() };
        Ok(Shelf { listing, places, archives: self.archives, shards: self.shards, stamp })
    }

    fn tell(&self, place: &Place) -> String {
        match place {
            Place::File(path) => path.display().to_string(),
            Place::Zipped(archive, _) => self.archives[*archive].path.display().to_string(),
            Place::Within(shard, start, _) => {
                format!("byte {start} of {}", self.shards.path(*shard).display())
            }
            Place::Bad(reason) => reason.clone(),
        }
    }
}

impl Source for Shelf {
    fn listing(&self) -> Result<&Listing, DataError> {
        Ok(&self.listing)
    }

    fn ignored(&self) -> Option<&[Rejected]> {
        Some(&self.listing.ignored)
    }

    fn fingerprint(&self, hasher: &mut blake3::Hasher) {
        hasher.update(self.stamp.as_bytes());
        // How names are told from paths is part of it: two sources may see one folder differently.
        for entry in &self.listing.entries {
            hasher.update(entry.name.as_bytes());
            hasher.update(&entry.label.to_le_bytes());
            hasher.update(&[0, entry.part.map_or(3, |part| part as u8)]);
        }
    }

    fn shard(&self, i: usize) -> u64 {
        let within = |file: usize, stretch: u64| ((file as u64) << 32) + stretch;
        match &self.places[i] {
            Place::Within(shard, start, _) => within(*shard, start / STRETCH_BYTES),
            Place::Zipped(archive, entry) => within(*archive, (entry / NEIGHBOURS) as u64),
            Place::File(_) | Place::Bad(_) => (i / NEIGHBOURS) as u64,
        }
    }

    fn reader(&self) -> Box<dyn Reader + '_> {
        Box::new(Hand {
            shelf: self,
            archives: self.archives.clone(),
            shards: self.shards.reader(),
        })
    }
}

/// One thread's reader.
struct Hand<'a> {
    shelf: &'a Shelf,
    archives: Vec<Archive>,
    shards: VolumeReader<'a>,
}

impl Hand<'_> {
    /// The file of entry `i`.
    fn bytes(&mut self, i: usize) -> Result<Vec<u8>, BadImage> {
        let name = &self.shelf.listing.entries[i].name;
        Ok(match &self.shelf.places[i] {
            Place::File(path) => decode::read_file(path, name)?,
            Place::Zipped(archive, entry) => self.archives[*archive].read(*entry, name)?,
            Place::Within(shard, start, end) => {
                let length = end - start;
                if length > decode::MAX_BYTES {
                    return Err(BadImage::new(name, decode::too_long(length)));
                }
                self.shards.read(*shard, (*start, length as usize), name)?
            }
            Place::Bad(reason) => return Err(BadImage::new(name, reason)),
        })
    }
}

impl Reader for Hand<'_> {
    fn look(&mut self, i: usize) -> Result<Look, BadImage> {
        let bytes = self.bytes(i)?;
        let raster = decode::read_rgb(&bytes, &self.shelf.listing.entries[i].name)?.into();
        let (length, hash) = (bytes.len() as u64, blake3::hash(&bytes));
        Ok(Look { raster, bytes: length, format: decode::format(&bytes), hash })
    }

    fn picture(&mut self, i: usize, config: &DataConfig) -> Result<Picture, BadImage> {
        let bytes = self.bytes(i)?;
        let name = &self.shelf.listing.entries[i].name;
        let image = decode::read_rgb(&bytes, name)?;
        let raster = resize::prepare(image, config);
        Ok(Picture { raster, evidence: None, hash: blake3::hash(&bytes) })
    }
}
