//! A network that sees grey, on a part of a set, trained on half of that: what is said, and drawn.

use std::fs;
use std::path::Path;

use catscan_data::{Colour, DataConfig, Normalize};
use catscan_models::ModelConfig;
use catscan_train::Recipe;
use serde_json::Value;

use super::support::succeed;

/// Two batches of CIFAR-10 with this many records, of ten classes in turn, each a flat grey.
fn lay_batches(folder: &Path, train: usize, test: usize) {
    for (name, records) in [("data_batch_1.bin", train), ("test_batch.bin", test)] {
        let record = |i: usize| [vec![(i % 10) as u8], vec![(i % 10 * 25) as u8; 3072]].concat();
        fs::write(folder.join(name), (0..records).flat_map(record).collect::<Vec<u8>>()).unwrap();
    }
}

fn recipe() -> Recipe {
    let base = catscan::recipes::smoke();
    Recipe {
        model: ModelConfig { in_channels: 1, outputs: 10, ..base.model },
        data: DataConfig {
            colour: Colour::Grey,
            train_fraction: 0.5,
            normalize: Some(Normalize { mean: vec![0.5], std: vec![0.25] }),
            ..base.data
        },
        ..base
    }
}

#[test]
fn a_grey_study_is_trained_reported_and_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    lay_batches(here, 210, 20);
    fs::write(here.join("grey.json"), recipe().to_json_pretty()).unwrap();
    let args = ["experiment", "smoke", "--recipe", "grey.json", "--data", "cifar10:.", "--json"];
    let said = succeed(&[&args[..], &["--arms", "avg"]].concat(), here);
    let note = "A part of CIFAR-10: 210 of 50000 training pictures, 20 of 10000 test pictures";
    // 17 of the 21 of each class, and half of these.
    for words in [note, "(90 to train, 40 to validate, 20 to test, 80 not trained on)"] {
        assert!(said.stderr.contains(words), "no {words:?} in\n{}", said.stderr);
    }
    let study: Value = serde_json::from_str(&said.stdout).unwrap();
    assert!(study["notices"].to_string().contains(note), "{study}");
    assert_eq!(study["split"]["train_left_out"], 80);
    let html = fs::read_to_string(here.join("runs/smoke/report.html")).unwrap();
    for words in [note, "avg on 90 of 170", "data.train_fraction", "id=\"cams\""] {
        assert!(html.contains(words), "no {words:?} in the report");
    }

    let run = "runs/smoke/avg/seed-1";
    let split = fs::read_to_string(here.join(run).join("split.json")).unwrap();
    let split: Value = serde_json::from_str(&split).unwrap();
    assert_eq!(split["train"].as_array().unwrap().len(), 90);
    assert_eq!((&split["train_left_out"], &split["train_fraction"]), (&80.into(), &0.5.into()));
    image::RgbImage::from_fn(50, 40, |x, y| image::Rgb([x as u8, y as u8, 9]))
        .save(here.join("mine.png"))
        .unwrap();
    succeed(&["predict", "mine.png", "--weights", run], here);
    succeed(&["explain", "mine.png", "--weights", run], here);
    assert!(here.join("scans/001-mine.grad-cam.png").exists());
    assert!(here.join("scans/001-mine.feature-maps.png").exists());
    let scores = succeed(&["evaluate", "--weights", run, "--json"], here);
    let scores: Value = serde_json::from_str(&scores.stdout).unwrap();
    assert_eq!((&scores["pictures"], &scores["part"]), (&20.into(), &"test".into()));
}
