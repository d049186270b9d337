//! `folder:PATH`: a folder for each class, with or without the three parts above them.
//!
//! `PATH/class/picture`, or `PATH/{train,val,test}/class/picture`; `valid` and `validation` are val
//! too. Parts that are missing are carved out of train by the split rule ([`crate::split`]).
//! A lone `train` that holds folders, among other folders of pictures, may be either a part or a
//! class and is refused. Class folders are searched to any depth. Links are followed, as
//! torchvision and Keras do: sets are commonly put together by links, only pictures are ever read
//! through them, and a loop is an error. Pictures and classes whose names are not UTF-8 are
//! refused, because reports could not show them. What is hidden is not taken, and told where it is
//! a picture or holds some.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::shelf::{Collector, Place, looks_like_a_picture};
use super::{Request, Source};
use crate::config::Part;
use crate::error::DataError;
use crate::natural;

pub(super) fn open(request: &Request) -> Result<Box<dyn Source>, DataError> {
    let root = request.path()?;
    if !root.is_dir() {
        let hint = "folder: takes a folder; an archive of Cats-vs-Dogs is cats-vs-dogs:PATH";
        return Err(DataError::refused(&root, "is a file, want a folder", hint));
    }
    let root = root.canonicalize().map_err(|error| DataError::read(&root, error))?;
    let mut collector = Collector::new();
    let children = children(&root, &root, &mut collector)?;
    let parts = parts(&children)?;
    let roots: Vec<(Option<Part>, PathBuf)> = if parts.is_empty() {
        vec![(None, root.clone())]
    } else {
        let beside = children.iter().filter(|(name, _)| part_of(name).is_none());
        for (name, path) in beside {
            if parts.len() == 1 && holds_pictures(path) {
                return Err(either_way(&parts[0].1, name));
            }
            collector.ignore(format!("{name}/"), "lies beside the folders train, val and test");
        }
        parts.into_iter().map(|(part, path)| (Some(part), path)).collect()
    };
    let classes = collect(&root, &roots, &mut collector)?;
    Ok(Box::new(collector.finish(&root, classes)?))
}

/// The folders in `folder` by name; files are noted as ignored.
fn children(
    root: &Path,
    folder: &Path,
    collector: &mut Collector,
) -> Result<BTreeMap<String, PathBuf>, DataError> {
    let mut folders = BTreeMap::new();
    for child in std::fs::read_dir(folder).map_err(|error| DataError::read(folder, error))? {
        let path = child.map_err(|error| DataError::read(folder, error))?.path();
        if hidden(&last_piece(&path)) {
            hide(root, &path, collector);
        } else if path.is_dir() {
            folders.insert(name_below(folder, &path)?, path);
        } else {
            collector.ignore(path.display().to_string(), "lies outside the class folders");
        }
    }
    Ok(folders)
}

/// Notes what is hidden, if it is a picture or holds some.
pub(super) fn hide(root: &Path, path: &Path, collector: &mut Collector) {
    if !path.is_dir() {
        let folder = lossy_below(root, path.parent().unwrap_or(root));
        let place = if folder.is_empty() { root.display().to_string() } else { folder };
        collector.hide(format!("{place}/"), &last_piece(path));
    } else if holds_pictures(path) {
        collector.ignore(format!("{}/", lossy_below(root, path)), "is hidden, and holds pictures");
    }
}

