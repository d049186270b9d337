//! Every layout in which people have Cats-vs-Dogs gives the same set.

use std::path::Path;

use catscan_data::Dataset;
use tempfile::tempdir;
use zip::CompressionMethod::{self, Deflated, Stored};

use crate::help::{cats_vs_dogs, jpeg, names, open, put, zip_of};

const N: u32 = 7;

/// Kaggle's `train/cat.0.jpg …`.
fn kaggle(prefix: &str) -> Vec<(String, Vec<u8>)> {
    let file = |class: &str, i: u32, seed: u32| (format!("{prefix}{class}.{i}.jpg"), jpeg(seed));
    (0..N).flat_map(|i| [file("cat", i, i), file("dog", i, 100 + i)]).collect()
}

/// Microsoft's `PetImages/Cat/0.jpg …`, with what else lies in it.
fn pet_images() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for i in 0..N {
        files.push((format!("PetImages/Cat/{i}.jpg"), jpeg(i)));
        files.push((format!("PetImages/Dog/{i}.jpg"), jpeg(100 + i)));
    }
    files.push(("PetImages/Cat/Thumbs.db".into(), b"db".to_vec()));
    files.push(("readme[1].txt".into(), b"Hello".to_vec()));
    files
}

fn test1() -> Vec<(String, Vec<u8>)> {
    (1..5).map(|i| (format!("test1/{i}.jpg"), jpeg(i))).collect()
}

fn nested(method: CompressionMethod) -> Vec<u8> {
    let files = [
        ("sampleSubmission.csv".into(), b"id,label".to_vec()),
        ("test1.zip".into(), zip_of(&test1(), Stored)),
        ("train.zip".into(), zip_of(&kaggle("train/"), Stored)),
    ];
    zip_of(&files, method)
}

fn lay(root: &Path, files: &[(String, Vec<u8>)]) {
    for (name, bytes) in files {
        put(&root.join(name), bytes);
    }
}

fn ignored(set: &Dataset) -> String {
    let line = |r: &catscan_data::Rejected| format!("{}: {}\n", r.name, r.reason);
    set.ignored.iter().map(line).collect()
}

#[test]
fn all_layouts_are_one_set() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let at = |name: &str| root.path().join(name);
    lay(&at("kaggle"), &kaggle("train/"));
    lay(&at("kaggle"), &test1());
    put(&at("train.zip"), &zip_of(&kaggle("train/"), Deflated));
    put(&at("bare.zip"), &zip_of(&kaggle(""), Stored));
    put(&at("stored/dogs-vs-cats.zip"), &nested(Stored));
    put(&at("deflated/dogs-vs-cats.zip"), &nested(Deflated));
    lay(&at("public"), &pet_images());
    put(&at("kagglecatsanddogs_5340.zip"), &zip_of(&pet_images(), Deflated));
    let (cats, dogs): (Vec<_>, Vec<_>) =
        kaggle("train/").into_iter().partition(|(name, _)| name.contains("cat"));
    put(&at("halves/cat.zip"), &zip_of(&cats, Stored));
    put(&at("halves/dog.zip"), &zip_of(&dogs, Stored));
    let want = open(&cats_vs_dogs(&at("kaggle")), cache.path()).unwrap();
    assert_eq!(want.classes, ["cat", "dog"]);
    assert_eq!(names(&want)[..2], ["cat.0.jpg", "cat.1.jpg"]);
    assert_eq!(want.samples.len(), 2 * N as usize);
    let layouts = [
        "kaggle/train",
        "train.zip",
        "bare.zip",
        "stored",
        "stored/dogs-vs-cats.zip",
        "deflated/dogs-vs-cats.zip",
        "public",
        "public/PetImages",
        "kagglecatsanddogs_5340.zip",
        "halves",
    ];
    for layout in layouts {
        let set = open(&cats_vs_dogs(&at(layout)), cache.path()).unwrap();
        assert_eq!(names(&set), names(&want), "{layout}");
        assert_eq!((&set.digest, &set.split), (&want.digest, &want.split), "{layout}");
        assert_eq!(set.gather(&[0, 13]).unwrap(), want.gather(&[0, 13]).unwrap(), "{layout}");
    }
}

