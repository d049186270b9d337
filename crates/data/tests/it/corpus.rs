//! The seeds of the fuzz targets, each through the whole way: as a set that is opened and gathered,
//! kept as pixels and streamed. What the fuzzer found stays found without it: of `found-…`, which
//! reach what whole files do not, nothing is asked but an answer.

use std::path::{Path, PathBuf};

use catscan_data::{BadImages, DataConfig, Dataset, Placement};
use tempfile::tempdir;

use crate::help::{config, jpeg, put};

/// The files of a target's corpus, with their contents.
fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).unwrap();
        (path, bytes)
    };
    files.map(read).collect()
}

/// Whether a seed is the fuzzer's.
fn is_found(seed: &Path) -> bool {
    seed.file_name().unwrap().to_string_lossy().starts_with("found-")
}

/// True if the source is a set; all its pictures are gathered then, in both ways alike.
fn answered(source: &str, path: &Path, seed: &Path) -> bool {
    let config = DataConfig {
        bad_images: BadImages::Skip,
        ..config(&format!("{source}:{}", path.display()))
    };
    let gathered = [Placement::Memory, Placement::Streamed].map(|placement| {
        let cache = tempdir().unwrap();
        let set = Dataset::open_as(&config, cache.path(), Some(placement), &());
        let gather = |set: Dataset| {
            let all: Vec<u32> = (0..set.samples.len() as u32).collect();
            (set.gather(&all).unwrap(), set.digest)
        };
        set.map(gather).map_err(|error| {
            assert!([2, 3].contains(&error.exit_code()), "{}: {error}", seed.display());
            error.to_string()
        })
    });
    assert_eq!(gathered[0], gathered[1], "{}", seed.display());
    gathered[0].is_ok()
}

/// How many of the corpus are listed as `source` when they are called `name`, and how many of them
/// have pictures in each class; the fuzzer's are not counted.
fn replayed(target: &str, source: &str, name: &str, open: &str) -> [usize; 2] {
    let (mut listed, mut sets) = (0, 0);
    for (path, bytes) in &seeds(target) {
        let root = tempdir().unwrap();
        put(&root.path().join(name), bytes);
        let place = root.path().join(open);
        let usage = format!("{source}:{}", place.display());
        let is_listed = catscan_data::source::list(&usage, root.path(), &()).is_ok();
        let is_set = answered(source, &place, path);
        if !is_found(path) {
            listed += usize::from(is_listed);
            sets += usize::from(is_set);
        }
    }
    [listed, sets]
}

#[test]
fn pictures_are_read_or_refused() {
    let mut refused = Vec::new();
    for (path, bytes) in &seeds("decode") {
        let root = tempdir().unwrap();
        for (class, seed) in [("a", 0), ("b", 1)] {
            put(&root.path().join(class).join("fine.jpg"), &jpeg(seed));
        }
        put(&root.path().join("a/seed.jpg"), bytes);
        assert!(answered("folder", root.path(), path), "{}: skipped at worst", path.display());
        if catscan_data::decode::read_rgb(bytes, "seed").is_err() && !is_found(path) {
            refused.push(path.file_name().unwrap().to_owned());
        }
    }
    refused.sort();
    assert_eq!(refused, ["circle.tif", "page.html"]);
}

#[test]
fn archives_and_tables_are_sets_or_refused() {
    let found = [
        replayed("tar", "shards", "some.tar", "some.tar"),
        replayed("tar", "cifar10", "some.tar", "some.tar"),
        replayed("zip", "cats-vs-dogs", "train.zip", "train.zip"),
        replayed("cifar", "cifar10", "data_batch_1.bin", ""),
        replayed("manifest", "csv", "list.csv", "list.csv"),
    ];
    // Seeds are small: most name pictures that are not there, or are a few bytes.
    assert_eq!(found, [[3, 0], [0, 0], [2, 0], [2, 2], [2, 0]]);
}

#[test]
fn tables_of_pictures_are_sets_or_refused() {
    let seeds = seeds("idx");
    assert!(!seeds.is_empty());
    let images = [vec![0, 0, 8, 3, 0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0, 2], (1..=20).collect()];
    let labels = [vec![0, 0, 8, 1, 0, 0, 0, 10], (0..10).collect()];
    for (path, bytes) in &seeds {
        let root = tempdir().unwrap();
        let mut files = [
            ("train-images-idx3-ubyte", images.concat()),
            ("train-labels-idx1-ubyte", labels.concat()),
            ("t10k-images-idx3-ubyte", images.concat()),
            ("t10k-labels-idx1-ubyte", labels.concat()),
        ];
        // As the fuzz target has it: the first byte says which file the others are.
        files[usize::from(bytes[0] % 4)].1 = bytes[1..].to_vec();
        files.iter().for_each(|(name, bytes)| put(&root.path().join(name), bytes));
        let is_set = answered("mnist", root.path(), path);
        assert!(is_set || is_found(path), "{}: is whole", path.display());
    }
}
