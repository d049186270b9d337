//! `cargo xtask test`: a fresh machine sets itself up and passes its tests.

use std::path::Path;

use crate::failure::Failure;
use crate::libtorch::{self, Wanted};
use crate::say::{say, timed};
use crate::{stamp, workspace};

/// Sets up, then `cargo test --release --workspace` with `words` behind it.
pub fn run(root: &Path, words: &[String]) -> Result<(), Failure> {
    timed("setup", || libtorch::set_up(root, Wanted::default()))?;
    libtorch::compiler::check()?;
    let before = stamp::of_tree(root);
    say("building and running the tests (release)");
    let mut command = workspace::cargo(root);
    command.args(["test", "--release", "--workspace"]).args(words);
    timed("tests", || workspace::run(&mut command, "tests"))?;
    // Only a whole run counts, and only if nobody edited the tree meanwhile.
    if words.is_empty() && before == stamp::of_tree(root) {
        stamp::write(root, before.as_deref());
    }
    Ok(())
}
