//! `cargo xtask setup`: libtorch in place, and plain `cargo build` knows it.

use std::path::Path;

use crate::failure::Failure;
use crate::libtorch::{self, Wanted};
use crate::say::{say, timed};
use crate::{plugin, workspace};

/// Finds or fetches libtorch, then says what may follow.
pub fn run(root: &Path, words: &[String]) -> Result<(), Failure> {
    let wanted = parse(words)?;
    timed("setup", || libtorch::set_up(root, wanted))?;
    if wanted.cuda && !wanted.offline {
        // Beside the program, which looks for it there.
        plugin::build(root, &workspace::target_folder(root)?.join("release"))?;
    }
    say("plain cargo build, cargo test and rust-analyzer now find it too");
    Ok(())
}

fn parse(words: &[String]) -> Result<Wanted, Failure> {
    let mut wanted = Wanted::default();
    for word in words {
        match word.as_str() {
            "--cuda" => wanted.cuda = true,
            "--offline" => wanted.offline = true,
            _ => {
                return Err(Failure::usage(format!(
                    "cargo xtask setup: unknown argument {word}; takes --cuda and --offline"
                )));
            }
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_and_others_refused() {
        let wanted = parse(&["--cuda".to_owned()]).unwrap();
        assert!(wanted.cuda && !wanted.offline);
        assert_eq!(parse(&["--gpu".to_owned()]).unwrap_err().exit, 2);
    }
}
