//! The real photographs, where they are: all layouts of `shared/data`, read in full.

use std::time::Instant;

use catscan_data::{Colour, DataConfig, Dataset, Filter, Part, decode};
use tempfile::tempdir;

use crate::help::{cats_vs_dogs, config, open, shared_data};

#[test]
fn odd_pictures_are_all_readable_whatever_their_names_say() {
    let Some(folder) = shared_data("odd-pictures") else {
        return;
    };
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|e| e == "jpg") {
            let image = decode::open_rgb(&path).unwrap();
            assert!(image.width() > 1 && image.height() > 1, "{}", path.display());
            count += 1;
        }
    }
    assert_eq!(count, 21);
}

#[test]
fn the_originals_open_as_they_were_published() {
    let Some(zip) = shared_data("cats-vs-dogs-500-originals.zip") else {
        return;
    };
    let cache = tempdir().unwrap();
    let config = DataConfig { filter: Filter::Bilinear, ..config(&cats_vs_dogs(&zip)) };
    let set = Dataset::open(&config, cache.path(), &()).unwrap();
    assert_eq!(set.samples.len(), 500);
    assert!(set.rejected.is_empty());
    // Photographs, not grey squares: each has some contrast.
    for i in 0..500 {
        let pixels = set.pixels(i).unwrap();
        let spread = pixels.iter().max().unwrap() - pixels.iter().min().unwrap();
        assert!(spread > 20, "{} is flat", set.samples[i as usize].name);
    }
}

#[test]
fn no_cut_of_a_real_photograph_turns_grey_in_silence() {
    let Some(zip) = shared_data("cats-vs-dogs-500-originals.zip") else {
        return;
    };
    let mut zip = zip::ZipArchive::new(std::fs::File::open(zip).unwrap()).unwrap();
    let (mut cuts, mut flips, mut found) = (0, 0, 0);
    for i in (0..zip.len()).step_by(10) {
        let mut bytes = Vec::new();
        let mut entry = zip.by_index(i).unwrap();
        if !entry.name().ends_with(".jpg") {
            continue;
        }
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        let name = entry.name().to_owned();
        decode::read_rgb(&bytes, &name).unwrap();
        for percent in [1, 10, 50, 99] {
            let mut cut = bytes[..bytes.len() * percent / 100].to_vec();
            let bad = decode::read_rgb(&cut, &name);
            assert!(bad.is_err(), "{name} cut at {percent} %");
            // With an end marker glued on, as some repair tools do.
            if cut.last() == Some(&0xFF) {
                cut.pop();
            }
            cut.extend([0xFF, 0xD9]);
            assert!(decode::read_rgb(&cut, &name).is_err(), "{name} at {percent} %, repaired");
            cuts += 2;
        }
        let without_end = &bytes[..bytes.len() - 2];
        assert!(decode::read_rgb(without_end, &name).is_err(), "{name} without its end");
        // A flipped bit may give another valid code: then the picture is whole, with a blemish.
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        (flips, found) = (flips + 1, found + usize::from(decode::read_rgb(&bytes, &name).is_err()));
    }
    assert!(cuts >= 300, "{cuts} cuts");
    eprintln!("{cuts} cuts refused; of {flips} flipped bits {found} were found");
}

#[test]
fn all_25_000_give_the_studys_split() {
    let Some(folder) = shared_data("cats-vs-dogs-25k") else {
        return;
    };
    let cache = tempdir().unwrap();
    let start = Instant::now();
    let set = open(&cats_vs_dogs(&folder), cache.path()).unwrap();
    let first = start.elapsed();
    assert_eq!(Part::ALL.map(|part| set.split.part(part).len()), [17_000, 4_000, 4_000]);
    for part in Part::ALL {
        let indices = set.split.part(part);
        assert_eq!(set.labels(indices).iter().sum::<i64>() as usize * 2, indices.len());
    }
    let start = Instant::now();
    open(&cats_vs_dogs(&folder), cache.path()).unwrap();
    eprintln!("decoded in {first:.1?}, found again in {:.1?}", start.elapsed());
}

/// How many pictures of each class a part holds.
fn per_class(set: &Dataset, part: Part) -> Vec<usize> {
    let mut counts = vec![0; set.classes.len()];
    set.labels(set.split.part(part)).iter().for_each(|label| counts[*label as usize] += 1);
    counts
}

#[test]
fn mnist_is_the_one_that_everybody_has() {
    let Some(folder) = shared_data("mnist") else {
        return;
    };
    let cache = tempdir().unwrap();
    let config = config(&format!("mnist:{}", folder.display()));
    let config = DataConfig { size_px: 28, colour: Colour::Grey, ..config };
    let start = Instant::now();
    let set = Dataset::open(&config, cache.path(), &()).unwrap();
    let first = start.elapsed();
    assert_eq!(Part::ALL.map(|part| set.split.part(part).len()), [48_572, 11_428, 10_000]);
    let test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009];
    assert_eq!(per_class(&set, Part::Test), test);
    let given = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];
    let (train, val) = (per_class(&set, Part::Train), per_class(&set, Part::Val));
    assert_eq!(train.iter().zip(val).map(|(a, b)| a + b).collect::<Vec<_>>(), given);
    // The mean over the published training files that everybody normalises by: 0.1307.
    let published = set.samples.iter().zip(0..).filter(|(s, _)| s.name.starts_with("train/"));
    let of_one = |i| set.pixels(i).unwrap().iter().map(|value| u64::from(*value)).sum::<u64>();
    let sum: u64 = published.map(|(_, i)| of_one(i)).sum();
    let mean = sum as f64 / (60_000.0 * 784.0 * 255.0);
    assert!((mean - 0.130_660_476).abs() < 1e-8, "{mean}");
    let digest = "2fc4b0e146a43494273230305e194d0544fbde8b25da71ae81a1cd946e456bf0";
    assert_eq!(set.digest, digest, "of names, labels and pictures; runs are known by it");
    let start = Instant::now();
    Dataset::open(&config, cache.path(), &()).unwrap();
    eprintln!("MNIST read in {first:.1?}, found again in {:.1?}", start.elapsed());
}

#[test]
fn the_part_of_cifar10_says_that_it_is_one() {
    let Some(folder) = shared_data("cifar10-part") else {
        return;
    };
    let cache = tempdir().unwrap();
    let config = config(&format!("cifar10:{}", folder.display()));
    let config = DataConfig { size_px: 32, ..config };
    let set = Dataset::open(&config, cache.path(), &()).unwrap();
    let note = "A part of CIFAR-10: 10000 of 50000 training pictures, 5000 of 10000 test pictures; \
                without data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, data_batch_5.bin.";
    assert_eq!(set.notes, [note]);
    let first_batch = [1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981];
    let (train, val) = (per_class(&set, Part::Train), per_class(&set, Part::Val));
    assert_eq!(train.iter().zip(val).map(|(a, b)| a + b).collect::<Vec<_>>(), first_batch);
    assert_eq!(set.split.part(Part::Test).len(), 5_000);
    // The means of the first batch by channel, as numpy computes them.
    let first = set.samples.iter().zip(0..).filter(|(s, _)| s.name.starts_with("data_batch_1/"));
    let mut sums = [0u64; 3];
    for (_, i) in first {
        let pixels = set.pixels(i).unwrap();
        pixels.iter().enumerate().for_each(|(at, value)| sums[at % 3] += u64::from(*value));
    }
    let means = sums.map(|sum| sum as f64 / (10_000.0 * 1024.0 * 255.0));
    let want = [0.493_457_6, 0.483_374_6, 0.447_179_0];
    assert!(means.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-6), "{means:?}");
}
