//! Pictures opened: a recipe's, with what must be known of them, or one file.

use std::path::Path;

use anyhow::Result;
use catscan_data::{
    BadImage, BadImages, DataConfig, Dataset, Rejected, RgbImage, decode, default_cache_dir,
};

use crate::output::say;
use crate::progress::Stages;
use crate::refusal::{DATA, Refusal};

/// Opens the pictures of a recipe, with a bar while they are read for the first time; says what
/// must be known of them.
pub fn open_dataset(config: &DataConfig) -> Result<Dataset> {
    let stages = Stages::of("data");
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

/// Opens a picture's file strictly.
///
/// # Errors
/// Where there is no such file: a slip on the command line, not a bad picture.
pub fn open_picture(path: &Path) -> Result<Result<RgbImage, BadImage>> {
    if !path.exists() {
        let message = format!("{}: no such file; check the path", path.display());
        return Err(Refusal::usage(message).into());
    }
    Ok(decode::open_rgb(path))
}

#[cfg(test)]
mod tests {
    use super::*;

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
