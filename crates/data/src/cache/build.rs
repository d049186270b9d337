//! One strict look at every picture by all threads, and the cache's files filled on the way: each
//! picture is written to its slot at once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rayon::prelude::*;

use super::{EVIDENCE, FORMAT, INDEX, Index, IndexEntry, PIXELS};
use crate::config::{DataConfig, Part};
use crate::decode::caught;
use crate::error::{BadImage, DataError, Doing, Fault, Rejected};
use crate::progress::Progress;
use crate::source::{Listing, Picture, Reader, Source};

/// What becomes of the pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A file of the cache.
    File,
    /// They are looked at and dropped; only the index stays.
    Nowhere,
}

/// Builds `place` from `source`, completely or not at all. Call it under the cache's lock.
pub(super) fn build(
    source: &dyn Source,
    config: &DataConfig,
    place: &Path,
    target: Target,
    progress: &dyn Progress,
) -> Result<Index, DataError> {
    let tmp = place.with_extension("tmp");
    let storing = |error| DataError::storage(&tmp, Doing::MakingTheCache, error);
    // Under the lock a leftover is from a process that was killed, or a cache to be made anew.
    for stale in [&tmp, place] {
        if stale.exists() {
            std::fs::remove_dir_all(stale).map_err(storing)?;
        }
    }
    std::fs::create_dir_all(&tmp).map_err(storing)?;
    let done = fill(source, config, &tmp, target, progress).and_then(|index| {
        std::fs::rename(&tmp, place).map_err(storing)?;
        sync_folder(place.parent().unwrap_or(place)).map_err(storing)?;
        Ok(index)
    });
    if done.is_err() {
        // The first error is the one to tell.
        let _ = std::fs::remove_dir_all(&tmp);
    }
    done
}

fn fill(
    source: &dyn Source,
    config: &DataConfig,
    tmp: &Path,
    target: Target,
    progress: &dyn Progress,
) -> Result<Index, DataError> {
    let storing = |error| DataError::storage(tmp, Doing::WritingTheCache, error);
    let index = match target {
        Target::Nowhere => survey(source, config, progress, |_, _| Ok(()))?,
        Target::File => {
            let files = Files::create(source, config, tmp)?;
            let write = |slot, picture| files.write(slot, &picture).map_err(storing);
            let index = written_back(&files.pixels, || survey(source, config, progress, write));
            let index = index.map_err(storing)??;
            files.pixels.sync_all().map_err(storing)?;
            if let Some(file) = &files.evidence {
                file.sync_all().map_err(storing)?;
            }
            index
        }
    };
    let file = File::create(tmp.join(INDEX)).map_err(storing)?;
    let mut writer = io::BufWriter::new(&file);
    serde_json::to_writer(&mut writer, &index).map_err(|e| storing(e.into()))?;
    io::Write::flush(&mut writer).map_err(storing)?;
    file.sync_all().map_err(storing)?;
    Ok(index)
}

/// How often what was written goes to disk.
const WRITE_BACK_EVERY: Duration = Duration::from_millis(30);

/// `fill`, while a thread of its own has the disk write what `file` was given so far: in the end
/// there is little left to wait for. An error of the disk is told once, so it is kept.
fn written_back<T>(file: &File, fill: impl FnOnce() -> T) -> io::Result<T> {
    let (filling, ended) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let writer = scope.spawn(move || {
            while ended.recv_timeout(WRITE_BACK_EVERY) == Err(RecvTimeoutError::Timeout) {
                file.sync_data()?;
            }
            Ok(())
        });
        let filled = fill();
        drop(filling);
        writer.join().expect("it only waits and writes").map(|()| filled)
    })
}

/// The cache's two big files while they are filled.
struct Files {
    pixels: File,
    picture_bytes: u64,
    evidence: Option<File>,
    mask_bytes: u64,
}

impl Files {
    fn create(source: &dyn Source, config: &DataConfig, tmp: &Path) -> Result<Files, DataError> {
        let storing = |error| DataError::storage(tmp, Doing::WritingTheCache, error);
        let n = source.listing()?.entries.len() as u64;
        let mask_bytes = u64::from(config.size_px) * u64::from(config.size_px);
        let picture_bytes = mask_bytes * config.colour.channels() as u64;
        let needed = super::room_for(source, config)?;
        let free = fs4::available_space(tmp).map_err(storing)?;
        if free < needed {
            let (path, doing) = (tmp.into(), Doing::WritingTheCache);
            return Err(DataError::NoRoom { path, doing, needed, free });
        }
        let pixels = sized(&tmp.join(PIXELS), n * picture_bytes).map_err(storing)?;
        let evidence = if source.drawings() {
            Some(sized(&tmp.join(EVIDENCE), n * mask_bytes).map_err(storing)?)
        } else {
            None
        };
        Ok(Files { pixels, picture_bytes, evidence, mask_bytes })
    }

    fn write(&self, slot: usize, picture: &Picture) -> io::Result<()> {
        let slot = slot as u64;
        write_at(&self.pixels, picture.raster.pixels(), slot * self.picture_bytes)?;
        if let (Some(file), Some(mask)) = (&self.evidence, &picture.evidence) {
            write_at(file, mask, slot * self.mask_bytes)?;
        }
        Ok(())
    }
}

