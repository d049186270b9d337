//! `folder:PATH`: layouts that work, and one message for each that does not.

use std::path::Path;

use catscan_data::Part;
use tempfile::tempdir;

use crate::help::{folder, jpeg, names, open, put};

fn fill(root: &Path, class: &str, n: u32) {
    for i in 0..n {
        put(&root.join(class).join(format!("{i}.jpg")), &jpeg(i));
    }
}

fn refused(root: &Path, code: u8) -> String {
    let cache = tempdir().unwrap();
    let error = open(&folder(root), cache.path()).unwrap_err();
    assert_eq!(error.exit_code(), code, "{error}");
    error.to_string()
}

#[test]
fn any_number_of_classes_in_natural_order() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    for class in ["class10", "class2", "class1"] {
        fill(root.path(), class, 12);
    }
    put(&root.path().join("class1/deep/er/late.JPEG"), &jpeg(99));
    put(&root.path().join("class1/.hidden.jpg"), b"not looked at");
    put(&root.path().join("class1/notes.txt"), b"not a picture");
    put(&root.path().join("README.md"), b"");
    let set = open(&folder(root.path()), cache.path()).unwrap();
    assert_eq!(set.classes, ["class1", "class2", "class10"]);
    assert_eq!(set.samples.len(), 37);
    assert_eq!(names(&set)[..3], ["class1/0.jpg", "class1/1.jpg", "class1/2.jpg"]);
    assert_eq!(names(&set)[11..13], ["class1/11.jpg", "class1/deep/er/late.JPEG"]);
    assert_eq!(set.labels(&[0, 13, 36]), [0, 1, 2]);
    let ignored: Vec<&str> = set.ignored.iter().map(|i| i.name.as_str()).collect();
    assert!(ignored.contains(&"class1/notes.txt"), "{ignored:?}");
    assert!(ignored.iter().any(|name| name.ends_with("README.md")), "{ignored:?}");
    let counts = Part::ALL.map(|part| set.split.part(part).len());
    assert_eq!(counts, [25, 6, 6]);
    let record = serde_json::to_string(&set.split_record()).unwrap();
    assert!(record.contains("class1/deep/er/late.JPEG"));
}

#[test]
fn parts_are_kept_and_val_may_be_called_otherwise() {
    for val in ["val", "valid", "Validation"] {
        let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
        for (part, n) in [("train", 6), (val, 3), ("test", 2)] {
            fill(&root.path().join(part), "a", n);
            fill(&root.path().join(part), "b", n);
        }
        let set = open(&folder(root.path()), cache.path()).unwrap();
        assert_eq!(Part::ALL.map(|part| set.split.part(part).len()), [12, 6, 4]);
        let test = set.split.part(Part::Test);
        assert!(test.iter().all(|i| set.samples[*i as usize].name.starts_with("test/")));
    }
}

#[test]
fn a_missing_val_is_carved_from_train() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    for (part, n) in [("train", 21), ("test", 5)] {
        fill(&root.path().join(part), "a", n);
        fill(&root.path().join(part), "b", n);
    }
    let set = open(&folder(root.path()), cache.path()).unwrap();
    assert_eq!(Part::ALL.map(|part| set.split.part(part).len()), [34, 8, 10]);
    let val = set.split.part(Part::Val);
    assert!(val.iter().all(|i| set.samples[*i as usize].name.starts_with("train/")));
}

#[test]
fn a_class_may_be_called_train() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    fill(root.path(), "train", 5);
    fill(root.path(), "tram", 5);
    assert_eq!(open(&folder(root.path()), cache.path()).unwrap().classes, ["train", "tram"]);
    // With folders of its own it may be a part as well.
    fill(root.path(), "train/night", 5);
    let text = refused(root.path(), 3);
    assert!(text.contains("train: holds folders, and tram beside it holds pictures"), "{text}");
    // Beside two parts a third folder is none.
    std::fs::remove_dir_all(root.path().join("train")).unwrap();
    for part in ["train/night", "train/day", "test/night", "test/day"] {
        fill(root.path(), part, 5);
    }
    let set = open(&folder(root.path()), cache.path()).unwrap();
    assert_eq!(set.classes, ["day", "night"]);
    assert!(set.ignored.iter().any(|one| one.name == "tram/"));
}

