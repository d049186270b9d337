//! What reviewers forget, checked: headers, lengths, words that promise less than they seem to,
//! the layers, the documents, the goldens.
//!
//! A breach is one line, `path:line: what is wrong; what to do`.

mod documents;
mod layers;
mod sizes;
mod sources;

use std::fs;
use std::path::Path;

use crate::failure::Failure;
use crate::workspace;

/// A file git tracks or would track, with its text if it is text.
pub struct File {
    /// Relative to the root, `/` between the parts.
    pub path: String,
    /// In bytes.
    pub size: u64,
    /// `None` for pictures and other bytes.
    pub text: Option<String>,
}

impl File {
    fn ends_with(&self, suffix: &str) -> bool {
        self.path.ends_with(suffix)
    }
}

/// Every breach in the tree, in the order of the paths.
pub fn check(root: &Path) -> Result<Vec<String>, Failure> {
    let files = files(root)?;
    let packages = layers::packages(&workspace::metadata(root)?, root);
    let mut breaches = Vec::new();
    for file in &files {
        sources::check(file, &mut breaches);
    }
    sizes::check(&files, &mut breaches);
    layers::check(&packages, &mut breaches);
    documents::check(&files, &packages, &mut breaches);
    Ok(breaches)
}

fn files(root: &Path) -> Result<Vec<File>, Failure> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let list = workspace::git(root, &arguments)
        .ok_or_else(|| Failure::usage("tidy: needs git and a clone, to know which files count"))?;
    let mut paths: Vec<&str> = list.split('\0').filter(|path| !path.is_empty()).collect();
    paths.sort_unstable();
    paths.dedup();
    let read = |path: &str| {
        // Deleted but not yet committed: gone.
        let bytes = fs::read(root.join(path)).ok()?;
        let size = bytes.len() as u64;
        let text = if bytes.contains(&0) { None } else { String::from_utf8(bytes).ok() };
        Some(File { path: path.to_owned(), size, text })
    };
    Ok(paths.into_iter().filter_map(read).collect())
}
