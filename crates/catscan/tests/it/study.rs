//! A study from end to end, and every command that looks at what it left.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::support::{Said, catscan, start_at, succeed};

#[test]
fn a_study_is_trained_reported_and_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let said = succeed(&["experiment", "smoke", "--json"], here);
    let study: Value = serde_json::from_str(&said.stdout).unwrap();
    check_study(&study);
    let [html, text] = ["html", "md"].map(|ending| {
        fs::read_to_string(here.join(format!("runs/smoke/report.{ending}"))).unwrap()
    });
    check_report(&html);
    check_markdown(&text, &html);
    check_belief(&text, &study, here);

    let same = succeed(&["experiment", "smoke", "--json"], here);
    assert!(same.stderr.contains("as it was: nothing has changed"), "{}", same.stderr);
    let again = succeed(&["experiment", "smoke", "--no-report"], here);
    assert_eq!(again.stderr.matches("finished before, skipped").count(), 2, "{}", again.stderr);
    assert!(again.stdout.contains("No verdict from one seed. avg classified "), "{}", again.stdout);

    fs::remove_file(here.join("runs/smoke/report.html")).unwrap();
    fs::remove_file(here.join("runs/smoke/study.json")).unwrap();
    let report = succeed(&["report", "runs/smoke"], here);
    assert_eq!(report.stdout, again.stdout, "one study, told in one way");
    assert!(here.join("runs/smoke/report.html").exists());
    let anew = fs::read_to_string(here.join("runs/smoke/study.json")).unwrap();
    let anew: Value = serde_json::from_str(&anew).unwrap();
    let command = serde_json::json!(["catscan", "experiment", "smoke", "--json"]);
    assert_eq!(anew["request"]["command"], command, "the runs know what asked for them");
    look_into(here, &study);
}

fn check_study(study: &Value) {
    assert_eq!(study["arms"][0]["arm"], "avg");
    assert_eq!(study["comparisons"][0]["claim"], "one-seed");
    assert_eq!(study["cells"].as_array().unwrap().len(), 2);
    assert!(study["arms"][0]["parameters"].as_u64().unwrap() > 1000);
    let notices = study["notices"].to_string();
    assert!(notices.contains("drawings (critters), not photographs"), "{notices}");
}

fn check_report(html: &str) {
    for id in [
        "result",
        "curves",
        "gradients",
        "confusion",
        "predictions",
        "feature-maps",
        "cams",
        "trust",
        "budget",
        "gallery",
        "evidence",
        "belief",
        "robustness",
        "split",
        "origin",
    ] {
        assert!(html.contains(&format!("id=\"{id}\"")), "no section {id}");
    }
    for words in ["drawings", "McNemar", "experiment smoke", "model.pooling.head"] {
        assert!(html.contains(words), "no {words:?}");
    }
    assert_eq!(html.matches("<script").count(), 1);
    assert!(html.len() < 8 << 20, "{} bytes", html.len());
}

