//! The documents tell the truth: they are there, they name every crate and no path that is gone.

use super::File;
use super::layers::Package;

/// What must lie at the top.
const NEEDED: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
];

/// History names what is gone; everything else speaks of today.
const HISTORY: &[&str] = &["CHANGELOG.md", "records/"];

/// Adds missing documents, unnamed crates and dead paths.
pub fn check(files: &[File], packages: &[Package], breaches: &mut Vec<String>) {
    for needed in NEEDED {
        if !files.iter().any(|file| file.path == *needed) {
            breaches.push(format!("{needed}:1: is missing; write it"));
        }
    }
    let markdown = files.iter().filter(|file| file.ends_with(".md"));
    for (file, text) in markdown.filter_map(|file| Some((file, file.text.as_deref()?))) {
        if file.path == "ARCHITECTURE.md" {
            crates(text, packages, breaches);
        }
        if HISTORY.iter().any(|history| file.path.starts_with(history)) {
            continue;
        }
        for (line, path) in paths(text, &file.path, files) {
            if !exists(&path, files) {
                breaches.push(format!(
                    "{}:{line}: names {path}, which is not there; mend the path or drop it",
                    file.path
                ));
            }
        }
    }
}

fn crates(text: &str, packages: &[Package], breaches: &mut Vec<String>) {
    for package in packages {
        if !text.contains(&format!("`{}`", package.folder)) {
            breaches.push(format!(
                "ARCHITECTURE.md:1: does not name `{}`; say in a line what it owns",
                package.folder
            ));
        }
    }
}

/// Paths a document names, with their lines: targets of relative links, and code spans that
/// begin with one of our top folders.
fn paths(text: &str, document: &str, files: &[File]) -> Vec<(usize, String)> {
    let folder = document.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut paths = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split(['#', ' ']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains(':') {
                paths.push((number + 1, resolve(folder, target)));
            }
        }
        for span in line.split('`').skip(1).step_by(2) {
            if is_ours(span, files) {
                paths.push((number + 1, span.to_owned()));
            }
        }
    }
    paths
}

/// A plain path (no `<name>`, no `*`) whose first folder is one of ours.
fn is_ours(span: &str, files: &[File]) -> bool {
    let plain = span.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let Some((top, _)) = span.split_once('/').filter(|_| plain) else {
        return false;
    };
    let within = |file: &File| file.path.split_once('/').is_some_and(|(first, _)| first == top);
    !top.is_empty() && files.iter().any(within)
}

fn exists(path: &str, files: &[File]) -> bool {
    let folder = format!("{}/", path.trim_end_matches('/'));
    path.is_empty() || files.iter().any(|f| f.path == path || f.path.starts_with(&folder))
}

/// `target`, seen from `folder`, as seen from the root.
fn resolve(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(document: (&str, &str)) -> Vec<File> {
        let empty = ["crates/data/src/lib.rs", "docs/bias.md", "docs/report.png"];
        let mut files: Vec<File> = empty
            .into_iter()
            .chain(NEEDED.iter().copied().filter(|needed| *needed != document.0))
            .map(|path| File { path: path.into(), size: 0, text: Some(String::new()) })
            .collect();
        let (path, text) = (document.0.to_owned(), Some(document.1.to_owned()));
        files.push(File { path, size: 0, text });
        files
    }

    fn breaches(path: &str, text: &str) -> Vec<String> {
        let mut breaches = Vec::new();
        check(&files((path, text)), &[], &mut breaches);
        breaches
    }

    #[test]
    fn paths_that_are_there_pass() {
        let text = "`crates/data`, `crates/data/src/lib.rs`, `crates/<name>/x`, `runs/a/b`\n\
                    ![the report](docs/report.png) [site](https://example.org/x) [up](#top)\n\
                    ```\ncrates/gone\n```\n";
        assert_eq!(breaches("README.md", text), Vec::<String>::new());
        assert_eq!(
            breaches("docs/more.md", "[b](bias.md) [r](../README.md)"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn paths_that_are_gone_are_named_with_their_line() {
        let found = breaches("README.md", "\n`crates/gone/src` and [x](docs/gone.md)\n");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("README.md:2: names docs/gone.md"), "{found:?}");
        assert!(breaches("CHANGELOG.md", "[x](docs/gone.md)").is_empty());
    }

    #[test]
    fn every_crate_is_in_the_architecture() {
        let mut found = Vec::new();
        let package = Package {
            name: "catscan-data".into(),
            folder: "crates/data".into(),
            uses: vec![],
            tests_with: vec![],
            linted: true,
            shown: true,
            test_binaries: vec![],
        };
        let packages = [package];
        check(&files(("ARCHITECTURE.md", "| `crates/data` | pictures |")), &packages, &mut found);
        assert_eq!(found, Vec::<String>::new());
        check(&files(("ARCHITECTURE.md", "nothing")), &packages, &mut found);
        assert!(found[0].contains("does not name `crates/data`"), "{found:?}");
    }
}
