//! `shards:PATH`: tar files of pictures, for sets with more files than a disk has names for.
//!
//! PATH is a tar file or a folder of them. A picture's label is what `KEY.cls` beside it in the
//! same tar says (WebDataset's layout: `000.jpg`, `000.cls`; see [`samples`]), else the name of its
//! folder in the tar. A shard that is called `train-0001.tar` (`val…`, `test…`) gives its pictures
//! that part; all shards do, or none. Where a name is in two shards, each picture is called by its
//! shard and its name.
//!
//! A shard's headers are read once; pictures are then read where they lie, from any thread. Hence
//! shards are not compressed (JPEGs do not get smaller anyway). One entry that no honest tar has (a
//! path that leads out, a link, a device) condemns the whole set.

mod samples;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tar::{Archive, EntryType};

use super::folder::{hidden, name_below, part_of};
use super::plain;
use super::shelf::{Collector, Place, looks_like_a_picture};
use super::tarball::{Names, SPARSE, dishonest, goes_on, too_long_a_name};
use super::{Request, Source};
use crate::config::Part;
use crate::error::DataError;
use crate::natural;
use crate::window::Window;
use samples::{Contents, key};

/// In all shards together: ten times what ImageNet-1k holds.
const MAX_ENTRIES: usize = 12_000_000;
/// A label is a word or a number.
const MAX_LABEL_BYTES: u64 = 256;
const BLOCK: u64 = 512;

const DAMAGED: &str = "get the shard again";
const CORRECT: &str = "correct the label and pack the shard again";
const ONE_PICTURE: &str =
    "keep one picture a sample, or let one alone have its ending right behind the key (KEY.jpg)";
const TOGETHER: &str = "where several tar files were put together, give each as a shard of its own";
const HOLES: &str = "pack the shard again without --sparse";
const REFUSED: &str = "the whole set is refused; get it from elsewhere";

pub(super) fn open(request: &Request) -> Result<Box<dyn Source>, DataError> {
    let root = request.path()?;
    let root = root.canonicalize().map_err(|error| DataError::read(&root, error))?;
    let mut collector = Collector::new();
    let shards = if root.is_dir() { within(&root, &mut collector)? } else { vec![root.clone()] };
    let mut found = Vec::new();
    for path in &shards {
        request.progress.stage(&format!("reading the headers of {}", name_of(path)), 0);
        read(path, collector.shards.count(), &mut collector, &mut found)?;
        if found.len() > MAX_ENTRIES {
            let what = format!("holds more than {MAX_ENTRIES} pictures");
            return Err(DataError::refused(&root, what, "train on a part of it"));
        }
    }
    if shards.len() > 1 && repeat(&found) {
        for found in &mut found {
            found.name = format!("{}/{}", name_of(&shards[found.shard]), found.name);
        }
    }
    let classes = classes(&root, &found)?;
    let labels: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
    for ShardPicture { name, label, part, shard, range: (start, end) } in &found {
        let place = Place::Within(*shard, *start, *end);
        collector.add(name.clone(), labels[label.as_str()], *part, place);
    }
    Ok(Box::new(collector.finish(&root, classes.clone())?))
}

struct ShardPicture {
    name: String,
    label: String,
    part: Option<Part>,
    /// Its number among the shards.
    shard: usize,
    /// From where to where in it.
    range: (u64, u64),
}

/// Whether one name is there twice: shards may number their pictures each from `0000`, as
/// WebDataset tells samples apart by shard and key.
fn repeat(found: &[ShardPicture]) -> bool {
    let mut known = HashSet::with_capacity(found.len());
    !found.iter().all(|found| known.insert(found.name.as_str()))
}

