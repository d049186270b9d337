//! `cifar10:PATH`, on small batches made here: a folder, the archive, a part, and every fault.

use std::path::Path;

use catscan_data::{Colour, DataConfig, DataError, Dataset, Part};
use tar::{EntryType, Header};
use tempfile::{TempDir, tempdir};

use crate::help::{config, gzip, names, put};

const RECORD_BYTES: usize = 3073;
const BATCHES: [&str; 6] =
    ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"];

/// Labels 0, 1 … 9, 0 …; red is the row, green the column, blue the batch's number.
fn batch(number: usize, records: usize) -> Vec<u8> {
    let plane = |value: fn(usize, usize) -> usize, blue: usize| {
        (0..1024).map(move |at| (value(at / 32, at % 32) + blue) as u8)
    };
    let record = |i: usize| {
        let label = std::iter::once((i % 10) as u8);
        let planes = plane(|y, _| y, 0).chain(plane(|_, x| x, 0)).chain(plane(|_, _| 0, number));
        label.chain(planes)
    };
    (0..records).flat_map(record).collect()
}

fn folder(records: usize) -> TempDir {
    let root = tempdir().unwrap();
    for (number, name) in BATCHES.iter().enumerate() {
        put(&root.path().join(format!("{name}.bin")), &batch(number, records));
    }
    root
}

fn open(path: &Path, cache: &Path) -> Result<Dataset, DataError> {
    let config = DataConfig { size_px: 32, ..config(&format!("cifar10:{}", path.display())) };
    Dataset::open(&config, cache, &())
}

