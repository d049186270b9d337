//! Where pictures come from: one table, and what every row must be able to do.

mod archive;
mod cats_vs_dogs;
mod cifar10;
mod critters;
mod csv;
mod folder;
mod idx;
mod mnist;
mod plain;
mod shards;
mod shelf;
mod stacks;
mod tarball;
mod unpack;
mod volumes;

use std::io::ErrorKind as Kind;
use std::path::{Path, PathBuf};

use crate::colour::Raster;
use crate::config::{DataConfig, Part};
use crate::error::{BadImage, DataError, Rejected};
use crate::progress::Progress;

/// A row of SOURCES.
pub struct SourceRow {
    /// What stands before the colon of `--data`.
    pub name: &'static str,
    /// How to write it on the command line.
    pub usage: &'static str,
    /// One line for help and docs.
    pub about: &'static str,
    open: fn(&Request) -> Result<Box<dyn Source>, DataError>,
}

/// Every source there is. Help, errors and tests loop over it.
pub static SOURCES: &[SourceRow] = &[
    SourceRow {
        name: "critters",
        usage: "critters or critters:COUNT",
        about: "cats and dogs drawn by the program itself, 2,500 unless COUNT is given",
        open: critters::open,
    },
    SourceRow {
        name: "folder",
        usage: "folder:PATH",
        about: "PATH/class/picture, or PATH/{train,val,test}/class/picture; any number of classes",
        open: folder::open,
    },
    SourceRow {
        name: "csv",
        usage: "csv:PATH",
        about: "a manifest of path,label[,split], a line a picture, paths below its own folder",
        open: csv::open,
    },
    SourceRow {
        name: "shards",
        usage: "shards:PATH",
        about: "tar files of pictures, labels as KEY.cls (WebDataset) or folders; for huge sets",
        open: shards::open,
    },
    SourceRow {
        name: "cats-vs-dogs",
        usage: "cats-vs-dogs:PATH",
        about: "Kaggle's train folder, train.zip or dogs-vs-cats.zip; the public PetImages zip \
                or folder; or a folder of such archives",
        open: cats_vs_dogs::open,
    },
    SourceRow {
        name: "mnist",
        usage: "mnist:PATH",
        about: "handwritten digits, grey, 28 px: the folder of MNIST's four IDX files, gzip or not",
        open: mnist::open_digits,
    },
    SourceRow {
        name: "fashion-mnist",
        usage: "fashion-mnist:PATH",
        about: "ten kinds of clothes, grey, 28 px: files as MNIST's",
        open: mnist::open_clothes,
    },
    SourceRow {
        name: "cifar10",
        usage: "cifar10:PATH",
        about: "ten classes, 32 px: cifar-10-binary.tar.gz, or a folder of (some of) its batches",
        open: cifar10::open,
    },
];

/// What a row gets to open itself.
pub(crate) struct Request<'a> {
    pub row: &'static SourceRow,
    /// What stands after the colon.
    pub argument: Option<&'a str>,
    /// Where archives within archives are unpacked to (as one nameless file, never by their paths).
    pub cache_dir: &'a Path,
    /// Drawn pictures are drawn at this size.
    pub size_px: u32,
    pub progress: &'a dyn Progress,
}

