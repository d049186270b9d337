//! One file a command, each with its arguments and a `run` that gives the exit code.

pub mod bench;
pub mod bench_data;
pub mod chosen;
pub mod data;
pub mod doctor;
pub mod dry_run;
pub mod evaluate;
pub mod experiment;
pub mod explain;
pub mod find_lr;
pub mod list;
pub mod network;
pub mod parity;
pub mod predict;
pub mod report;
pub mod saving;
pub mod seeds;
pub mod serve;
pub mod summary;
pub mod train;

use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use catscan_data::error::remedy;
use catscan_data::{BadImages, DataConfig, Dataset, Rejected, default_cache_dir};
use catscan_torch_ext::{DeviceSpec, cuda};
use catscan_train::storage::write_atomic;
use tch::Device;

use crate::output::say;
use crate::progress::Stages;
use crate::refusal::{DATA, Refusal, STORAGE, USAGE};

/// Opens the pictures of a recipe, with a bar while they are read for the first time; says what
/// must be known of them.
pub fn open_dataset(config: &DataConfig) -> Result<Dataset> {
    let stages = Stages::new();
    let dataset = Dataset::open(config, &default_cache_dir(), &stages);
    stages.clear();
    let dataset = dataset?;
    dataset.notes.iter().for_each(say);
    left_out(&dataset).iter().for_each(say);
    not_taken(&dataset.ignored).iter().for_each(say);
    say(dataset.kept());
    Ok(dataset)
}

/// A line for each picture that `--bad-images report` leaves out.
fn left_out(dataset: &Dataset) -> Vec<String> {
    if dataset.config().bad_images != BadImages::Report {
        return Vec::new();
    }
    dataset.rejected.iter().map(|bad| format!("left out: {}: {}", bad.name, bad.reason)).collect()
}

/// In a line, the files that were not taken for pictures of the set: most are as they should be,
/// and one may be a folder of a whole class.
pub fn not_taken(ignored: &[Rejected]) -> Option<String> {
    let Rejected { name, reason } = ignored.first()?;
    let and = match ignored.len() - 1 {
        0 => String::new(),
        more => format!("; and {more} more, which split.json and `catscan data audit` list"),
    };
    Some(format!("not taken for pictures of the set: {name}: {reason}{and}"))
}

/// With `--strict`, refuses a set whose leaks [`open_dataset`] has only told.
///
/// # Errors
/// Where a picture lies in two parts of the split; exit code 3.
pub fn without_leaks(dataset: Dataset, strict: bool) -> Result<Dataset> {
    let leaks = dataset.leaks.len();
    if leaks == 0 || !strict {
        return Ok(dataset);
    }
    let source = &dataset.config().source;
    let message = format!(
        "{source}: {leaks} pictures lie in more than one part of the split, want 0; remove one of \
         each, or put all into one part (a csv: manifest can say which); catscan data audit --data \
         {source} lists them"
    );
    Err(Refusal::new(DATA, message).into())
}

/// `--device` as clap reads it.
pub fn device(text: &str) -> Result<DeviceSpec, String> {
    text.parse().map_err(|error: catscan_torch_ext::DeviceError| error.to_string())
}

/// `--threads` as clap reads it: more than any machine has would only hang it.
pub fn threads() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=1024)
}

/// The device that was asked for, ready to compute on.
///
/// # Errors
/// Where it cannot be had.
pub fn ready(asked: DeviceSpec) -> Result<Device> {
    let device = asked.resolve()?;
    cuda::prepare(device, cuda::Settings::USUAL)?;
    Ok(device)
}

/// Refuses a folder that cannot be written, before anything is read or computed for it; makes it.
/// `option` is what names another.
///
/// # Errors
/// Where it cannot; exit code 2, or 7 where only room is wanting.
pub fn writable(folder: &Path, option: &str) -> Result<()> {
    let try_it = || {
        std::fs::create_dir_all(folder)?;
        tempfile::NamedTempFile::new_in(folder).map(drop)
    };
    try_it().map_err(|error| {
        let (place, what) = (folder.display(), remedy(&error));
        let hint = format!("{what}, or name another folder with {option} DIR");
        let code = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => STORAGE,
            _ => USAGE,
        };
        Refusal::new(code, format!("{place}: cannot be written ({error}); {hint}")).into()
    })
}

/// Writes a whole file or leaves what was there; makes its folder.
///
/// # Errors
/// Where the folder cannot be written; exit code 7.
pub fn write_file(path: &Path, contents: &[u8]) -> Result<()> {
    let path = std::path::absolute(path).context("finding the current folder")?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    make_folder(folder)?;
    Ok(write_atomic(&path, contents)?)
}

/// A folder and those above it.
///
/// # Errors
/// Where it cannot be made; exit code 7.
fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| {
        let (place, what) = (folder.display(), remedy(&error));
        let message = format!("{place}: cannot be made ({error}); {what}, or name another folder");
        Refusal::new(STORAGE, message).into()
    })
}

/// The names of the folders in a folder, in order.
///
/// # Errors
/// Where it cannot be read.
pub fn folders(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?
    {
        let entry = entry?;
        if entry.path().is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// This process's command line, for the records.
pub fn command_line() -> Vec<String> {
    let mut words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    // Where the program lies is the machine's business, not the study's.
    if let Some(program) = words.first_mut() {
        *program = "catscan".into();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_with_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.json");
        write_file(&path, b"{}").unwrap();
        write_file(&path, b"[]").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"[]");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_a_file_is_a_storage_failure() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, b"x").unwrap();
        let error = write_file(&file.join("report.html"), b"x").unwrap_err();
        assert_eq!(crate::refusal::exit_code(&error), STORAGE);
    }

    #[test]
    fn a_reported_picture_is_left_out_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join("set").join(name);
        for class in ["cat", "dog"] {
            std::fs::create_dir_all(at(class)).unwrap();
            catscan_data::RgbImage::new(4, 4).save(at(class).join("0.png")).unwrap();
        }
        std::fs::write(at("cat/web.jpg"), "<html>404</html>").unwrap();
        let lines = |bad_images| {
            let source = format!("folder:{}", folder.path().join("set").display());
            let config = DataConfig { source, bad_images, ..crate::recipes::quick().data };
            let dataset = Dataset::open(&config, folder.path(), &()).unwrap();
            assert_eq!((dataset.samples.len(), dataset.rejected.len()), (2, 1));
            left_out(&dataset)
        };
        assert_eq!(
            lines(BadImages::Report),
            ["left out: cat/web.jpg: is an HTML page, want a picture"]
        );
        assert!(lines(BadImages::Skip).is_empty());
    }
}
