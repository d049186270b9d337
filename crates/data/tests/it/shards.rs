//! `shards:PATH`: tar files read where they lie, and refused where they cannot be trusted.

use std::path::Path;

use catscan_data::Part;
use tar::{EntryType, Header};
use tempfile::tempdir;

use crate::help::{folder, jpeg, names, open, put};

/// Of a tar file: name, kind, contents.
pub type Entry = (String, EntryType, Vec<u8>);

pub fn tar_of(entries: &[Entry]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, bytes) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        // By hand: the builder refuses the paths that a test of refusals needs.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, bytes.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

pub fn file(name: &str, bytes: &[u8]) -> Entry {
    (name.into(), EntryType::Regular, bytes.to_vec())
}

/// WebDataset's: `000.jpg` and `000.cls`.
fn web(from: u32, to: u32) -> Vec<Entry> {
    let one = |i: u32| {
        let label = format!("{}\n", i % 3);
        [file(&format!("./{i:03}.cls"), label.as_bytes()), file(&format!("./{i:03}.jpg"), &jpeg(i))]
    };
    (from..to).flat_map(one).collect()
}

/// `shards:PATH`.
pub fn shards(path: &Path) -> String {
    format!("shards:{}", path.display())
}

#[test]
fn shards_are_one_set_wherever_their_borders_are() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let at = |name: &str| root.path().join(name);
    put(&at("one/all.tar"), &tar_of(&web(0, 18)));
    put(&at("three/s-0.tar"), &tar_of(&web(0, 5)));
    put(&at("three/s-1.tar"), &tar_of(&web(5, 11)));
    put(&at("three/s-2.tar"), &tar_of(&web(11, 18)));
    put(&at("three/README.md"), b"notes");
    let in_folders: Vec<Entry> =
        (0..18).map(|i| file(&format!("{}/{i:03}.jpg", i % 3), &jpeg(i))).collect();
    put(&at("folders.tar"), &tar_of(&in_folders));
    let one = open(&shards(&at("one/all.tar")), cache.path()).unwrap();
    assert_eq!(one.classes, ["0", "1", "2"]);
    assert_eq!(names(&one)[..3], ["000.jpg", "003.jpg", "006.jpg"]);
    let three = open(&shards(&at("three")), cache.path()).unwrap();
    assert_eq!((&three.digest, &three.split), (&one.digest, &one.split));
    assert_eq!(three.ignored[0].name, "README.md");
    let folders = open(&shards(&at("folders.tar")), cache.path()).unwrap();
    for i in 0..18 {
        put(&at(&format!("loose/{}/{i:03}.jpg", i % 3)), &jpeg(i));
    }
    let loose = open(&folder(&at("loose")), cache.path()).unwrap();
    let all: Vec<u32> = (0..18).collect();
    for set in [&one, &three, &folders] {
        assert_eq!(set.gather(&all), loose.gather(&all));
    }
    assert_eq!((folders.digest, folders.split), (loose.digest, loose.split));
}

#[test]
fn shards_called_by_their_part_give_it() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    for (name, from, to) in
        [("train-0", 0, 6), ("train-1", 6, 12), ("val-0", 12, 15), ("test", 15, 18)]
    {
        put(&root.path().join(format!("{name}.tar")), &tar_of(&web(from, to)));
    }
    let set = open(&shards(root.path()), cache.path()).unwrap();
    assert_eq!(Part::ALL.map(|part| set.split.part(part).len()), [12, 3, 3]);
    put(&root.path().join("more.tar"), &tar_of(&web(18, 21)));
    let error = open(&shards(root.path()), cache.path()).unwrap_err();
    assert!(error.to_string().contains("shards called train, val or test, and others"), "{error}");
}

#[test]
fn what_cannot_be_trusted_is_refused_whole() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let path = root.path().join("some.tar");
    let refuse = |bytes: &[u8], says: &str| {
        put(&path, bytes);
        let error = open(&shards(&path), cache.path()).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.exit_code(), 3, "{text}");
        assert!(text.contains(says), "{text}, want {says}");
    };
    let with = |entry: Entry| {
        let mut entries = web(0, 6);
        entries.push(entry);
        tar_of(&entries)
    };
    refuse(&with(file("../evil.jpg", b"x")), "\"../evil.jpg\" leads out of the archive; the whole");
    refuse(&with(file("/abs.jpg", b"x")), "leads out of the archive");
    let kinds = [EntryType::Symlink, EntryType::Link, EntryType::Block, EntryType::Fifo];
    for kind in kinds {
        refuse(&with(("x.jpg".into(), kind, Vec::new())), "is neither file nor folder");
    }
    refuse(&with(file("lonely.jpg", &jpeg(1))), "lonely.jpg has no label, neither lonely.cls nor");
    refuse(&crate::help::gzip(&tar_of(&web(0, 6))), "is compressed");
    let whole = tar_of(&web(0, 6));
    refuse(&whole[..whole.len() / 2], "");
    refuse(&whole[..whole.len() - 1024], "no end mark");
    refuse(b"", "holds 0 bytes");
    refuse(b"<html>not found</html>", "");
    refuse(&tar_of(&web(0, 1)), "holds 1 classes, want at least 2");
    let mut bomb = Header::new_gnu();
    bomb.set_path("zeros.jpg").unwrap();
    bomb.set_entry_type(EntryType::Regular);
    bomb.set_mode(0o644);
    bomb.set_size(10 << 30);
    bomb.set_cksum();
    refuse(bomb.as_bytes(), "ends after 0 of 10737418240 bytes");
}

#[test]
fn a_broken_picture_in_a_shard_is_one_bad_picture() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let mut entries = web(0, 6);
    entries[3].2.truncate(100);
    let path = root.path().join("some.tar");
    put(&path, &tar_of(&entries));
    let error = open(&shards(&path), cache.path()).unwrap_err().to_string();
    assert!(error.contains("1 of 6 pictures cannot be used"), "{error}");
    assert!(error.contains("001.jpg: is a JPEG cut short"), "{error}");
}
