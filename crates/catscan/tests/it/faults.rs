//! The real program on full disks, damaged checkpoints, changed recipes and bad numbers.

use std::fs;
use std::path::Path;
use std::process::Command;

use catscan::recipes::with_model;
use catscan_train::{Recipe, Schedule};

use super::support::{Said, catscan, run, succeed};

/// `catscan train` of the smoke recipe into `r`, and what comes behind.
fn train<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let usual = ["train", "--experiment", "smoke", "--arm", "avg", "--epochs", "3"];
    [&usual[..], &["--threads", "1", "--out", "r"], more].concat()
}

/// The smoke recipe with a change, as a file.
fn write_recipe(folder: &Path, name: &str, change: impl FnOnce(&mut Recipe)) {
    let mut recipe = catscan::recipes::smoke();
    change(&mut recipe);
    fs::write(folder.join(name), recipe.to_json_pretty()).unwrap();
}

fn with_recipe<'a>(name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "--recipe", name, "--threads", "1", "--out", "r"], more].concat()
}

fn environment(folder: &Path) -> String {
    fs::read_to_string(folder.join("r/environment.json")).unwrap()
}

/// Through a shell with this limit of its `ulimit`.
fn with_limit(limit: &str, args: &[&str], folder: &Path) -> Said {
    let program = catscan(args, folder);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit {limit}; exec \"$0\" \"$@\"")]);
    command.arg(program.get_program()).args(program.get_args()).current_dir(folder);
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("RUST_BACKTRACE", "1").output().unwrap().into()
}

/// Which may not write files above 32 KiB (or 64, where a block is 1024 bytes): weights are larger
/// and everything else is smaller.
fn with_small_files(args: &[&str], folder: &Path) -> Said {
    with_limit("-f 64", args, folder)
}

/// With a backtrace asked for, which took memory that was not there, and waited for ever.
#[test]
#[cfg(target_os = "linux")]
fn memory_that_is_not_there_is_told_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let recipe = catscan::recipes::with_model(catscan::recipes::smoke(), "resnet18");
    let mut large = Recipe { batch: 500, ..recipe };
    large.data.source = "critters:900".into();
    large.data.size_px = 128;
    fs::write(here.join("large.json"), large.to_json_pretty()).unwrap();
    // The first convolution's maps are 524 MB, or half of it.
    let said = with_limit("-v 1500000", &with_recipe("large.json", &[]), here);
    assert_eq!(said.code, 8, "{}", said.stderr);
    assert!(said.stderr.contains("error: out of memory: "), "{}", said.stderr);
    assert!(said.stderr.contains("micro_batch"), "{}", said.stderr);
    assert!(!said.stderr.contains("panicked"), "{}", said.stderr);
}

#[test]
#[cfg(unix)]
fn a_full_disk_ends_the_run_with_7_at_once_or_after_its_last_step() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    succeed(&train(&["--max-steps", "2"]), here);
    let said = with_small_files(&train(&["--max-steps", "4"]), here);
    assert_eq!(said.code, 7, "{}", said.stderr);
    for words in ["bytes needed", "bytes free", "goes on from the last checkpoint"] {
        assert!(said.stderr.contains(words), "{}", said.stderr);
    }
    let names = || fs::read_dir(here.join("r/checkpoints")).unwrap().flatten();
    assert!(names().all(|entry| entry.file_name() == "step-2"), "only the old one is there");

    let warn = train(&["--max-steps", "4", "--on-save-error", "warn"]);
    let said = with_small_files(&warn, here);
    assert_eq!(said.code, 7, "a result without weights is none: {}", said.stderr);
    assert!(said.stderr.contains("goes on from step 2"), "{}", said.stderr);
    assert!(said.stderr.contains("goes on without it"), "{}", said.stderr);
    assert!(!here.join("r/test.json").exists());
    let lines = fs::read_to_string(here.join("r/metrics.jsonl")).unwrap();
    assert!(lines.contains("\"step\":4"), "it went on to the last step: {lines}");
    assert!(names().all(|entry| entry.file_name() == "step-2"));
}

