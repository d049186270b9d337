//! A factorial from end to end: every combination of two poolings, and what each of them does.

use std::fs;

use serde_json::Value;

use super::support::{run, succeed};

#[test]
fn two_factors_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    // At 32 px the last map is one place, and all heads are the same.
    let line = ["experiment", "smoke", "--factorial", "--seeds", "2", "--size", "64"];
    let said = succeed(&[&line[..], &["--json"]].concat(), here);
    let study: Value = serde_json::from_str(&said.stdout).unwrap();
    let found = &study["factorial"];
    assert_eq!((&found["seeds"], &found["pictures"]), (&2.into(), &20.into()));
    assert_eq!(found["factors"], serde_json::json!(["transition", "head"]));

    // The effects again, from the runs' accuracies: transition high − low, head, and how far the
    // first depends on the second.
    let accuracy = |arm: &str| -> f64 {
        let cells = study["cells"].as_array().unwrap();
        let of_arm = cells.iter().filter(|cell| cell["arm"] == arm);
        of_arm.map(|cell| cell["accuracy"].as_f64().unwrap()).sum::<f64>() / 2.0
    };
    let (avg, max) = (accuracy("avg"), accuracy("max"));
    let (head, transition) =
        (accuracy("transition-avg_head-max"), accuracy("transition-max_head-avg"));
    let wanted = [
        (transition + max - avg - head) / 2.0,
        (head + max - avg - transition) / 2.0,
        max - head - transition + avg,
    ];
    let effects = found["effects"].as_array().unwrap();
    assert_eq!(effects.len(), 3);
    for (effect, want) in effects.iter().zip(wanted) {
        let mean = effect["over_seeds"]["mean"].as_f64().unwrap();
        assert!((mean - want).abs() < 1e-9, "{effect}: want {want}");
        // None where both seeds agree to the picture, as with twenty pictures they may.
        let low = effect["over_seeds"]["interval"]["low"].as_f64();
        assert!(low.is_none_or(|low| low <= mean), "{effect}");
        assert!(study["answer"].as_array().unwrap().contains(&effect["words"]), "{effect}");
    }

    let html = fs::read_to_string(here.join("runs/smoke/report.html")).unwrap();
    for words in ["id=\"factorial\"", "transition × head", "transition: max − avg"] {
        assert!(html.contains(words), "no {words:?}");
    }
    let again = succeed(&[&line[..], &["--no-report"]].concat(), here);
    assert!(again.stdout.contains("head: max − avg"), "{}", again.stdout);

    // Without one of its arms there is no factorial, and nothing is said of one.
    let two = [&["experiment", "smoke", "--json", "--no-report"], &line[3..]].concat();
    let two = succeed(&two, here);
    let two: Value = serde_json::from_str(&two.stdout).unwrap();
    assert_eq!(two["factorial"], Value::Null);
    let both = run(&["experiment", "smoke", "--factorial", "--arms", "avg"], here);
    assert_eq!(both.code, 2, "{}", both.stderr);
}

#[test]
fn arms_that_are_one_function_are_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let twins = |arms: &str| {
        let line = ["experiment", "smoke", "--seeds", "2", "--json", "--no-report", "--arms", arms];
        let said = succeed(&line, folder.path());
        let study: Value = serde_json::from_str(&said.stdout).unwrap();
        let notices = study["notices"].as_array().unwrap().clone();
        notices.iter().map(|one| one.as_str().unwrap().to_owned()).collect::<Vec<_>>().join("\n")
    };
    let text = twins("avg,transition-avg_head-max,max");
    assert!(text.contains("avg and transition-avg_head-max gave every test picture"), "{text}");
    assert_eq!(text.matches("are one function").count(), 1, "{text}");
    assert!(!twins("avg,max").contains("are one function"));
}
