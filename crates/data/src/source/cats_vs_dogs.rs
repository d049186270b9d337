//! `cats-vs-dogs:PATH`: Kaggle's Dogs vs. Cats (2013) and Microsoft's PetImages, in every layout
//! that people have: loose files, archives, archives in an archive, a folder of archives.
//!
//! A picture is known by its name (`train/cat.0.jpg`) or by its folder (`PetImages/Cat/0.jpg`), and
//! is called `cat.0.jpg` in both cases, so that the same photographs have the same split however
//! they are kept. Kaggle's unlabelled test pictures are left out, and that is said.
//!
//! What lies loose is preferred to archives, archives to archives within archives, so that a
//! `train` folder beside the `train.zip` it came from is not counted twice.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::archive::Archive;
use super::folder::{self, hidden, name_below};
use super::shelf::{Collector, Place, looks_like_a_picture};
use super::{Request, Source};
use crate::error::DataError;

const CLASSES: [&str; 2] = ["cat", "dog"];

pub(super) fn open(request: &Request) -> Result<Box<dyn Source>, DataError> {
    let root = request.path()?;
    let root = root.canonicalize().map_err(|error| DataError::read(&root, error))?;
    let mut search = Search { collector: Collector::new(), left_out: BTreeMap::new() };
    let archives = if root.is_dir() { search.loose(&root)? } else { vec![root.clone()] };
    search.archives(&archives, request)?;
    let Search { mut collector, left_out } = search;
    for ((place, reason), count) in left_out {
        let files = if count == 1 { "file" } else { "files" };
        collector.ignore(place, format!("{count} {files} {reason}"));
    }
    if !collector.found_any() {
        let hint = "want train/cat.0.jpg, PetImages/Cat/0.jpg, or a zip of either";
        return Err(DataError::refused(&root, "holds no labelled cats or dogs", hint));
    }
    Ok(Box::new(collector.finish(&root, CLASSES.map(String::from).to_vec())?))
}

struct Search {
    collector: Collector,
    /// How many files of (folder, reason) were not taken: 12,500 unlabelled pictures are one line.
    left_out: BTreeMap<(String, &'static str), usize>,
}

impl Search {
    /// Takes the loose pictures under `root`; returns the archives there.
    fn loose(&mut self, root: &Path) -> Result<Vec<PathBuf>, DataError> {
        let mut archives = Vec::new();
        let mut walk = WalkDir::new(root).follow_links(true).into_iter();
        while let Some(entry) = walk.next() {
            let entry = entry.map_err(|error| DataError::read(root, error.into()))?;
            if entry.depth() > 0 && hidden(&entry.file_name().to_string_lossy()) {
                if entry.file_type().is_dir() {
                    walk.skip_current_dir();
                }
                folder::hide(root, entry.path(), &mut self.collector);
                continue;
            }
            let path = entry.path().to_string_lossy().into_owned();
            if is_zip(&path) || looks_like_a_picture(&path) {
                name_below(root, entry.path())?;
            }
            if entry.file_type().is_dir() {
                // Folders called like a labelled picture are refused later, as bad pictures.
                if let Some((name, label)) = named(&path).filter(|_| looks_like_a_picture(&path)) {
                    let place = Place::Bad("is a folder, want a picture".into());
                    self.collector.add(name, label, None, place);
                }
                continue;
            }
            if is_zip(&path) {
                archives.push(entry.into_path());
                continue;
            }
            // Only what is below the root tells a label, unless the root is the class folder's.
            let Some((name, label)) = self.labelled(&path, root) else {
                continue;
            };
            let meta = entry.metadata().map_err(|e| DataError::read(entry.path(), e.into()))?;
            self.collector.stamp(entry.path(), &meta);
            self.collector.add(name, label, None, Place::File(entry.into_path()));
        }
        archives.sort();
        Ok(archives)
    }

    fn archives(&mut self, paths: &[PathBuf], request: &Request) -> Result<(), DataError> {
        if self.collector.found_any() {
            for path in paths {
                let reason = "not opened: the pictures beside it are used";
                self.collector.ignore(path.display().to_string(), reason);
            }
            return Ok(());
        }
        let mut nested = Vec::new();
        for path in paths {
            if unlabelled_archive(&path.display().to_string()) && paths.len() > 1 {
                self.collector.ignore(path.display().to_string(), UNLABELLED_ARCHIVE);
                continue;
            }
            let meta: Metadata =
                std::fs::metadata(path).map_err(|error| DataError::read(path, error))?;
            self.collector.stamp(path, &meta);
            let archive = Archive::open(path)?;
            nested.extend(self.archive(archive));
        }
        let used = self.collector.found_any();
        for (mut outer, index, name) in nested {
            let place = format!("{}: {name}", outer.path.display());
            if used {
                self.collector.ignore(place, "not opened: the pictures beside it are used");
            } else if unlabelled_archive(&name) {
                self.collector.ignore(place, UNLABELLED_ARCHIVE);
            } else {
                request.progress.stage(&format!("opening {name}"), 0);
                let archive = outer.inner(index, request.cache_dir)?;
                for (_, _, deeper) in self.archive(archive) {
                    self.collector.ignore(format!("{place}: {deeper}"), "not opened: too deep");
                }
            }
        }
        Ok(())
    }

