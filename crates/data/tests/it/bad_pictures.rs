//! Pictures that are no pictures: found, named, counted; `fail` or `skip` by the recipe.

use std::path::PathBuf;

use catscan_data::{BadImages, DataConfig, Dataset, Progress};
use tempfile::{TempDir, tempdir};

use crate::help::{
    cats_vs_dogs, config, encode, folder, jpeg, names, open, open_skipping, picture, put, zip_of,
};

/// Eight good pictures a class, and one of each fault among the cats.
fn faulty() -> (TempDir, usize) {
    let root = tempdir().unwrap();
    for class in ["cat", "dog"] {
        for i in 0..8 {
            put(&root.path().join(class).join(format!("{i}.jpg")), &jpeg(i));
        }
    }
    let cat = root.path().join("cat");
    let whole = jpeg(50);
    put(&cat.join("empty.jpg"), b"");
    put(&cat.join("page.jpg"), b"<!DOCTYPE html><title>404</title>");
    put(&cat.join("no-end.jpg"), &whole[..whole.len() - 2]);
    for percent in [1, 10, 50, 99] {
        let cut = &whole[..whole.len() * percent / 100];
        put(&cat.join(format!("cut-{percent}.jpg")), cut);
    }
    let mut png = encode(&picture(3), image::ImageFormat::Png);
    let middle = png.len() / 2;
    png[middle] ^= 0x10;
    put(&cat.join("sum.png"), &png);
    std::fs::create_dir(cat.join("folder.jpg")).unwrap();
    (root, 9)
}

#[test]
fn fail_names_them_all_and_skip_goes_on_without() {
    let (root, bad) = faulty();
    let cache = tempdir().unwrap();
    let error = open(&folder(root.path()), cache.path()).unwrap_err();
    assert_eq!(error.exit_code(), 3);
    let text = error.to_string();
    assert!(text.starts_with(&format!("{bad} of 25 pictures cannot be used:")), "{text}");
    assert!(text.ends_with("\nmend or delete them, or pass --bad-images skip"), "{text}");
    assert!(text.contains("cat/empty.jpg: ends after 0 bytes, want a picture"), "{text}");
    assert!(text.contains("cat/page.jpg: is an HTML page"), "{text}");
    assert!(text.contains("cat/folder.jpg: is a folder"), "{text}");
    let set = open_skipping(&folder(root.path()), cache.path()).unwrap();
    assert_eq!((set.samples.len(), set.rejected.len()), (16, bad));
    assert!(names(&set).iter().all(|name| !name.contains("cut")));
    // What is left is what it would be without the bad ones: no neighbour's pixels, no gaps.
    let clean = tempdir().unwrap();
    for class in ["cat", "dog"] {
        for i in 0..8 {
            put(&clean.path().join(class).join(format!("{i}.jpg")), &jpeg(i));
        }
    }
    let want = open(&folder(clean.path()), cache.path()).unwrap();
    assert_eq!((&set.digest, &set.split), (&want.digest, &want.split));
    let all: Vec<u32> = (0..16).collect();
    assert_eq!(set.gather(&all).unwrap(), want.gather(&all).unwrap());
    assert_eq!(set.split_record().rejected.len(), bad);
    // `report` is for whoever opens the set; what is opened is the same.
    let bad_images: BadImages = serde_json::from_str("\"report\"").unwrap();
    let config = DataConfig { bad_images, ..config(&folder(root.path())) };
    let reported = Dataset::open(&config, cache.path(), &()).unwrap();
    assert_eq!((&reported.digest, &reported.split), (&set.digest, &set.split));
    assert_eq!(reported.rejected, set.rejected);
}

#[test]
fn a_class_of_nothing_but_bad_pictures_is_an_error_with_a_table() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    for i in 0..3 {
        put(&root.path().join(format!("cat/{i}.jpg")), b"");
        put(&root.path().join(format!("dog/{i}.jpg")), &jpeg(i));
    }
    let error = open_skipping(&folder(root.path()), cache.path()).unwrap_err();
    assert_eq!(error.exit_code(), 3);
    let text = error.to_string();
    assert!(text.contains("cat: 0 pictures in this class can be read"), "{text}");
    assert!(text.contains("cat 0 of 3, dog 3 of 3"), "{text}");
    let left = std::fs::read_dir(cache.path().join("pixels")).unwrap().flatten();
    assert!(left.into_iter().all(|f| f.path().extension().is_some_and(|e| e == "lock")));
}

