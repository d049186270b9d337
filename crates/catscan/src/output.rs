//! All that the program prints. A reader may leave before the end (`catscan list | head -1`): that
//! is no failure, and must not end a training either. `println!` and `eprintln!` would panic.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use anyhow::{Context, Result};
use catscan_data::shown::{is_unseen, shown_lines};
use serde::Serialize;

/// Prints a command's result on standard output; line ends are the caller's. Names in it cannot
/// steer the terminal ([`shown_lines`]).
///
/// # Errors
/// Where it cannot be written, such as a file on a full disk; exit code 7. A closed pipe is fine.
pub fn print(text: impl Display) -> Result<()> {
    write(&mut io::stdout().lock(), &shown_lines(&text.to_string()))
        .context("standard output: cannot be written")
}

/// Prints a value for other programs.
///
/// # Errors
/// As [`print`].
pub fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).context("writing JSON")?;
    print(format_args!("{}\n", in_ascii_where_unseen(&text)))
}

/// JSON's own escapes for what [`shown_lines`] would write out: the same value to a program.
fn in_ascii_where_unseen(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match is_unseen(c) && c != '\n' {
            true => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                text.push_str(&format!("\\u{unit:04x}"));
            }),
            false => text.push(c),
        }
    }
    text
}

/// A line on standard error, for people. Where nobody can read it, the work goes on.
pub fn say(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{}", shown_lines(&line.to_string()));
}

fn write(to: &mut impl Write, text: &impl Display) -> io::Result<()> {
    match write!(to, "{text}").and_then(|()| to.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that refuses every byte for one reason.
    struct Refusing(ErrorKind);

    impl Write for Refusing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn json_keeps_its_values_and_steers_no_terminal() {
        let value = "\x1b[31m\u{9b}\u{202e}cat\u{e0041}";
        let text = in_ascii_where_unseen(&serde_json::to_string_pretty(&[value]).unwrap());
        assert!(text.is_ascii(), "{text}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&text).unwrap(), [value]);
    }

    #[test]
    fn a_reader_that_left_is_fine_and_a_full_disk_is_not() {
        assert!(write(&mut Refusing(ErrorKind::BrokenPipe), &"text").is_ok());
        let error =
            write(&mut Refusing(ErrorKind::StorageFull), &"text").context("standard output");
        let code = crate::refusal::exit_code(&error.unwrap_err());
        assert_eq!(code, crate::refusal::STORAGE);
    }
}
