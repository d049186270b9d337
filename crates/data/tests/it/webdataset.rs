//! `shards:PATH` as WebDataset writes them: one picture a sample, whatever lies beside it; samples
//! of one key in several shards; and what is lost in silence elsewhere.

use std::process::Command;

use catscan_data::Part;
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
fn a_label_without_a_picture_is_told() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let path = root.path().join("s.tar");
    let mut entries = masked(0, 6);
    // Lost, of a kind that is no picture here, and the only one of its class.
    entries.push(file("900.cls", b"1"));
    entries.extend([file("901.cls", b"2"), file("901.exr", b"x"), file("902.cls", b"zebra")]);
    entries.retain(|(name, ..)| !name.ends_with(".seg.png"));
    put(&path, &tar_of(&entries));
    let set = open(&shards(&path), cache.path()).unwrap();
    assert_eq!((set.samples.len(), &set.classes[..]), (6, &["0", "1", "2"].map(String::from)[..]));
    let told: Vec<String> =
        set.ignored.iter().map(|file| format!("{}: {}", file.name, file.reason)).collect();
    let want = [
        "900.cls: is a label without a picture",
        "901.cls: is a label without a picture",
        "901.exr: is neither a picture nor a label",
        "902.cls: is a label without a picture",
    ];
    assert_eq!(told, want);
    let (found, _) = audit(&config(&shards(&path)), cache.path(), &()).unwrap();
    assert_eq!(found.ignored, set.ignored);
}

/// Its folder is no label where others have theirs.
#[test]
fn a_picture_without_a_label_among_labelled_ones_is_refused() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let path = root.path().join("s.tar");
    let mut entries = masked(0, 6);
    entries.push(file("images/900.jpg", &jpeg(900)));
    put(&path, &tar_of(&entries));
    let error = open(&shards(&path), cache.path()).unwrap_err();
    assert_eq!(error.exit_code(), 3);
    let text = error.to_string();
    assert!(
        text.contains("images/900.jpg has no label images/900.cls; there is 000.cls"),
        "{text}"
    );
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

/// `0000.jpg` and so on in each shard, with labels.
fn numbered(seed: u32, n: u32) -> Vec<u8> {
    let one = |i: u32| {
        let label = (i % 2).to_string();
        let (picture, key) = (jpeg(seed + i), format!("{i:04}"));
        [file(&format!("{key}.cls"), label.as_bytes()), file(&format!("{key}.jpg"), &picture)]
    };
    tar_of(&(0..n).flat_map(one).collect::<Vec<_>>())
}

#[test]
fn shards_may_each_number_from_nought() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    put(&root.path().join("train-0.tar"), &numbered(0, 4));
    put(&root.path().join("train-1.tar"), &numbered(10, 4));
    put(&root.path().join("test-0.tar"), &numbered(20, 4));
    let set = open(&shards(root.path()), cache.path()).unwrap();
    let want = ["test-0.tar/0000.jpg", "test-0.tar/0002.jpg", "train-0.tar/0000.jpg"];
    assert_eq!((names(&set).len(), &names(&set)[..3]), (12, &want[..]));
    let test = set.split.part(Part::Test);
    assert!(test.iter().all(|i| names(&set)[*i as usize].starts_with("test-0.tar/")));
    assert_eq!(test.len(), 4);
    let at = |name: &str| names(&set).iter().position(|known| *known == name).unwrap() as u32;
    assert_ne!(
        set.pixels(at("train-0.tar/0000.jpg")).unwrap(),
        set.pixels(at("train-1.tar/0000.jpg")).unwrap()
    );

    // One shard alone needs no such name, and twice in one shard is a fault of the shard.
    let one = open(&shards(&root.path().join("train-0.tar")), cache.path()).unwrap();
    assert_eq!(names(&one)[0], "0000.jpg");
    let twice = root.path().join("twice.tar");
    let entries = ["a/7.jpg", "b/8.jpg", "a/7.jpg"].map(|name| file(name, &jpeg(1)));
    put(&twice, &tar_of(&entries));
    let text = open(&shards(&twice), cache.path()).unwrap_err().to_string();
    let shard = twice.canonicalize().unwrap().display().to_string();
    assert!(text.contains("a/7.jpg is there twice: byte 512 of"), "{text}");
    assert!(text.contains(&format!("of {shard}; keep one of them and pack")), "{text}");
}

#[test]
fn what_stands_behind_the_end_mark_is_not_lost() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let path = root.path().join("s.tar");
    let refused = |bytes: &[u8]| {
        put(&path, bytes);
        let error = open(&shards(&path), cache.path()).unwrap_err();
        assert_eq!(error.exit_code(), 3, "{error}");
        error.to_string()
    };
    let one = numbered(0, 4);
    let says = |at: usize| format!("goes on after its end mark, at byte {at}; where several tar");
    let text = refused(&[one.clone(), numbered(10, 4)].concat());
    assert!(text.contains(&says(one.len())), "{text}");
    // A lone block of zeros ends a tar as well.
    let text = refused(&[&one[..one.len() - 512], &numbered(10, 4)].concat());
    assert!(text.contains(&says(one.len() - 512)), "{text}");
    // What pads a tar to whole records is no more than that.
    put(&path, &[one, vec![0; 1 << 16]].concat());
    assert_eq!(open(&shards(&path), cache.path()).unwrap().samples.len(), 4);
}

