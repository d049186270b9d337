//! The real program on pictures that change, leak, cannot be read or are read by two processes at
//! once, and with a loader that dies.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::support::{Said, catscan, run, succeed};

/// `catscan train` of the smoke recipe on the folder `set`, into `out`.
fn train<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let usual =
        ["train", "--experiment", "smoke", "--arm", "avg", "--epochs", "1", "--threads", "1"];
    [&usual[..], &["--data", "folder:set", "--out", out], more].concat()
}

/// A picture of its own for each seed.
fn picture(seed: u32, side_px: u32) -> image::RgbImage {
    image::RgbImage::from_fn(side_px, side_px, |x, y| {
        let n = (x * 73 + y * 151 + seed * 977).wrapping_mul(2_654_435_761);
        image::Rgb([(n >> 8) as u8, (n >> 16) as u8, (n >> 24) as u8])
    })
}

/// Two classes of 25, which are dealt 34, 8 and 8.
fn small_set(folder: &Path) {
    for (class, from) in [("cat", 0), ("dog", 100)] {
        fs::create_dir_all(folder.join("set").join(class)).unwrap();
        for i in 0..25 {
            let path = folder.join(format!("set/{class}/{i}.png"));
            picture(from + i, 32).save(path).unwrap();
        }
    }
}

fn split(folder: &Path, run: &str) -> serde_json::Value {
    let text = fs::read_to_string(folder.join(run).join("split.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_changed_picture_is_named_when_a_run_would_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    small_set(here);
    succeed(&train("r", &["--max-steps", "1"]), here);
    let before = split(here, "r");
    let digests = |part: &str| before["digests"][part].as_array().unwrap().len();
    assert_eq!(["train", "val", "test"].map(digests), [34, 8, 8], "one for every picture");
    picture(4711, 32).save(here.join("set/cat/7.png")).unwrap();
    let said = run(&train("r", &["--max-steps", "2"]), here);
    assert_eq!(said.code, 2, "{}", said.stderr);
    let wants = ["the data's digest was", "cat/7.png has changed; the other 49 are the same"];
    for want in wants.into_iter().chain(["--allow-inexact-resume"]) {
        assert!(said.stderr.contains(want), "no {want:?} in\n{}", said.stderr);
    }
    assert_eq!(split(here, "r"), before, "nothing was touched");
    let said = succeed(&train("r", &["--max-steps", "2", "--allow-inexact-resume"]), here);
    assert!(said.stderr.contains("cat/7.png has changed"), "{}", said.stderr);
}

#[test]
fn a_picture_that_cannot_be_used_since_is_told_and_noted() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    small_set(here);
    succeed(&train("r", &["--max-steps", "1", "--bad-images", "skip"]), here);
    fs::write(here.join("set/cat/bad.png"), b"").unwrap();
    let line =
        "cat/bad.png is new, which cannot be used: of such pictures there were 0, now 1".to_owned();
    let said = succeed(&train("r", &["--max-steps", "2", "--bad-images", "skip"]), here);
    assert!(said.stderr.contains(&format!("warning: {line}")), "{}", said.stderr);
    let text = fs::read_to_string(here.join("r/environment.json")).unwrap();
    let environment: serde_json::Value = serde_json::from_str(&text).unwrap();
    let resumed = &environment["resumed"][0];
    assert_eq!(resumed["noted"], serde_json::json!([line]));
    assert_eq!(resumed["inexact"], serde_json::json!([]), "no result depends on it");
}

#[test]
fn what_is_not_taken_for_a_picture_is_told_on_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    small_set(here);
    let said = succeed(&train("r", &["--max-steps", "1"]), here);
    assert!(!said.stderr.contains("not taken"), "{}", said.stderr);
    fs::rename(here.join("set/cat/0.png"), here.join("set/cat/.0.png")).unwrap();
    fs::write(here.join("set/dog/notes.txt"), b"x").unwrap();
    let want = "not taken for pictures of the set: cat/: 1 hidden picture, .0.png; and 1 more";
    let said = succeed(&train("other", &["--max-steps", "1"]), here);
    assert!(said.stderr.contains(want), "{}", said.stderr);
    let said = succeed(&["data", "audit", "--data", "folder:set"], here);
    assert!(said.stdout.contains(want), "{}", said.stdout);
}

