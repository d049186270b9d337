//! `shards:PATH` as WebDataset writes them: one picture a sample, whatever lies beside it.

use catscan_data::audit::audit;
use tempfile::tempdir;

use crate::help::{config, jpeg, names, open, put};
use crate::shards::{Entry, file, shards, tar_of};

/// `000.jpg` with its label and its mask.
fn masked(from: u32, to: u32) -> Vec<Entry> {
    let one = |i: u32| {
        let label = (i % 3).to_string();
        [
            file(&format!("{i:03}.cls"), label.as_bytes()),
            file(&format!("{i:03}.seg.png"), b"a mask is not looked at"),
            file(&format!("{i:03}.jpg"), &jpeg(i)),
        ]
    };
    (from..to).flat_map(one).collect()
}

#[test]
fn a_mask_is_no_picture_of_its_own() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let path = root.path().join("s.tar");
    put(&path, &tar_of(&masked(0, 12)));
    let set = open(&shards(&path), cache.path()).unwrap();
    assert_eq!(set.samples.len(), 12);
    assert!(names(&set).iter().all(|name| name.ends_with(".jpg")), "{:?}", names(&set));
    assert_eq!((set.ignored.len(), set.ignored[0].name.as_str()), (12, "000.seg.png"));
    assert_eq!(set.ignored[0].reason, "lies beside the picture of its sample");
    let (found, _) = audit(&config(&shards(&path)), cache.path(), &()).unwrap();
    assert_eq!((found.readable, found.unreadable.len(), found.ignored.len()), (12, 0, 12));
}

#[test]
fn two_pictures_of_a_sample_are_refused_by_name() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let path = root.path().join("s.tar");
    let mut entries = masked(0, 6);
    entries.push(file("002.png", &jpeg(2)));
    put(&path, &tar_of(&entries));
    let error = open(&shards(&path), cache.path()).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.exit_code(), 3, "{text}");
    let want = "s.tar: the sample 002 may be 002.jpg or 002.png; keep one picture a sample";
    assert!(text.contains(want), "{text}");
}
