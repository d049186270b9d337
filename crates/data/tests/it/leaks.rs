//! One picture in two parts: told of the set, recorded with it, and known by its digest.

use catscan_data::Part;
use tempfile::tempdir;

use crate::help::{folder, jpeg, open, put};

#[test]
fn a_picture_in_two_parts_is_a_leak_that_the_set_tells() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let parts = ["train", "val", "test"];
    for (p, part) in parts.iter().enumerate() {
        for (c, class) in ["cat", "dog"].iter().enumerate() {
            for i in 0..3 {
                let seed = (p * 2 + c) as u32 * 3 + i;
                put(&root.path().join(format!("{part}/{class}/{i}.jpg")), &jpeg(seed));
            }
        }
    }
    let clean = open(&folder(root.path()), cache.path()).unwrap();
    assert_eq!((clean.leaks.len(), clean.notes.len()), (0, 0));
    // The same bytes under another name; a double within a part is no leak.
    put(&root.path().join("val/cat/copy.jpg"), &jpeg(0));
    put(&root.path().join("train/dog/twice.jpg"), &jpeg(3));
    let set = open(&folder(root.path()), cache.path()).unwrap();
    assert_eq!(set.leaks.len(), 1);
    let name = |i: u32| set.samples[i as usize].name.as_str();
    let places: Vec<_> = set.leaks[0].places.iter().map(|(part, i)| (*part, name(*i))).collect();
    assert_eq!(places, [(Part::Train, "train/cat/0.jpg"), (Part::Val, "val/cat/copy.jpg")]);
    let says = "1 picture lies in more than one part of the split, such as train/cat/0.jpg (train) = \
                val/cat/copy.jpg (val).";
    assert!(set.notes[0].ends_with(says), "{}", set.notes[0]);
    assert_eq!(set.split_record().notes, set.notes, "and split.json holds it");
}

#[test]
fn the_record_holds_a_digest_of_every_picture_and_names_what_changed() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    for class in ["a", "b"] {
        for i in 0..8 {
            put(
                &root.path().join(format!("{class}/{i}.jpg")),
                &jpeg(i + u32::from(class == "b") * 50),
            );
        }
    }
    let before = open(&folder(root.path()), cache.path()).unwrap().split_record();
    assert_eq!(before.pictures().count(), 16);
    let digest = blake3::hash(&jpeg(3)).to_hex()[..32].to_owned();
    let of = |name: &str| before.pictures().find(|(n, ..)| *n == name).unwrap().2.to_owned();
    assert_eq!(of("a/3.jpg"), digest);
    put(&root.path().join("a/3.jpg"), &jpeg(99));
    let after = open(&folder(root.path()), cache.path()).unwrap().split_record();
    assert_ne!(before.digest, after.digest);
    let told = before.difference(&after).unwrap();
    assert_eq!(told, "a/3.jpg has changed; the other 15 are the same");
    let text = serde_json::to_string(&before).unwrap();
    assert_eq!(serde_json::from_str::<catscan_data::SplitRecord>(&text).unwrap(), before);
}
