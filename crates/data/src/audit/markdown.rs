//! The audit for people, as Markdown: findings first, tables after.

use std::fmt::Write;

use super::{Audit, Placed};
use crate::config::SplitRule;
use crate::shown::shown;

/// Lines of a list that are shown; the JSON has all.
const SHOWN: usize = 50;

impl Audit {
    /// A report that names `sheet`, the contact sheet's file.
    pub fn markdown(&self, sheet: &str) -> String {
        let mut text = format!("# What is in {}\n\n", cell(&self.source));
        self.findings(&mut text);
        self.counts(&mut text);
        self.values(&mut text);
        self.doubles(&mut text);
        self.lists(&mut text);
        if !self.oddest.is_empty() {
            text += "## The oddest\n\nEach lies far from the set's median in one respect; odd is not \
                     wrong.\n\n";
            let _ = writeln!(text, "![The oddest pictures, in this order]({sheet})\n");
            text += "| picture | part | what | score |\n|---|---|---|---|\n";
            for odd in &self.oddest {
                let (name, part) = (cell(&odd.picture.name), odd.picture.part.name());
                let _ = writeln!(text, "| {name} | {part} | {} | {:.1} |", odd.what, odd.score);
            }
        }
        text
    }

    fn findings(&self, text: &mut String) {
        if self.drawings {
            text.push_str("- These are **drawings**, made by the program itself.\n");
        }
        for note in &self.notes {
            let _ = writeln!(text, "- {}", cell(note));
        }
        let (leaks, wrong) = (self.leaks(), self.contradictions());
        let _ = writeln!(
            text,
            "- {} pictures can be read, **{} cannot**.",
            self.readable,
            self.unreadable.len()
        );
        let near = self.near.len() + self.near_not_listed;
        let _ = writeln!(
            text,
            "- {} groups of equal files, {near} pairs that look the same.",
            self.exact.len()
        );
        let verdict = if leaks == 0 { "none" } else { "what is trained on is tested on" };
        let _ = writeln!(
            text,
            "- **Leakage**: {leaks} of these lie in different parts of the split ({verdict})."
        );
        let _ = writeln!(text, "- **Contradictions**: {wrong} of these have different labels.\n");
    }

    fn counts(&self, text: &mut String) {
        *text +=
            "## Pictures\n\n| class | train | val | test | unreadable |\n|---|---|---|---|---|\n";
        for count in &self.counts {
            let (class, bad) = (cell(&count.class), count.unreadable);
            let _ = writeln!(
                text,
                "| {class} | {} | {} | {} | {bad} |",
                count.train, count.val, count.test
            );
        }
        let SplitRule { ratio: [train, val, test], seed } = self.split;
        let _ = writeln!(
            text,
            "\nParts that the source does not bring were dealt {train}:{val}:{test} (train, val, \
             test) with seed {seed}."
        );
        *text += "\n| | least | median | most |\n|---|---|---|---|\n";
        let ranges = [
            ("width, px", self.width_px),
            ("height, px", self.height_px),
            ("file, bytes", self.file_bytes),
        ];
        for (name, range) in ranges {
            let _ =
                writeln!(text, "| {name} | {} | {} | {} |", range.least, range.median, range.most);
        }
        let formats: Vec<String> =
            self.formats.iter().map(|(name, count)| format!("{count} {name}")).collect();
        let _ = writeln!(text, "\nFormats, by content: {}.\n", formats.join(", "));
    }

    fn values(&self, text: &mut String) {
        let three = |values: [f64; 3]| values.map(|v| format!("{v:.4}")).join(", ");
        let (mean, std) = (three(self.normalize.mean), three(self.normalize.std));
        let _ = writeln!(
            text,
            "Of the training part, red, green, blue: mean {mean}; deviation {std}.\n"
        );
    }

    fn doubles(&self, text: &mut String) {
        let tell = |picture: &Placed| {
            format!("{} ({}, {})", cell(&picture.name), cell(&picture.class), picture.part.name())
        };
        if !self.exact.is_empty() {
            *text += "## Equal files\n\n";
            for group in self.exact.iter().take(SHOWN) {
                let all: Vec<String> = group.pictures.iter().take(SHOWN).map(tell).collect();
                let _ = write!(text, "- {}", all.join(" = "));
                match group.pictures.len() - all.len() {
                    0 => text.push('\n'),
                    more => drop(writeln!(text, " and {more} more")),
                }
            }
            more(text, self.exact.len());
        }
        if !self.near.is_empty() {
            *text += "## Pairs that look the same\n\n| one | other | difference |\n|---|---|---|\n";
            for pair in self.near.iter().take(SHOWN) {
                let [one, other] = pair.pictures.each_ref().map(tell);
                let _ = writeln!(text, "| {one} | {other} | {:.2} |", pair.difference);
            }
            more(text, self.near.len() + self.near_not_listed);
        }
    }

    fn lists(&self, text: &mut String) {
        let lists =
            [("Cannot be read", &self.unreadable), ("Not taken for pictures", &self.ignored)];
        for (title, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            let _ = writeln!(text, "## {title}\n");
            for file in list.iter().take(SHOWN) {
                let _ = writeln!(text, "- {}: {}", cell(&file.name), cell(&file.reason));
            }
            more(text, list.len());
        }
    }
}

fn more(text: &mut String, all: usize) {
    if all > SHOWN {
        let _ = writeln!(text, "\nand {} more, in the JSON", all - SHOWN);
    }
    text.push('\n');
}

/// A name as code that ends neither its span, its cell nor its line, and is no HTML.
pub(super) fn cell(text: &str) -> String {
    let safe = |c: char| match c {
        '`' => '\'',
        '|' => '¦',
        c => c,
    };
    format!("`{}`", shown(text).chars().map(safe).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_span() {
        assert_eq!(cell("a|b`<img src=x>\n.jpg"), "`a¦b'<img src=x>\\u{a}.jpg`");
        assert_eq!(cell("cat/\u{202e}gnp.exe.png"), "`cat/\\u{202e}gnp.exe.png`");
    }
}
