//! Pixels in a map, in memory or in their source: the same batches, in the same order; and a
//! streamed set takes no more memory the larger it is.

use std::path::Path;
use std::process::Command;

use catscan_data::{DataConfig, Dataset, Fault, Placement, order};
use proptest::prelude::*;
use tempfile::tempdir;

use crate::help::{cases, config, folder, jpeg, pool, put};
use crate::shards::{file, shards, tar_of};

const ALL: [Placement; 3] = [Placement::Mapped, Placement::Memory, Placement::Streamed];

fn open(config: &DataConfig, cache: &Path, placement: Placement) -> Dataset {
    let set = Dataset::open_as(config, cache, Some(placement), &()).unwrap();
    assert_eq!(set.placement(), placement);
    set
}

/// Shard `s` of `shards` holds pictures `s * each ..`, of three classes in turn.
fn lay_shards(root: &Path, count: u32, each: u32) {
    for shard in 0..count {
        let files = (shard * each..(shard + 1) * each)
            .map(|i| file(&format!("{}/{i:05}.jpg", i % 3), &jpeg(i)))
            .collect::<Vec<_>>();
        put(&root.join(format!("{shard:03}.tar")), &tar_of(&files));
    }
}

/// So many pictures, of three classes in turn, each a file.
fn lay_folders(root: &Path, count: u32) {
    for i in 0..count {
        put(&root.join(format!("{}/{i:05}.jpg", i % 3)), &jpeg(i));
    }
}

#[test]
fn every_placement_gives_the_same_set() {
    let root = tempdir().unwrap();
    lay_shards(root.path(), 3, 10);
    for source in [shards(root.path()), "critters:12".to_owned()] {
        let cache = tempdir().unwrap();
        let config = DataConfig { size_px: 16, ..config(&source) };
        // Streamed first: nothing that was decoded before can help it.
        let sets = [ALL[2], ALL[1], ALL[0]].map(|place| open(&config, cache.path(), place));
        let all: Vec<u32> = (0..sets[0].samples.len() as u32).rev().collect();
        for set in &sets[1..] {
            assert_eq!((&set.digest, &set.split), (&sets[0].digest, &sets[0].split));
            assert_eq!(set.samples, sets[0].samples);
            assert_eq!(set.gather(&all).unwrap(), sets[0].gather(&all).unwrap());
            assert_eq!(set.pixels(3).unwrap(), sets[0].pixels(3).unwrap());
            assert_eq!(set.evidence(3).unwrap(), sets[0].evidence(3).unwrap());
        }
        assert_eq!(sets[0].evidence(3).unwrap().is_some(), source.starts_with("critters"));
    }
}

#[test]
fn a_streamed_sets_index_is_found_again_and_gives_way_to_a_map() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    lay_shards(root.path(), 2, 10);
    let config = config(&shards(root.path()));
    let files = || {
        let folders = std::fs::read_dir(cache.path().join("pixels")).unwrap().flatten();
        let folder = folders.map(|f| f.path()).find(|path| path.is_dir()).unwrap();
        std::fs::read_dir(folder).unwrap().count()
    };
    let digest = open(&config, cache.path(), Placement::Streamed).digest;
    assert_eq!(files(), 1, "the index alone");
    assert_eq!(open(&config, cache.path(), Placement::Streamed).digest, digest);
    // Left to itself, with room: a map, and pixels beside the index.
    let set = Dataset::open(&config, cache.path(), &()).unwrap();
    assert_eq!((set.placement(), &set.digest), (Placement::Mapped, &digest));
    assert!(set.kept().contains("20 pictures") && set.kept().contains("memory map"));
    assert_eq!(files(), 2);
    // And a stream over a set that has a map leaves it alone.
    open(&config, cache.path(), Placement::Streamed);
    assert_eq!(files(), 2);
}

#[test]
fn a_streamed_picture_that_changed_or_went_is_named() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    for i in 0..8 {
        put(&root.path().join(format!("{}/{i}.jpg", i % 2)), &jpeg(i));
    }
    let set = open(&config(&folder(root.path())), cache.path(), Placement::Streamed);
    let all: Vec<u32> = (0..8).collect();
    set.gather(&all).unwrap();
    put(&root.path().join("0/4.jpg"), &jpeg(99));
    let error = set.gather(&all).unwrap_err();
    assert!(error.to_string().starts_with("0/4.jpg: has changed since the set was opened"));
    assert_eq!(error.fault, Fault::Unreadable, "trying again may help");
    std::fs::remove_file(root.path().join("0/4.jpg")).unwrap();
    let error = set.gather(&all).unwrap_err();
    assert!(error.to_string().starts_with("0/4.jpg: "), "{error}");
    set.gather(&[0, 1]).unwrap();
    // However it is asked for.
    let at = set.samples.iter().position(|sample| sample.name == "0/4.jpg").unwrap() as u32;
    assert_eq!(set.pixels(at).unwrap_err(), error);
    assert_eq!(set.picture(at).unwrap_err(), error);
    assert_eq!(set.evidence(at).unwrap_err(), error);
    #[cfg(feature = "tch")]
    assert_eq!(set.batch(&[at], tch::Device::Cpu).unwrap_err(), error);
}