fn last_piece(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Hidden files (`.DS_Store`) and the shadows that macOS puts into archives.
pub(super) fn hidden(name: &str) -> bool {
    name.starts_with('.') || name == "__MACOSX"
}

pub(super) fn part_of(name: &str) -> Option<Part> {
    match name.to_ascii_lowercase().as_str() {
        "train" | "training" => Some(Part::Train),
        "val" | "valid" | "validation" => Some(Part::Val),
        "test" | "testing" => Some(Part::Test),
        _ => None,
    }
}

/// The part folders among `children`; none if these are class folders that happen to be called so
/// (then they hold pictures, not folders).
fn parts(children: &BTreeMap<String, PathBuf>) -> Result<Vec<(Part, PathBuf)>, DataError> {
    let mut parts: Vec<(Part, PathBuf)> = Vec::new();
    for (name, path) in children {
        let Some(part) = part_of(name) else { continue };
        if let Some((_, other)) = parts.iter().find(|(known, _)| *known == part) {
            let what = format!("is the {} part, and so is {}", part.name(), other.display());
            return Err(DataError::refused(path, what, "keep one of them"));
        }
        let listed = std::fs::read_dir(path).map_err(|error| DataError::read(path, error))?;
        if listed.flatten().any(|child| child.path().is_dir()) {
            parts.push((part, path.clone()));
        }
    }
    if parts.is_empty() || parts.iter().any(|(part, _)| *part == Part::Train) {
        return Ok(parts);
    }
    let what = format!("has a {} part but no train part", parts[0].0.name());
    let folder = parts[0].1.parent().unwrap_or(&parts[0].1);
    Err(DataError::refused(folder, what, "add train/class/picture"))
}

fn holds_pictures(folder: &Path) -> bool {
    let mut entries = WalkDir::new(folder).follow_links(true).into_iter().flatten();
    entries.any(|entry| {
        entry.file_type().is_file() && looks_like_a_picture(&entry.path().to_string_lossy())
    })
}

/// A lone `train` among other folders of pictures may be a part or a class. As a part it would
/// swallow the others, as a class its parts' names.
fn either_way(train: &Path, other: &str) -> DataError {
    let what = format!("holds folders, and {other} beside it holds pictures: a part or a class?");
    let hint = "if it is a part, move the others away; if it is a class, call it otherwise";
    DataError::refused(train, what, hint)
}

/// Fills the collector; returns the classes in natural order.
fn collect(
    root: &Path,
    roots: &[(Option<Part>, PathBuf)],
    collector: &mut Collector,
) -> Result<Vec<String>, DataError> {
    let mut class_folders = Vec::new();
    for (part, folder) in roots {
        // The root's own files were noted already.
        let mut beside = Collector::new();
        let noted = if part.is_some() { &mut *collector } else { &mut beside };
        class_folders.push((*part, folder, children(root, folder, noted)?));
    }
    let mut classes: Vec<String> = class_folders[0].2.keys().cloned().collect();
    for (part, _, folders) in &class_folders {
        if *part == Some(Part::Train) {
            classes = folders.keys().cloned().collect();
        }
    }
    classes.sort_by(|a, b| natural::compare(a, b));
    if classes.len() < 2 {
        return Err(DataError::TooFewClasses { path: root.into(), found: classes.len() });
    }
    for (part, folder, folders) in &class_folders {
        for (class, path) in folders {
            let Some(label) = classes.iter().position(|known| known == class) else {
                let what = format!("is a class that train lacks; train has {}", classes.join(", "));
                return Err(DataError::refused(path, what, "add it to train or remove it"));
            };
            if collect_class(root, path, label as u32, *part, collector)? == 0 {
                let place = path.display().to_string();
                return Err(DataError::EmptyClass { place, table: String::new() });
            }
        }
        if let Some(missing) = classes.iter().find(|class| !folders.contains_key(*class)) {
            let place = folder.join(missing).display().to_string();
            return Err(DataError::EmptyClass { place, table: String::new() });
        }
    }
    Ok(classes)
}

/// All pictures under one class folder; returns how many.
fn collect_class(
    root: &Path,
    folder: &Path,
    label: u32,
    part: Option<Part>,
    collector: &mut Collector,
) -> Result<usize, DataError> {
    let mut count = 0;
    let mut walk = WalkDir::new(folder).min_depth(1).follow_links(true).into_iter();
    while let Some(next) = walk.next() {
        let entry = match next {
            Ok(entry) => entry,
            Err(error) => match broken_link(&error) {
                Some(path) => {
                    let name = name_below(root, path)?;
                    collector.add(name, label, part, Place::Bad("is a broken link".into()));
                    count += 1;
                    continue;
                }
                None => return Err(DataError::read(folder, error.into())),
            },
        };
        let is_folder = entry.file_type().is_dir();
        if hidden(&entry.file_name().to_string_lossy()) {
            hide(root, entry.path(), collector);
            if is_folder {
                walk.skip_current_dir();
            }
            continue;
        }
        let lossy = lossy_below(root, entry.path());
        if !looks_like_a_picture(&lossy) {
            if !is_folder {
                collector.ignore(lossy, "does not end like a picture's name");
            }
            continue;
        }
        let name = name_below(root, entry.path())?;
        if is_folder {
            walk.skip_current_dir();
            collector.add(name, label, part, Place::Bad("is a folder, want a picture".into()));
        } else {
            let meta = entry.metadata();
            let meta = meta.map_err(|error| DataError::read(entry.path(), error.into()))?;
            collector.stamp(entry.path(), &meta);
            collector.add(name, label, part, Place::File(entry.into_path()));
        }
        count += 1;
    }
    Ok(count)
}

/// A link to nothing is a bad picture like any other; a loop of links is an error of the layout.
fn broken_link(error: &walkdir::Error) -> Option<&Path> {
    let missing = error.io_error()?.kind() == std::io::ErrorKind::NotFound;
    error.path().filter(|path| missing && path.is_symlink())
}

/// The path below `root` with `/` between, on every system; what is not UTF-8 is replaced.
fn lossy_below(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    let pieces: Vec<_> =
        below.components().map(|piece| piece.as_os_str().to_string_lossy()).collect();
    pieces.join("/")
}

/// The same, if reports can show it.
pub(super) fn name_below(root: &Path, path: &Path) -> Result<String, DataError> {
    let below = path.strip_prefix(root).unwrap_or(path);
    if below.to_str().is_none() {
        return Err(DataError::refused(path, "has a name that is not UTF-8", "rename it"));
    }
    Ok(lossy_below(root, path))
}
