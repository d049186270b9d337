//! Masks of one's own: where the evidence of a picture is, drawn by whoever asks, white on black.
//! They lie in a folder by their pictures' names; a mask goes its picture's way, to the square that
//! the network saw.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use catscan_data::{Colour, DataConfig, Filter, RgbImage, resize};
use catscan_viz::evidence::MIDDLE;

use crate::pictures::open_picture;
use crate::refusal::{DATA, Refusal};

/// A folder of masks.
#[derive(Debug)]
pub struct Masks {
    folder: PathBuf,
    /// By path inside the folder, without the ending.
    files: BTreeMap<PathBuf, PathBuf>,
}

impl Masks {
    /// The files in `folder` and in the folders in it.
    ///
    /// # Errors
    /// Where it is no folder, or cannot be read.
    pub fn list(folder: &Path) -> Result<Masks> {
        if !folder.is_dir() {
            let message = "no such folder; want one with a mask of each picture's name";
            return Err(Refusal::usage(format!("--masks {}: {message}", folder.display())).into());
        }
        let mut masks = Masks { folder: folder.to_owned(), files: BTreeMap::new() };
        let mut left = vec![folder.to_owned()];
        while let Some(folder) = left.pop() {
            let context = || folder.display().to_string();
            for entry in fs::read_dir(&folder).with_context(context)? {
                let path = entry.with_context(context)?.path();
                if path.is_dir() {
                    left.push(path);
                    continue;
                }
                let inside = path.strip_prefix(&masks.folder).unwrap_or(&path).with_extension("");
                // Of `cat.png` and `cat.jpg` the first by name.
                let file = masks.files.entry(inside).or_insert_with(|| path.clone());
                if path < *file {
                    *file = path;
                }
            }
        }
        Ok(masks)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// The mask of the picture of this name (`cat.7.jpg`, `train/cat/7.png`; drawings have no
    /// ending): of its path inside the folder, else of its file's name.
    pub fn of(&self, picture: &Path) -> Option<&Path> {
        let file = picture.file_name().map(Path::new).unwrap_or(picture);
        let names = [picture, file].map(|name| [name.to_owned(), name.with_extension("")]);
        let found = names.iter().flatten().find_map(|name| self.files.get(name));
        found.map(PathBuf::as_path)
    }
}

/// A picture or a mask, or why there is none.
///
/// # Errors
/// Where there is no such file, or it is no picture.
pub fn opened(path: &Path) -> Result<RgbImage> {
    let bad = |bad: catscan_data::BadImage| {
        Refusal::new(DATA, format!("{}: {}; give another picture", path.display(), bad.reason))
    };
    Ok(open_picture(path)?.map_err(bad)?)
}

/// The picture's way to the network's square, but without mixing black and white: `[H, W]`, 255 on
/// the evidence, else 0. `file` is what an error names.
///
/// # Errors
/// Where nothing is white.
pub fn prepared(mask: RgbImage, file: &Path, data: &DataConfig) -> Result<Vec<u8>> {
    let config = DataConfig { filter: Filter::Nearest, colour: Colour::Rgb, ..data.clone() };
    let mask = resize::prepare(mask, &config).into_shown();
    let white = |pixel: &[u8]| if pixel.iter().any(|v| *v > MIDDLE) { 255 } else { 0 };
    let pixels: Vec<u8> = mask.as_raw().chunks(3).map(white).collect();
    if !pixels.contains(&255) {
        let message = "nothing on it is white; draw the evidence in white on black";
        return Err(Refusal::usage(format!("{}: {message}", file.display())).into());
    }
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_found_by_their_pictures_path_and_else_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("train/cat")).unwrap();
        for name in ["7.png", "train/cat/7.png", "cat.0.png", "cat.0.jpg"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let masks = Masks::list(folder.path()).unwrap();
        let found = |picture: &str| {
            let file = masks.of(Path::new(picture))?;
            Some(file.strip_prefix(folder.path()).unwrap().display().to_string())
        };
        assert_eq!(found("train/cat/7.jpg").as_deref(), Some("train/cat/7.png"));
        assert_eq!(found("train/dog/7.jpg").as_deref(), Some("7.png"));
        assert_eq!(found("cat.0.jpg").as_deref(), Some("cat.0.jpg"));
        assert_eq!(found("cat.0").as_deref(), Some("cat.0.jpg"));
        assert_eq!((found("cat.1.jpg"), masks.count()), (None, 3));
        let error = Masks::list(&folder.path().join("7.png")).unwrap_err().to_string();
        assert!(error.contains("no such folder"), "{error}");
    }
}