/// Every arm has a row for every method and for random maps, all of numbers; another for what each
/// method differs by; and what cannot be asked of a study of one seed is a dash.
fn check_belief(report: &str, study: &Value, here: &Path) {
    let list = succeed(&["list", "--json"], here);
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    let methods: Vec<&str> =
        list["cams"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    let section = report.split("\n## ").find(|part| part.starts_with("Are the maps")).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let tables: Vec<Vec<Vec<String>>> = section
        .split("\n| arm |")
        .skip(1)
        .map(|table| table.lines().skip(2).take_while(|l| l.starts_with('|')).map(cells).collect())
        .collect();
    assert_eq!(tables.len(), 2, "scores, and differences");
    let finite = |cell: &str| cell.replace('−', "-").parse::<f64>().is_ok_and(f64::is_finite);
    for arm in study["arms"].as_array().unwrap() {
        let of = |table: &[Vec<String>]| -> Vec<Vec<String>> {
            table.iter().filter(|row| row[0] == *arm["arm"].as_str().unwrap()).cloned().collect()
        };
        let (scores, differences) = (of(&tables[0]), of(&tables[1]));
        let named: Vec<&str> = scores.iter().map(|row| &*row[1]).collect();
        let (asked, random) = named.split_at(methods.len());
        assert_eq!(asked, methods);
        assert!(!random.is_empty() && random.iter().all(|name| name.starts_with("random, ")));
        for row in &scores {
            // Pictures, then deletion, insertion, ROAD, drop, increase, energy and peak.
            assert!(row[3..11].iter().all(|cell| finite(cell)), "{row:?}");
            assert!(finite(&row[11]) || row[11] == "–", "{row:?}");
            assert_eq!(row[12], "–", "{row:?}");
        }
        let fresh = scores.iter().filter(|row| finite(&row[11])).count();
        assert!(fresh >= 9, "only {fresh} methods were compared with new weights");
        let named: Vec<&str> = differences.iter().map(|row| &*row[1]).collect();
        assert_eq!(named, methods);
        for row in &differences {
            assert!(row[3..].iter().all(|cell| cell.contains(" to ")), "{row:?}");
        }
    }
    for words in ["grad-cam, Deletion", "smooth-grad, ROAD", "avg, random maps"] {
        assert!(section.contains(words), "no {words:?}");
    }
}

/// The same words and tables where no browser is: every section, every table, no markup.
fn check_markdown<'a>(text: &str, html: &'a str) {
    assert!(text.starts_with("# smoke: a catscan study of drawings"), "{text}");
    let head = |rest: &'a str| rest.split_once('>')?.1.split("</h2>").next();
    let heads = html.split("<h2 id=").skip(1).filter_map(head);
    let own = ["Answer", "Before you believe it", "Contents"];
    let heads: Vec<&str> = heads.filter(|head| !own.contains(head)).collect();
    assert!(heads.len() >= 15, "{heads:?}");
    let mut rest = text;
    for head in heads {
        let place = rest.find(&format!("\n## {head}\n"));
        rest = &rest[place.unwrap_or_else(|| panic!("no {head} in its place"))..];
    }
    // Charts' values are told in a line each; all other tables are whole.
    let values = html.matches("<details class=\"values\">").count();
    assert!(values >= 4, "{values}");
    let inside = html.split("<details class=\"values\">").skip(1);
    let inside = inside.map(|part| part.split("</details>").next().unwrap_or_default());
    let in_values: usize = inside.map(|part| part.matches("<table>").count()).sum();
    let rules = text.lines().filter(|line| line.starts_with("| --")).count();
    assert_eq!(rules, html.matches("<table>").count() - in_values);
    assert!(text.contains("seed 1") && text.contains("Before you believe it"));
    let outside = text.lines().filter(|line| !line.starts_with("    "));
    assert_eq!(outside.filter(|line| line.contains(['<', '>'])).count(), 0, "markup");
}

