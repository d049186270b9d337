//! `cargo xtask bundle [FOLDER]`: one folder that runs on a CUDA machine with nothing but Python's
//! torch 2.11.0 on it, and nothing to download.
//!
//! It holds the program (stripped), the CUDA plugin, the checks and benches with their scripts, and
//! the licences. libtorch is not in it: Python's torch brings the very same libraries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::catscan;
use crate::failure::Failure;
use crate::say::say;
use crate::{plugin, workspace};

/// What goes in besides program and plugin: from where, to where.
const FILES: &[(&str, &str)] = &[
    ("scripts/gpu/check.sh", "check.sh"),
    ("scripts/gpu/check.py", "scripts/gpu/check.py"),
    ("scripts/bench/train_cuda.py", "scripts/bench/train_cuda.py"),
    ("scripts/bench/peer_cuda.py", "scripts/bench/peer_cuda.py"),
    ("scripts/bench/networks.py", "scripts/bench/networks.py"),
    ("scripts/bench/cuda_goals.py", "scripts/bench/cuda_goals.py"),
    ("scripts/bench/side.py", "scripts/bench/side.py"),
    ("scripts/bench/whole_file.py", "scripts/bench/whole_file.py"),
    ("docs/cuda.md", "README.md"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
];

/// Builds, gathers, and says what to do with it.
pub fn run(root: &Path, words: &[String]) -> Result<(), Failure> {
    let folder = match words {
        [] => workspace::target_folder(root)?.join("bundle"),
        [folder] if !folder.starts_with('-') => PathBuf::from(folder),
        _ => return Err(Failure::usage("cargo xtask bundle: takes one folder or nothing")),
    };
    leave_others_alone(&folder)?;
    let program = catscan::built(root)?;
    let plugin = plugin::build(root, program.parent().expect("a program lies in a folder"))?;
    gather(root, &folder, &program, &plugin).map_err(|error| Failure::cache(&folder, &error))?;
    strip(&folder.join("catscan"))?;
    strip(&folder.join(plugin::FILE))?;
    say(format!("bundle: {}", folder.display()));
    say("copy it to the CUDA machine and run ./check.sh there; its answer is check.json");
    Ok(())
}

/// An old bundle is replaced; any other folder that holds something is not.
fn leave_others_alone(folder: &Path) -> Result<(), Failure> {
    let holds_something = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if holds_something && !folder.join("bundle.json").exists() {
        let what = "holds something that is no bundle; name another folder";
        return Err(Failure::usage(format!("{}: {what}", folder.display())));
    }
    Ok(())
}

fn gather(root: &Path, folder: &Path, program: &Path, plugin: &Path) -> std::io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    for (from, to) in FILES {
        let to = folder.join(to);
        fs::create_dir_all(to.parent().expect("below the folder"))?;
        fs::copy(root.join(from), to)?;
    }
    fs::copy(program, folder.join("catscan"))?;
    fs::copy(plugin, folder.join(plugin::FILE))?;
    let commit = catscan::commit(root).unwrap_or_else(|| "unknown".to_owned());
    let system = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let about = serde_json::json!({ "commit": commit, "system": system, "torch": "2.11.0" });
    fs::write(folder.join("bundle.json"), format!("{about:#}\n"))
}

/// Takes the symbols out; a system without `strip` keeps them.
fn strip(file: &Path) -> Result<(), Failure> {
    match Command::new("strip").arg("--strip-unneeded").arg(file).status() {
        Ok(status) if !status.success() => {
            Err(Failure::step(format!("strip: could not strip {}", file.display())))
        }
        Ok(_) => Ok(()),
        Err(_) => {
            say("no strip here: the bundle is larger than it must be");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_gathered_is_there() {
        for (from, _) in FILES {
            assert!(workspace::root().join(from).exists(), "{from}");
        }
    }

    #[test]
    fn a_folder_of_something_else_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        leave_others_alone(temp.path()).unwrap();
        leave_others_alone(&temp.path().join("new")).unwrap();
        fs::write(temp.path().join("thesis.tex"), "").unwrap();
        assert_eq!(leave_others_alone(temp.path()).unwrap_err().exit, 2);
        fs::write(temp.path().join("bundle.json"), "{}").unwrap();
        leave_others_alone(temp.path()).unwrap();
    }

    /// The checks of a bundle are Python; what they say where there is no card is tested in Python.
    #[test]
    #[cfg(target_os = "linux")]
    fn its_checks_say_what_they_did_not_see() {
        let tests = workspace::root().join("scripts/gpu/test_check.py");
        match Command::new("python3").arg(tests).output() {
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{said}");
            }
            Err(error) => println!("skipped: no python3 here ({error})"),
        }
    }
}