/// A tar of these entries: name, kind, mode, contents.
fn tar_of(entries: &[(&str, EntryType, u32, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, mode, bytes) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_size(bytes.len() as u64);
        // Written by hand: the builder refuses the names that are tested here.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

/// As it is published, each batch with 20 records.
fn published() -> Vec<u8> {
    let name = |batch: &str| format!("cifar-10-batches-bin/{batch}");
    let mut files: Vec<(String, EntryType, Vec<u8>)> = vec![
        (name(""), EntryType::Directory, Vec::new()),
        (name("batches.meta.txt"), EntryType::Regular, b"airplane\n".to_vec()),
    ];
    for (number, file) in BATCHES.iter().enumerate() {
        files.push((name(&format!("{file}.bin")), EntryType::Regular, batch(number, 20)));
    }
    let entries: Vec<(&str, EntryType, u32, &[u8])> =
        files.iter().map(|(name, kind, bytes)| (&**name, *kind, 0o755, &**bytes)).collect();
    tar_of(&entries)
}

#[test]
fn a_folder_and_the_archive_are_the_same_set() {
    let (plain, root, cache) = (folder(20), tempdir().unwrap(), tempdir().unwrap());
    let set = open(plain.path(), cache.path()).unwrap();
    put(&root.path().join("cifar-10-binary.tar.gz"), &gzip(&published()));
    put(&root.path().join("bare.tar"), &published());
    put(&root.path().join("below/cifar-10-batches-bin/data_batch_1.bin.gz"), &gzip(&batch(0, 20)));
    for path in ["cifar-10-binary.tar.gz", "bare.tar", ""] {
        let other = open(&root.path().join(path), cache.path()).unwrap();
        assert_eq!((&other.digest, &other.split), (&set.digest, &set.split), "{path}");
    }
    assert_eq!(set.classes[3], "cat");
    assert_eq!((set.samples.len(), set.classes.len()), (120, 10));
    // Ten of each class in five batches, dealt 17:4, and two of each in the test batch.
    assert_eq!(Part::ALL.map(|part| set.split.part(part).len()), [80, 20, 20]);
    let test = set.split.part(Part::Test);
    assert!(test.iter().all(|i| set.samples[*i as usize].name.starts_with("test_batch/")));
    assert_eq!(names(&set)[..3], ["data_batch_1/0", "data_batch_1/10", "data_batch_2/0"]);
    let part = open(&root.path().join("below"), cache.path()).unwrap();
    assert_eq!(part.pixels(0).unwrap(), set.pixels(0).unwrap());
}

#[test]
fn planes_become_pixels() {
    let (root, cache) = (folder(10), tempdir().unwrap());
    let set = open(root.path(), cache.path()).unwrap();
    let picture = set.picture(2).unwrap().into_shown();
    assert_eq!(names(&set)[2], "data_batch_3/0");
    for (x, y) in [(0, 0), (31, 0), (5, 17), (31, 31)] {
        assert_eq!(picture.get_pixel(x, y).0, [y as u8, x as u8, 2]);
    }
    let grey = DataConfig { colour: Colour::Grey, ..set.config().clone() };
    let grey = Dataset::open(&grey, cache.path(), &()).unwrap();
    assert_eq!(grey.picture(2).unwrap(), set.picture(2).unwrap().into_colour(Colour::Grey));
}

#[test]
fn a_part_of_it_works_and_what_is_missing_is_said() {
    let (root, cache) = (folder(10), tempdir().unwrap());
    for missing in ["data_batch_2", "data_batch_5"] {
        std::fs::remove_file(root.path().join(format!("{missing}.bin"))).unwrap();
    }
    put(&root.path().join("test_batch.bin.gz"), &gzip(&batch(5, 20)));
    let set = open(root.path(), cache.path()).unwrap();
    let note = "A part of CIFAR-10: 30 of 50000 training pictures, 10 of 10000 test pictures; \
                without data_batch_2.bin, data_batch_5.bin.";
    // Some of these made-up pictures are equal, across the parts too.
    assert_eq!((set.notes[0].as_str(), set.notes[1].starts_with("Leakage")), (note, true));
    assert_eq!(set.ignored[0].name, "test_batch.bin.gz");
    let again = open(root.path(), cache.path()).unwrap();
    assert_eq!(again.split_record().notes, set.notes, "from the cache as well");
    std::fs::remove_file(root.path().join("test_batch.bin")).unwrap();
    std::fs::remove_file(root.path().join("test_batch.bin.gz")).unwrap();
    let set = open(root.path(), cache.path()).unwrap();
    assert!(set.notes[0].ends_with("the test part is dealt from the training pictures."));
    assert_eq!(Part::ALL.map(|part| set.split.part(part).len()), [10, 10, 10]);
}

fn refused(path: &Path, code: u8, says: &[&str]) {
    let cache = tempdir().unwrap();
    let error = open(path, cache.path()).unwrap_err();
    let text = error.to_string();
    assert_eq!(error.exit_code(), code, "{text}");
    for part in says {
        assert!(text.contains(part), "{text}, want {part}");
    }
}

#[test]
fn every_fault_of_a_batch_has_its_message() {
    let root = folder(10);
    let one = root.path().join("data_batch_1.bin");
    put(&one, &batch(0, 10)[..30_000]);
    refused(root.path(), 3, &["data_batch_1.bin", "holds 30000 bytes", "records of 3073"]);
    put(&one, b"");
    refused(root.path(), 3, &["holds 0 bytes, want up to 30730000"]);
    put(&one, &vec![0; 10_001 * RECORD_BYTES]);
    refused(root.path(), 3, &["holds more bytes, want up to 30730000"]);
    let mut wrong = batch(0, 10);
    wrong[4 * RECORD_BYTES] = 77;
    put(&one, &wrong);
    refused(root.path(), 3, &["data_batch_1.bin: gives picture 4 the label 77, want 0 to 9"]);
    let packed = gzip(&batch(0, 10));
    put(&one, &packed[..packed.len() / 2]);
    refused(root.path(), 3, &["data_batch_1.bin: breaks off after", "bytes,", "pictures ("]);
    for name in BATCHES {
        std::fs::remove_file(root.path().join(format!("{name}.bin"))).unwrap();
    }
    let says = ["holds no batch; looked for data_batch_1.bin to data_batch_5.bin and test_batch"];
    refused(root.path(), 2, &says);
    put(&root.path().join("data_batch_1"), b"\x80\x02pickle");
    refused(root.path(), 2, &["is of the Python version, whose pickles are never read"]);
    put(&root.path().join("test_batch.bin"), &batch(5, 10));
    refused(root.path(), 2, &["holds no data_batch_1.bin,", "at least one training batch"]);
}

#[test]
fn archives_that_cannot_be_trusted_are_refused_whole() {
    let root = tempdir().unwrap();
    let at = root.path().join("some.tar.gz");
    let good = batch(0, 10);
    let one = ("x/data_batch_1.bin", EntryType::Regular, 0o644, &good[..]);
    let refuse = |bytes: &[u8], says: &[&str]| {
        put(&at, bytes);
        refused(&at, 3, says);
    };
    let whole = "the whole archive is refused";
    let evil = ("../evil", EntryType::Regular, 0o644, &b"x"[..]);
    refuse(&gzip(&tar_of(&[one, evil])), &["\"../evil\" leads out of the archive", whole]);
    let absolute = ("/etc/evil", EntryType::Regular, 0o644, &b"x"[..]);
    refuse(&tar_of(&[one, absolute]), &["\"/etc/evil\" leads out", whole]);
    let link = ("x/test_batch.bin", EntryType::Symlink, 0o644, &b""[..]);
    refuse(&tar_of(&[one, link]), &["is neither file nor folder (Symlink)", whole]);
    let device = ("x/null", EntryType::Char, 0o644, &b""[..]);
    refuse(&tar_of(&[one, device]), &["is neither file nor folder (Char)", whole]);
    let setuid = ("x/readme", EntryType::Regular, 0o4755, &b""[..]);
    refuse(&tar_of(&[one, setuid]), &["gives its user's rights away (mode 4755)", whole]);
    refuse(&tar_of(&[one, one]), &["holds data_batch_1.bin twice", whole]);
    // A name that does not fit a header comes as an entry of its own, in GNU's way or in pax's.
    let long = ("././@LongLink", EntryType::GNULongName, 0o644, &b"a/../../evil\0"[..]);
    refuse(&tar_of(&[long, one]), &["\"a/../../evil\" leads out", whole]);
    let pax = ("x/PaxHeaders/1", EntryType::XHeader, 0o644, &b"18 path=/etc/evil\n"[..]);
    refuse(&tar_of(&[pax, one]), &["\"/etc/evil\" leads out", whole]);
    let huge = vec![b'a'; 1 << 20];
    let huge = ("././@LongLink", EntryType::GNULongName, 0o644, &huge[..]);
    refuse(&gzip(&tar_of(&[huge, one])), &["holds a name of 1048576 bytes, at most 65536", whole]);
    let holes = ("x/PaxHeaders/2", EntryType::XHeader, 0o644, &b"22 GNU.sparse.major=1\n"[..]);
    refuse(&tar_of(&[holes, one]), &["is stored in pieces, without its holes", whole]);
    let alone = tar_of(&[one]);
    let says = format!("goes on after its end mark, at byte {}", alone.len());
    refuse(&gzip(&[alone.clone(), published()].concat()), &[&says, whole]);
    refuse(&[alone, vec![0; (1 << 24) + 513]].concat(), &["goes on for more than 16777216", whole]);
    let packed = gzip(&published());
    refuse(&packed[..packed.len() * 2 / 3], &["it is cut short or no tar archive; get it again"]);
    refuse(&packed[..packed.len() - 4], &["it is cut short or no tar archive"]);
    refuse(b"<html>404</html>", &["it is cut short or no tar archive"]);
    let plain = published();
    refuse(&plain[..40_000], &["ends after", "of 61460 bytes"]);
}

#[test]
fn a_long_name_is_the_next_entrys() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    let at = root.path().join("some.tar");
    let batches: Vec<Vec<u8>> = (0..2).map(|number| batch(number, 10)).collect();
    let folder = "folder/".repeat(20);
    let gnu = format!("{folder}data_batch_1.bin\0");
    let pax = format!("{folder}test_batch.bin");
    let pax = format!("{} path={pax}\n", pax.len() + 10);
    let entries = [
        ("././@LongLink", EntryType::GNULongName, 0o644, gnu.as_bytes()),
        ("cut short", EntryType::Regular, 0o644, &batches[0][..]),
        ("x/PaxHeaders/1", EntryType::XHeader, 0o644, pax.as_bytes()),
        ("cut short too", EntryType::Regular, 0o644, &batches[1][..]),
    ];
    put(&at, &tar_of(&entries));
    let set = open(&at, cache.path()).unwrap();
    assert_eq!(set.samples.len(), 20);
    let of = |batch: &str| set.samples.iter().filter(|s| s.name.starts_with(batch)).count();
    assert_eq!((of("data_batch_1/"), of("test_batch/")), (10, 10));
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    let root = tempdir().unwrap();
    let at = root.path().join("bomb.tar");
    let mut header = Header::new_gnu();
    header.set_path("x/zeros").unwrap();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(10 << 30);
    header.set_cksum();
    put(&at, header.as_bytes());
    refused(
        &at,
        3,
        &["holds 1 entries of 10737418240 bytes and more, at most 10000 of 1073741824"],
    );
}

#[test]
fn more_entries_than_any_set_has_are_refused() {
    let root = tempdir().unwrap();
    let at = root.path().join("many.tar.gz");
    let of = |count| {
        let names: Vec<String> = (0..count).map(|i| format!("x/{i}")).collect();
        let entry = |name: &String| (name.clone(), EntryType::Regular, 0o644, &b""[..]);
        let entries: Vec<_> = names.iter().map(entry).collect();
        let entries: Vec<_> = entries
            .iter()
            .map(|(name, kind, mode, bytes)| (&name[..], *kind, *mode, *bytes))
            .collect();
        gzip(&tar_of(&entries))
    };
    put(&at, &of(10_001));
    refused(&at, 3, &["holds 10001 entries", "at most 10000", "the whole archive is refused"]);
    put(&at, &of(10_000));
    refused(&at, 2, &["holds no data_batch_1.bin"]);
}
