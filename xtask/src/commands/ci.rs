//! `cargo xtask ci`: all that CI checks, cheapest first; each failure prints its fix.

use std::path::Path;
use std::process::Command;

use super::{no_arguments, test, tidy};
use crate::failure::Failure;
use crate::libtorch::{self, Wanted};
use crate::say::{say, timed};
use crate::{stamp, workspace};

/// Runs the steps in turn and stops at the first that fails.
pub fn run(root: &Path, words: &[String]) -> Result<(), Failure> {
    no_arguments("ci", words)?;
    step("format", "run `cargo fmt --all`", || {
        workspace::run(workspace::cargo(root).args(["fmt", "--all", "--check"]), "format")
    })?;
    step("tidy", "each line above says what to do", || tidy::run(root, &[]))?;
    // Before there is a libtorch, for these need none.
    let fix = "put what needs tch or the network behind its feature";
    step("catscan-data alone", fix, || {
        let check = ["check", "--lib", "--examples"];
        workspace::run(&mut data_alone(root, &check, ""), "catscan-data alone")?;
        names_no_libtorch(root)
    })?;
    step("the fuzz targets", "mend them: crates/data/fuzz", || {
        workspace::run(&mut fuzz_targets(root), "the fuzz targets")
    })?;
    timed("setup", || libtorch::set_up(root, Wanted::default()))?;
    libtorch::compiler::check()?;
    step("clippy", "mend the code, or `#[expect(lint, reason = \"…\")]`", || {
        workspace::run(&mut clippy(root), "clippy")
    })?;
    step("docs", "mend the doc comment or the link it names", || {
        workspace::run(&mut docs(root), "docs")
    })?;
    step("tests of catscan-data without tch", fix, || {
        workspace::run(&mut data_alone(root, &["test"], "fetch"), "catscan-data without tch")
    })?;
    if stamp::matches(root) {
        say("tests: passed for this very tree already, not run again (cargo xtask test does)");
    } else {
        step("tests", "run the one that failed alone: `cargo xtask test NAME`", || {
            test::run(root, &[])
        })?;
    }
    say("ci: all passed");
    Ok(())
}

fn step(what: &str, fix: &str, work: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    say(format!("{what} …"));
    timed(what, work).map_err(|failure| Failure {
        message: format!("{}\n  fix: {fix}", failure.message),
        ..failure
    })
}

/// The same profile as the build, so that torch-sys is compiled once for everything.
fn clippy(root: &Path) -> Command {
    let mut command = workspace::cargo(root);
    command.args(["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    command
}

/// The data engine as one who only lists, decodes and audits builds it.
fn data_alone(root: &Path, verb: &[&str], features: &str) -> Command {
    let mut command = workspace::cargo(root);
    command.args(verb).args(["--release", "-p", "catscan-data"]);
    command.args(["--no-default-features", "--features", features]);
    command
}

/// Whoever imports it so must not have to build libtorch's bindings.
fn names_no_libtorch(root: &Path) -> Result<(), Failure> {
    let mut tree = workspace::cargo(root);
    tree.args(["tree", "-p", "catscan-data", "-e", "normal,build", "--prefix", "none"]);
    tree.args(["--no-default-features", "--features", "fetch"]);
    let text = workspace::output(&mut tree, "cargo tree")?;
    if !text.starts_with("catscan-data ") {
        return Err(Failure::step(format!("cargo tree: unreadable answer: {text}")));
    }
    let bindings = |line: &&str| line.starts_with("torch-sys ") || line.starts_with("tch ");
    match text.lines().find(bindings) {
        Some(line) => Err(Failure::step(format!("catscan-data without tch depends on {line}"))),
        None => Ok(()),
    }
}

/// They are a workspace of their own, which nothing else compiles.
fn fuzz_targets(root: &Path) -> Command {
    let mut command = workspace::cargo(root);
    command.args(["check", "--release", "--manifest-path", "crates/data/fuzz/Cargo.toml"]);
    command
}

fn docs(root: &Path) -> Command {
    let mut command = workspace::cargo(root);
    command.args(["doc", "--release", "--workspace", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}