    /// Takes the pictures of one archive; returns the archives in it.
    fn archive(&mut self, archive: Archive) -> Vec<(Archive, usize, String)> {
        let number = self.collector.archives.len();
        let mut nested = Vec::new();
        for (index, name) in archive.names() {
            if name.split('/').any(hidden) {
                let (folder, file) = name.rsplit_once('/').unwrap_or(("", &name));
                self.collector.hide(format!("{}: {folder}/", archive.path.display()), file);
                continue;
            }
            if is_zip(&name) {
                nested.push((archive.clone(), index, name));
                continue;
            }
            let full = format!("{}/{name}", archive.path.display());
            if let Some((name, label)) = self.labelled(&full, &archive.path) {
                self.collector.add(name, label, None, Place::Zipped(number, index));
            }
        }
        self.collector.archives.push(archive);
        nested
    }

    /// Name and label of a file, or `None` after counting it as left out.
    fn labelled(&mut self, path: &str, root: &Path) -> Option<(String, u32)> {
        let reason = if !looks_like_a_picture(path) {
            "not called like a picture"
        } else if let Some(found) = named(path) {
            return Some(found);
        } else {
            "without a label in its name or folder"
        };
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let root = root.display().to_string();
        let below = folder.strip_prefix(&root).unwrap_or(folder).trim_start_matches('/');
        let place = if below.is_empty() { root } else { format!("{root}: {below}/") };
        *self.left_out.entry((place, reason)).or_default() += 1;
        None
    }
}

const UNLABELLED_ARCHIVE: &str = "not opened: Kaggle's test pictures have no labels";

fn is_zip(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".zip")
}

/// Kaggle's test1.zip (or test.zip of the later contest).
fn unlabelled_archive(path: &str) -> bool {
    let name = path.replace('\\', "/").to_ascii_lowercase();
    let name = name.rsplit('/').next().unwrap_or_default();
    name.starts_with("test") && name.ends_with(".zip")
}

/// `…/cat.0.jpg` or `…/Cat/0.jpg` (also `cats`) to `cat.0.jpg` and its label.
fn named(path: &str) -> Option<(String, u32)> {
    let path = path.replace('\\', "/");
    let mut pieces = path.rsplit('/');
    let file = pieces.next()?;
    let folder = pieces.next().unwrap_or_default().to_ascii_lowercase();
    let lower = file.to_ascii_lowercase();
    for (label, class) in CLASSES.iter().enumerate() {
        let rest = lower.strip_prefix(class).and_then(|rest| rest.strip_prefix('.'));
        if rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
            return Some((lower, label as u32));
        }
    }
    let label = CLASSES.iter().position(|class| {
        folder == *class || folder.strip_suffix('s').is_some_and(|folder| folder == *class)
    })?;
    Some((format!("{}.{file}", CLASSES[label]), label as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_folders_tell_the_label() {
        let call = |path: &str| named(path).map(|(name, label)| format!("{label} {name}"));
        let expect = |path: &str, want: &str| assert_eq!(call(path).as_deref(), Some(want));
        expect("train/cat.0.jpg", "0 cat.0.jpg");
        expect("train/dog.12499.jpg", "1 dog.12499.jpg");
        expect("PetImages/Cat/0.jpg", "0 cat.0.jpg");
        expect("PetImages/Dog/12499.jpg", "1 dog.12499.jpg");
        expect("x/training_set/cats/cat.1.jpg", "0 cat.1.jpg");
        expect("dogs/rex.png", "1 dog.rex.png");
        assert_eq!(call("test1/7.jpg"), None);
        assert_eq!(call("cat.jpg"), None);
        assert_eq!(call("category.1.jpg"), None);
    }

    #[test]
    fn test_archives_are_known() {
        assert!(unlabelled_archive("a/b/test1.zip"));
        assert!(unlabelled_archive("dogs-vs-cats.zip: test.zip".rsplit(' ').next().unwrap()));
        assert!(!unlabelled_archive("train.zip"));
    }
}
