//! Pictures that are no pictures: found, named, counted; `fail` or `skip` by the recipe.

use tempfile::{TempDir, tempdir};

use crate::help::{encode, folder, jpeg, names, open, open_skipping, picture, put};

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
    assert!(text.ends_with("delete them or pass --bad-images skip"), "{text}");
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
    assert_eq!(set.gather(&all), want.gather(&all));
    assert_eq!(set.split_record().rejected.len(), bad);
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
