//! What an audit finds: doubles within and across parts, contradictions, the unreadable, the odd.

use std::collections::HashSet;
use std::path::Path;

use catscan_data::audit::{Audit, Suspects, audit};
use catscan_data::{Filter, Part, RgbImage, resize};
use image::ImageFormat;
use tempfile::{TempDir, tempdir};

use crate::help::{cats_vs_dogs, config, encode, folder, open, put, shared_data};

/// A picture of its own, unlike the others: blobs at places that the seed gives.
fn scene(seed: u32) -> RgbImage {
    let place = |i: u32| {
        let n = (seed * 7 + i * 13 + 5) * 2_654_435 % 9973;
        ((n % 80) as f32, (n / 80 % 60) as f32)
    };
    let value = |x: u32, y: u32, c: u32| {
        let blobs = (0..4).map(|i| {
            let (bx, by) = place(i * 3 + c);
            let far = ((x as f32 - bx).powi(2) + (y as f32 - by).powi(2)) / 300.0;
            160.0 * (-far).exp()
        });
        (30.0 + blobs.sum::<f32>()).min(255.0) as u8
    };
    RgbImage::from_fn(80, 60, |x, y| image::Rgb([value(x, y, 0), value(x, y, 1), value(x, y, 2)]))
}

fn png(picture: &RgbImage) -> Vec<u8> {
    encode(picture, ImageFormat::Png)
}

/// Train, validation and test folders of two classes, no two pictures alike.
fn clean() -> TempDir {
    let root = tempdir().unwrap();
    for (p, part) in ["train", "val", "test"].iter().enumerate() {
        for (c, class) in ["cat", "dog"].iter().enumerate() {
            for i in 0..5 {
                let seed = (p * 2 + c) as u32 * 5 + i;
                put(&root.path().join(format!("{part}/{class}/{i}.png")), &png(&scene(seed)));
            }
        }
    }
    root
}

fn look(root: &Path) -> Audit {
    let cache = tempdir().unwrap();
    audit(&config(&folder(root)), cache.path(), &()).unwrap().0
}

fn pairs(audit: &Audit) -> HashSet<[String; 2]> {
    audit.near.iter().map(|pair| pair.pictures.each_ref().map(|p| p.name.clone())).collect()
}

#[test]
fn a_clean_set_is_reported_as_it_is() {
    let audit = look(clean().path());
    assert_eq!(audit.readable, 30);
    let counts: Vec<_> = audit.counts.iter().map(|c| (c.train, c.val, c.test)).collect();
    assert_eq!(counts, [(5, 5, 5), (5, 5, 5)]);
    assert_eq!((audit.exact.len(), audit.near.len(), audit.leaks()), (0, 0, 0));
    assert_eq!((audit.width_px.least, audit.height_px.most), (80, 60));
    assert_eq!(audit.formats.get("PNG"), Some(&30));
    let text = audit.markdown("oddest.png");
    assert!(text.contains("**Leakage**: 0 of these"), "{text}");
}

#[test]
fn doubles_are_found_exact_and_near_across_parts_and_labels() {
    let root = clean();
    let at = |name: &str| root.path().join(name);
    // The same file in train and val; the same picture, compressed and small, in train and test.
    put(&at("val/cat/copy.png"), &png(&scene(0)));
    let jpeg = encode(&scene(1), ImageFormat::Jpeg);
    put(&at("test/cat/recompressed.jpg"), &jpeg);
    let half = resize::squash(&scene(2).into(), 40, Filter::Lanczos).into_shown();
    put(&at("train/dog/shrunk-and-another-class.png"), &png(&half));
    let audit = look(root.path());
    let group: Vec<&str> = audit.exact[0].pictures.iter().map(|p| p.name.as_str()).collect();
    assert_eq!((audit.exact.len(), group), (1, vec!["train/cat/0.png", "val/cat/copy.png"]));
    let want = [
        ["test/cat/recompressed.jpg", "train/cat/1.png"],
        ["train/cat/2.png", "train/dog/shrunk-and-another-class.png"],
    ];
    assert_eq!(pairs(&audit), want.map(|pair| pair.map(String::from)).into_iter().collect());
    assert_eq!((audit.leaks(), audit.contradictions()), (2, 1));
    let text = audit.markdown("oddest.png");
    assert!(text.contains("**Leakage**: 2 of these"), "{text}");
    assert!(text.contains("`val/cat/copy.png` (`cat`, val)"), "{text}");
}

#[test]
fn what_lies_across_parts_is_found_behind_more_pairs_than_are_listed() {
    let root = clean();
    let at = |name: String| root.path().join(name);
    // A burst of frames: 5,565 pairs that differ by one value, nearer than the two that matter.
    for i in 0..106 {
        let mut frame = scene(90);
        frame.get_pixel_mut(i % 80, i / 80).0[0] ^= 1;
        put(&at(format!("train/cat/frame-{i}.png")), &png(&frame));
    }
    let mut brighter = scene(40);
    put(&at("train/dog/x.png".into()), &png(&brighter));
    brighter.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(|value| value.saturating_add(1)));
    put(&at("test/cat/x.png".into()), &png(&brighter));
    let audit = look(root.path());
    assert_eq!((audit.near.len(), audit.near_not_listed), (5_000, 566));
    assert_eq!((audit.leaks(), audit.contradictions()), (1, 1));
    let first = audit.near[0].pictures.each_ref().map(|picture| picture.name.as_str());
    assert_eq!(first, ["test/cat/x.png", "train/dog/x.png"]);
    assert!(audit.near[0].difference > audit.near[1].difference);
    let text = audit.markdown("oddest.png");
    assert!(text.contains("**Leakage**: 1 of these") && text.contains("`test/cat/x.png`"));
}

