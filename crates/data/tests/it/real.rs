//! The real photographs, where they are: all layouts of `shared/data`, read in full.

use std::time::Instant;

use catscan_data::{DataConfig, Dataset, Filter, Part, decode};
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
        let pixels = set.pixels(i);
        let spread = pixels.iter().max().unwrap() - pixels.iter().min().unwrap();
        assert!(spread > 20, "{} is flat", set.samples[i as usize].name);
    }
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
