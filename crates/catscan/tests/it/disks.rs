//! The real program on disks that are full, too small or read-only, mounted for the test alone, and
//! in folders that are not its own (cases 5 to 7 of the list of faults).

use std::path::Path;
use std::process::Command;

use super::support::{Said, catscan, run, start, steps, succeed};

/// A training that never ends by itself.
const LONG: [&str; 8] =
    ["train", "--experiment", "smoke", "--arm", "avg", "--threads", "1", "--epochs"];

fn train<'a>(epochs: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&LONG, &[epochs, "--out", out][..], more].concat()
}

/// Runs `script` with a disk at `small` that nobody else sees; the program and `args` are its `$0`
/// and `$@`. None, with the reason printed, where this user may not mount.
#[cfg(target_os = "linux")]
fn with_disk(options: &str, script: &str, args: &[&str], folder: &Path) -> Option<Said> {
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", script]);
        command
    };
    let may = unshare("mount -t tmpfs none /mnt").output();
    if !may.is_ok_and(|output| output.status.success()) {
        println!("skipped: this user may not mount a disk");
        return None;
    }
    // Draws the pictures first, in a folder that is no part of the test.
    succeed(&train("1", "elsewhere", &["--max-steps", "1"]), folder);
    std::fs::create_dir_all(folder.join("small")).unwrap();
    let program = catscan(args, folder);
    let mut command =
        unshare(&format!("mount -t tmpfs -o {options} none small || exit 99\n{script}"));
    command.arg(program.get_program()).args(args).current_dir(folder);
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Some(command.output().unwrap().into())
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_fills_up_while_it_trains_loses_nothing_that_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    // Filled again and again, since each old checkpoint that goes makes room for a new one.
    let script = r#"
        ("$0" "$@" --max-steps 9999; echo $? > code) &
        until ls small/r/checkpoints/step-* > /dev/null 2>&1 || [ -s code ]; do sleep 0.02; done
        until [ -s code ]; do cat /dev/zero >> small/fill 2> /dev/null; sleep 0.01; done
        echo "code $(cat code), left: $(ls -A small/r/checkpoints | tr '\n' ' ')"
        rm small/fill
        newest=$(ls small/r/checkpoints | sed -n 's/^step-//p' | sort -n | tail -1)
        echo "newest $newest" >&2
        "$0" "$@" --max-steps $((newest + 2))"#;
    let args = train("2000", "small/r", &["--save-every-steps", "1"]);
    let Some(said) = with_disk("size=8m", script, &args, folder.path()) else { return };
    assert_eq!(said.code, 0, "{}\n{}", said.stdout, said.stderr);
    let (first, second) = said.stderr.split_once("newest ").unwrap();
    assert!(said.stdout.starts_with("code 7, left: "), "{}\n{first}", said.stdout);
    assert!(!said.stdout.lines().next().unwrap().contains(".tmp"), "{}", said.stdout);
    for words in ["No space left", "bytes needed", "bytes free", "goes on from the last checkpoint"]
    {
        assert!(first.contains(words), "no {words:?} in {first}");
    }
    let newest = second.lines().next().unwrap();
    assert!(second.contains(&format!("goes on from step {newest}")), "{second}");
    assert!(!second.contains("set aside"), "{second}");
}

#[test]
#[cfg(target_os = "linux")]
fn too_little_room_is_told_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let in_small = |more: &[&str]| {
        with_disk("size=512k", "exec \"$0\" \"$@\"", &train("3", "small/r", more), here)
    };
    let Some(said) = in_small(&["--max-steps", "1"]) else { return };
    assert_eq!(said.code, 7, "{}", said.stderr);
    assert!(said.stderr.contains("bytes needed"), "{}", said.stderr);
    assert!(!said.stderr.contains("steps in"), "it began: {}", said.stderr);
    let warn = ["--max-steps", "1", "--on-save-error", "warn", "--keep", "1"];
    let said = in_small(&warn).unwrap();
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("warning: small/r: "), "{}", said.stderr);
}

/// Of the four, each of which would find room alone, one is there already when the others ask.
#[test]
#[cfg(target_os = "linux")]
fn a_study_asks_once_for_the_room_of_all_its_cells() {
    let folder = tempfile::tempdir().unwrap();
    let study = ["experiment", "smoke", "--runs", "small/runs", "--no-report"];
    let study = |more: &[&'static str]| [&study[..], more].concat();
    let script = r#""$0" "$@" --arms avg && exec "$0" "$@" --arms avg,max --seeds 2"#;
    let in_disk =
        |size: &str| with_disk(size, script, &study(&["--max-steps", "2"]), folder.path());
    let Some(said) = in_disk("size=5m") else { return };
    assert_eq!(said.code, 7, "{}", said.stderr);
    for words in ["3 cells are still to be trained: small/runs/smoke: ", "bytes needed, "] {
        assert!(said.stderr.contains(words), "no {words:?} in {}", said.stderr);
    }
    assert_eq!(said.stderr.matches("steps in").count(), 1, "one began: {}", said.stderr);
    let said = in_disk("size=16m").unwrap();
    assert_eq!(said.code, 0, "{}", said.stderr);
}

#[test]
#[cfg(target_os = "linux")]
fn a_run_can_go_on_on_the_disk_that_it_could_begin_on() {
    let folder = tempfile::tempdir().unwrap();
    // Room for what is asked at the start, which is 2,438,960 bytes, and hardly more.
    let script = r#""$0" "$@" --max-steps 10 && exec "$0" "$@" --max-steps 12"#;
    let Some(said) = with_disk("size=2400k", script, &train("3", "small/r", &[]), folder.path())
    else {
        return;
    };
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(said.stderr.contains("goes on from step 10"), "{}", said.stderr);
}

#[test]
#[cfg(target_os = "linux")]
fn a_read_only_disk_is_refused_before_it_trains() {
    let folder = tempfile::tempdir().unwrap();
    let args = train("3", "small/r", &[]);
    for (made, words) in
        [("small", "small/r: cannot be made"), ("small/r", "small/r: cannot be written")]
    {
        let script = format!("mkdir -p {made} && mount -o remount,ro small && exec \"$0\" \"$@\"");
        let Some(said) = with_disk("size=64m", &script, &args, folder.path()) else { return };
        assert_eq!(said.code, 2, "{}", said.stderr);
        for words in [words, "Read-only", "name a folder that can be written"] {
            assert!(said.stderr.contains(words), "no {words:?} in {}", said.stderr);
        }
        assert!(!said.stderr.contains("steps in"), "it began: {}", said.stderr);
    }
}

#[test]
#[cfg(unix)]
fn a_folder_is_its_process_and_is_free_again_when_that_is_dead() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let mut holder = start(&train("2000", "r", &["--save-every-steps", "1"]), here);
    holder.wait_for("epoch 1:");
    let said = run(&train("2000", "r", &[]), here);
    assert_eq!(said.code, 2, "{}", said.stderr);
    let held = format!("r: held by process {}; wait for it", holder.child.id());
    assert!(said.stderr.contains(&held), "{}", said.stderr);

    holder.child.kill().unwrap();
    assert_eq!(holder.finish().0, -1, "it was to be killed, not to end");
    assert!(
        std::fs::metadata(here.join("r/run.lock")).unwrap().len() > 0,
        "its pid is still there"
    );
    let newest = steps(&here.join("r/checkpoints")).last().unwrap().0;
    let said = succeed(&train("2000", "r", &["--max-steps", &(newest + 1).to_string()]), here);
    assert!(said.stderr.contains(&format!("goes on from step {newest}")), "{}", said.stderr);
}