#[test]
fn what_is_left_out_is_said() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    lay(root.path(), &kaggle("train/"));
    lay(root.path(), &test1());
    put(&root.path().join("train.zip"), &zip_of(&kaggle("train/"), Stored));
    let text = ignored(&open(&cats_vs_dogs(root.path()), cache.path()).unwrap());
    assert!(text.contains("test1/: 4 files without a label"), "{text}");
    assert!(text.contains("train.zip: not opened: the pictures beside it are used"), "{text}");
    let outer = root.path().join("only/dogs-vs-cats.zip");
    put(&outer, &nested(Deflated));
    let text = ignored(&open(&cats_vs_dogs(&outer), cache.path()).unwrap());
    assert!(text.contains("test1.zip: not opened: Kaggle's test pictures have no label"), "{text}");
}

#[test]
fn what_is_hidden_is_said_and_names_of_other_files_do_not_matter() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let at = |name: &str| root.path().join(name);
    let mut files = kaggle("train/");
    files.push(("train/._cat.0.jpg".into(), b"macOS's shadow".to_vec()));
    files.push(("train/._cat.1.jpg".into(), b"macOS's shadow".to_vec()));
    files.push((".old/cat.9.jpg".into(), jpeg(9)));
    put(&at("train.zip"), &zip_of(&files, Stored));
    let zip = open(&cats_vs_dogs(&at("train.zip")), cache.path()).unwrap();
    assert_eq!(zip.samples.len(), 2 * N as usize);
    let text = ignored(&zip);
    assert!(text.contains("train.zip: train/: 2 hidden pictures, such as ._cat.0.jpg"), "{text}");
    assert!(text.contains("train.zip: .old/: 1 hidden picture, cat.9.jpg"), "{text}");
    lay(&at("loose"), &files);
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let notes = at("loose/train").join(std::ffi::OsStr::from_bytes(b"caf\xe9.txt"));
        std::fs::write(notes, b"x").unwrap();
    }
    let loose = open(&cats_vs_dogs(&at("loose")), cache.path()).unwrap();
    assert_eq!((loose.samples.len(), &loose.digest), (2 * N as usize, &zip.digest));
    let text = ignored(&loose);
    assert!(text.contains("train/: 2 hidden pictures, such as ._cat."), "{text}");
    assert!(text.contains(".old/: is hidden, and holds pictures"), "{text}");
    assert!(!cfg!(unix) || text.contains("1 file not called like a picture"), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let odd = at("loose/train").join(std::ffi::OsStr::from_bytes(b"cat.caf\xe9.jpg"));
        std::fs::write(odd, jpeg(1)).unwrap();
        let error = open(&cats_vs_dogs(&at("loose")), cache.path()).unwrap_err().to_string();
        assert!(
            error.contains("train/cat.caf\u{fffd}.jpg: has a name that is not UTF-8"),
            "{error}"
        );
    }
}

#[test]
fn what_is_not_cats_and_dogs_is_refused() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let at = |name: &str| root.path().join(name);
    let refused = |name: &str| {
        let error = open(&cats_vs_dogs(&at(name)), cache.path()).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        error.to_string()
    };
    lay(&at("unlabelled"), &test1());
    assert!(refused("unlabelled").contains("holds no labelled cats or dogs"));
    put(&at("one/train/cat.0.jpg"), &jpeg(0));
    assert!(refused("one").contains("dog: 0 pictures in this class"));
    put(&at("cut.zip"), &zip_of(&kaggle("train/"), Stored)[..3000]);
    assert!(refused("cut.zip").contains("cut short or not a zip"));
    put(&at("empty.zip"), b"");
    assert!(refused("empty.zip").contains("holds 0 bytes"));
    lay(&at("twice"), &kaggle("train/"));
    lay(&at("twice"), &pet_images());
    assert!(refused("twice").contains("cat.0.jpg is there twice"));
}