impl Request<'_> {
    /// The path after the colon, which must exist; without one, where `fetch` puts this set.
    fn path(&self) -> Result<PathBuf, DataError> {
        #[cfg(feature = "fetch")]
        if let (None, Some(fetched)) = (self.argument, self.fetched()) {
            return Ok(fetched);
        }
        let Some(path) = self.argument.filter(|path| !path.is_empty()) else {
            let name = self.row.name;
            let can = cfg!(feature = "fetch") && self.fetchable();
            let or = if can { format!(", or catscan data fetch {name}") } else { String::new() };
            return Err(self.usage(&format!("needs a path{or}")));
        };
        let path = PathBuf::from(path);
        match std::fs::metadata(&path) {
            Ok(_) => Ok(path),
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::NotADirectory) => {
                Err(DataError::Missing { path })
            }
            Err(error) => Err(DataError::read(&path, error)),
        }
    }

    #[cfg(feature = "fetch")]
    fn fetchable(&self) -> bool {
        crate::fetch::FETCHABLE.iter().any(|set| set.name == self.row.name)
    }

    #[cfg(not(feature = "fetch"))]
    fn fetchable(&self) -> bool {
        false
    }

    /// A set that was fetched whole to its usual place.
    #[cfg(feature = "fetch")]
    fn fetched(&self) -> Option<PathBuf> {
        let set = crate::fetch::FETCHABLE.iter().find(|set| set.name == self.row.name)?;
        let folder = crate::fetch::default_folder(self.cache_dir, set.name);
        let whole = set.files.iter().all(|file| folder.join(file.name).is_file());
        whole.then(|| set.open.map_or(folder.clone(), |file| folder.join(file)))
    }

    /// The path after the colon, which must be a folder; `want` says which.
    fn folder(&self, want: &str) -> Result<PathBuf, DataError> {
        let path = self.path()?;
        if !path.is_dir() {
            let hint = format!("give {want}");
            return Err(DataError::refused(&path, "is a file, want a folder", &hint));
        }
        path.canonicalize().map_err(|error| DataError::read(&path, error))
    }

    fn usage(&self, what: &str) -> DataError {
        let usage = self.row.usage.to_string();
        DataError::Usage { source_name: self.row.name.into(), what: what.into(), usage }
    }
}

/// An opened source: it knows its pictures' names, and reads them one by one from any thread.
pub(crate) trait Source: Send + Sync {
    /// What there is; where that can be known only by reading whole files, this reads them, so it
    /// is called only when a cache is to be made.
    fn listing(&self) -> Result<&Listing, DataError>;
    /// [`Listing::ignored`] as it is now, where that is known without reading whole files: such a
    /// file may come or go, and a cache of the pictures beside it stays as it is.
    fn ignored(&self) -> Option<&[Rejected]> {
        None
    }
    /// What tells, without reading pictures, that they are the ones of a cache made earlier.
    fn fingerprint(&self, hasher: &mut blake3::Hasher);
    /// A reader for one thread, after the listing.
    fn reader(&self) -> Box<dyn Reader + '_>;
    /// Which of the files or stretches that are read in one go entry `i` lies in: a tar file, a
    /// part of an archive, neighbours in a folder. After the listing.
    fn shard(&self, i: usize) -> u64 {
        (i / NEIGHBOURS) as u64
    }
    /// True if the program drew these itself: then readers also give the mask of the evidence.
    fn drawings(&self) -> bool {
        false
    }
}

/// How many pictures that follow each other in a listing count as lying together.
pub(crate) const NEIGHBOURS: usize = 256;

/// A picture as it lies in its source, before colour and size are the recipe's.
pub(crate) struct Look {
    pub raster: Raster,
    /// Of its file, or of its pixels where files hold many.
    pub bytes: u64,
    /// Told by the content.
    pub format: &'static str,
    /// As [`Picture::hash`].
    pub hash: blake3::Hash,
}

pub(crate) trait Reader {
    /// Entry `i` of the listing, for an audit.
    fn look(&mut self, i: usize) -> Result<Look, BadImage>;
    /// Entry `i` of the listing, in the recipe's colour, squashed to its size.
    fn picture(&mut self, i: usize, config: &DataConfig) -> Result<Picture, BadImage>;
}

pub(crate) struct Picture {
    pub raster: Raster,
    /// `[H, W]`, 0 or 255; drawings only.
    pub evidence: Option<Vec<u8>>,
    /// Of the picture's file as it is stored; of the pixels, if it was drawn.
    pub hash: blake3::Hash,
}