/// Else its part would be taken for one that the folder does not bring, and dealt from the others.
#[test]
fn a_class_emptied_in_one_part_is_an_error_too() {
    for emptied in ["test", "train"] {
        let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
        for i in 0..4 {
            for (number, place) in
                ["train/cat", "train/dog", "test/cat", "test/dog"].iter().enumerate()
            {
                let good = jpeg(10 * i + number as u32);
                let bytes = if *place == format!("{emptied}/dog") { Vec::new() } else { good };
                put(&root.path().join(format!("{place}/{i}.jpg")), &bytes);
            }
        }
        let error = open_skipping(&folder(root.path()), cache.path()).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        let text = error.to_string();
        assert!(text.contains(&format!("{emptied}/dog: 0 pictures")), "{text}");
        assert!(text.contains(&format!("{emptied}/cat 4 of 4, {emptied}/dog 0 of 4")), "{text}");
    }
}

#[test]
fn a_share_is_skipped_and_more_is_refused_with_a_table() {
    let (root, bad) = faulty();
    let cache = tempdir().unwrap();
    let with = |share| {
        let bad_images = BadImages::AtMost(share);
        let config = DataConfig { bad_images, ..config(&folder(root.path())) };
        Dataset::open(&config, cache.path(), &())
    };
    assert_eq!(with(0.36).unwrap().rejected.len(), bad);
    // A second time from the cache, which remembers the classes of what it rejected.
    for _ in 0..2 {
        let error = with(0.35).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        let text = error.to_string();
        let start = "9 of 25 pictures cannot be used, more than the 35 % allowed (cat 9 of 17, dog 0 \
                     of 8); the first: cat/cut-1.jpg: ";
        assert!(text.starts_with(start), "{text}");
    }
    let error = with(1.5).unwrap_err().to_string();
    assert!(error.contains("bad_images.at_most: 1.5 is not possible"), "{error}");
}

/// Between the listing and the reading of pictures, something happens to one of them.
struct Meddler(PathBuf, Option<Vec<u8>>);

impl Progress for Meddler {
    fn stage(&self, what: &str, _total: u64) {
        if what == "decoding" {
            match &self.1 {
                Some(bytes) => std::fs::write(&self.0, bytes).unwrap(),
                None => std::fs::remove_file(&self.0).unwrap(),
            }
        }
    }
    fn advance(&self, _n: u64) {}
}

#[test]
fn a_file_that_vanishes_or_changes_while_the_set_is_read_is_a_bad_picture() {
    for replacement in [None, Some(b"<html>".to_vec()), Some(Vec::new())] {
        let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
        for class in ["cat", "dog"] {
            for i in 0..4 {
                put(&root.path().join(class).join(format!("{i}.jpg")), &jpeg(i));
            }
        }
        let victim = root.path().join("cat/2.jpg");
        let vanished = replacement.is_none();
        let meddler = Meddler(victim.clone(), replacement);
        let config = config(&folder(root.path()));
        let error = Dataset::open(&config, cache.path(), &meddler).unwrap_err().to_string();
        assert!(error.starts_with("1 of 8 pictures cannot be used"), "{error}");
        assert!(error.contains("cat/2.jpg: "), "{error}");
        put(&victim, &jpeg(2));
        let again = open(&folder(root.path()), cache.path());
        assert_eq!(again.unwrap().samples.len(), 8, "vanished: {vanished}; tried again");
    }
}

/// Between the listing and the reading, a file is cut to half its length in place.
struct Cutter(PathBuf);

impl Progress for Cutter {
    fn stage(&self, what: &str, _total: u64) {
        if what == "decoding" {
            let file = std::fs::OpenOptions::new().write(true).open(&self.0).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        }
    }
    fn advance(&self, _n: u64) {}
}

#[test]
fn an_archive_that_is_cut_while_it_is_read_ends_no_process() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let path = root.path().join("train.zip");
    // Cats and dogs in turn, so that both classes keep some; large enough for many pages.
    let file = |i: u32| {
        let class = if i.is_multiple_of(2) { "cat" } else { "dog" };
        (format!("train/{class}.{i}.jpg"), [jpeg(i), vec![0; 9000]].concat())
    };
    let files: Vec<_> = (0..40).map(file).collect();
    put(&path, &zip_of(&files, zip::CompressionMethod::Stored));
    let config = DataConfig { bad_images: BadImages::Skip, ..config(&cats_vs_dogs(&path)) };
    let set = Dataset::open(&config, cache.path(), &Cutter(path)).unwrap();
    let (good, bad) = (set.samples.len(), set.rejected.len());
    assert_eq!(good + bad, 40);
    assert!((15..25).contains(&bad), "{bad} are behind the cut");
    assert!(set.rejected.iter().all(|bad| bad.reason.contains("cannot be unpacked")));
}