/// The tar files of a folder, in natural order.
fn within(root: &Path, collector: &mut Collector) -> Result<Vec<PathBuf>, DataError> {
    let mut shards = Vec::new();
    for child in std::fs::read_dir(root).map_err(|error| DataError::read(root, error))? {
        let path = child.map_err(|error| DataError::read(root, error))?.path();
        let name = name_of(&path);
        let is_tar = name.to_ascii_lowercase().ends_with(".tar");
        match (is_tar, hidden(&name)) {
            (true, false) => {
                name_below(root, &path)?;
                shards.push(path);
            }
            (true, true) => collector.ignore(name, "is a hidden tar file"),
            (false, false) => collector.ignore(name, "is not called like a tar file"),
            (false, true) => {}
        }
    }
    if shards.is_empty() {
        return Err(DataError::refused(root, "holds no .tar file", "give a folder of shards"));
    }
    shards.sort_by(|a, b| natural::compare(&name_of(a), &name_of(b)));
    Ok(shards)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// `train-0001.tar`, `val_3.tar`, `test.tar`.
fn part(path: &Path) -> Option<Part> {
    let name = name_of(path);
    let word = name.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    part_of(word)
}

/// The pictures of one shard with their labels.
fn read(
    path: &Path,
    number: usize,
    collector: &mut Collector,
    found: &mut Vec<ShardPicture>,
) -> Result<(), DataError> {
    let unreadable = |error| DataError::read(path, error);
    let (file, meta) = plain::open(path)?;
    if meta.len() == 0 {
        return Err(DataError::refused(path, "holds 0 bytes", DAMAGED));
    }
    let window = Window::of(file).map_err(unreadable)?;
    if window.read_exact_at(0, 2).is_ok_and(|bytes| bytes == [0x1f, 0x8b]) {
        let what = "is compressed, and a compressed tar has no places to read from";
        return Err(DataError::refused(path, what, "unpack it with gunzip"));
    }
    collector.stamp(path, &meta);
    let (part, mut listed) = (part(path), list(path, &window, MAX_ENTRIES)?);
    listed.one_a_sample().map_err(|what| DataError::refused(path, what, ONE_PICTURE))?;
    listed.tell_lone_labels();
    let labelled = listed.pictures.iter().find(|(name, _)| listed.labels.contains_key(key(name)));
    let labelled = labelled.map(|(name, _)| format!("{}.cls", key(name)));
    for (name, range) in listed.pictures {
        let label = match (listed.labels.get(key(&name)), &labelled) {
            (Some(label), _) => label.text.clone(),
            (None, Some(other)) => {
                let what = format!("{name} has no label {}.cls; there is {other}", key(&name));
                return Err(DataError::refused(path, what, "add one, or leave the picture out"));
            }
            (None, None) => match name.rsplit('/').nth(1) {
                Some(folder) => folder.to_owned(),
                None => {
                    let what =
                        format!("{name} has no label, neither {}.cls nor a folder", key(&name));
                    return Err(DataError::refused(path, what, "add one"));
                }
            },
        };
        found.push(ShardPicture { name, label, part, shard: number, range });
    }
    for name in &listed.hidden {
        match name.rsplit_once('/') {
            Some((folder, file)) => collector.hide(format!("{}: {folder}/", name_of(path)), file),
            None => collector.hide(name_of(path), name),
        }
    }
    listed.ignored.into_iter().for_each(|(name, reason)| collector.ignore(name, reason));
    collector.shards.add(path);
    Ok(())
}

/// Walks the headers; every entry must lie within the file, and the end mark must be there.
fn list(path: &Path, window: &Window, most: usize) -> Result<Contents, DataError> {
    let damaged = |error: io::Error| DataError::refused(path, error.to_string(), DAMAGED);
    let mut archive = Archive::new(Headers(BufReader::new(window.clone())));
    let (mut listed, mut names) = (Contents::default(), Names::default());
    let mut last = 0;
    for (count, entry) in archive.entries_with_seek().map_err(damaged)?.raw(true).enumerate() {
        let mut entry = entry.map_err(damaged)?;
        if count == most {
            let what = format!("holds more than the {most} entries that are read");
            return Err(DataError::refused(path, what, REFUSED));
        }
        if let Some(reason) = too_long_a_name(&entry) {
            return Err(DataError::refused(path, reason, REFUSED));
        }
        let Some(name) = names.of(&mut entry).map_err(damaged)? else { continue };
        let (name, is_utf8) = match String::from_utf8(name) {
            Ok(name) => (name, true),
            Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), false),
        };
        if let Some(reason) = dishonest(&entry, &name) {
            return Err(DataError::refused(path, format!("entry {name:?} {reason}"), REFUSED));
        }
        if names.sparse {
            return Err(DataError::refused(path, format!("entry {name:?} {SPARSE}"), HOLES));
        }
        let (start, size) = (entry.raw_file_position(), entry.size());
        let Some(end) = start.checked_add(size).filter(|end| *end <= window.length()) else {
            let left = window.length().saturating_sub(start);
            let what = format!("entry {name:?} ends after {left} of {size} bytes");
            return Err(DataError::refused(path, what, DAMAGED));
        };
        last = end;
        if entry.header().entry_type() != EntryType::Regular {
            continue;
        }
        let name = name.trim_start_matches("./").to_owned();
        let is_picture = looks_like_a_picture(&name);
        if name.split('/').any(hidden) {
            if is_picture {
                listed.hidden.push(name);
            }
            continue;
        }
        if !is_utf8 && (is_picture || name.ends_with(".cls")) {
            let what = format!("entry {name:?} has a name that is not UTF-8");
            return Err(DataError::refused(path, what, "rename it and pack the shard again"));
        }
        if is_picture {
            listed.pictures.push((name, (start, end)));
        } else if name.ends_with(".cls") && size <= MAX_LABEL_BYTES {
            let mut label = Vec::new();
            entry.read_to_end(&mut label).map_err(damaged)?;
            listed.label(&name, label).map_err(|what| DataError::refused(path, what, CORRECT))?;
        } else {
            listed.ignored.push((name, "is neither a picture nor a label"));
        }
    }
    end(window, last.next_multiple_of(BLOCK))
        .map_err(|error| DataError::read(path, error))?
        .map_or(Ok(listed), |(what, hint)| Err(DataError::refused(path, what, hint)))
}

