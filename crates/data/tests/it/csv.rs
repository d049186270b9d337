//! `csv:PATH`: manifests that say what they mean, and refusals with the line for those that do not.

use std::path::Path;

use catscan_data::{DataError, Dataset, Part};
use tempfile::{TempDir, tempdir};

use crate::help::{folder, jpeg, names, open, open_skipping, put};

fn pictures() -> TempDir {
    let root = tempdir().unwrap();
    for i in 0..12 {
        put(&root.path().join(format!("photos/{i}, really.jpg")), &jpeg(i));
    }
    root
}

fn label(i: u32) -> &'static str {
    if i.is_multiple_of(2) { "cat" } else { "dog" }
}

fn open_csv(root: &Path, text: &str) -> Result<Dataset, DataError> {
    let cache = tempdir().unwrap();
    put(&root.join("list.csv"), text.as_bytes());
    open(&format!("csv:{}", root.join("list.csv").display()), cache.path())
}

fn refused(root: &Path, text: &str, says: &[&str]) {
    let error = open_csv(root, text).unwrap_err();
    let message = error.to_string();
    assert_eq!(error.exit_code(), 3, "{message}");
    for part in says {
        assert!(message.contains(part), "{message}, want {part}");
    }
}

#[test]
fn a_manifest_is_the_set_it_lists() {
    let root = pictures();
    let line = |i: u32| format!("\"photos/{i}, really.jpg\",{}\r\n", label(i));
    let text: String = (0..12).map(line).collect();
    let set = open_csv(root.path(), &format!("\u{feff}path,label\r\n{text}")).unwrap();
    assert_eq!(set.classes, ["cat", "dog"]);
    assert_eq!(names(&set)[..2], ["photos/0, really.jpg", "photos/2, really.jpg"]);
    assert_eq!(set.labels(&[0, 6]), [0, 1]);
    assert_eq!(Part::ALL.map(|part| set.split.part(part).len()), [8, 2, 2]);
    // The same pictures in class folders.
    let (other, cache) = (tempdir().unwrap(), tempdir().unwrap());
    for i in 0..12 {
        put(&other.path().join(format!("{}/{i}.jpg", label(i))), &jpeg(i));
    }
    let folders = open(&folder(other.path()), cache.path()).unwrap();
    let all: Vec<u32> = (0..12).collect();
    assert_eq!(set.gather(&all).unwrap(), folders.gather(&all).unwrap());
}

#[test]
fn given_parts_stay() {
    let root = pictures();
    let part = |i: u32| ["train", "train", "val", "valid", "test", "testing"][i as usize % 6];
    let line = |i: u32| format!("\"photos/{i}, really.jpg\",{},{}\n", label(i), part(i));
    let set = open_csv(root.path(), &(0..12).map(line).collect::<String>()).unwrap();
    assert_eq!(Part::ALL.map(|part| set.split.part(part).len()), [4, 4, 4]);
}

#[test]
fn what_leads_out_is_refused_with_its_line() {
    let root = tempdir().unwrap();
    let inside = root.path().join("set");
    put(&root.path().join("outside.jpg"), &jpeg(1));
    put(&inside.join("a.jpg"), &jpeg(1));
    let good = "a.jpg,cat\n";
    for evil in ["../outside.jpg", "/etc/passwd", "x/../../outside.jpg", "..\\outside.jpg"] {
        let says = ["list.csv: line 2: ", "leads out of the manifest's folder; correct the line"];
        refused(&inside, &format!("{good}{evil},dog\n"), &says);
    }
    refused(&inside, &format!("{good}C:\\x.jpg,dog\n"), &["line 2: C:\\x.jpg leads out"]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("../outside.jpg", inside.join("link.jpg")).unwrap();
        let says = ["line 2: link.jpg is a link that leads out"];
        refused(&inside, &format!("{good}link.jpg,dog\n"), &says);
        std::os::unix::fs::symlink("a.jpg", inside.join("fine.jpg")).unwrap();
        assert!(open_csv(&inside, &format!("{good}fine.jpg,dog\n")).is_ok());
    }
}

#[test]
fn other_faults_are_told_with_their_line_too() {
    let root = tempdir().unwrap();
    put(&root.path().join("a.jpg"), &jpeg(1));
    put(&root.path().join("b.jpg"), &jpeg(2));
    let check = |text: &str, says: &[&str]| refused(root.path(), text, says);
    check("a.jpg,cat\nb.jpg,dog\n./a.jpg,cat\n", &["line 3: lists a.jpg again, line 1 did"]);
    let says = ["line 3: has the label \"fox\", which no training row has"];
    check("a.jpg,cat,train\nb.jpg,dog,train\nc.jpg,fox,val\n", &says);
    check("a.jpg,cat\nb.jpg\n", &["line 2: has 1 fields"]);
    check("a.jpg,cat\nb.jpg,cat\n", &["names 1 classes, want at least 2"]);
    check("", &["line 1: no pictures are listed"]);
    let path = root.path().join("latin1.csv");
    put(&path, b"a.jpg,cat\ncaf\xe9.jpg,dog\n");
    let cache = tempdir().unwrap();
    let error = open(&format!("csv:{}", path.display()), cache.path()).unwrap_err();
    assert!(error.to_string().contains("line 2: is not UTF-8"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_file_is_found_by_the_name_it_has() {
    let root = tempdir().unwrap();
    for (name, seed) in
        [(" 0.jpg", 0), ("0.jpg", 1), ("a\\b.jpg", 2), ("a/b.jpg", 3), ("c/d.jpg", 4)]
    {
        put(&root.path().join(name), &jpeg(seed));
    }
    let text = "\" 0.jpg\",cat\n0.jpg,dog\na\\b.jpg,cat\na/b.jpg,dog\nc\\d.jpg,cat\n";
    let set = open_csv(root.path(), text).unwrap();
    let mut found = names(&set);
    found.sort();
    assert_eq!(found, [" 0.jpg", "0.jpg", "a/b.jpg", "a\\b.jpg", "c/d.jpg"]);
}

#[test]
fn a_picture_that_is_not_there_is_a_bad_picture() {
    let (root, cache) = (pictures(), tempdir().unwrap());
    let line = |i: u32| format!("\"photos/{i}, really.jpg\",{}\n", label(i));
    let text: String = (0..12).map(line).collect::<String>() + "gone.jpg,cat\n";
    refused(root.path(), &text, &["1 of 13 pictures", "gone.jpg: cannot be read"]);
    let source = format!("csv:{}", root.path().join("list.csv").display());
    assert_eq!(open_skipping(&source, cache.path()).unwrap().samples.len(), 12);
}
