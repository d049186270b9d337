//! The real program, stopped and gone on with: to the bit, or refused by the name of what has
//! changed (cases 8 to 10 of the list of faults).

use std::fs;

use catscan::recipes::with_model;

use super::support::{catscan, run, same_run, succeed};

/// `catscan train` of the smoke recipe: five steps an epoch.
fn train<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let usual = ["train", "--experiment", "smoke", "--arm", "avg", "--epochs", "2"];
    [&usual[..], &["--out", out], more].concat()
}

#[test]
fn stopped_at_step_7_of_10_and_gone_on_with_is_the_straight_run_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for threads in ["1", "2"] {
        let (straight, stopped) = (format!("straight-{threads}"), format!("stopped-{threads}"));
        succeed(&train(&straight, &["--threads", threads]), here);
        succeed(&train(&stopped, &["--threads", threads, "--max-steps", "7"]), here);
        let said = succeed(&train(&stopped, &["--threads", threads]), here);
        assert!(said.stderr.contains("goes on from step 7"), "{}", said.stderr);
        same_run(&here.join(straight), &here.join(stopped), 10);
    }
}

/// Networks of few channels are not computed by our own bf16 kernels; this one is.
#[test]
fn so_it_is_with_a_network_of_more_channels() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let mut recipe = with_model(catscan::recipes::smoke(), "densenet121");
    recipe.epochs = 1;
    fs::write(here.join("a.json"), recipe.to_json_pretty()).unwrap();
    let train = |out, more: &[&str]| {
        let line = ["train", "--recipe", "a.json", "--threads", "2", "--out", out];
        succeed(&[&line[..], more].concat(), here)
    };
    let said = train("straight", &[]).stderr;
    assert!(said.contains(" MB of pixels in a memory map"), "where pixels are kept: {said}");
    train("stopped", &["--max-steps", "3"]);
    assert!(train("stopped", &[]).stderr.contains("goes on from step 3"));
    same_run(&here.join("straight"), &here.join("stopped"), 5);
}

#[test]
fn other_threads_or_pictures_are_refused_and_noted_when_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let one = ["--threads", "1", "--max-steps"];
    for (out, change, words) in [
        ("threads", &["--threads", "2", "--max-steps", "9"][..], "threads was 1"),
        (
            "data",
            &["--threads", "1", "--max-steps", "9", "--data", "critters:130"],
            "data.source was",
        ),
    ] {
        succeed(&train(out, &[&one[..], &["7"]].concat()), here);
        let before = fs::read(here.join(out).join("environment.json")).unwrap();
        let said = run(&train(out, change), here);
        assert_eq!(said.code, 2, "{}", said.stderr);
        for words in [words, "cannot go on bit for bit", "--allow-inexact-resume"] {
            assert!(said.stderr.contains(words), "no {words:?} in {}", said.stderr);
        }
        let after = fs::read(here.join(out).join("environment.json")).unwrap();
        assert!(before == after, "a refusal is not noted");
        let said = succeed(&train(out, &[change, &["--allow-inexact-resume"]].concat()), here);
        assert!(said.stderr.contains(&format!("warning: {words}")), "{}", said.stderr);
        let noted = fs::read_to_string(here.join(out).join("environment.json")).unwrap();
        assert!(noted.contains(words), "{noted}");
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn a_processor_that_is_held_down_is_another_one_which_is_told_and_noted() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    succeed(&train("r", &["--threads", "1", "--max-steps", "7"]), here);
    let mut held_down = catscan(&train("r", &["--threads", "1"]), here);
    let output = held_down.env("ATEN_CPU_CAPABILITY", "default").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let mut lines = said.lines().filter_map(|line| line.split_once("warning: "));
    let (_, line) = lines.next().unwrap_or_else(|| panic!("{said}"));
    assert!(line.starts_with("the processor was "), "{said}");
    for words in ["until step 7, then", "ATEN_CPU_CAPABILITY=default", "last bits may differ"] {
        assert!(line.contains(words), "no {words:?} in {line}");
    }
    let noted = fs::read_to_string(here.join("r/environment.json")).unwrap();
    assert!(noted.contains(line), "{noted}");
}

#[test]
fn two_deterministic_runs_are_the_same_to_the_bit_whoever_gathers_their_batches() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let short = ["--threads", "1", "--max-steps", "6", "--deterministic", "--workers"];
    for (out, workers) in [("first", "1"), ("second", "1"), ("none", "0"), ("four", "4")] {
        succeed(&train(out, &[&short[..], &[workers]].concat()), here);
        same_run(&here.join("first"), &here.join(out), 6);
    }
    let noted = fs::read_to_string(here.join("first/environment.json")).unwrap();
    assert!(noted.contains("\"deterministic\": true"), "{noted}");
    let said = run(&train("first", &["--threads", "1"]), here);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("deterministic was true"), "{}", said.stderr);
}

#[test]
fn a_manifest_that_moves_a_picture_to_another_part_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let mut lines = vec!["path,label,split".to_owned()];
    for at in 0..30u8 {
        let (name, label) = (format!("{at}.png"), ["cat", "dog"][usize::from(at % 2)]);
        let pixel = image::Rgb([at * 8, 90, 200 - at]);
        image::RgbImage::from_pixel(40, 40, pixel).save(here.join(&name)).unwrap();
        let part = ["train", "train", "train", "val", "test"][usize::from(at) / 2 % 5];
        lines.push(format!("{name},{label},{part}"));
    }
    fs::write(here.join("list.csv"), lines.join("\n")).unwrap();
    let line = ["experiment", "smoke", "--data", "csv:list.csv", "--epochs", "1", "--no-report"];
    succeed(&line, here);
    // The last picture, 29.png, was of the test part.
    let moved = lines.pop().unwrap().replace(",test", ",train");
    fs::write(here.join("list.csv"), [lines.join("\n"), moved].join("\n")).unwrap();
    let said = run(&line, here);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("29.png was of the part test and is of train"), "{}", said.stderr);
    assert!(!said.stderr.contains("finished before"), "{}", said.stderr);

    // Allowed, it is told where the answer is.
    let said = succeed(&[&line[..], &["--allow-inexact-resume", "--json"]].concat(), here);
    let study: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    let notices = study["notices"].to_string();
    assert!(notices.contains("avg seed 1 went on inexactly: the split was"), "{notices}");
}
