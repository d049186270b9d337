//! `cargo xtask experiment …` and every other command of the program: set up, build, start it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::libtorch::{self, Wanted};
use crate::say::{say, timed};
use crate::workspace;

/// Starts `catscan` with `words`, in the user's own folder, so that relative paths mean what
/// they say.
pub fn run(root: &Path, words: &[String]) -> Result<(), Failure> {
    let mut command = Command::new(built(root)?);
    command.args(words);
    if let Some(commit) = commit(root) {
        command.env("CATSCAN_GIT_COMMIT", commit);
    }
    become_program(command)
}

/// Sets up and builds; gives the program.
pub fn built(root: &Path) -> Result<PathBuf, Failure> {
    timed("setup", || libtorch::set_up(root, Wanted::default()))?;
    let program = workspace::target_folder(root)?
        .join("release")
        .join(format!("catscan{}", std::env::consts::EXE_SUFFIX));
    build(root, &program)?;
    Ok(program)
}

fn build(root: &Path, program: &Path) -> Result<(), Failure> {
    if !program.exists() {
        libtorch::compiler::check()?;
        say("building catscan (release); the first time takes minutes, most of it torch-sys");
    }
    let mut command = workspace::cargo(root);
    // `--workspace` chooses the same features as `cargo test --workspace` does, so that neither
    // rebuilds what the other built.
    command.args(["build", "--release", "--workspace", "--bin", "catscan"]);
    timed("building catscan (release)", || workspace::run(&mut command, "building catscan"))
}

/// The commit that was built, with `+dirty` when files differ from it.
pub fn commit(root: &Path) -> Option<String> {
    let commit = workspace::git(root, &["rev-parse", "HEAD"])?;
    let changes = workspace::git(root, &["status", "--porcelain"])?;
    Some(if changes.is_empty() { commit } else { format!("{commit}+dirty") })
}

/// Replaces xtask by the program: signals and the exit status are the program's own.
#[cfg(unix)]
fn become_program(mut command: Command) -> Result<(), Failure> {
    let error = std::os::unix::process::CommandExt::exec(&mut command);
    let program = command.get_program().to_string_lossy().into_owned();
    Err(Failure::step(format!("{program}: cannot be started: {error}")))
}

/// Elsewhere: waits for the program and ends with its status.
#[cfg(not(unix))]
fn become_program(mut command: Command) -> Result<(), Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .map_err(|error| Failure::step(format!("{program}: cannot be started: {error}")))?;
    std::process::exit(status.code().unwrap_or(1))
}
