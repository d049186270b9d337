//! `catscan data audit --weights RUN`: wrong labels are found among pictures that the network was
//! not trained on, and nothing is claimed of those it was.

use std::fs;
use std::path::Path;

use super::support::{run, succeed};

/// Cats are dark and dogs are light, so that a small network becomes sure of them; no two files are
/// equal.
fn set(folder: &Path) {
    for (class, base) in [("cat", 20u8), ("dog", 200)] {
        fs::create_dir_all(folder.join("set").join(class)).unwrap();
        for i in 0..60u8 {
            let value = |x: u32, y: u32| base + (x * 3 + y * 5 + u32::from(i) * 7) as u8 % 30;
            let picture =
                image::RgbImage::from_fn(32, 32, |x, y| image::Rgb([value(x, y), i, value(y, x)]));
            picture.save(folder.join(format!("set/{class}/{i}.png"))).unwrap();
        }
    }
}

#[test]
fn wrong_labels_are_found_where_the_network_was_not_trained() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    set(here);
    let train =
        "train --experiment smoke --arm avg --epochs 120 --threads 1 --data folder:set --out r";
    succeed(&train.split(' ').collect::<Vec<_>>(), here);
    let text = fs::read_to_string(here.join("r/split.json")).unwrap();
    let split: serde_json::Value = serde_json::from_str(&text).unwrap();
    let of = |part: &str, class: &str| {
        let mut names = split[part].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        names.find(|name| name.starts_with(class)).unwrap().to_owned()
    };
    // The same pictures elsewhere, of which a test cat and a training cat now lie among the dogs.
    let (wrong, learned) = (of("test", "cat"), of("train", "cat"));
    for (name, as_name) in [(&wrong, "set/dog/wrong.png"), (&learned, "set/dog/learned.png")] {
        fs::rename(here.join("set").join(name), here.join(as_name)).unwrap();
    }
    fs::rename(here.join("set"), here.join("moved")).unwrap();
    let audit = "data audit --data folder:moved --weights r --json";
    let said = succeed(&audit.split(' ').collect::<Vec<_>>(), here);
    let found: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let suspects = &found["suspects"];
    let trained_on = split["train"].as_array().unwrap().len();
    assert_eq!(suspects["trained_on"], trained_on, "known by their bytes, not by their names");
    assert_eq!(suspects["asked"], 120 - trained_on);
    let names: Vec<&str> = suspects["pictures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["dog/wrong.png"], "{suspects:#}");
    let text = fs::read_to_string(here.join("audit/audit.md")).unwrap();
    assert!(text.contains("## Suspected mislabels") && text.contains("dog/wrong.png"), "{text}");
    let sheet = image::open(here.join("audit/suspects.png")).unwrap();
    assert_eq!((sheet.width(), sheet.height()), (104, 104));
}

#[cfg(unix)]
#[test]
fn names_are_shown_and_steer_nothing() {
    let folder = tempfile::tempdir().unwrap();
    set(folder.path());
    let class = folder.path().join("set/\x1b[31mcat");
    fs::rename(folder.path().join("set/cat"), &class).unwrap();
    fs::rename(class.join("0.png"), class.join("\u{202e}gnp.exe.png")).unwrap();
    fs::write(class.join("\x1b]0;bad\x07.png"), b"no picture").unwrap();
    fs::copy(class.join("\u{202e}gnp.exe.png"), folder.path().join("set/dog/same.png")).unwrap();
    let unseen = |text: &str| text.contains(['\x1b', '\x07', '\u{202e}']);
    for more in [&[][..], &["--json"]] {
        let line = ["data", "audit", "--data", "folder:set"];
        let said = succeed(&[&line[..], more].concat(), folder.path());
        assert!(!unseen(&said.stdout) && !unseen(&said.stderr), "{}{}", said.stdout, said.stderr);
        assert!(said.stdout.contains("[31mcat"), "{}", said.stdout);
        let text = fs::read_to_string(folder.path().join("audit/audit.md")).unwrap();
        assert!(!unseen(&text) && text.contains("/\\u{202e}gnp.exe.png` ("), "{text}");
        if !more.is_empty() {
            let found: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
            assert_eq!(found["classes"][0], "\x1b[31mcat");
        }
    }
    let train = "train --experiment smoke --arm avg --data folder:set --out r";
    let said = run(&train.split(' ').collect::<Vec<_>>(), folder.path());
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(
        !unseen(&said.stderr) && said.stderr.contains("\\u{1b}]0;bad\\u{7}.png"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_the_set_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("taken"), b"a file").unwrap();
    let audit = |data: &str, out: &str| {
        run(&["data", "audit", "--data", data, "--out", out], folder.path())
    };
    let said = audit("critters:40", "taken");
    assert_eq!(said.code, 2, "{}", said.stderr);
    let hint = "a file is where a folder should be";
    assert!(said.stderr.contains(hint) && !said.stderr.contains("data:"), "{}", said.stderr);
    assert_eq!(audit("folder:nowhere", "new").code, 2);
    assert!(!folder.path().join("new").exists(), "nothing is left where nothing was found");
}

#[test]
fn weights_of_which_nobody_knows_the_pictures_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bare.safetensors"), b"x").unwrap();
    for (weights, words) in
        [("bare.safetensors", "is no run's folder"), ("none", "is no run's folder")]
    {
        let args = ["data", "audit", "--data", "critters:10", "--weights", weights];
        let said = run(&args, folder.path());
        assert_eq!(said.code, 2, "{}", said.stderr);
        assert!(said.stderr.contains(words), "{}", said.stderr);
    }
}

#[test]
fn the_report_says_how_parts_were_dealt() {
    let folder = tempfile::tempdir().unwrap();
    let audit = |more: &[&str]| {
        let line = ["data", "audit", "--data", "critters:40", "--json"];
        let said = succeed(&[&line[..], more].concat(), folder.path());
        let found: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        let text = fs::read_to_string(folder.path().join("audit/audit.md")).unwrap();
        (found["split"].clone(), text)
    };
    let (split, text) = audit(&[]);
    assert_eq!(split, serde_json::json!({"ratio": [17, 4, 4], "seed": 1}));
    assert!(text.contains("were dealt 17:4:4 (train, val, test) with seed 1."), "{text}");
    let (split, text) = audit(&["--split", "2:1:1", "--split-seed", "5"]);
    assert_eq!(split, serde_json::json!({"ratio": [2, 1, 1], "seed": 5}));
    assert!(text.contains("dealt 2:1:1 (train, val, test) with seed 5."), "{text}");
    let said = run(&["data", "audit", "--data", "critters:40", "--split", "1:2"], folder.path());
    assert_eq!(said.code, 2, "{}", said.stderr);
}
