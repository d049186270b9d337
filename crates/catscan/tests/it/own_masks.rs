//! A report that is told where the evidence of its test pictures is, by masks of one's own.

use std::fs;
use std::path::Path;

use image::{GrayImage, Luma};
use serde_json::Value;

use super::support::{run, succeed};

/// The test pictures' names of the one run.
fn test_names(here: &Path) -> Vec<String> {
    let split = fs::read_to_string(here.join("runs/smoke/avg/seed-1/split.json")).unwrap();
    let split: Value = serde_json::from_str(&split).unwrap();
    serde_json::from_value(split["test"].clone()).unwrap()
}

/// The cells of the lines of a section's tables that begin with `first`.
fn rows(report: &str, section: &str, first: &str) -> Vec<Vec<String>> {
    let of_section = report.split("\n## ").find(|part| part.starts_with(section)).unwrap();
    let begins = format!("| {first} |");
    let lines = of_section.lines().filter(|line| line.starts_with(&begins));
    lines.map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn masks_of_ones_own_stand_in_for_the_drawn_ones() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    succeed(&["experiment", "smoke", "--arms", "avg", "--no-report"], here);
    let names = test_names(here);
    // All of two pictures is evidence, whatever their size; a third file is nobody's.
    fs::create_dir(here.join("masks")).unwrap();
    for name in [&*names[0], &*names[7], "nobody"] {
        let path = here.join("masks").join(format!("{name}.png"));
        GrayImage::from_pixel(9, 7, Luma([255])).save(path).unwrap();
    }
    let args = ["report", "runs/smoke", "--masks", "masks", "--scan-pictures", "6"];
    let said = succeed(&args, here);
    let words = "masks of 2 of 20 test pictures; 1 other files have no test picture's name";
    assert!(said.stderr.contains(words), "{}", said.stderr);
    let report = fs::read_to_string(here.join("runs/smoke/report.md")).unwrap();
    for words in ["on 2 test pictures", "cover 100.0 %", "known of 2 of the pictures"] {
        assert!(report.contains(words), "no {words:?}");
    }
    for words in ["on 6 test pictures", "on the same 18 test pictures"] {
        assert!(report.contains(words), "no {words:?}");
    }
    // Whatever a map shows lies on masks that are white everywhere.
    let on = rows(&report, "Do they look at what matters?", "avg");
    let full: Vec<_> = on.iter().filter(|cells| cells[6] != cells[5]).collect();
    assert!(!full.is_empty(), "{on:?}");
    assert!(full.iter().all(|cells| cells[3] == "100.0" && cells[4] == "100.0"), "{on:?}");
    let random = rows(&report, "Are the maps to be believed?", "avg");
    let random: Vec<_> = random.iter().filter(|cells| cells[2].starts_with("random")).collect();
    assert!(!random.is_empty());
    for cells in random {
        // Behind the last two scores stand new weights and seeds, which random maps have none of.
        assert_eq!(cells[10..14], ["100", "100", "–", "–"].map(String::from), "{cells:?}");
    }

    // Without masks the drawings' own serve again.
    succeed(&["report", "runs/smoke", "--scan-pictures", "4"], here);
    let report = fs::read_to_string(here.join("runs/smoke/report.md")).unwrap();
    assert!(report.contains("known of 4 of the pictures, by the drawings' masks"), "{report}");
}

#[test]
fn masks_that_fit_no_test_picture_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::create_dir(here.join("masks")).unwrap();
    GrayImage::from_pixel(9, 7, Luma([255])).save(here.join("masks/nobody.png")).unwrap();
    // Told before anything is trained, and nothing is left behind.
    for (masks, words) in [
        ("masks", "none of 1 files has a test picture's name"),
        ("missing", "--masks missing: no such folder"),
    ] {
        let said = run(&["experiment", "smoke", "--masks", masks], here);
        assert_eq!(said.code, 2, "{}", said.stderr);
        assert!(said.stderr.contains(words), "{}", said.stderr);
        assert!(!here.join("runs").exists());
    }
    let said = run(&["report", "runs", "--scan-pictures", "0"], here);
    assert_eq!(said.code, 2, "{}", said.stderr);
}