/// One strict look at every picture, by all threads; `keep` gets each that can be read, with its
/// slot.
pub(super) fn survey(
    source: &dyn Source,
    config: &DataConfig,
    progress: &dyn Progress,
    keep: impl Fn(usize, Picture) -> Result<(), DataError> + Sync,
) -> Result<Index, DataError> {
    let listing = source.listing()?;
    let n = listing.entries.len();
    progress.stage(if source.drawings() { "drawing" } else { "decoding" }, n as u64);
    let decode = |reader: &mut Box<dyn Reader + '_>, i: usize| {
        let read = caught(&listing.entries[i].name, || reader.picture(i, config));
        progress.advance(1);
        match read {
            Ok(picture) => {
                let hash = picture.hash;
                keep(i, picture).map(|()| Ok(hash))
            }
            Err(bad) => Ok(Err(bad)),
        }
    };
    let outcomes: Result<Vec<Result<blake3::Hash, BadImage>>, DataError> =
        (0..n).into_par_iter().map_init(|| source.reader(), decode).collect();
    index(listing, outcomes?, source.drawings(), config)
}

fn index(
    listing: &Listing,
    outcomes: Vec<Result<blake3::Hash, BadImage>>,
    drawings: bool,
    config: &DataConfig,
) -> Result<Index, DataError> {
    let (mut samples, mut rejected, mut retry) = (Vec::new(), Vec::new(), false);
    let mut rejected_by_class = vec![0; listing.classes.len()];
    for (slot, (entry, outcome)) in listing.entries.iter().zip(outcomes).enumerate() {
        match outcome {
            Ok(hash) => samples.push(IndexEntry {
                name: entry.name.clone(),
                label: entry.label,
                part: entry.part,
                slot: slot as u32,
                hash: hash.to_hex().to_string(),
            }),
            Err(bad) => {
                retry |= bad.fault == Fault::Unreadable;
                rejected_by_class[entry.label as usize] += 1;
                rejected.push(Rejected { name: bad.name, reason: bad.reason });
            }
        }
    }
    check_classes(listing, &samples, &rejected)?;
    Ok(Index {
        format: FORMAT,
        size_px: config.size_px,
        colour: config.colour,
        digest: digest(&listing.classes, &samples),
        drawings,
        classes: listing.classes.clone(),
        samples,
        rejected,
        rejected_by_class,
        ignored: listing.ignored.clone(),
        notes: listing.notes.clone(),
        retry,
    })
}

/// A class of which nothing could be read, in a part if the source brings parts, is told with all
/// beside it, and one reason.
fn check_classes(
    listing: &Listing,
    samples: &[IndexEntry],
    rejected: &[Rejected],
) -> Result<(), DataError> {
    let mut counts: BTreeMap<(Option<&str>, u32), (usize, usize)> = BTreeMap::new();
    for entry in &listing.entries {
        counts.entry((entry.part.map(Part::name), entry.label)).or_default().1 += 1;
    }
    for sample in samples {
        counts.entry((sample.part.map(Part::name), sample.label)).or_default().0 += 1;
    }
    let called = |(part, label): &(Option<&str>, u32)| {
        let class = &listing.classes[*label as usize];
        part.map_or_else(|| class.clone(), |part| format!("{part}/{class}"))
    };
    let Some((empty, _)) = counts.iter().find(|(_, (good, _))| *good == 0) else {
        return Ok(());
    };
    let mut table = String::from(" can be read (");
    for (place, (good, all)) in &counts {
        table.push_str(&format!("{} {good} of {all}, ", called(place)));
    }
    if let Some(first) = rejected.first() {
        table.push_str(&format!("the first: {}: {}", first.name, first.reason));
    }
    Err(DataError::EmptyClass { place: called(empty), table: table + ")" })
}

/// Independent of where the pictures lie: class names, then each picture's name, label and hash.
fn digest(classes: &[String], samples: &[IndexEntry]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut part = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    part(&format!("{} classes", classes.len()));
    classes.iter().for_each(|class| part(class));
    for sample in samples {
        part(&sample.name);
        part(&sample.label.to_string());
        part(&sample.hash);
    }
    hasher.finalize().to_hex().to_string()
}

/// A file of that length without contents: what is never written takes no room.
fn sized(path: &Path, bytes: u64) -> io::Result<File> {
    let file = File::create(path)?;
    file.set_len(bytes)?;
    Ok(file)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        (bytes, offset) = (&bytes[n..], offset + n as u64);
    }
    Ok(())
}

/// Makes a rename last through a power cut. Windows has no such call and needs none.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_disk_says_meanwhile_is_not_lost() {
        let file = tempfile::tempfile().unwrap();
        let long = 4 * WRITE_BACK_EVERY;
        let filled = written_back(&file, || {
            thread::sleep(long);
            7
        });
        assert_eq!(filled.unwrap(), 7);
        // A device that cannot be written back, which the disk says once.
        #[cfg(target_os = "linux")]
        assert!(written_back(&File::open("/dev/null").unwrap(), || thread::sleep(long)).is_err());
    }
}
