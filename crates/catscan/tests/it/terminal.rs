//! What a person at a terminal sees, by a real pseudo-terminal.

use std::process::Command;

use super::support::catscan;

/// What a training says on a terminal of this kind; None where no `script` makes one.
fn on_terminal(term: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let args = ["train", "--experiment", "smoke", "--arm", "avg", "--epochs", "2", "--out", "run"];
    let train = catscan(&args, folder.path());
    let words = std::iter::once(train.get_program()).chain(train.get_args());
    let line: Vec<_> = words.map(|word| word.to_str().unwrap()).collect();
    let mut script = Command::new("script");
    script.args(["-qec", &line.join(" "), "/dev/null"]).current_dir(folder.path());
    script.envs(train.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let Ok(output) = script.env("TERM", term).env_remove("NO_COLOR").output() else {
        println!("skipped: no `script` here makes a terminal");
        return None;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    Some(text)
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_that_draws_no_bars_gets_the_lines_of_a_log() {
    let Some(text) = on_terminal("dumb") else { return };
    for words in ["epoch 1: loss ", "epoch 2: loss ", "test accuracy ", "finished"] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_terminal_gets_bars_and_what_stays() {
    let Some(text) = on_terminal("xterm-256color") else { return };
    assert!(text.contains('\u{1b}') && text.contains("epoch 2/2"), "{text:?}");
    assert!(text.contains("test accuracy ") && !text.contains("epoch 2: loss "), "{text:?}");
}
