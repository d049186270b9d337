//! `shards:PATH`: tar files read where they lie, and refused where they cannot be trusted.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use catscan_data::{BadImages, DataConfig, DataError, Dataset, Part, Placement, Progress};
use tar::{EntryType, Header};
use tempfile::tempdir;

use crate::help::{config, folder, jpeg, names, open, put};

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
        assert_eq!(set.gather(&all).unwrap(), loose.gather(&all).unwrap());
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
    let kinds =
        [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo];
    for kind in kinds {
        refuse(&with(("x.jpg".into(), kind, Vec::new())), "is neither file nor folder");
    }
    for (mode, says) in [(0o4755, "(mode 4755)"), (0o2755, "(mode 2755)")] {
        let mut bytes = with(file("setuid.jpg", b"x"));
        let at = bytes.windows(10).position(|name| name == b"setuid.jpg").unwrap();
        let mut header = Header::from_byte_slice(&bytes[at..at + 512]).clone();
        header.set_mode(mode);
        header.set_cksum();
        bytes[at..at + 512].copy_from_slice(header.as_bytes());
        refuse(&bytes, says);
        refuse(&bytes, "gives its user's rights away");
    }
    refuse(&with(file("lonely.jpg", &jpeg(1))), "lonely.jpg has no label lonely.cls; there is ");
    refuse(
        &tar_of(&[file("lonely.jpg", &jpeg(1))]),
        "lonely.jpg has no label, neither lonely.cls nor",
    );
    refuse(&with(file("003.cls", b"caf\xe9")), "003.cls is not UTF-8; correct the label");
    refuse(&with(file("003.cls", b" \n")), "003.cls is empty, want a label");
    refuse(&with(file("003.cls", b"1")), "003.cls is there twice and says \"0\" and \"1\"");
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
    let huge = ("././@LongLink".into(), EntryType::GNULongName, vec![b'x'; 1 << 20]);
    refuse(&tar_of(&[huge, file("x", b"x")]), "holds a name of 1048576 bytes, at most 65536; the");
}

#[test]
fn a_label_that_is_there_twice_and_the_same_is_one() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let mut entries = web(0, 12);
    entries.push(file("003.cls", b"0"));
    put(&root.path().join("twice.tar"), &tar_of(&entries));
    let set = open(&shards(&root.path().join("twice.tar")), cache.path()).unwrap();
    assert_eq!(set.samples.len(), 12);
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

#[test]
fn names_too_long_for_a_header_are_read() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let path = root.path().join("long.tar");
    let long = "n".repeat(180);
    let mut builder = tar::Builder::new(Vec::new());
    for i in 0..6 {
        let (bytes, mut header) = (jpeg(i), Header::new_gnu());
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        let name = format!("{}/{long}{i}.jpg", i % 2);
        if i < 3 {
            builder.append_data(&mut header, name, &bytes[..]).unwrap();
        } else {
            builder.append_pax_extensions([("path", name.as_bytes())]).unwrap();
            header.set_path("short.txt").unwrap();
            header.set_cksum();
            builder.append(&header, &bytes[..]).unwrap();
        }
    }
    put(&path, &builder.into_inner().unwrap());
    let set = open(&shards(&path), cache.path()).unwrap();
    let want = [0, 2, 4, 1, 3, 5].map(|i| format!("{}/{long}{i}.jpg", i % 2));
    assert_eq!(names(&set), want);
}

/// Leaves `percent` of a file.
fn cut(path: &Path, percent: u64) -> u64 {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let left = file.metadata().unwrap().len() * percent / 100;
    file.set_len(left).unwrap();
    left
}

#[test]
fn a_tar_cut_while_it_is_streamed_is_an_error_of_the_picture_with_file_and_place() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let path = root.path().join("s.tar");
    put(&path, &tar_of(&web(0, 60)));
    let config = config(&shards(&path));
    let set = Dataset::open_as(&config, cache.path(), Some(Placement::Streamed), &()).unwrap();
    let path = path.canonicalize().unwrap();
    let all: Vec<u32> = (0..60).collect();
    let whole = set.gather(&all).unwrap();
    let (passes, left) = (AtomicU64::new(0), AtomicU64::new(0));
    // Through a map of the file this would end the process by SIGBUS.
    let bad = std::thread::scope(|scope| {
        scope.spawn(|| {
            while passes.load(Ordering::Relaxed) < 3 {
                std::thread::yield_now();
            }
            left.store(cut(&path, 50), Ordering::Relaxed);
        });
        loop {
            let read = all.chunks(7).map(|batch| set.gather(batch));
            match read.collect::<Result<Vec<_>, _>>() {
                Ok(batches) => assert_eq!(batches.concat(), whole),
                Err(bad) => break bad,
            }
            passes.fetch_add(1, Ordering::Relaxed);
        }
    });
    let text = bad.to_string();
    let ends = format!(" of {}, which ends after {} bytes", path.display(), left.into_inner());
    assert!(
        bad.fault == catscan_data::Fault::Unreadable
            && text.contains(".jpg: lies at bytes ")
            && text.contains(&ends),
        "{text}"
    );
    let first = set.gather(&[0]).unwrap();
    assert_eq!(first, whole[..first.len()], "what is left is still read");
}

/// Cuts a file when so many pictures have been looked at.
struct Cutter(PathBuf, AtomicU64);

impl Progress for Cutter {
    fn stage(&self, _what: &str, _total: u64) {}

    fn advance(&self, n: u64) {
        if self.1.fetch_sub(n, Ordering::Relaxed) == 1 {
            cut(&self.0, 50);
        }
    }
}

#[test]
fn a_tar_cut_while_the_cache_is_made_of_it_costs_the_pictures_that_went() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let (path, whole) = (root.path().join("s.tar"), tar_of(&web(0, 60)));
    let open = |bad_images| {
        put(&path, &whole);
        let config = DataConfig { bad_images, ..config(&shards(&path)) };
        let cutter = Cutter(path.clone(), AtomicU64::new(10));
        crate::help::pool(1).install(|| Dataset::open(&config, cache.path(), &cutter))
    };
    let DataError::BadPictures { checked: 60, total, first } = open(BadImages::Fail).unwrap_err()
    else {
        panic!("want an error of the pictures");
    };
    assert!((10..50).contains(&total), "{total}");
    assert!(first[0].reason.contains("s.tar, which ends after "), "{}", first[0].reason);
    let set = open(BadImages::Skip).unwrap();
    assert_eq!((set.samples.len(), set.rejected.len()), (60 - total, total));
    // What could not be had is tried again, so the whole file makes a whole set.
    put(&path, &whole);
    let config = DataConfig { bad_images: BadImages::Fail, ..config(&shards(&path)) };
    assert_eq!(Dataset::open(&config, cache.path(), &()).unwrap().samples.len(), 60);
}
