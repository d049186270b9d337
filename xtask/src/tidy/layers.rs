//! Who may depend on whom, from `cargo metadata`.

use std::path::Path;

use serde_json::Value;

/// One package of the workspace.
#[derive(Debug, Clone)]
pub struct Package {
    /// As in its manifest.
    pub name: String,
    /// Its folder, relative to the root.
    pub folder: String,
    /// Those that are compiled into it, by name; dev-dependencies apart.
    pub uses: Vec<String>,
    /// Dev-dependencies, by name.
    pub tests_with: Vec<String>,
    /// Whether it takes the workspace's lints.
    pub linted: bool,
    /// Whether it has an example or is a program.
    pub shown: bool,
    /// Integration test binaries, by name.
    pub test_binaries: Vec<String>,
}

/// Each package, and which of ours it may use. DESIGN: data flows one way.
static LAYERS: &[(&str, &[&str])] = &[
    ("catscan-machine", &[]),
    ("catscan-data", &["catscan-machine", "catscan-torch-ext"]),
    ("catscan-models", &["catscan-machine", "catscan-torch-ext"]),
    ("catscan-torch-ext", &[]),
    ("catscan-train", &["catscan-data", "catscan-models", "catscan-torch-ext"]),
    ("catscan-viz", &["catscan-data", "catscan-models", "catscan-train"]),
    (
        "catscan",
        &["catscan-data", "catscan-models", "catscan-torch-ext", "catscan-train", "catscan-viz"],
    ),
    ("xtask", &[]),
];

/// Absences: a package, what it never uses (not even in tests), and why.
static ABSENT: &[(&str, &str, &str)] = &[
    ("xtask", "tch", "it must compile in seconds on a bare machine"),
    ("xtask", "torch-sys", "it must compile in seconds on a bare machine"),
    ("catscan-models", "image", "models never open an image"),
    ("catscan-models", "catscan-data", "models never open an image"),
    ("catscan-data", "catscan-models", "data never sees a model"),
];

/// Reads what `cargo metadata --no-deps` says of our packages.
pub fn packages(metadata: &Value, root: &Path) -> Vec<Package> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let read = |package: &Value| {
        let (mut uses, mut tests_with) = (Vec::new(), Vec::new());
        for dependency in list(&package["dependencies"]) {
            let dev = dependency["kind"] == "dev";
            if dev { &mut tests_with } else { &mut uses }.push(text(&dependency["name"]));
        }
        let targets = list(&package["targets"]);
        let of_kind = |kind: &str| {
            let has = |target: &&Value| list(&target["kind"]).iter().any(|k| k == kind);
            targets.iter().filter(has).map(|target| text(&target["name"])).collect::<Vec<_>>()
        };
        let manifest = text(&package["manifest_path"]);
        let folder = Path::new(&manifest).parent().unwrap_or(root);
        let folder = folder.strip_prefix(root).unwrap_or(folder).display().to_string();
        // Metadata does not tell; the manifest does.
        let words = std::fs::read_to_string(&manifest).unwrap_or_default();
        Package {
            name: text(&package["name"]),
            folder,
            uses,
            tests_with,
            linted: words.contains("[lints]\nworkspace = true"),
            shown: !of_kind("example").is_empty() || !of_kind("bin").is_empty(),
            test_binaries: of_kind("test"),
        }
    };
    list(&metadata["packages"]).iter().map(read).collect()
}

/// Adds each step against the flow, and what a manifest lacks.
pub fn check(packages: &[Package], breaches: &mut Vec<String>) {
    for package in packages {
        let mut breach = |what: String| {
            breaches.push(format!("{}/Cargo.toml:1: {what}", package.folder));
        };
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == package.name) else {
            breach("has no place among the layers; add a row in xtask/src/tidy/layers.rs".into());
            continue;
        };
        let ours = |name: &&String| LAYERS.iter().any(|(ours, _)| ours == name);
        for used in package.uses.iter().filter(ours) {
            if !allowed.contains(&used.as_str()) {
                breach(format!("{} may not use {used}; turn the dependency round", package.name));
            }
        }
        let all = || package.uses.iter().chain(&package.tests_with);
        for (name, absent, why) in ABSENT {
            if package.name == *name && all().any(|used| used == absent) {
                breach(format!("uses {absent}, but {why}"));
            }
        }
        if !package.linted {
            breach("takes no lints; add `[lints]` with `workspace = true` on the next line".into());
        }
        if !package.shown {
            breach("has no example; add one that runs in examples/".into());
        }
        for binary in package.test_binaries.iter().filter(|name| *name != "it") {
            breach(format!("tests/{binary}.rs is a second test binary; move it into tests/it/"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, uses: &[&str]) -> Package {
        Package {
            name: name.into(),
            folder: format!("crates/{name}"),
            uses: uses.iter().map(|&used| used.to_owned()).collect(),
            tests_with: Vec::new(),
            linted: true,
            shown: true,
            test_binaries: vec!["it".into()],
        }
    }

    fn breaches(package: Package) -> Vec<String> {
        let mut breaches = Vec::new();
        check(&[package], &mut breaches);
        breaches
    }

    #[test]
    fn the_flow_passes_and_its_reverse_does_not() {
        assert!(breaches(package("catscan-train", &["catscan-data", "tch"])).is_empty());
        let wrong = breaches(package("catscan-data", &["catscan-train"]));
        assert!(wrong[0].contains("catscan-data may not use catscan-train"), "{wrong:?}");
        let wrong = breaches(package("xtask", &["tch"]));
        assert!(wrong[0].contains("uses tch, but it must compile in seconds"), "{wrong:?}");
        let wrong = breaches(package("catscan-new", &[]));
        assert!(wrong[0].contains("no place among the layers"), "{wrong:?}");
    }

    #[test]
    fn a_manifest_is_complete() {
        let mut bare = package("catscan-viz", &[]);
        (bare.linted, bare.shown) = (false, false);
        bare.test_binaries.push("other".into());
        assert_eq!(breaches(bare).len(), 3);
    }

    #[test]
    fn metadata_is_read() {
        let metadata = serde_json::json!({"packages": [{
            "name": "catscan-viz",
            "manifest_path": "/r/crates/viz/Cargo.toml",
            "dependencies": [
                {"name": "catscan-data", "kind": null},
                {"name": "tempfile", "kind": "dev"}
            ],
            "targets": [{"name": "it", "kind": ["test"]}, {"name": "maps", "kind": ["example"]}]
        }]});
        let [package] = packages(&metadata, Path::new("/r")).try_into().unwrap();
        assert_eq!(package.folder, "crates/viz");
        assert_eq!(package.uses, ["catscan-data"]);
        assert_eq!(package.tests_with, ["tempfile"]);
        assert!(package.shown && !package.linted);
        assert_eq!(package.test_binaries, ["it"]);
    }
}
