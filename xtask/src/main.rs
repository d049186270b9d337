//! `cargo xtask`: everything that is done to this repository from a command line.
//!
//! It sets the machine up (libtorch), then builds and starts `catscan`, runs the tests and the
//! checks. It knows no tensor and none of our crates, so that it compiles in seconds.
//!
//! Reading order: [`commands`] (the table and one file a command), [`libtorch`] (found, else
//! fetched), [`tidy`] (what reviewers forget), then the small helpers.

mod commands;
mod failure;
mod libtorch;
mod nearest;
mod plugin;
mod say;
mod stamp;
mod tidy;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match commands::dispatch(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}", failure.message);
            ExitCode::from(failure.exit)
        }
    }
}
