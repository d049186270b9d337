//! The decode-once cache: found again, noticed when stale, never half made.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use catscan_data::{DataConfig, Dataset, Filter, Progress};
use tempfile::{TempDir, tempdir};

use crate::help::{config, encode, folder, jpeg, open, picture, put};

fn small_set() -> TempDir {
    let root = tempdir().unwrap();
    for class in ["a", "b"] {
        for i in 0..6 {
            put(&root.path().join(class).join(format!("{i}.jpg")), &jpeg(i));
        }
    }
    root
}

/// Counts the pictures that were decoded.
#[derive(Default)]
struct Counter {
    decoded: AtomicU64,
    stages: Mutex<Vec<String>>,
}

impl Progress for Counter {
    fn stage(&self, what: &str, _total: u64) {
        self.stages.lock().unwrap().push(what.into());
    }
    fn advance(&self, n: u64) {
        self.decoded.fetch_add(n, Ordering::Relaxed);
    }
}

fn decoded(config: &DataConfig, cache: &Path) -> u64 {
    let counter = Counter::default();
    Dataset::open(config, cache, &counter).unwrap();
    counter.decoded.into_inner()
}

#[test]
fn pictures_are_decoded_once_and_again_when_anything_changed() {
    let (root, cache) = (small_set(), tempdir().unwrap());
    let config = config(&folder(root.path()));
    assert_eq!(decoded(&config, cache.path()), 12);
    assert_eq!(decoded(&config, cache.path()), 0);
    assert_eq!(decoded(&DataConfig { size_px: 9, ..config.clone() }, cache.path()), 12);
    let bilinear = DataConfig { filter: Filter::Bilinear, ..config.clone() };
    assert_eq!(decoded(&bilinear, cache.path()), 12);
    let before = open(&folder(root.path()), cache.path()).unwrap().digest;
    put(&root.path().join("a/3.jpg"), &jpeg(77));
    assert_eq!(decoded(&config, cache.path()), 12);
    let after = open(&folder(root.path()), cache.path()).unwrap().digest;
    assert_ne!(before, after);
    // The split's seed is no part of the cache.
    let mut other = config.clone();
    other.split.seed = 99;
    assert_eq!(decoded(&other, cache.path()), 0);
}

#[test]
#[cfg(unix)]
fn a_picture_replaced_by_one_of_its_size_and_time_is_noticed() {
    use std::fs::File;
    // Bitmaps of one shape are of one size.
    let bitmap = |seed| encode(&picture(seed), image::ImageFormat::Bmp);
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    for (class, seed) in [("a", 0), ("b", 10)] {
        for i in 0..6 {
            put(&root.path().join(class).join(format!("{i}.bmp")), &bitmap(seed + i));
        }
    }
    let config = config(&folder(root.path()));
    assert_eq!(decoded(&config, cache.path()), 12);
    let (file, beside) = (root.path().join("a/3.bmp"), root.path().join("beside"));
    let meta = std::fs::metadata(&file).unwrap();
    let digest = || open(&folder(root.path()), cache.path()).unwrap().digest;
    let mut digests = vec![digest()];
    // Written over in place, and replaced by another file.
    for (seed, replace) in [(70, false), (71, true)] {
        let target = if replace { &beside } else { &file };
        put(target, &bitmap(seed));
        let time = meta.modified().unwrap();
        File::options().write(true).open(target).unwrap().set_modified(time).unwrap();
        if replace {
            std::fs::rename(&beside, &file).unwrap();
        }
        let now = std::fs::metadata(&file).unwrap();
        assert_eq!((now.len(), now.modified().unwrap()), (meta.len(), time));
        assert_eq!(decoded(&config, cache.path()), 12, "replaced: {replace}");
        assert_eq!(decoded(&config, cache.path()), 0, "found again");
        digests.push(digest());
    }
    digests.dedup();
    assert_eq!(digests.len(), 3);
}

#[test]
fn the_digest_does_not_know_the_path() {
    let (one, two, cache) = (small_set(), small_set(), tempdir().unwrap());
    let digest = |root: &TempDir| open(&folder(root.path()), cache.path()).unwrap().digest;
    assert_eq!(digest(&one), digest(&two));
}

#[test]
fn damage_and_leftovers_are_replaced() {
    let (root, cache) = (small_set(), tempdir().unwrap());
    let config = config(&folder(root.path()));
    decoded(&config, cache.path());
    let place = std::fs::read_dir(cache.path().join("pixels"))
        .unwrap()
        .flatten()
        .find(|entry| entry.path().is_dir())
        .unwrap()
        .path();
    // A build that was killed.
    put(&place.with_extension("tmp").join("pixels.u8"), b"half");
    let pixels = std::fs::OpenOptions::new().write(true).open(place.join("pixels.u8")).unwrap();
    pixels.set_len(100).unwrap();
    assert_eq!(decoded(&config, cache.path()), 12);
    assert!(!place.with_extension("tmp").exists());
    std::fs::write(place.join("index.json"), b"{}").unwrap();
    assert_eq!(decoded(&config, cache.path()), 12);
}

#[test]
fn many_at_once_build_it_once() {
    let (root, cache) = (small_set(), tempdir().unwrap());
    let config = config(&folder(root.path()));
    let counter = Counter::default();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let set = Dataset::open(&config, cache.path(), &counter).unwrap();
                assert_eq!(set.samples.len(), 12);
            });
        }
    });
    assert_eq!(counter.decoded.into_inner(), 12);
}

#[test]
fn pixels_do_not_depend_on_the_number_of_threads() {
    let root = small_set();
    let with = |threads: usize| {
        let cache = tempdir().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let set = pool.install(|| open(&folder(root.path()), cache.path()).unwrap());
        (set.digest.clone(), set.gather(&(0..12).collect::<Vec<u32>>()).unwrap())
    };
    assert_eq!(with(1), with(4));
}

#[test]
fn a_cache_folder_that_is_a_file_is_a_storage_error() {
    let (root, cache) = (small_set(), tempdir().unwrap());
    let file = cache.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let error = open(&folder(root.path()), &file).unwrap_err();
    assert_eq!(error.exit_code(), 7);
    assert!(error.to_string().contains("CATSCAN_CACHE"), "{error}");
}

#[test]
fn critters_come_with_their_evidence() {
    let cache = tempdir().unwrap();
    let mut config = config("critters:25");
    config.size_px = 32;
    let set = Dataset::open(&config, cache.path(), &()).unwrap();
    assert!(set.drawings);
    assert_eq!(set.classes, ["cat", "dog"]);
    assert_eq!(set.samples.len(), 25);
    let mask = set.evidence(0).unwrap().unwrap();
    assert_eq!(mask.len(), 32 * 32);
    assert!(mask.iter().all(|v| [0, 255].contains(v)));
    assert_eq!(set.pixels(24).unwrap().len(), 32 * 32 * 3);
    for source in ["critters:none", "critters:1", "critters:"] {
        let error = open(source, cache.path()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
}
