//! Every experiment trains: each arm of each row takes its first steps on drawings and is scored.

use std::path::Path;

use serde_json::Value;

use super::support::succeed;

/// Each experiment of `catscan list`: its name, the arms it compares by default, all it has.
fn rows(folder: &Path) -> Vec<[String; 3]> {
    let listed: Value = serde_json::from_str(&succeed(&["list", "--json"], folder).stdout).unwrap();
    let table = |name: &str| listed[name].as_array().unwrap().iter();
    let row = |row: &Value| {
        let name = row["name"].as_str().unwrap();
        let arms = |wanted: fn(&Value) -> bool| {
            let of_it = table("arms").filter(|arm| arm["experiment"] == name && wanted(arm));
            of_it.map(|arm| arm["arm"].as_str().unwrap()).collect::<Vec<_>>().join(",")
        };
        [name.to_owned(), arms(|arm| arm["by_default"] == true), arms(|_| true)]
    };
    table("experiments").map(row).collect()
}

/// Trains `arms` for two steps and checks that each was scored; the study's folder is in `folder`.
fn takes_first_steps(folder: &Path, name: &str, profile: &str, arms: &str) {
    let line = ["experiment", name, "--profile", profile, "--arms", arms, "--seeds", "1,"];
    let short = ["--data", "critters:60", "--max-steps", "2", "--no-report", "--json"];
    let said = succeed(&[&line[..], &short].concat(), folder);
    let study: Value = serde_json::from_str(&said.stdout).unwrap();
    let cells = study["cells"].as_array().unwrap();
    let scored: Vec<&str> = cells
        .iter()
        .filter(|cell| (0.0..=1.0).contains(&cell["accuracy"].as_f64().unwrap()))
        .map(|cell| cell["arm"].as_str().unwrap())
        .collect();
    assert_eq!(scored, arms.split(',').collect::<Vec<_>>(), "{name} {profile}");
}

#[test]
fn every_experiment_takes_its_first_steps() {
    let folder = tempfile::tempdir().unwrap();
    for [name, arms, _] in rows(folder.path()) {
        takes_first_steps(folder.path(), &name, "quick", &arms);
    }
}

/// All profiles, at their own size and batch, and all arms with a report.
#[test]
fn every_profile_and_every_arm_takes_its_first_steps() {
    if std::env::var_os("CATSCAN_SLOW_TESTS").is_none() {
        eprintln!("skipped: trains some hundred networks; set CATSCAN_SLOW_TESTS");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for [name, arms, all] in rows(here) {
        for profile in ["original", "full"] {
            let own = here.join(profile);
            std::fs::create_dir_all(&own).unwrap();
            takes_first_steps(&own, &name, profile, &arms);
        }
        takes_first_steps(here, &name, "quick", &all);
        let study = format!("runs/{name}");
        succeed(&["report", &study], here);
        let html = std::fs::read_to_string(here.join(study).join("report.html")).unwrap();
        assert!(all.split(',').all(|arm| html.contains(arm)), "{name}: an arm is not told of");
    }
}
