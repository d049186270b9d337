//! A note that the tests passed for exactly this tree, so that `test` followed by `ci` (as CI and
//! the README do) pays for them once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace;

/// What the tests' outcome depends on: the content of every file git does not ignore, the
/// compiler, the libtorch in use. `None` outside a clone.
pub fn of_tree(root: &Path) -> Option<String> {
    let folder = scratch(root)?;
    fs::create_dir_all(folder.join("objects")).ok()?;
    let index = folder.join("index");
    // Asked for by name: a linked worktree has its own index, but its clone's objects.
    let inside = |name| -> Option<PathBuf> {
        let words = ["rev-parse", "--path-format=absolute", "--git-path", name];
        workspace::git(root, &words).map(PathBuf::from)
    };
    let (own_index, objects) = (inside("index")?, inside("objects")?);
    // A copy of the index knows which files are unchanged; a scratch object folder keeps the
    // clone free of objects nobody committed.
    let _ = fs::copy(own_index, &index);
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(root)
            .args(arguments)
            .env("GIT_INDEX_FILE", &index)
            .env("GIT_OBJECT_DIRECTORY", folder.join("objects"))
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", &objects)
            .output()
            .ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    git(&["add", "--all"])?;
    let tree = git(&["write-tree"])?;
    let rustc = Command::new("rustc").arg("--version").output().ok()?;
    let libtorch = fs::canonicalize(root.join(".libtorch")).ok()?;
    let rustc = String::from_utf8_lossy(&rustc.stdout);
    Some(format!("{tree}\n{}\n{}\n", rustc.trim(), libtorch.display()))
}

/// Notes that the tests passed for the tree `of_tree` described.
pub fn write(root: &Path, tree: Option<&str>) {
    if let (Some(folder), Some(tree)) = (scratch(root), tree) {
        // Only a shortcut is lost if this cannot be written.
        let _ = fs::write(folder.join("tree"), tree);
    }
}

/// Whether the tests passed for the tree as it is now.
pub fn matches(root: &Path) -> bool {
    let noted = scratch(root).and_then(|folder| fs::read_to_string(folder.join("tree")).ok());
    noted.is_some() && noted == of_tree(root)
}

fn scratch(root: &Path) -> Option<PathBuf> {
    Some(workspace::target_folder(root).ok()?.join("tests-passed"))
}
