//! Names as people are shown them. Whoever packs a set chooses its names, and a terminal obeys
//! some characters of them: escape sequences colour, move or overwrite what stands there, and
//! characters that turn the direction of writing make `gnp.exe` of `exe.png`. Those are written
//! out, as Rust writes them (`\u{1b}`).

use std::borrow::Cow;
use std::path::Path;

/// A name on one line.
pub fn shown(name: &str) -> Cow<'_, str> {
    written_out(name, is_unseen)
}

/// Text whose line ends and tabs are meant.
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    written_out(text, |c| is_unseen(c) && c != '\n' && c != '\t')
}

/// [`shown`] of a path; what is not UTF-8 is shown as the standard library shows it.
pub fn shown_path(path: &Path) -> String {
    shown(&path.to_string_lossy()).into_owned()
}

/// Control characters (the second 32, which also begin sequences, included), and those that turn,
/// split or hide text and have no look of their own. What joins letters of a script stays.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

fn written_out(text: &str, which: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&which) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match which(c) {
            true => out.extend(c.escape_unicode()),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_written_out_and_the_rest_stays() {
        for (name, want) in [
            ("\x1b[31mcat", "\\u{1b}[31mcat"),
            ("\u{9b}31mcat", "\\u{9b}31mcat"),
            ("cat/\u{202e}gnp.exe.png", "cat/\\u{202e}gnp.exe.png"),
            ("a\u{2066}b\u{2069}", "a\\u{2066}b\\u{2069}"),
            ("a\nb\tc\rd", "a\\u{a}b\\u{9}c\\u{d}d"),
            ("zero\u{200b}width", "zero\\u{200b}width"),
        ] {
            assert_eq!(shown(name), want);
        }
        for name in ["Größe/café 1.jpg", "猫/😺.png", "שלום.png", "👩\u{200d}🔬.png", "a\\b|`.png"]
        {
            assert!(matches!(shown(name), Cow::Borrowed(same) if same == name), "{name}");
        }
        assert_eq!(shown_lines("a\n\tb\r\x1b[2J"), "a\n\tb\\u{d}\\u{1b}[2J");
        assert_eq!(shown_path(Path::new("x/\x07.png")), "x/\\u{7}.png");
    }
}