#[test]
fn layouts_that_cannot_be_meant_are_refused_with_advice() {
    let root = tempdir().unwrap();
    let at = root.path();
    assert!(refused(&at.join("nowhere"), 2).contains("no such file or folder"));
    assert!(refused(at, 2).contains("holds 0 class folders, want at least 2"));
    fill(at, "cat", 3);
    assert!(refused(at, 2).contains("holds 1 class folders"));
    std::fs::create_dir(at.join("dog")).unwrap();
    let text = refused(at, 3);
    assert!(text.contains("dog: 0 pictures in this class"), "{text}");
    assert!(refused(&at.join("cat/0.jpg"), 3).contains("is a file, want a folder"));
}

#[test]
fn parts_must_agree_on_their_classes() {
    let root = tempdir().unwrap();
    fill(&root.path().join("train"), "a", 3);
    fill(&root.path().join("train"), "b", 3);
    fill(&root.path().join("test"), "a", 3);
    assert!(refused(root.path(), 3).contains("test/b: 0 pictures"));
    fill(&root.path().join("test"), "b", 3);
    fill(&root.path().join("test"), "c", 3);
    assert!(refused(root.path(), 3).contains("is a class that train lacks; train has a, b"));
    let root = tempdir().unwrap();
    fill(&root.path().join("test"), "a", 3);
    assert!(refused(root.path(), 3).contains("has a test part but no train part"));
}

#[cfg(unix)]
#[test]
fn links_are_followed_loops_and_odd_names_refused() {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    let (root, elsewhere, cache) = (tempdir().unwrap(), tempdir().unwrap(), tempdir().unwrap());
    fill(elsewhere.path(), "pile", 4);
    fill(root.path(), "a", 4);
    symlink(elsewhere.path().join("pile"), root.path().join("b")).unwrap();
    let set = open(&folder(root.path()), cache.path()).unwrap();
    assert_eq!(names(&set)[4..6], ["b/0.jpg", "b/1.jpg"]);
    symlink("gone.jpg", root.path().join("a/dangling.jpg")).unwrap();
    let error = open(&folder(root.path()), cache.path()).unwrap_err().to_string();
    assert!(error.contains("a/dangling.jpg: is a broken link"), "{error}");
    std::fs::remove_file(root.path().join("a/dangling.jpg")).unwrap();
    symlink("..", root.path().join("a/loop")).unwrap();
    assert!(refused(root.path(), 3).contains("loop"));
    std::fs::remove_file(root.path().join("a/loop")).unwrap();
    let odd = root.path().join("a").join(std::ffi::OsStr::from_bytes(b"caf\xe9.jpg"));
    std::fs::write(odd, jpeg(1)).unwrap();
    let text = refused(root.path(), 3);
    assert!(text.contains("/a/caf\u{fffd}.jpg: has a name that is not UTF-8; rename it"), "{text}");
    // Of what is no picture, the name does not matter.
    let notes = |name: &[u8]| root.path().join("a").join(std::ffi::OsStr::from_bytes(name));
    std::fs::rename(notes(b"caf\xe9.jpg"), notes(b"caf\xe9.txt")).unwrap();
    let set = open(&folder(root.path()), cache.path()).unwrap();
    assert_eq!((set.samples.len(), set.ignored[0].name.as_str()), (8, "a/caf\u{fffd}.txt"));
    // Of a class it does.
    fill(root.path(), "c", 1);
    let class = root.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    std::fs::rename(root.path().join("c"), class).unwrap();
    let text = refused(root.path(), 3);
    assert!(text.contains("caf\u{fffd}: has a name that is not UTF-8; rename it"), "{text}");
}

#[test]
fn what_is_hidden_is_told_where_it_might_be_meant() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    for class in ["cat", "cow", ".cat", "cat/.cache"] {
        fill(root.path(), class, 3);
    }
    for shadow in ["cow/._0.jpg", "cow/._1.jpg", "cat/.h.png"] {
        put(&root.path().join(shadow), b"not looked at");
    }
    put(&root.path().join("cat/.DS_Store"), b"x");
    put(&root.path().join(".git/config"), b"x");
    let told = || {
        let set = open(&folder(root.path()), cache.path()).unwrap();
        assert_eq!(set.samples.len(), 6);
        set.ignored.iter().map(|file| format!("{}: {}", file.name, file.reason)).collect::<Vec<_>>()
    };
    let want = [
        ".cat/: is hidden, and holds pictures",
        "cat/: 1 hidden picture, .h.png",
        "cat/.cache/: is hidden, and holds pictures",
    ];
    let (last, first) = (told().pop().unwrap(), &told()[..3]);
    assert_eq!(first, want);
    assert!(last.starts_with("cow/: 2 hidden pictures, such as ._"), "{last}");
    // Also beside a cache that was made before.
    put(&root.path().join("cow/notes.txt"), b"x");
    assert_eq!(told()[4], "cow/notes.txt: does not end like a picture's name");
}