#[test]
fn a_file_stored_without_its_holes_is_refused() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let path = root.path().join("s.tar");
    // As GNU tar writes it: the real name and size stand in the extension, a process number in the
    // path, and a table of pieces before the first byte.
    let extension = [
        ("GNU.sparse.major", &b"1"[..]),
        ("GNU.sparse.name", b"cat/big.bmp"),
        ("GNU.sparse.realsize", b"100000"),
    ];
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_pax_extensions(extension).unwrap();
    let (name, kind, bytes) = file("cat/GNUSparseFile.16735/big.bmp", b"1\n0\n0\n");
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(bytes.len() as u64);
    builder.append_data(&mut header, &name, &bytes[..]).unwrap();
    put(&path, &builder.into_inner().unwrap());
    let error = open(&shards(&path), cache.path()).unwrap_err();
    assert_eq!(error.exit_code(), 3, "{error}");
    let text = error.to_string();
    let want =
        format!("entry \"{name}\" is stored in pieces, without its holes (GNU.sparse); pack");
    assert!(text.contains(&want), "{text}");

    // And one that GNU tar itself has written, where there is one.
    let big = root.path().join("cat/big.bmp");
    put(&big, b"BM");
    let grown = std::fs::OpenOptions::new().write(true).open(&big).unwrap();
    grown.set_len(1 << 20).unwrap();
    let mut command = Command::new("tar");
    command.args(["--sparse", "--format=posix", "-cf", "s.tar", "cat"]).current_dir(root.path());
    if !command.status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: no tar here that writes sparse files");
        return;
    }
    let packed = std::fs::read(&path).unwrap();
    if packed.windows(11).any(|bytes| bytes == b"GNU.sparse.") {
        let text = open(&shards(&path), cache.path()).unwrap_err().to_string();
        assert!(text.contains("is stored in pieces"), "{text}");
    }
}

#[test]
fn hidden_pictures_and_shards_are_told() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let mut entries: Vec<Entry> =
        (0..6).map(|i| file(&format!("{}/{i}.jpg", i % 2), &jpeg(i))).collect();
    entries.extend([2, 4].map(|i| file(&format!("0/._{i}.jpg"), b"macOS's shadow")));
    entries.push(file(".cat/0.jpg", &jpeg(9)));
    entries.push(file("0/.DS_Store", b"x"));
    put(&root.path().join("s.tar"), &tar_of(&entries));
    put(&root.path().join(".old.tar"), b"never opened");
    put(&root.path().join(".DS_Store"), b"x");
    let set = open(&shards(root.path()), cache.path()).unwrap();
    assert_eq!(set.samples.len(), 6);
    let told: Vec<String> =
        set.ignored.iter().map(|file| format!("{}: {}", file.name, file.reason)).collect();
    let want = [
        ".old.tar: is a hidden tar file",
        "s.tar: .cat/: 1 hidden picture, 0.jpg",
        "s.tar: 0/: 2 hidden pictures, such as ._2.jpg",
    ];
    assert_eq!(told, want);
}

#[cfg(unix)]
#[test]
fn a_name_that_cannot_be_shown_is_refused_where_it_counts_alone() {
    use std::os::unix::ffi::OsStrExt;
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let path = root.path().join("s.tar");
    let named = |name: &[u8]| {
        let mut bytes = tar_of(&[file("a/0.jpg", &jpeg(0)), file("b/12345", &jpeg(1))]);
        let at = bytes.windows(7).position(|bytes| bytes == b"b/12345").unwrap();
        let mut header = tar::Header::from_byte_slice(&bytes[at..at + 512]).clone();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name);
        header.set_cksum();
        bytes[at..at + 512].copy_from_slice(header.as_bytes());
        bytes
    };
    put(&path, &named(b"b/\xe9.jpg"));
    let text = open(&shards(&path), cache.path()).unwrap_err().to_string();
    assert!(
        text.contains("entry \"b/\u{fffd}.jpg\" has a name that is not UTF-8; rename"),
        "{text}"
    );
    put(&path, &named(b"b/\xe9.txt"));
    let text = open(&shards(&path), cache.path()).unwrap_err().to_string();
    assert!(text.contains("holds 1 classes"), "{text}");
    put(&path, &numbered(0, 4));
    let notes = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
    std::fs::write(root.path().join(notes), b"x").unwrap();
    let set = open(&shards(root.path()), cache.path()).unwrap();
    assert_eq!(set.ignored[0].name, "caf\u{fffd}.txt");
    let odd = root.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9.tar"));
    std::fs::copy(&path, odd).unwrap();
    let text = open(&shards(root.path()), cache.path()).unwrap_err().to_string();
    let folder = root.path().canonicalize().unwrap().display().to_string();
    assert!(text.contains(&format!("{folder}/caf\u{fffd}.tar: has a name that is not")), "{text}");
}
