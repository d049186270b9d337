//! Summaries against torchvision's counts, and against a forward that really computes.

use std::collections::HashMap;

use catscan_models::{MODELS, Mode, ModelConfig, POOLS, Pool, Pooling, Summary, Taps};
use serde_json::Value;

use super::support::{build, config, pictures};

#[test]
fn counts_and_shapes_are_torchvisions() {
    let golden: Value = serde_json::from_str(include_str!("../golden/costs.json")).unwrap();
    println!("{}", golden["made_by"]);
    for model in golden["models"].as_array().unwrap() {
        let name = model["name"].as_str().unwrap();
        let summary = Summary::of(&config(name, Pool::Avg, 1000), 224).unwrap();
        assert_eq!(summary.cost.parameters, model["parameters"].as_u64().unwrap(), "{name}");
        assert_eq!(summary.cost.multiply_adds, model["multiply_adds"].as_u64().unwrap(), "{name}");
        // The same number as torchvision states it beside its weights, in 10^9.
        let stated = model["stated_gflops"].as_f64().unwrap();
        let ours = summary.cost.multiply_adds as f64 / 1e9;
        assert!((ours - stated).abs() <= 0.0005 + 1e-9, "{name}: {ours}, stated {stated}");
        for (path, output) in model["outputs"].as_object().unwrap() {
            let stage = summary.stages.iter().find(|stage| stage.name == *path);
            let ours = serde_json::to_value(&stage.unwrap().output).unwrap();
            assert_eq!(ours, *output, "{name} {path}");
        }
    }
}

/// What torchvision lacks, against the references that goldens are made with and the networks of
/// others that cost as much; no row is left out.
#[test]
fn counts_of_every_row_are_those_of_its_reference() {
    let golden: Value = serde_json::from_str(include_str!("../golden/costs.json")).unwrap();
    let both = ["models", "references"].map(|part| golden[part].as_array().unwrap());
    let rows: HashMap<&str, &Value> =
        both.into_iter().flatten().map(|row| (row["name"].as_str().unwrap(), row)).collect();
    for row in MODELS {
        let natural = row.shape.natural();
        let cost = Summary::of(&row.natural_config(), natural.size_px).unwrap().cost;
        let want = rows.get(row.name).unwrap_or_else(|| panic!("{}: no reference", row.name));
        assert_eq!(cost.parameters, want["parameters"].as_u64().unwrap(), "{}", row.name);
        assert_eq!(cost.multiply_adds, want["multiply_adds"].as_u64().unwrap(), "{}", row.name);
    }
    assert_eq!(rows.len(), MODELS.len());
    for row in golden["references"].as_array().unwrap() {
        let others = row["held_against"].as_array();
        assert!(others.is_some_and(|others| !others.is_empty()), "{}: only ours", row["name"]);
    }
}

#[test]
fn nothing_computed_and_everything_computed_agree() {
    for pool in POOLS {
        let able = |able: bool| if able { pool.pool } else { Pool::Avg };
        let config = ModelConfig {
            pooling: Pooling::densenet(able(pool.windows), able(pool.global)),
            ..config("densenet-mini", Pool::Avg, 7)
        };
        let summary = Summary::of(&config, 45).unwrap();
        let model = build(&config);
        assert_eq!(summary.cost.parameters, model.weights().count_parameters() as u64);
        let mut taps = Taps::all();
        let _ = tch::no_grad(|| model.forward(&pictures([1, 3, 45, 45]), Mode::Eval, &mut taps));
        for stage in &summary.stages {
            let last = taps.iter().filter(|(name, _)| name.starts_with(&stage.name)).last();
            assert_eq!(last.unwrap().1.size()[1..], stage.output, "{} {}", pool.name, stage.name);
        }
        // Blocks are tapped, but their numbers are those of their layers.
        let layers = taps.iter().filter(|(name, _)| {
            model.weights().get(&format!("{name}.weight")).is_some() || name.contains("pool")
        });
        let bytes: usize = layers.map(|(_, output)| output.numel() * 4).sum();
        assert_eq!(summary.cost.activation_bytes, bytes as u64, "{}", pool.name);
    }
}

#[test]
fn every_row_has_a_summary_at_its_natural_size() {
    for row in MODELS {
        let summary = Summary::of(&row.natural_config(), row.shape.natural().size_px).unwrap();
        let classifier = summary.stages.last().unwrap();
        assert_eq!(classifier.output, [row.shape.natural().outputs], "{}", row.name);
        assert!(classifier.cost.multiply_adds > 0, "{}", row.name);
    }
}

/// Hooks on the outputs of all convolutions, norms, poolings and linear layers of torchvision's
/// resnet18, of one grey picture of 97 px: 4,366,108 bytes with 7 outputs.
#[test]
fn activations_are_those_of_convolutions_norms_poolings_and_linear_layers() {
    let grey = ModelConfig { in_channels: 1, ..config("resnet18", Pool::Avg, 7) };
    let summary = Summary::of(&grey, 97).unwrap();
    assert_eq!(summary.cost.activation_bytes, 4_366_108);
    let stages: Vec<&str> = summary.stages.iter().map(|stage| &*stage.name).collect();
    assert_eq!(stages[..3], ["conv1", "bn1", "maxpool"]);
}

#[test]
fn a_layer_by_hand() {
    // The stem of DenseNet-121 for 64 px: 64 maps of 32×32, each number of 3·7·7 products.
    let summary = Summary::of(&config("densenet121", Pool::Max, 1000), 64).unwrap();
    let stem = &summary.stages[0];
    assert_eq!((&*stem.name, &*stem.output), ("features.conv0", &[64, 32, 32][..]));
    assert_eq!(stem.cost.parameters, 64 * 147);
    assert_eq!(stem.cost.multiply_adds, 64 * 32 * 32 * 147);
    assert_eq!(stem.cost.activation_bytes, 64 * 32 * 32 * 4);
    let head = summary.stages.last().unwrap();
    assert_eq!((&*head.name, head.cost.multiply_adds), ("classifier", 1024 * 1000));
    assert_eq!(head.cost.parameters, 1024 * 1000 + 1000);
}

#[test]
fn a_picture_too_small_is_refused() {
    let mini = config("densenet-mini", Pool::Avg, 1);
    let error = Summary::of(&mini, 20).unwrap_err();
    assert!(error.to_string().contains("20×20 px, want at least 29×29"), "{error}");
    assert!(Summary::of(&ModelConfig { in_channels: 1, ..mini }, 29).is_ok());
}
