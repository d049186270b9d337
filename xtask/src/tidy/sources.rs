//! What each text file must look like by itself.

use super::File;

/// A file this long says why in its header.
const LONGEST: usize = 400;
/// rustfmt's width. It leaves strings and comments alone; strings may run over.
const WIDTH: usize = 100;

/// Words that must not stand in Rust, in two halves so that they do not stand here, and the fix.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("#[ign", "ore", "make it fast, or let it skip by an environment variable and say so"),
    ("rust,ign", "ore", "let the example run, or `no_run` it with a reason"),
    ("to", "do!(", "write it"),
    ("unimpl", "emented!(", "write it, or return an error"),
    ("db", "g!(", "remove it"),
    ("FIX", "ME", "mend it, or say as a sentence what is so and why"),
];

/// Folders that exist on one machine only, in two halves so that they do not stand here.
const MACHINE: &[(&str, &str)] = &[("/wo", "rk/"), ("/ro", "ot/"), ("/ho", "me/")];

/// Adds what is wrong with `file`.
pub fn check(file: &File, breaches: &mut Vec<String>) {
    let Some(text) = &file.text else { return };
    let mut breach = |line: usize, what: String| {
        breaches.push(format!("{}:{line}: {what}", file.path));
    };
    if file.ends_with(".rs") {
        rust(text, &mut breach);
    }
    for (number, line) in text.lines().enumerate() {
        if let Some(folder) =
            MACHINE.iter().map(|(a, b)| format!("{a}{b}")).find(|f| names(line, f))
        {
            breach(number + 1, format!("names {folder} of one machine; use a relative path"));
        }
    }
}

fn rust(text: &str, breach: &mut impl FnMut(usize, String)) {
    let header: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
    if header.is_empty() {
        breach(1, "does not begin with //!; say in a sentence what the file is".to_owned());
    }
    let lines = text.lines().count();
    if lines > LONGEST && !header.iter().any(|line| line.contains("400 lines")) {
        breach(
            lines,
            format!(
                "{lines} lines, at most {LONGEST}; split it, or say why in its header (\"over 400 \
             lines because …\")"
            ),
        );
    }
    for (number, line) in text.lines().enumerate() {
        let width = line.chars().count();
        if width > WIDTH && !line.contains('"') && !line.contains("http") {
            breach(number + 1, format!("{width} wide, at most {WIDTH}; break the line"));
        }
        for (a, b, fix) in FORBIDDEN {
            if line.contains(&format!("{a}{b}")) {
                breach(number + 1, format!("{a}{b} stands here; {fix}"));
            }
        }
    }
}

/// Whether `line` names a path that begins with `folder` (and not one that has it inside).
fn names(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-~}>*/".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches(path: &str, text: &str) -> Vec<String> {
        let file = File { path: path.into(), size: 0, text: Some(text.into()) };
        let mut breaches = Vec::new();
        check(&file, &mut breaches);
        breaches
    }

    #[test]
    fn a_tidy_file_passes() {
        assert!(breaches("a.rs", "//! A file.\n\nfn a() {}\n").is_empty());
        let wide_string = format!("//! A.\nconst A: &str = \"{}\";\n", "x".repeat(120));
        assert!(breaches("a.rs", &wide_string).is_empty());
    }

    #[test]
    fn each_rule_can_fail() {
        assert!(breaches("a.rs", "fn a() {}\n")[0].contains("does not begin with //!"));
        let long = format!("//! A.\n{}", "\n".repeat(400));
        assert!(breaches("a.rs", &long)[0].contains("401 lines, at most 400"));
        let excused = format!("//! Over 400 lines because of a table.\n{}", "\n".repeat(400));
        assert!(breaches("a.rs", &excused).is_empty());
        let wide = format!("//! A.\n// {}\n", "x".repeat(98));
        assert!(breaches("a.rs", &wide)[0].starts_with("a.rs:2: 101 wide"));
        for (a, b, _) in FORBIDDEN {
            assert_eq!(breaches("a.rs", &format!("//! A.\n{a}{b}\n")).len(), 1, "{a}{b}");
        }
    }

    #[test]
    fn machine_paths_are_found_and_addresses_are_not() {
        let home = format!("{}{}", MACHINE[2].0, MACHINE[2].1);
        assert_eq!(breaches("a.md", &format!("see {home}me/x")).len(), 1);
        assert_eq!(breaches("a.json", &format!("\"{home}me\"")).len(), 1);
        assert!(breaches("a.md", &format!("https://example.org{home}x")).is_empty());
    }
}