#[test]
fn one_picture_in_two_parts_is_told_and_refused_when_strict() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (p, part) in ["train", "val", "test"].into_iter().enumerate() {
        for (c, class) in ["cat", "dog"].into_iter().enumerate() {
            fs::create_dir_all(here.join("set").join(part).join(class)).unwrap();
            for i in 0..6 {
                let path = here.join(format!("set/{part}/{class}/{i}.png"));
                picture((p * 2 + c) as u32 * 10 + i, 32).save(path).unwrap();
            }
        }
    }
    fs::copy(here.join("set/train/cat/0.png"), here.join("set/val/cat/copy.png")).unwrap();
    let pair = "train/cat/0.png (train) = val/cat/copy.png (val)";
    let said = succeed(&train("r", &["--max-steps", "1"]), here);
    assert!(said.stderr.contains(pair), "{}", said.stderr);
    assert!(split(here, "r")["notes"][0].as_str().unwrap().contains(pair), "and recorded");
    let experiment = ["experiment", "smoke", "--data", "folder:set", "--strict"];
    let audit = ["data", "audit", "--data", "folder:set", "--strict"];
    for args in [&train("strict", &["--strict"])[..], &experiment, &audit] {
        let said = run(args, here);
        assert_eq!(said.code, 3, "{args:?}: {}", said.stderr);
        assert!(said.stderr.contains("of the split, want 0; remove one"), "{}", said.stderr);
    }
    assert!(!here.join("strict").exists() && !here.join("runs").exists(), "no run was begun");
    assert!(here.join("audit/audit.md").exists(), "the audit is written all the same");
    fs::remove_file(here.join("set/val/cat/copy.png")).unwrap();
    succeed(&train("clean", &["--strict", "--max-steps", "1"]), here);
}

/// The program without the right to read what nobody may read, which root has elsewhere. `None`
/// where it has that right and nothing takes it away.
fn without_rights(args: &[&str], folder: &Path, locked: &Path) -> Option<Command> {
    let program = catscan(args, folder);
    if fs::read(locked).is_err() {
        return Some(program);
    }
    let mut command = Command::new("setpriv");
    command.arg("--bounding-set=-dac_override,-dac_read_search").arg("true");
    if !command.status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: this user may read everything, and there is no setpriv");
        return None;
    }
    let mut command = Command::new("setpriv");
    command.arg("--bounding-set=-dac_override,-dac_read_search").arg(program.get_program());
    command.args(program.get_args()).current_dir(folder);
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Some(command)
}

#[test]
#[cfg(unix)]
fn pictures_that_may_not_be_read_are_counted_by_class_and_tried_again() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    small_set(here);
    let locked = here.join("set/dog/3.png");
    let allow = |mode| fs::set_permissions(&locked, fs::Permissions::from_mode(mode)).unwrap();
    allow(0);
    let args = train("r", &["--max-steps", "1", "--max-bad", "1%"]);
    let Some(mut command) = without_rights(&args, here, &locked) else { return };
    let said = Said::from(command.output().unwrap());
    assert_eq!(said.code, 3, "{}", said.stderr);
    let says =
        ["1 of 50 pictures cannot be used, more than the 1 % allowed", "cat 0 of 25, dog 1 of 25"];
    for want in says.into_iter().chain(["dog/3.png", "ermission denied"]) {
        assert!(said.stderr.contains(want), "no {want:?} in\n{}", said.stderr);
    }
    assert!(!here.join("r").exists());
    // The refusal is not remembered: what may be read now is read.
    allow(0o644);
    succeed(&args, here);
}

#[test]
fn a_loader_that_dies_ends_the_run_with_the_pictures_name() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    small_set(here);
    let trained = succeed(&train("whole", &[]), here);
    assert_eq!(trained.code, 0);
    let names = split(here, "whole")["train"].clone();
    let victim = names[20].as_str().unwrap();
    let began = Instant::now();
    let mut command = catscan(&train("r", &[]), here);
    let said = Said::from(
        command.env("CATSCAN_FAULT", format!("loader-panic:{victim}")).output().unwrap(),
    );
    assert_eq!(said.code, 3, "{}", said.stderr);
    let want = format!("loader: {victim} cannot be read");
    assert!(said.stderr.contains(&want), "no {want:?} in\n{}", said.stderr);
    assert!(began.elapsed() < Duration::from_secs(100), "nothing hangs");
    assert!(!here.join("r/test.json").exists(), "an epoch never ends short in silence");
    // And the same run goes on when the fault is gone.
    succeed(&train("r", &[]), here);
    assert!(here.join("r/test.json").exists());
}