/// `evaluate`, `predict` and `explain` on the runs and on a picture of our own.
fn look_into(here: &Path, study: &Value) {
    let run = "runs/smoke/avg/seed-1";
    let scores = succeed(&["evaluate", "--weights", run, "--json"], here);
    let scores: Value = serde_json::from_str(&scores.stdout).unwrap();
    assert_eq!(scores["accuracy"], study["cells"][0]["accuracy"]);
    assert_eq!(scores["pictures"], 20);
    let others = ["evaluate", "--weights", run, "--data", "critters:25", "--json"];
    let scores: Value = serde_json::from_str(&succeed(&others, here).stdout).unwrap();
    assert_eq!((&scores["pictures"], &scores["part"]), (&25.into(), &"all".into()));

    // Its own pictures, named as if they had been moved: most of them it was trained on.
    let own = ["evaluate", "--weights", run, "--data", study["source"].as_str().unwrap(), "--json"];
    let scores: Value = serde_json::from_str(&succeed(&own, here).stdout).unwrap();
    assert_eq!((&scores["pictures"], &scores["part"]), (&20.into(), &"test".into()));

    image::RgbImage::from_fn(50, 40, |x, y| image::Rgb([x as u8, y as u8, 9]))
        .save(here.join("mine.png"))
        .unwrap();
    let said = succeed(&["predict", "mine.png", "--weights", run, "--json"], here);
    let said: Value = serde_json::from_str(&said.stdout).unwrap();
    let shares = said[0]["probabilities"].as_array().unwrap();
    let sum: f64 = shares.iter().map(|share| share.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{said}");

    let explain = ["explain", "mine.png", "--weights", run, "--at", "all", "--class", "dog"];
    succeed(&explain, here);
    assert!(here.join("scans/001-mine.grad-cam.png").exists());
    assert!(here.join("scans/001-mine.feature-maps.png").exists());
    let page = ["--method", "layer-cam", "--at", "all", "--html", "mine.html"];
    succeed(&[&["explain", "mine.png", "--weights", run][..], &page].concat(), here);
    let page = fs::read_to_string(here.join("mine.html")).unwrap();
    assert!(page.contains("class=\"slider\"") && page.contains("layer-cam"), "no slider");
    let slip = super::support::run(
        &["explain", "mine.png", "--weights", run, "--method", "gradcam"],
        here,
    );
    assert!(slip.code == 2 && slip.stderr.contains("nearest is grad-cam"), "{}", slip.stderr);
}

/// Whoever builds the program anew while a study runs does not end it.
#[test]
#[cfg(target_os = "linux")]
fn cells_are_of_the_program_that_began_the_study() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("catscan");
    fs::copy(env!("CARGO_BIN_EXE_catscan"), &program).unwrap();
    let line = ["experiment", "smoke", "--jobs", "1", "--no-report"];
    let mut running = start_at(&program, &line, folder.path());
    running.wait_for("epoch 1:");
    fs::remove_file(&program).unwrap();
    let (code, text) = running.finish();
    assert_eq!(code, 0, "{text}");
    assert!(text.matches(": finished").count() > 1, "{text}");
}

#[test]
fn a_reader_may_leave_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    for line in ["list", "list --json", "doctor --no-speed", "--help"] {
        let args: Vec<&str> = line.split(' ').collect();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = catscan(&args, folder.path());
        let said: Said = command.stdout(writer).output().unwrap().into();
        assert_eq!((said.code, &*said.stderr), (0, ""), "{line}");
    }
}

#[test]
fn tables_and_findings_are_json_too() {
    let folder = tempfile::tempdir().unwrap();
    let list = succeed(&["list", "--json"], folder.path());
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    for table in ["models", "pools", "sources", "experiments", "cams", "recipes"] {
        assert!(!list[table].as_array().unwrap().is_empty(), "{table}");
    }
    for experiment in list["experiments"].as_array().unwrap() {
        let arms = list["arms"].as_array().unwrap().iter();
        let by_default = arms.filter(|arm| {
            arm["experiment"] == experiment["name"] && arm["by_default"].as_bool().unwrap()
        });
        // The table has all arms in an order of its own.
        let by_default: BTreeSet<&str> =
            by_default.map(|arm| arm["arm"].as_str().unwrap()).collect();
        let named = experiment["default_arms"].as_array().unwrap();
        let named: BTreeSet<&str> = named.iter().map(|arm| arm.as_str().unwrap()).collect();
        assert!(!named.is_empty() && named == by_default, "{named:?}, {by_default:?}");
    }
    let doctor = succeed(&["doctor", "--no-speed", "--json"], folder.path());
    let doctor: Value = serde_json::from_str(&doctor.stdout).unwrap();
    assert!(doctor["libtorch_version"].as_str().unwrap().starts_with("2.11."));
}