#[test]
fn a_damaged_checkpoint_is_passed_over_unless_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let six = train(&["--max-steps", "6", "--save-every-steps", "1", "--keep", "3"]);
    succeed(&six, here);
    let weights = here.join("r/checkpoints/step-6/weights.safetensors");
    let bytes = fs::read(&weights).unwrap();
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    let cut = bytes[..bytes.len() - 10].to_vec();
    for (damaged, words) in [(flipped, "hashes to"), (cut, "has")] {
        fs::write(&weights, damaged).unwrap();
        let said = run(&train(&["--max-steps", "7", "--resume", "r/checkpoints/step-6"]), here);
        assert_eq!(said.code, 4, "{}", said.stderr);
        let words = format!("step-6: weights.safetensors {words}");
        assert!(said.stderr.contains(&words), "no {words:?} in {}", said.stderr);
    }
    let said = succeed(&train(&["--max-steps", "7", "--keep", "3"]), here);
    assert!(said.stderr.contains("warning: r/checkpoints/step-6"), "{}", said.stderr);
    assert!(said.stderr.contains("goes on from step 5"), "{}", said.stderr);
    let said = succeed(&train(&["--max-steps", "8", "--resume", "r/checkpoints/step-4"]), here);
    assert!(said.stderr.contains("goes on from step 4"), "{}", said.stderr);
    assert!(here.join("r/checkpoints/left-step-7").is_dir());
}

#[test]
fn a_changed_recipe_is_named_and_goes_on_only_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_recipe(here, "a.json", |_| {});
    write_recipe(here, "b.json", |recipe| recipe.batch /= 2);
    succeed(&with_recipe("a.json", &["--max-steps", "2"]), here);
    let said = run(&with_recipe("b.json", &["--max-steps", "5"]), here);
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("batch was "), "{}", said.stderr);
    let allowed = ["--max-steps", "5", "--allow-inexact-resume"];
    let said = succeed(&with_recipe("b.json", &allowed), here);
    assert!(said.stderr.contains("warning: batch was "), "{}", said.stderr);
    assert!(environment(here).contains("batch was "));
}

#[test]
fn numbers_that_go_bad_are_traced_to_a_layer_and_the_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_recipe(here, "wild.json", |recipe| {
        recipe.optimizer = recipe.optimizer.clone().with_lr(1e24);
        recipe.schedule = Schedule::Constant;
    });
    let said = run(&with_recipe("wild.json", &["--save-every-steps", "1"]), here);
    assert_eq!(said.code, 5, "{}", said.stderr);
    for words in ["step 2: the l", " was the first to ", "the batch was ", "left as they were"] {
        assert!(said.stderr.contains(words), "no {words:?} in {}", said.stderr);
    }
    let newest = here.join("r/checkpoints/step-1");
    catscan_train::checkpoint::verify(&newest).unwrap();
}

/// Forward is harmless: what a norm makes huge, the convolution behind it makes small again. In
/// backward the sums over a huge input do not fit 32 bits.
#[test]
fn a_gradient_that_is_not_finite_stops_a_run_though_its_loss_is() {
    // The second's convolutions are our own kernels', which look for it while they write.
    for name in ["densenet-mini", "densenet121"] {
        bad_gradient(name);
    }
}

fn bad_gradient(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_recipe(here, "a.json", |recipe| *recipe = with_model(recipe.clone(), name));
    let config = with_model(catscan::recipes::smoke(), name).model;
    let model = catscan_models::Model::build(&config, 1, tch::Device::Cpu).unwrap();
    for (end, factor) in
        [(".norm1.weight", 1e36), (".conv1.weight", 1e-36), ("classifier.weight", 1e6)]
    {
        let weight = model.weights().iter().find(|weight| weight.name.ends_with(end)).unwrap();
        let mut tensor = weight.tensor.shallow_clone();
        let _ = tch::no_grad(|| tensor.g_mul_scalar_(factor));
    }
    model.weights().save(&here.join("huge.safetensors")).unwrap();
    let more = ["--weights", "huge.safetensors", "--save-every-steps", "1"];
    let said = run(&with_recipe("a.json", &more), here);
    assert_eq!(said.code, 5, "{}", said.stderr);
    for words in ["step 1: the largest gradient is ", "the gradient of features.", "the batch was "]
    {
        assert!(said.stderr.contains(words), "no {words:?} in {}", said.stderr);
    }
    assert!(!here.join("r/checkpoints").exists(), "nothing was saved");
}