#[test]
fn archives_that_reach_out_or_explode_are_refused_whole() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let refused = |name: &str, bytes: &[u8]| {
        let path = root.path().join(name);
        put(&path, bytes);
        let error = open(&cats_vs_dogs(&path), cache.path()).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        error.to_string()
    };
    for evil in ["../evil.jpg", "/abs/cat.0.jpg", "a/../../b.jpg"] {
        let mut files = kaggle("train/");
        files.push((evil.into(), jpeg(0)));
        let text = refused("evil.zip", &zip_of(&files, Stored));
        assert!(text.contains("leads out of the archive"), "{evil}: {text}");
    }
    let mut files = kaggle("train/");
    files.push(("train/cat.99.jpg".into(), vec![0; 4 << 20]));
    let text = refused("bomb.zip", &zip_of(&files, Deflated));
    assert!(text.contains("a bomb"), "{text}");
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    writer.add_symlink("train/cat.0.jpg", "/etc/passwd", options).unwrap();
    let text = refused("link.zip", &writer.finish().unwrap().into_inner());
    assert!(text.contains("is a link or a device"), "{text}");
    // The upper half of an entry's external attributes is its mode in Unix.
    let with_mode = |mode: u32| {
        let mut bytes = zip_of(&kaggle("train/"), Stored);
        let entry = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        bytes[entry + 5] = 3;
        bytes[entry + 38..entry + 42].copy_from_slice(&(mode << 16).to_le_bytes());
        bytes
    };
    let text = refused("device.zip", &with_mode(0o020_644));
    assert!(text.contains("is a link or a device (mode 20000)"), "{text}");
    let text = refused("setuid.zip", &with_mode(0o104_755));
    assert!(text.contains("gives its user's rights away (mode 104755)"), "{text}");
    let left = std::fs::read_dir(root.path()).unwrap().flatten();
    assert!(left.into_iter().all(|entry| entry.path().extension().is_some_and(|e| e == "zip")));
}

#[test]
fn an_archive_that_would_be_read_in_part_is_refused() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let refused = |bytes: &[u8]| {
        let path = root.path().join("train.zip");
        put(&path, bytes);
        let error = open(&cats_vs_dogs(&path), cache.path()).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        error.to_string()
    };
    let whole = zip_of(&kaggle("train/"), Stored);
    // Both where the picture lies and in the listing at the end.
    let (name, other) = (b"train/cat.1.jpg", b"train/cat.0.jpg");
    let mut twice = whole.clone();
    let places: Vec<usize> =
        whole.windows(15).enumerate().filter(|(_, w)| w == name).map(|(at, _)| at).collect();
    assert_eq!(places.len(), 2);
    places.iter().for_each(|at| twice[*at..*at + 15].copy_from_slice(other));
    let text = refused(&twice);
    assert!(text.contains("entry \"train/cat.0.jpg\" is there twice"), "{text}");
    let mut fewer = whole.clone();
    let end = whole.windows(4).rposition(|w| w == b"PK\x05\x06").unwrap();
    // How many entries there are, on this disk and in all.
    fewer[end + 8] -= 1;
    fewer[end + 10] -= 1;
    let text = refused(&fewer);
    assert!(text.contains("lists 14 entries, counts 13"), "{text}");
    // Two archives in one file, put behind each other, and put right afterwards.
    for second in [kaggle("trail/"), kaggle("more/"), kaggle("others/"), Vec::new()] {
        let text = refused(&[whole.as_slice(), &zip_of(&second, Stored)].concat());
        let want = format!("has {} bytes before its first entry", whole.len());
        assert!(text.contains(&want), "{text}");
    }
    let mut cursor = std::io::Cursor::new(whole.clone());
    cursor.set_position(whole.len() as u64);
    let mut writer = zip::ZipWriter::new(cursor);
    for (name, bytes) in kaggle("train/") {
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut writer, &bytes).unwrap();
    }
    let text = refused(&writer.finish().unwrap().into_inner());
    let want = format!("has {} bytes before its first entry", whole.len());
    assert!(text.contains(&want), "{text}");
    // The second one cut before its end record.
    let second = zip_of(&kaggle("more/"), Stored);
    let text = refused(&[whole.as_slice(), &second[..second.len() - 22]].concat());
    assert!(text.contains(&format!("goes on behind its end, at byte {}", whole.len())), "{text}");
}