/// What is wrong from `start` on, where the end mark should be and padding alone behind it.
fn end(window: &Window, start: u64) -> io::Result<Option<(String, &'static str)>> {
    let mark = window.read_exact_at(start, BLOCK as usize);
    if !mark.is_ok_and(|block| block.iter().all(|b| *b == 0)) {
        let what = format!("is a tar cut short: no end mark in {} bytes", window.length());
        return Ok(Some((what, DAMAGED)));
    }
    let rest = window.part(start, window.length() - start).expect("the mark lies within");
    Ok(goes_on(rest, start)?.map(|what| (what, TOGETHER)))
}

/// A buffer that outlives the short steps from header to header, where [`BufReader`]'s own seeking
/// drops it.
struct Headers(BufReader<Window>);

impl Read for Headers {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.read(bytes)
    }
}

impl Seek for Headers {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Current(by) => {
                self.0.seek_relative(by)?;
                self.0.stream_position()
            }
            to => self.0.seek(to),
        }
    }
}

/// All labels in natural order; what is trained on has them all.
fn classes(root: &Path, found: &[ShardPicture]) -> Result<Vec<String>, DataError> {
    let names = |part: Option<Part>| -> BTreeSet<&str> {
        let of_part = found.iter().filter(|f| part.is_none() || f.part == part);
        of_part.map(|f| f.label.as_str()).collect()
    };
    let refuse = |what: String, hint: &str| Err(DataError::refused(root, what, hint));
    let all = names(None);
    if all.len() < 2 {
        return refuse(
            format!("holds {} classes, want at least 2", all.len()),
            "label the pictures",
        );
    }
    let given = found.iter().filter(|f| f.part.is_some()).count();
    if given != 0 && given != found.len() {
        let what = "has shards called train, val or test, and others";
        return refuse(what.into(), "name all of them by their part, or none");
    }
    let trained = names(Some(Part::Train));
    if given > 0
        && let Some(unknown) = all.iter().find(|label| !trained.contains(*label))
    {
        let what = format!("has the class {unknown:?} in no training shard");
        return refuse(what, "add it to train or remove it");
    }
    let mut classes: Vec<String> = all.into_iter().map(String::from).collect();
    classes.sort_by(|a, b| natural::compare(a, b));
    Ok(classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_entries_than_are_read_are_refused() {
        let mut builder = tar::Builder::new(tempfile::NamedTempFile::new().unwrap());
        for i in 0..3 {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(0);
            builder.append_data(&mut header, format!("{i}/x.jpg"), io::empty()).unwrap();
        }
        let file = builder.into_inner().unwrap();
        let window = Window::of(file.reopen().unwrap()).unwrap();
        assert_eq!(list(file.path(), &window, 3).unwrap().pictures.len(), 3);
        let error = list(file.path(), &window, 2).map(drop).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().contains("more than the 2 entries that are read; the whole set"));
    }

    #[test]
    fn names_tell_parts() {
        assert_eq!(part(Path::new("x/train-0001.tar")), Some(Part::Train));
        assert_eq!(part(Path::new("val_3.tar")), Some(Part::Val));
        assert_eq!(part(Path::new("test.tar")), Some(Part::Test));
        assert_eq!(part(Path::new("trained-0.tar")), None);
        assert_eq!(part(Path::new("shard-000.tar")), None);
    }
}
