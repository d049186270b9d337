//! The commands: one table, one file a command.

mod bench;
mod bundle;
mod catscan;
mod ci;
mod help;
mod setup;
mod test;
mod tidy;

use crate::failure::Failure;
use crate::nearest::nearest;
use crate::workspace;

/// What a command gets: the words after its name.
type Run = fn(&std::path::Path, &[String]) -> Result<(), Failure>;

/// One command of xtask's own.
pub struct Command {
    /// As typed.
    pub name: &'static str,
    /// What may follow.
    pub usage: &'static str,
    /// One line for the help.
    pub about: &'static str,
    run: Run,
}

/// xtask's own commands, in the order of the help.
pub static COMMANDS: &[Command] = &[
    Command {
        name: "setup",
        usage: "[--cuda] [--offline]",
        about: "find libtorch 2.11, or fetch it once, so that plain cargo works too",
        run: setup::run,
    },
    Command {
        name: "test",
        usage: "[ARGS of cargo test]",
        about: "set up, then run every test in release",
        run: test::run,
    },
    Command {
        name: "ci",
        usage: "",
        about: "format, tidy, clippy, docs, tests: all that CI checks, cheapest first",
        run: ci::run,
    },
    Command {
        name: "tidy",
        usage: "",
        about: "check what reviewers forget: headers, lengths, layers, documents",
        run: tidy::run,
    },
    Command {
        name: "bench",
        usage: "models | train | memory | data | waits | viz | serve | decoders [--help]",
        about: "speed and memory, ours and its peers' side by side on this machine",
        run: bench::run,
    },
    Command {
        name: "bundle",
        usage: "[FOLDER]",
        about: "gather what a CUDA machine with Python's torch needs: program, plugin, checks",
        run: bundle::run,
    },
    Command { name: "help", usage: "", about: "this list", run: help::run },
];

/// Subcommands of `catscan`: set up, build in release, run with the same words. Names and lines are
/// those of the program's own help (a test of the program says which differ).
pub static PROGRAM: &[(&str, &str)] = &[
    ("experiment", "answer a question: train all arms, compare them, write a report"),
    ("train", "train one network"),
    ("find-lr", "find the learning rate that a recipe can take"),
    ("evaluate", "score a trained network on pictures"),
    ("predict", "say what is on some pictures"),
    ("explain", "draw what a trained network looks at on some pictures"),
    ("serve", "show a page on this machine: drop a picture, move through layers, arms and methods"),
    ("report", "write an experiment's report again from its runs"),
    ("list", "show the tables: models, pools, sources, experiments, arms, cams, recipes"),
    ("summary", "show what a network is made of and what it costs"),
    ("data", "look into a set of pictures, or fetch a public one"),
    ("doctor", "tell what this machine offers, and what is missing"),
];

/// Runs the command that `words` begin with.
pub fn dispatch(words: &[String]) -> Result<(), Failure> {
    let root = workspace::root();
    let Some((name, rest)) = words.split_first() else {
        return help::run(&root, &[]);
    };
    let name = if ["-h", "--help"].contains(&name.as_str()) { "help" } else { name.as_str() };
    if let Some(command) = COMMANDS.iter().find(|command| command.name == name) {
        return (command.run)(&root, rest);
    }
    if PROGRAM.iter().any(|(known, _)| *known == name) {
        return catscan::run(&root, words);
    }
    Err(unknown(name))
}

fn unknown(name: &str) -> Failure {
    let names = COMMANDS.iter().map(|command| command.name);
    let near = nearest(name, names.chain(PROGRAM.iter().map(|(name, _)| *name)));
    let hint = near.map_or_else(String::new, |near| format!(", nearest is {near}"));
    Failure::usage(format!("{name}: no such command{hint}; see cargo xtask help"))
}

/// Refuses words that a command has no use for.
fn no_arguments(name: &str, words: &[String]) -> Result<(), Failure> {
    words.first().map_or(Ok(()), |word| {
        Err(Failure::usage(format!("cargo xtask {name}: takes no arguments, got {word}")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_suggests_the_nearest() {
        let failure = dispatch(&["experimnt".to_owned()]).unwrap_err();
        assert_eq!(failure.exit, 2);
        assert!(failure.message.contains("nearest is experiment"), "{}", failure.message);
        let failure = dispatch(&["zzzzzz".to_owned()]).unwrap_err();
        assert!(!failure.message.contains("nearest"), "{}", failure.message);
    }

    #[test]
    fn stray_words_are_refused() {
        let failure = dispatch(&["ci".to_owned(), "--fast".to_owned()]).unwrap_err();
        assert_eq!(failure.exit, 2);
    }
}
