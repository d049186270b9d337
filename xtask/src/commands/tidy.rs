//! `cargo xtask tidy`: prints every breach of the house rules.

use std::path::Path;

use super::no_arguments;
use crate::failure::Failure;
use crate::tidy;

/// Checks the tree and lists what is wrong, one line each.
pub fn run(root: &Path, words: &[String]) -> Result<(), Failure> {
    no_arguments("tidy", words)?;
    let breaches = tidy::check(root)?;
    for breach in &breaches {
        eprintln!("{breach}");
    }
    match breaches.len() {
        0 => Ok(()),
        count => Err(Failure::step(format!("tidy: {count} to mend, listed above"))),
    }
}

#[cfg(test)]
mod tests {
    use crate::{tidy, workspace};

    #[test]
    fn the_tree_is_tidy() {
        let root = workspace::root();
        if !root.join(".git").exists() {
            println!("skipped: not a clone, so there is no list of files");
            return;
        }
        let breaches = tidy::check(&root).unwrap();
        assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
    }
}
