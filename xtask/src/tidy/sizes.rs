//! Nothing big, nothing unexplained: file sizes, golden scripts, the lock file's sources.

use super::File;

/// Bigger files are listed below with a reason.
const BIGGEST: u64 = 64 * 1024;

/// Tracked files over 64 KiB: a path (or a folder, ending in `/`) and why it may be.
static BIG: &[(&str, &str)] = &[
    ("Cargo.lock", "written by cargo"),
    (
        "docs/sample-report.html",
        "a whole report, made from photographs, for readers without a machine",
    ),
    ("records/", "raw results: a line a test picture, from which every statistic can be had again"),
];

/// Adds what is wrong with the tree as a whole.
pub fn check(files: &[File], breaches: &mut Vec<String>) {
    big(files, BIG, breaches);
    goldens(files, breaches);
    for file in files.iter().filter(|file| file.path == "Cargo.lock") {
        lock(file.text.as_deref().unwrap_or_default(), breaches);
    }
}

fn big(files: &[File], allowed: &[(&str, &str)], breaches: &mut Vec<String>) {
    let covers = |listed: &str, path: &str| {
        listed == path || (listed.ends_with('/') && path.starts_with(listed))
    };
    for file in files.iter().filter(|file| file.size > BIGGEST) {
        if !allowed.iter().any(|(listed, _)| covers(listed, &file.path)) {
            breaches.push(format!(
                "{}:1: {} KiB, at most {}; make it smaller, or list it with a reason in \
                 xtask/src/tidy/sizes.rs",
                file.path,
                file.size / 1024,
                BIGGEST / 1024
            ));
        }
    }
    for (listed, _) in allowed {
        if !files.iter().any(|file| covers(listed, &file.path)) {
            breaches.push(format!("xtask/src/tidy/sizes.rs:1: lists {listed}, which is gone"));
        }
    }
}

/// Each golden is named by a script in `scripts/golden/`, or begins with such a script's name.
fn goldens(files: &[File], breaches: &mut Vec<String>) {
    let scripts: Vec<&File> =
        files.iter().filter(|file| file.path.starts_with("scripts/golden/")).collect();
    for golden in files.iter().filter(|file| file.path.contains("/tests/golden/")) {
        let name = golden.path.rsplit('/').next().unwrap_or_default();
        let made_by = |script: &File| {
            let stem = script.path.rsplit('/').next().and_then(|file| file.split('.').next());
            stem.is_some_and(|stem| plain(name).starts_with(&plain(stem)))
                || script.text.as_deref().is_some_and(|text| text.contains(name))
        };
        if !scripts.iter().any(|script| made_by(script)) {
            breaches.push(format!(
                "{}:1: no script in scripts/golden/ names it or begins its name; commit the one \
                 that made it",
                golden.path
            ));
        }
    }
}

fn plain(name: &str) -> String {
    name.replace('-', "_")
}

fn lock(text: &str, breaches: &mut Vec<String>) {
    const REGISTRY: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("source = ") && line != REGISTRY {
            breaches.push(format!(
                "Cargo.lock:{}: {line}: not crates.io; depend on a published version",
                number + 1
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, size: u64, text: &str) -> File {
        File { path: path.into(), size, text: Some(text.into()) }
    }

    #[test]
    fn big_files_are_listed_and_lists_are_true() {
        let files = [file("a.bin", BIGGEST + 1, ""), file("docs/x/b.html", BIGGEST + 1, "")];
        let mut breaches = Vec::new();
        big(&files, &[("docs/x/", "samples"), ("gone", "…")], &mut breaches);
        assert_eq!(breaches.len(), 2, "{breaches:?}");
        assert!(breaches[0].starts_with("a.bin:1: 64 KiB, at most 64"));
        assert!(breaches[1].contains("lists gone"));
    }

    #[test]
    fn goldens_need_their_script() {
        let golden = |name: &str| file(&format!("crates/models/tests/golden/{name}"), 1, "");
        let script = file("scripts/golden/densenet.py", 1, "write('twin.json')");
        let mut breaches = Vec::new();
        let files = [golden("densenet-mini.json"), golden("twin.json"), golden("x.json"), script];
        goldens(&files, &mut breaches);
        assert_eq!(breaches.len(), 1, "{breaches:?}");
        assert!(breaches[0].contains("golden/x.json"));
    }

    #[test]
    fn a_foreign_source_is_found() {
        let mut breaches = Vec::new();
        let own = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
        lock(&format!("{own}source = \"git+https://example.org/x#1\"\n"), &mut breaches);
        assert_eq!(breaches.len(), 1);
        assert!(breaches[0].starts_with("Cargo.lock:2:"), "{breaches:?}");
    }
}