#[test]
fn an_honest_archive_may_have_a_line_behind_it_a_comment_or_a_marker_before_it() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let opens = |name: &str, bytes: &[u8]| {
        let path = root.path().join(name);
        put(&path, bytes);
        assert_eq!(open(&cats_vs_dogs(&path), cache.path()).unwrap().samples.len(), 14, "{name}");
    };
    let whole = zip_of(&kaggle("train/"), Stored);
    opens("line.zip", &[whole.as_slice(), b"\r\n"].concat());
    opens("padded.zip", &[whole.as_slice(), &[0; 9_000]].concat());
    let mut commented = whole.clone();
    let length = commented.len() - 2;
    commented[length] = 5;
    opens("comment.zip", &[commented.as_slice(), b"hello"].concat());
    // An archive that was to be in several files has a marker first, and all places behind it.
    let mut marked = [b"PK\x07\x08".as_slice(), &whole].concat();
    let end = marked.len() - 22;
    let entry = |at: &usize| marked[*at..].starts_with(b"PK\x01\x02");
    let places: Vec<usize> = (0..end).filter(entry).map(|at| at + 42).chain([end + 16]).collect();
    assert_eq!(places.len(), 15);
    for at in places {
        let place = u32::from_le_bytes(marked[at..at + 4].try_into().unwrap()) + 4;
        marked[at..at + 4].copy_from_slice(&place.to_le_bytes());
    }
    opens("marked.zip", &marked);
}

#[test]
fn a_million_entries_are_refused_before_they_are_listed() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(Stored);
    for i in 0..1_000_000 {
        writer.start_file(format!("{i:x}"), options).unwrap();
    }
    let path = root.path().join("million.zip");
    put(&path, &writer.finish().unwrap().into_inner());
    let began = std::time::Instant::now();
    let error = open(&cats_vs_dogs(&path), cache.path()).unwrap_err();
    assert_eq!(error.exit_code(), 3);
    assert!(error.to_string().contains("holds 1000000 entries, at most 500000"), "{error}");
    eprintln!("refused after {:.1?}", began.elapsed());
}

#[test]
fn a_flipped_byte_in_an_archive_within_an_archive_is_bad_data_wherever_it_is() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let path = root.path().join("dogs-vs-cats.zip");
    let whole = nested(Deflated);
    let step = whole.len() / 60;
    let refused = (0..60).filter(|i| {
        let mut bytes = whole.clone();
        bytes[i * step] ^= 0x55;
        put(&path, &bytes);
        let opened = open(&cats_vs_dogs(&path), cache.path());
        if let Err(error) = &opened {
            assert_eq!(error.exit_code(), 3, "byte {}: {error}", i * step);
        }
        opened.is_err()
    });
    let refused = refused.count();
    assert!(refused > 20, "{refused} of 60");
}

#[test]
fn a_flipped_byte_in_an_archive_is_one_bad_picture() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let path = root.path().join("train.zip");
    let mut bytes = zip_of(&kaggle("train/"), Stored);
    let start = bytes.windows(15).position(|w| w == b"train/cat.0.jpg").unwrap();
    bytes[start + 400] ^= 1;
    put(&path, &bytes);
    let error = open(&cats_vs_dogs(&path), cache.path()).unwrap_err().to_string();
    assert!(error.starts_with("1 of 14 pictures cannot be used"), "{error}");
    assert!(error.contains("cat.0.jpg: cannot be unpacked"), "{error}");
}