/// The order of a pass over all samples.
fn visits(set: &Dataset, seed: u64, pass: u64) -> Vec<u32> {
    let all: Vec<u32> = (0..set.samples.len() as u32).collect();
    let shards = set.shards(&all).expect("the recipe has a window");
    let window = set.config().shuffle_window.unwrap();
    order::windowed(seed, pass, &shards, window as usize)
}

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn a_pass_by_windows_is_whole_and_knows_neither_threads_nor_place(
        seed in any::<u64>(),
        pass in 0..100u64,
        window in 1..40u32,
    ) {
        let root = tempdir().unwrap();
        lay_shards(root.path(), 4, 9);
        let config = DataConfig { shuffle_window: Some(window), ..config(&shards(root.path())) };
        let mut seen = Vec::new();
        for threads in [1, 2, 8] {
            for placement in ALL {
                let cache = tempdir().unwrap();
                let one = pool(threads).install(|| {
                    let set = open(&config, cache.path(), placement);
                    let order = visits(&set, seed, pass);
                    (set.gather(&order).unwrap(), order)
                });
                seen.push(one);
            }
        }
        prop_assert!(seen.iter().all(|one| *one == seen[0]));
        let mut met = seen[0].1.clone();
        met.sort_unstable();
        prop_assert_eq!(met, (0..36).collect::<Vec<u32>>());
    }
}

#[test]
fn a_window_reads_shard_after_shard() {
    let (root, cache) = (tempdir().unwrap(), tempdir().unwrap());
    lay_shards(root.path(), 6, 9);
    let config = DataConfig { shuffle_window: Some(18), ..config(&shards(root.path())) };
    let set = open(&config, cache.path(), Placement::Streamed);
    for window in visits(&set, 1, 0).chunks(18) {
        let number = |i: &u32| set.samples[*i as usize].name[2..7].parse::<u32>().unwrap() / 9;
        let mut shards: Vec<u32> = window.iter().map(number).collect();
        shards.sort_unstable();
        shards.dedup();
        assert_eq!(shards.len(), 2, "two shards of nine to a window of 18");
        let labels = set.labels(window);
        assert!((0..3).all(|class| labels.contains(&class)), "all classes in a window");
    }
}

const CHILD: &str = "CATSCAN_TEST_STREAM_FROM";

/// Does nothing but for [`memory_does_not_grow_with_a_streamed_set`], which starts it anew: the
/// most memory a process ever held can be told of a whole process only.
#[test]
fn one_pass_of_a_stream_in_a_process_of_its_own() {
    let Ok(source) = std::env::var(CHILD) else { return };
    let cache = tempdir().unwrap();
    let config = DataConfig { size_px: 128, ..config(&source) };
    let set = open(&config, cache.path(), Placement::Streamed);
    let all: Vec<u32> = (0..set.samples.len() as u32).collect();
    let bytes: usize = all.chunks(20).map(|batch| set.gather(batch).unwrap().len()).sum();
    assert_eq!(bytes, all.len() * 128 * 128 * 3);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("peak KiB {}", peak.trim().trim_end_matches(" kB"));
}

#[test]
fn memory_does_not_grow_with_a_streamed_set() {
    if !cfg!(target_os = "linux") {
        eprintln!("skipped: only Linux tells the most memory a process held");
        return;
    }
    let peak_kib = |source: &str| -> u64 {
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "--nocapture",
                "placement::one_pass_of_a_stream_in_a_process_of_its_own",
            ])
            .env(CHILD, source)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find_map(|line| line.split("peak KiB ").nth(1));
        line.expect("the child tells its peak").trim().parse().unwrap()
    };
    let sources = |count: u32| {
        let root = tempdir().unwrap();
        let (tars, loose) = (root.path().join("tars"), root.path().join("loose"));
        lay_shards(&tars, count / 100, 100);
        lay_folders(&loose, count);
        (root, [shards(&tars), folder(&loose)])
    };
    let ((_few, few), (_many, many)) = (sources(200), sources(2_000));
    for (few, many) in few.iter().zip(&many) {
        let (least, most) = (peak_kib(few), peak_kib(many));
        // All pixels would be 96 MiB; the larger set's tar files are 4 MiB.
        assert!(most < least + 24 * 1024, "{few}: {least} KiB, {many}: {most} KiB");
    }
}
