//! `mnist:PATH` and `fashion-mnist:PATH`, on small files made here: one message for each fault.

use std::path::Path;

use catscan_data::{Colour, DataConfig, DataError, Dataset, Part};
use tempfile::{TempDir, tempdir};

use crate::help::{config, gzip, names, put};

const TRAIN: usize = 40;
const TEST: usize = 20;

fn idx(magic: u32, sizes: &[usize], values: Vec<u8>) -> Vec<u8> {
    let numbers = std::iter::once(magic).chain(sizes.iter().map(|size| *size as u32));
    let header: Vec<u8> = numbers.flat_map(u32::to_be_bytes).collect();
    [header, values].concat()
}

/// Pictures of 3 rows and 2 columns; the first pixel of picture `i` is `i`.
fn pictures(n: usize) -> Vec<u8> {
    let value = |at: usize| if at.is_multiple_of(6) { at / 6 } else { 100 + at % 6 };
    idx(2051, &[n, 3, 2], (0..n * 6).map(|at| value(at) as u8).collect())
}

/// 3, 4, 5 … 9, 0, 1 …
fn labels(n: usize) -> Vec<u8> {
    idx(2049, &[n], (0..n).map(|i| ((i + 3) % 10) as u8).collect())
}

/// The four files by their published names.
fn files() -> [(&'static str, Vec<u8>); 4] {
    [
        ("train-images-idx3-ubyte", pictures(TRAIN)),
        ("train-labels-idx1-ubyte", labels(TRAIN)),
        ("t10k-images-idx3-ubyte", pictures(TEST)),
        ("t10k-labels-idx1-ubyte", labels(TEST)),
    ]
}

fn lay(name: fn(&str) -> String, bytes: fn(&[u8]) -> Vec<u8>) -> TempDir {
    let root = tempdir().unwrap();
    for (file, content) in files() {
        put(&root.path().join(name(file)), &bytes(&content));
    }
    root
}

fn open(source: &str, root: &Path, colour: Colour) -> Result<Dataset, DataError> {
    let source = format!("{source}:{}", root.display());
    let config = DataConfig { size_px: 3, colour, ..config(&source) };
    Dataset::open(&config, &root.join("cache"), &())
}

#[test]
fn names_with_dots_and_gzip_are_the_same_set() {
    let layouts = [
        lay(str::to_owned, <[u8]>::to_vec),
        lay(|name| format!("{name}.gz"), gzip),
        lay(|name| name.replace("-idx", ".idx"), <[u8]>::to_vec),
        lay(|name| name.replace("-idx", ".idx") + ".gz", gzip),
    ];
    let sets = layouts.each_ref().map(|root| open("mnist", root.path(), Colour::Grey).unwrap());
    for set in &sets {
        assert_eq!((&set.digest, &set.split), (&sets[0].digest, &sets[0].split));
        assert_eq!(set.classes, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    }
    let set = &sets[0];
    // Four of each class to train and validate, dealt 17:4; the published test part stays.
    assert_eq!(Part::ALL.map(|part| set.split.part(part).len()), [30, 10, 20]);
}

#[test]
fn pictures_and_labels_stay_together() {
    let root = lay(str::to_owned, <[u8]>::to_vec);
    let set = open("mnist", root.path(), Colour::Grey).unwrap();
    let first = ["test/7", "test/17", "train/7", "train/17", "train/27", "train/37", "test/8"];
    assert_eq!(names(&set)[..7], first);
    assert_eq!(set.labels(&[0, 5, 6]), [0, 0, 1]);
    // 3 rows of 2 columns, each column half a square wide: nearest takes columns 0, 1, 1.
    assert_eq!(*set.pixels(5).unwrap(), [37, 101, 101, 102, 103, 103, 104, 105, 105]);
    let colour = open("mnist", root.path(), Colour::Rgb).unwrap();
    assert_eq!(colour.pixels(5).unwrap()[..6], [37, 37, 37, 101, 101, 101]);
    assert_eq!(colour.digest, set.digest);
    for i in set.split.part(Part::Test) {
        assert!(names(&set)[*i as usize].starts_with("test/"));
    }
    // Only that some of these made-up pictures are equal, across the parts too.
    assert!(set.notes.iter().all(|note| note.starts_with("Leakage")) && set.ignored.is_empty());
}

#[test]
fn fashion_is_the_same_format_under_other_names() {
    let root = lay(str::to_owned, <[u8]>::to_vec);
    let digits = open("mnist", root.path(), Colour::Grey).unwrap();
    let clothes = open("fashion-mnist", root.path(), Colour::Grey).unwrap();
    assert_eq!(clothes.classes[0], "T-shirt/top");
    assert_eq!(clothes.classes[9], "Ankle boot");
    assert_eq!(names(&clothes), names(&digits));
    assert_ne!(clothes.digest, digits.digest);
}

#[test]
fn a_packed_copy_beside_a_plain_file_is_ignored_and_said() {
    let root = lay(str::to_owned, <[u8]>::to_vec);
    put(&root.path().join("t10k-images-idx3-ubyte.gz"), &gzip(&pictures(TEST)));
    let set = open("mnist", root.path(), Colour::Grey).unwrap();
    let ignored: Vec<String> =
        set.ignored.iter().map(|file| format!("{}: {}", file.name, file.reason)).collect();
    let want = "t10k-images-idx3-ubyte.gz: lies beside t10k-images-idx3-ubyte, which is read";
    assert_eq!(ignored, [want]);
}

/// The files with one of them changed: the refusal must say all of `says`.
fn refused(file: &str, bytes: Option<&[u8]>, code: u8, says: &[&str]) {
    let root = lay(str::to_owned, <[u8]>::to_vec);
    let path = root.path().join(file);
    match bytes {
        Some(bytes) => put(&path, bytes),
        None => std::fs::remove_file(&path).unwrap(),
    }
    let error = open("mnist", root.path(), Colour::Grey).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.exit_code(), code, "{text}");
    for part in says {
        assert!(text.contains(part), "{text}, want {part}");
    }
    let left = std::fs::read_dir(root.path().join("cache/pixels"));
    let made = left.into_iter().flatten().flatten().filter(|entry| entry.path().is_dir()).count();
    assert_eq!(made, 0, "nothing half made");
}

#[test]
fn every_fault_has_its_message() {
    let (images, tags) = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
    let says = [images, "magic number 2049 (a file of labels), want 2051"];
    refused(images, Some(&labels(TRAIN)), 3, &says);
    let says = [tags, "magic number 2051 (a file of pictures), want 2049"];
    refused(tags, Some(&pictures(TRAIN)), 3, &says);
    let whole = pictures(TRAIN);
    let says = [images, "ends after 239 bytes, its header says 40 x 3 x 2 = 240"];
    refused(images, Some(&whole[..whole.len() - 1]), 3, &says);
    let says = [images, "goes on after the 240 bytes"];
    refused(images, Some(&[&whole[..], b"x"].concat()), 3, &says);
    let says = [tags, "holds 39 labels, train-images-idx3-ubyte 40 pictures; get both"];
    refused(tags, Some(&labels(TRAIN - 1)), 3, &says);
    let mut eleven = labels(TRAIN);
    eleven[8 + 5] = 10;
    refused(tags, Some(&eleven), 3, &[tags, "gives picture 5 the label 10, want 0 to 9"]);
    let packed = gzip(&whole);
    let says = [images, "ends after", "its header says 40 x 3 x 2 = 240", "get the file again"];
    refused(images, Some(&packed[..packed.len() - 30]), 3, &says);
    let says = [images, "holds its 240 bytes in a damaged gzip"];
    refused(images, Some(&packed[..packed.len() - 4]), 3, &says);
    let no_sevens = idx(2049, &[TRAIN], (0..TRAIN).map(|i| (i % 7) as u8).collect());
    refused(tags, Some(&no_sevens), 3, &["train part: 7: 0 pictures in this class"]);
    let says = ["holds no t10k-labels-idx1-ubyte; each was looked for with", "check the path"];
    refused("t10k-labels-idx1-ubyte", None, 2, &says);
}

#[test]
fn a_path_that_is_no_folder_of_these_files() {
    let root = tempdir().unwrap();
    let refused = |path: &Path, code| {
        let source = format!("mnist:{}", path.display());
        let error = crate::help::open(&source, root.path()).unwrap_err();
        assert_eq!(error.exit_code(), code, "{error}");
        error.to_string()
    };
    let text = refused(root.path(), 2);
    for (name, _) in files() {
        assert!(text.contains(name), "{text}, want {name}");
    }
    put(&root.path().join("file"), b"x");
    assert!(refused(&root.path().join("file"), 3).contains("is a file, want a folder"));
}
