//! A run's checkpoints, taken by the commands that look at a network.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::support::{run, succeed};

fn evaluate<'a>(weights: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["evaluate", "--part", "val", "--json", "--weights", weights], more].concat()
}

/// Of each epoch.
fn validation_losses(run: &Path) -> Vec<f64> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let loss = |line| serde_json::from_str::<Value>(line).unwrap()["val_loss"].as_f64().unwrap();
    text.lines().map(loss).collect()
}

#[test]
fn the_best_checkpoint_is_scored_by_its_folder_or_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let train = ["train", "--experiment", "smoke", "--arm", "avg", "--epochs", "4"];
    succeed(&[&train[..], &["--threads", "1", "--out", "r"]].concat(), here);
    let losses = validation_losses(&here.join("r"));
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let last = *losses.last().unwrap();
    for (weights, want) in [
        ("r/checkpoints/best", best),
        ("r/checkpoints/best/weights.safetensors", best),
        ("r/checkpoints/step-20", last),
        ("r", last),
    ] {
        let said = succeed(&evaluate(weights, &[]), here);
        let found: Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!(found["classes"][0], "cat", "{weights}: names, not numbers");
        let got = found["loss"].as_f64().unwrap();
        assert!((got - want).abs() < 1e-3, "{weights}: {got}, want {want} of {losses:?}");
    }

    // Drawn beside the last, it has a name of its own.
    image::RgbImage::new(40, 40).save(here.join("a.png")).unwrap();
    let both = ["--weights", "r", "--weights", "r/checkpoints/best", "--html", "page.html"];
    succeed(&[&["explain", "a.png"], &both[..]].concat(), here);
    let page = fs::read_to_string(here.join("page.html")).unwrap();
    assert!(page.contains("r, best"), "{page}");

    // Of an epoch that is the best, the two are one file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let one = [&train[..4], &["max", "--epochs", "1", "--out", "one"]].concat();
        succeed(&one, here);
        let inode = |name: &str| {
            let path = here.join("one/checkpoints").join(name).join("weights.safetensors");
            fs::metadata(path).unwrap().ino()
        };
        assert_eq!(inode("best"), inode("step-5"), "it was written twice");
    }

    // Its hashes are looked at, and what is no run's says what to name.
    let file = here.join("r/checkpoints/best/weights.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.len() - 7;
    bytes[at] ^= 1;
    fs::write(&file, bytes).unwrap();
    for weights in ["r/checkpoints/best", "r/checkpoints/best/weights.safetensors"] {
        let said = run(&evaluate(weights, &[]), here);
        assert_eq!(said.code, 4, "{}", said.stderr);
        assert!(said.stderr.contains("weights.safetensors hashes to"), "{}", said.stderr);
    }
    let said = run(&evaluate("r/checkpoints", &[]), here);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("name a run's folder, or a checkpoint in one"), "{}", said.stderr);
    assert!(!said.stderr.contains("can be written"), "{}", said.stderr);
}
