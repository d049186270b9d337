//! The same pictures in other tar files: with a window that is another order, so that a run neither
//! goes on with them unasked nor is taken for finished.

use std::fs;
use std::ops::Range;
use std::path::Path;

use catscan_train::Recipe;

use super::support::{run, same_run, succeed};

/// Packs 40 pictures of two classes into so many tar files of equal size.
fn pack(folder: &Path, files: u8) {
    let _ = fs::remove_dir_all(folder.join("s"));
    fs::create_dir(folder.join("s")).unwrap();
    let each = 40 / files;
    for file in 0..files {
        let path = folder.join(format!("s/{file}.tar"));
        fs::write(path, tar_of(file * each..(file + 1) * each)).unwrap();
    }
}

fn tar_of(pictures: Range<u8>) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for i in pictures {
        let mut png = std::io::Cursor::new(Vec::new());
        let pixel = |x: u32, y: u32| image::Rgb([(x * 7) as u8, (y * 5) as u8, i * 6]);
        let picture = image::RgbImage::from_fn(32, 32, pixel);
        picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(png.get_ref().len() as u64);
        let name = format!("{}/{i}.png", ["cat", "dog"][usize::from(i % 2)]);
        builder.append_data(&mut header, name, &png.get_ref()[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Windows of four pictures, which hold a whole shard at least.
fn write_recipe(folder: &Path) {
    let mut recipe = Recipe { batch: 7, epochs: 2, ..catscan::recipes::smoke() };
    recipe.data.source = "shards:s".into();
    recipe.data.shuffle_window = Some(4);
    fs::write(folder.join("w.json"), recipe.to_json_pretty()).unwrap();
}

#[test]
fn repacked_pictures_are_refused_where_the_order_goes_by_windows() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_recipe(here);
    let train = |out, steps| {
        ["train", "--recipe", "w.json", "--threads", "1", "--out", out, "--max-steps", steps]
    };
    pack(here, 1);
    succeed(&train("straight", "6"), here);
    succeed(&train("r", "2"), here);
    // As they were, it goes on to the bit.
    succeed(&train("r", "3"), here);

    pack(here, 8);
    let said = run(&train("r", "6"), here);
    assert_eq!(said.code, 2, "{}", said.stderr);
    for words in ["the packing of the pictures", "was 1 shards ", "is 8 shards ", "bit for bit"] {
        assert!(said.stderr.contains(words), "no {words:?} in {}", said.stderr);
    }
    pack(here, 1);
    succeed(&train("r", "6"), here);
    same_run(&here.join("straight"), &here.join("r"), 6);

    // What is finished with the one packing is not with the other.
    pack(here, 8);
    let said = run(&train("r", "6"), here);
    assert_eq!(said.code, 2, "{}", said.stderr);
    let said = succeed(&[&train("r", "7")[..], &["--allow-inexact-resume"]].concat(), here);
    assert!(said.stderr.contains("warning: the packing of the pictures"), "{}", said.stderr);
    let noted = fs::read_to_string(here.join("r/environment.json")).unwrap();
    assert!(noted.contains("the packing of the pictures"), "{noted}");
    let split = fs::read_to_string(here.join("r/split.json")).unwrap();
    assert!(split.contains("\"packing\": \"8 shards "), "and from here on it is the run's");
}

#[test]
fn a_cell_is_finished_with_its_own_packing_alone() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_recipe(here);
    let windowed = [
        "experiment",
        "smoke",
        "--recipe",
        "w.json",
        "--arms",
        "avg",
        "--seeds",
        "1",
        "--max-steps",
        "2",
        "--no-report",
    ];
    pack(here, 1);
    succeed(&windowed, here);
    let said = succeed(&windowed, here);
    assert!(said.stderr.contains("finished before"), "{}", said.stderr);
    pack(here, 8);
    let said = run(&windowed, here);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(!said.stderr.contains("finished before"), "{}", said.stderr);
    assert!(said.stderr.contains("the packing of the pictures"), "{}", said.stderr);

    // Without a window the order does not know of tar files.
    let text = fs::read_to_string(here.join("w.json")).unwrap();
    let mut recipe = Recipe::from_json(&text).unwrap();
    recipe.data.shuffle_window = None;
    fs::write(here.join("w.json"), recipe.to_json_pretty()).unwrap();
    let whole = [&windowed[..], &["--runs", "whole"]].concat();
    succeed(&whole, here);
    pack(here, 1);
    let said = succeed(&whole, here);
    assert!(said.stderr.contains("finished before"), "{}", said.stderr);
}