#[test]
fn what_cannot_be_read_is_named_and_what_is_odd_comes_first() {
    let root = clean();
    let at = |name: &str| root.path().join(name);
    put(&at("train/cat/cut.png"), &png(&scene(9))[..100]);
    put(
        &at("train/dog/long.png"),
        &png(&image::imageops::resize(&scene(40), 800, 20, image::imageops::FilterType::Triangle)),
    );
    let name = "train/dog/\"><img src=x onerror=alert(1)>`|.jpg";
    put(&at(name), b"<html>");
    let cache = tempdir().unwrap();
    let (audit, sheet) = audit(&config(&folder(root.path())), cache.path(), &()).unwrap();
    assert_eq!((audit.readable, audit.unreadable.len()), (31, 2));
    assert_eq!(audit.counts.iter().map(|c| c.unreadable).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(audit.oddest[0].picture.name, "train/dog/long.png");
    assert!(audit.oddest[0].what.starts_with("width to height 40"), "{}", audit.oddest[0].what);
    let small = image::load_from_memory(&sheet.png()).unwrap();
    assert_eq!(small.width(), 8 * 100 + 4);
    let text = audit.markdown("oddest.png");
    // Within a code span nothing is HTML.
    assert!(text.contains("`train/dog/\"><img src=x onerror=alert(1)>'¦.jpg`"), "{text}");
    let json = serde_json::to_string(&audit).unwrap();
    assert!(json.contains("onerror=alert"), "the JSON keeps names as they are");
}

#[test]
fn means_are_of_the_training_part_and_known() {
    let root = tempdir().unwrap();
    let flat = |value: u8| png(&RgbImage::from_pixel(9, 9, image::Rgb([value, 0, 255])));
    for class in ["a", "b"] {
        put(&root.path().join(format!("train/{class}/0.png")), &flat(0));
        put(&root.path().join(format!("train/{class}/1.png")), &flat(255));
        put(&root.path().join(format!("test/{class}/2.png")), &flat(77));
        put(&root.path().join(format!("val/{class}/3.png")), &flat(78));
    }
    let values = look(root.path()).normalize;
    assert_eq!((values.mean, values.std), ([0.5, 0.0, 1.0], [0.5, 0.0, 0.0]));
}

#[test]
fn labels_are_doubted_where_a_network_is_sure_of_another_class() {
    let (root, cache) = (clean(), tempdir().unwrap());
    let set = open(&folder(root.path()), cache.path()).unwrap();
    let asked: Vec<u32> = [Part::Val, Part::Test].map(|part| set.split.part(part)).concat();
    // Sure and wrong, surer and wrong, unsure, sure and right, and the rest right.
    let says = |at: usize| -> [f32; 2] {
        let right = f32::from(set.samples[asked[at] as usize].label == 0);
        let of_cat = match at {
            0 => 0.95 - 0.9 * right,
            3 => 1.0 - right,
            7 => 0.8 - 0.6 * right,
            _ => right,
        };
        [of_cat, 1.0 - of_cat]
    };
    let rows: Vec<[f32; 2]> = (0..asked.len()).map(says).collect();
    let asked_of = || asked.iter().copied().zip(rows.iter().map(|row| row.as_slice()));
    let suspects = Suspects::of(&set, "runs/`one`", asked_of());
    assert_eq!((suspects.asked, suspects.trained_on), (20, 10));
    let name = |at: usize| set.samples[asked[at] as usize].name.as_str();
    let found: Vec<&str> = suspects.pictures.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(found, [name(3), name(0)]);
    assert_eq!(suspects.pictures[0].probability, 0.0);
    assert_ne!(suspects.pictures[0].class, suspects.pictures[0].taken_for);
    let text = suspects.markdown("suspects.png");
    assert!(text.contains("Of the 20 pictures that the run `runs/'one'`"), "{text}");
    assert!(text.contains("Of the 10 pictures it was trained on it can say nothing"), "{text}");
    let sheet = image::load_from_memory(&suspects.sheet(&set).unwrap().png()).unwrap();
    assert_eq!((sheet.width(), sheet.height()), (2 * 100 + 4, 100 + 4));
}

#[test]
fn the_known_near_doubles_of_the_photographs_are_found() {
    let (Some(set), Some(known)) =
        (shared_data("cats-vs-dogs-25k"), shared_data("near-duplicates.tsv"))
    else {
        return;
    };
    if std::env::var_os("CATSCAN_SLOW_TESTS").is_none() {
        eprintln!("skipped: looks at 25,000 photographs; set CATSCAN_SLOW_TESTS");
        return;
    }
    let cache = tempdir().unwrap();
    let (audit, _) = audit(&config(&cats_vs_dogs(&set)), cache.path(), &()).unwrap();
    let mut found = pairs(&audit);
    for group in &audit.exact {
        for a in &group.pictures {
            found.extend(group.pictures.iter().map(|b| [a.name.clone(), b.name.clone()]));
        }
    }
    let known = std::fs::read_to_string(known).unwrap();
    let mut count = 0;
    for line in known.lines().skip(1) {
        count += 1;
        let fields: Vec<&str> = line.split('\t').collect();
        let name = |i: usize| format!("{}.{}.jpg", fields[i], fields[i + 1]);
        let [a, b] = [name(0), name(2)];
        let there = found.contains(&[a.clone(), b.clone()]) || found.contains(&[b, a]);
        assert!(there, "{line}: is not found");
    }
    let (pairs, groups, leaks) = (audit.near.len(), audit.exact.len(), audit.leaks());
    eprintln!("all of {count} known pairs, in {pairs} pairs and {groups} groups, {leaks} leaks");
}