#[test]
fn a_slow_loader_is_waited_for_and_changes_no_number() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    small_set(here);
    succeed(&train("quick", &[]), here);
    let mut command = catscan(&train("slow", &[]), here);
    let said = Said::from(command.env("CATSCAN_FAULT", "loader-slow:200").output().unwrap());
    assert_eq!(said.code, 0, "{}", said.stderr);
    let line = |run: &str| -> serde_json::Value {
        let text = fs::read_to_string(here.join(run).join("metrics.jsonl")).unwrap();
        serde_json::from_str(text.lines().next().unwrap()).unwrap()
    };
    let (quick, slow) = (line("quick"), line("slow"));
    for key in ["step", "train_loss", "val_loss", "val_accuracy"] {
        assert_eq!(quick[key], slow[key], "{key}");
    }
    let waited = slow["seconds_waiting_for_data"].as_f64().unwrap();
    let steps = slow["step"].as_f64().unwrap();
    assert!(waited > 0.1 * steps, "{waited} s in {steps} steps of 0.2 s each");
}

/// Takes a second or more to decode: large pictures, of which each file is another one.
fn slow_set(folder: &Path) {
    let mut whole = std::io::Cursor::new(Vec::new());
    picture(1, 1000).write_to(&mut whole, image::ImageFormat::Jpeg).unwrap();
    for class in ["cat", "dog"] {
        fs::create_dir_all(folder.join("set").join(class)).unwrap();
        for i in 0..60 {
            let mut bytes = whole.get_ref().clone();
            // What follows the end of a JPEG does no harm, and makes it another file.
            bytes.extend(format!("{class} {i}").bytes());
            fs::write(folder.join(format!("set/{class}/{i}.jpg")), bytes).unwrap();
        }
    }
}

/// Names in the cache's folder of pixels: complete caches, and what is half made.
fn caches(cache: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let entries = fs::read_dir(cache.join("pixels")).into_iter().flatten().flatten();
    let folders = entries.map(|entry| entry.path()).filter(|path| path.is_dir());
    folders.partition(|path| path.extension().is_none())
}

#[test]
fn a_killed_decoding_leaves_nothing_that_is_taken_for_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (here, cache) = (folder.path(), folder.path().join("cache"));
    slow_set(here);
    let args = train("r", &["--max-steps", "1"]);
    let command = || {
        let mut command = catscan(&args, here);
        command.env("CATSCAN_CACHE", &cache);
        command
    };
    let mut killed = 0;
    for wait_ms in [0, 60, 150, 300] {
        // The one before is not to be taken for this one's; the last is left to the run below.
        for half in caches(&cache).1 {
            fs::remove_dir_all(half).unwrap();
        }
        let mut child = command().stderr(std::process::Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while caches(&cache).1.is_empty() && child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_secs(120), "no decoding begins");
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(wait_ms));
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        let (complete, half) = caches(&cache);
        if !complete.is_empty() {
            break; // A machine fast enough to finish before.
        }
        assert_eq!(half.len(), 1, "{half:?}");
        assert!(!half[0].join("index.json").exists(), "the index is written last");
        killed += 1;
    }
    assert!(killed > 0, "the set is decoded before it can be killed; make it larger");
    let said = Said::from(command().output().unwrap());
    assert_eq!(said.code, 0, "{}", said.stderr);
    let (complete, half) = caches(&cache);
    assert_eq!((complete.len(), half.len()), (1, 0), "{complete:?} {half:?}");
}

#[test]
fn two_processes_at_once_decode_a_set_once() {
    let folder = tempfile::tempdir().unwrap();
    let (here, cache) = (folder.path(), folder.path().join("cache"));
    slow_set(here);
    let both = ["one", "two"].map(|out| {
        let mut command = catscan(&train(out, &["--max-steps", "1"]), here);
        command.env("CATSCAN_CACHE", &cache).stderr(std::process::Stdio::piped()).spawn().unwrap()
    });
    let said = both.map(|child| Said::from(child.wait_with_output().unwrap()));
    for said in &said {
        assert_eq!(said.code, 0, "{}", said.stderr);
    }
    assert_eq!(split(here, "one")["digest"], split(here, "two")["digest"]);
    let (complete, half) = caches(&cache);
    assert_eq!((complete.len(), half.len()), (1, 0), "{complete:?} {half:?}");
    let decoded = said.iter().filter(|said| said.stderr.contains("decoding")).count();
    assert_eq!(decoded, 1, "{}\n{}", said[0].stderr, said[1].stderr);
}