/// What a source holds, before a picture is read. Entries are sorted by class, then by name in
/// natural order, whatever the file system says.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Names by label.
    pub classes: Vec<String>,
    /// Its pictures, as far as that can be told without decoding them.
    pub entries: Vec<Entry>,
    /// Files that are not pictures of the set.
    pub ignored: Vec<Rejected>,
    /// What must be known of the set as a whole, such as what of it is missing.
    pub notes: Vec<String>,
}

/// A picture of a [`Listing`].
#[derive(Clone, Debug)]
pub struct Entry {
    /// The same wherever the set lies.
    pub name: String,
    /// Into [`Listing::classes`].
    pub label: u32,
    /// The part its folder gives it.
    pub part: Option<Part>,
}

/// Lists what lies at `source`, as [`crate::DataConfig::source`] names it, and decodes nothing.
///
/// ```
/// use std::path::Path;
///
/// # fn main() -> Result<(), catscan_data::DataError> {
/// let listing = catscan_data::source::list("critters:10", Path::new("unused"), &())?;
/// assert_eq!((listing.classes, listing.entries.len()), (vec!["cat".into(), "dog".into()], 10));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Where there is nothing of that kind, or something that cannot be trusted: see [`DataError`].
pub fn list(source: &str, cache_dir: &Path, progress: &dyn Progress) -> Result<Listing, DataError> {
    // Only drawings have a size before they are read, and a listing does not show it.
    const SIZE_PX: u32 = 32;
    Ok(open(source, cache_dir, SIZE_PX, progress)?.listing()?.clone())
}

/// Opens `name` or `name:argument`.
pub(crate) fn open(
    source: &str,
    cache_dir: &Path,
    size_px: u32,
    progress: &dyn Progress,
) -> Result<Box<dyn Source>, DataError> {
    let (name, argument) = match source.split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (source, None),
    };
    let Some(row) = SOURCES.iter().find(|row| row.name == name) else {
        return Err(unknown(name));
    };
    (row.open)(&Request { row, argument, cache_dir, size_px, progress })
}

fn unknown(name: &str) -> DataError {
    let letters = |text: &str| text.chars().count();
    let nearest = SOURCES
        .iter()
        .map(|row| (strsim::osa_distance(name, row.name), row.name))
        // The rule of all names: at most a third of the longer one's letters, or one.
        .filter(|(edits, row)| *edits <= (letters(name).max(letters(row)) / 3).max(1))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, nearest)| format!(", nearest is {nearest}"))
        .unwrap_or_default();
    let all: Vec<&str> = SOURCES.iter().map(|row| row.usage).collect();
    DataError::UnknownSource { name: name.into(), nearest, all: all.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(source: &str) -> String {
        let error = open(source, Path::new("unused"), 8, &()).err().expect("must be refused");
        assert_eq!(error.exit_code(), 2);
        error.to_string()
    }

    #[test]
    fn unknown_names_get_the_nearest_and_the_table() {
        let text = message("criters");
        assert!(text.contains("criters: no such source, nearest is critters"), "{text}");
        for row in SOURCES {
            assert!(text.contains(row.usage), "{text}");
        }
        assert!(!message("xyz").contains("nearest"));
    }

    #[test]
    fn a_path_is_asked_for_and_must_exist() {
        let with_path = || SOURCES.iter().filter(|row| row.usage.ends_with(":PATH"));
        assert_eq!(with_path().count(), SOURCES.len() - 1, "all but critters");
        for name in with_path().flat_map(|row| [row.name.into(), format!("{}:", row.name)]) {
            assert!(message(&name).contains("needs a path"), "{name}");
            let text = message(&format!("{}:/no/such", name.trim_end_matches(':')));
            assert!(text.contains("/no/such: no such file or folder"), "{text}");
        }
        let text = message("cats-vs-dogs:/no/such/place");
        assert!(text.starts_with("/no/such/place: no such file or folder"), "{text}");
    }
}
