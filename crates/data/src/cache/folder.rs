//! The user's folder for what is made once and found again: pixel caches, fetched sets, and xtask's
//! libtorch. xtask uses no crate of ours and so has the rule a second time
//! (`xtask/src/libtorch/cache.rs`); `folder_cases.txt` holds both to the same answers.

use std::ffi::OsString;
use std::path::PathBuf;

/// The user's cache folder: `CATSCAN_CACHE`, else the platform's place for caches, else, where the
/// environment tells neither, one among the temporary files.
pub fn default_cache_dir() -> PathBuf {
    told_by(|name| std::env::var_os(name))
        .unwrap_or_else(|| std::env::temp_dir().join("catscan-cache"))
}

/// By the environment's variables; an empty one is none.
fn told_by(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(own) = folder("CATSCAN_CACHE") {
        return Some(own);
    }
    if let Some(xdg) = folder("XDG_CACHE_HOME") {
        return Some(xdg.join("catscan"));
    }
    if cfg!(windows) {
        return Some(folder("LOCALAPPDATA")?.join("catscan").join("cache"));
    }
    let within = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    Some(folder("HOME")?.join(within).join("catscan"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_where_xtask_has_it_too() {
        for case in include_str!("folder_cases.txt").lines().filter(|line| !line.starts_with('#')) {
            let [system, variables, want] = case.split(" | ").collect::<Vec<_>>()[..] else {
                panic!("{case}: want three columns");
            };
            if !["any", std::env::consts::OS].contains(&system) {
                continue;
            }
            let told = told_by(|name| {
                let mut pairs = variables.split(' ').filter_map(|pair| pair.split_once('='));
                pairs.find(|(known, _)| *known == name).map(|(_, value)| value.into())
            });
            assert_eq!(told, (want != "none").then(|| want.into()), "{case}");
        }
    }
}
