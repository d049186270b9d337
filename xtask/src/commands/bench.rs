//! `cargo xtask bench models`, `… train`, `… memory`, `… data`, `… waits`: our program on this
//! machine, beside its peers where there are any.
//!
//! The work is done by the script of that name in `scripts/bench`; here the program is built.

use std::path::Path;
use std::process::Command;

use super::catscan;
use crate::failure::Failure;
use crate::libtorch;
use crate::workspace;

const WHAT: [&str; 6] = ["models", "train", "memory", "data", "waits", DECODERS];
/// A package of its own: its libraries are not the workspace's.
const DECODERS: &str = "decoders";

/// Builds, then hands the words after the first to the script.
pub fn run(root: &Path, words: &[String]) -> Result<(), Failure> {
    let (what, rest) = chosen(words)?;
    if what == DECODERS {
        return decoders(root, rest);
    }
    let program = catscan::built(root)?;
    let python = std::env::var("CATSCAN_PYTHON").unwrap_or_else(|_| {
        let usual = if cfg!(windows) { "python" } else { "python3" };
        usual.to_owned()
    });
    let mut command = Command::new(python);
    command.arg(root.join("scripts/bench").join(format!("{}.py", script(what, rest))));
    command.arg("--catscan").arg(program).arg("--cache").arg(libtorch::cache::root()?);
    workspace::run(command.args(rest), "the benchmark")
}

/// `--features turbo` is cargo's, what follows the program's.
fn decoders(root: &Path, words: &[String]) -> Result<(), Failure> {
    let (features, rest) = match words {
        [flag, name, rest @ ..] if flag == "--features" => ([flag, name].to_vec(), rest),
        rest => (Vec::new(), rest),
    };
    let mut command = workspace::cargo(root);
    // Where the user stands, so that a relative folder means what it says.
    command.current_dir(".").args(["run", "--release", "--manifest-path"]);
    command.arg(root.join("scripts/bench/decoders/Cargo.toml"));
    command.arg("--target-dir").arg(workspace::target_folder(root)?.join(DECODERS));
    command.args(features).arg("--").args(rest);
    workspace::run(&mut command, "the benchmark")
}

/// On a CUDA device a training is timed by a script of its own, since other arms compete there.
fn script<'a>(what: &'a str, rest: &[String]) -> &'a str {
    let named = rest.iter().position(|word| word == "--device").and_then(|at| rest.get(at + 1));
    let on_cuda = named.is_some_and(|device| device.starts_with("cuda"))
        || rest.iter().any(|word| word.starts_with("--device=cuda"));
    if what == "train" && on_cuda { "train_cuda" } else { what }
}

fn chosen(words: &[String]) -> Result<(&str, &[String]), Failure> {
    match words.split_first() {
        Some((what, rest)) if WHAT.contains(&what.as_str()) => Ok((what, rest)),
        other => {
            let got = other.map_or("nothing", |(what, _)| what.as_str());
            let want = WHAT.join(", ");
            Err(Failure::usage(format!("cargo xtask bench: got {got}, want {want}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_bench_is_named_and_the_rest_is_the_scripts() {
        let words = ["models", "--quick"].map(str::to_owned);
        assert_eq!(chosen(&words).unwrap(), ("models", &words[1..]));
        let failure = chosen(&["modles".to_owned()]).unwrap_err();
        assert_eq!(failure.exit, 2);
        let want = "got modles, want models, train, memory, data, waits, decoders";
        assert!(failure.message.contains(want), "{}", failure.message);
        assert!(chosen(&[]).unwrap_err().message.contains("got nothing"));
    }

    #[test]
    fn a_cuda_device_has_its_own_script() {
        let words =
            |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(script("train", &words(&["--device", "cuda:1"])), "train_cuda");
        assert_eq!(script("train", &words(&["--quick", "--device=cuda"])), "train_cuda");
        assert_eq!(script("train", &words(&["--device", "cpu"])), "train");
        assert_eq!(script("train", &[]), "train");
        assert_eq!(script("models", &words(&["--device", "cuda"])), "models");
    }
}
