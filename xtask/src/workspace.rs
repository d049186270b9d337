//! Where this repository is, and how its cargo and git are called.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use crate::failure::Failure;

/// The folder of the workspace's `Cargo.toml`.
///
/// Cargo names xtask's own folder when it runs it; the compiled-in one serves a binary that was
/// started by hand.
pub fn root() -> PathBuf {
    let own = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    own.parent().expect("xtask lies one folder below the root").to_path_buf()
}

/// `cargo`, the one that started us, in the workspace's root.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// Runs `command` to its end with our terminal; a failure names what was being done.
pub fn run(command: &mut Command, what: &str) -> Result<(), Failure> {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default();
    let program = program.to_string_lossy().into_owned();
    let status = command
        .status()
        .map_err(|error| Failure::step(format!("{what}: cannot start {program}: {error}")))?;
    if status.success() {
        return Ok(());
    }
    let exit = exit_code(status);
    let how = status.code().map_or_else(
        || format!("was stopped ({status})"),
        |code| format!("ended with exit status {code}"),
    );
    Err(Failure { exit, message: format!("{what}: {program} {how}; its words stand above") })
}

/// The status a shell would show: 128 + n for a child ended by signal n.
fn exit_code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(1);
    }
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// What `git` prints, trimmed; `None` without git, or outside a clone.
pub fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// `cargo metadata` of our own packages.
pub fn metadata(root: &Path) -> Result<serde_json::Value, Failure> {
    let mut command = cargo(root);
    command.args(["metadata", "--no-deps", "--format-version", "1"]);
    serde_json::from_str(&output(&mut command, "cargo metadata")?)
        .map_err(|error| Failure::step(format!("cargo metadata: unreadable answer: {error}")))
}

/// What `command` prints; a failure names what was being done and has the command's own words.
pub fn output(command: &mut Command, what: &str) -> Result<String, Failure> {
    let failed = |words: &str| Failure::step(format!("{what}: {}", words.trim()));
    let output = command.output().map_err(|error| failed(&error.to_string()))?;
    if !output.status.success() {
        return Err(failed(&String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The folder cargo builds into, wherever the user put it.
pub fn target_folder(root: &Path) -> Result<PathBuf, Failure> {
    let metadata = metadata(root)?;
    let folder = metadata["target_directory"].as_str().map(PathBuf::from);
    folder.ok_or_else(|| Failure::step("cargo metadata: names no target_directory"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_childs_status_is_passed_on() {
        let fails = run(Command::new("sh").args(["-c", "exit 3"]), "a step").unwrap_err();
        assert_eq!(fails.exit, 3);
        let stopped = run(Command::new("sh").args(["-c", "kill -TERM $$"]), "a step").unwrap_err();
        assert_eq!(stopped.exit, 143);
        let absent = run(&mut Command::new("no-such-program"), "a step").unwrap_err();
        assert!(absent.message.contains("cannot start no-such-program"), "{}", absent.message);
    }
}
