//! `cargo xtask help`: what there is.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use super::{COMMANDS, PROGRAM};
use crate::failure::Failure;

/// Prints both tables.
pub fn run(_root: &Path, _words: &[String]) -> Result<(), Failure> {
    // A reader that stops early (`… help | head`) is no failure.
    let _ = std::io::stdout().write_all(text().as_bytes());
    Ok(())
}

fn text() -> String {
    let mut text =
        "cargo xtask COMMAND: sets this machine up, then runs or checks catscan\n\n".to_owned();
    for command in COMMANDS {
        let head = format!("{} {}", command.name, command.usage);
        let _ = writeln!(text, "  {head:<28}{}", command.about);
    }
    text += "\ncatscan's own commands, built and started for you (each takes --help):\n\n";
    for (name, about) in PROGRAM {
        let _ = writeln!(text, "  {name:<28}{about}");
    }
    text += "\nEnvironment: LIBTORCH (a libtorch 2.11 of your own), CATSCAN_CACHE (where fetched and\n\
             decoded things are kept), CATSCAN_TORCH_INDEX (a package index with smaller CPU builds).\n";
    text
}
