//! The order in which libtorch is looked for, pip apart.

use std::path::{Path, PathBuf};

use super::inspect::{Libtorch, inspect};
use super::version::FETCHED;
use crate::failure::Failure;
use crate::say::say;

/// Where libtorch may be, in the order of looking.
#[derive(Debug)]
pub struct Places {
    /// The user's own `LIBTORCH`: used or refused, never passed over.
    pub user: Option<PathBuf>,
    /// The link an earlier setup made (or a folder put there by hand).
    pub link: PathBuf,
    /// Folders in the cache, best first.
    pub cached: Vec<PathBuf>,
}

/// A libtorch, and how it came to be chosen.
#[derive(Debug)]
pub struct Found {
    /// What was found.
    pub libtorch: Libtorch,
    /// `LIBTORCH names`, `.libtorch links to`, …: to be followed by the folder.
    pub how: &'static str,
}

/// The first place that holds a fitting libtorch; `None` means it must be fetched.
pub fn find(places: &Places, cuda: bool) -> Result<Option<Found>, Failure> {
    if let Some(folder) = &places.user {
        let libtorch = users(folder, cuda)?;
        return Ok(Some(Found { libtorch, how: "LIBTORCH names" }));
    }
    if let Ok(folder) = std::fs::canonicalize(&places.link) {
        match inspect(&folder) {
            Ok(libtorch) if libtorch.cuda || !cuda => {
                return Ok(Some(Found { libtorch, how: ".libtorch links to" }));
            }
            Ok(_) => {}
            Err(problem) => say(format!(
                ".libtorch links to {}: {problem}; looking for another",
                folder.display()
            )),
        }
    }
    for folder in &places.cached {
        match inspect(folder) {
            Ok(libtorch) => {
                return Ok(Some(Found { libtorch, how: "cached in" }));
            }
            Err(problem) if folder.exists() => {
                say(format!("{}: {problem}; it will be fetched again", folder.display()));
            }
            Err(_) => {}
        }
    }
    Ok(None)
}

/// The user's choice is taken or refused; building against another one would surprise.
fn users(folder: &Path, cuda: bool) -> Result<Libtorch, Failure> {
    let refuse = |problem: String| {
        Failure::usage(format!(
            "LIBTORCH={}: {problem}; unset LIBTORCH to have {FETCHED} found or fetched, or point \
             it at a libtorch {FETCHED} (the folder with lib/ and include/)",
            folder.display()
        ))
    };
    if folder == Path::new("") {
        return Err(refuse("is empty".to_owned()));
    }
    // torch-sys would look below its own folder, where cargo starts it.
    if folder.is_relative() {
        return Err(refuse("is a relative path, want an absolute one".to_owned()));
    }
    let libtorch = inspect(folder).map_err(refuse)?;
    if cuda && !libtorch.cuda {
        return Err(refuse(format!("libtorch {}, but without CUDA", libtorch.version)));
    }
    Ok(libtorch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libtorch::inspect::pretend;

    /// One place of each kind, none of them filled.
    fn places(temp: &Path) -> Places {
        Places {
            user: None,
            link: temp.join("link"),
            cached: vec![temp.join("cuda/torch"), temp.join("cpu/torch")],
        }
    }

    fn how(places: &Places, cuda: bool) -> Option<&'static str> {
        find(places, cuda).unwrap().map(|found| found.how)
    }

    #[test]
    fn the_users_own_then_the_link_then_the_cache() {
        let temp = tempfile::tempdir().unwrap();
        let mut places = places(temp.path());
        assert_eq!(how(&places, false), None);
        pretend(&places.cached[1], "2.11.0", false);
        assert_eq!(how(&places, false), Some("cached in"));
        pretend(&places.link, "2.11.0", false);
        assert_eq!(how(&places, false), Some(".libtorch links to"));
        places.user = Some(temp.path().join("own"));
        pretend(&temp.path().join("own"), "2.11.0+cpu", false);
        assert_eq!(how(&places, false), Some("LIBTORCH names"));
    }

    #[test]
    fn a_wrong_version_of_the_users_is_refused_with_both_numbers() {
        let temp = tempfile::tempdir().unwrap();
        let mut places = places(temp.path());
        pretend(&places.cached[1], "2.11.0", false);
        pretend(&temp.path().join("own"), "2.6.0", false);
        places.user = Some(temp.path().join("own"));
        let failure = find(&places, false).unwrap_err();
        assert_eq!(failure.exit, 2);
        assert!(failure.message.contains("libtorch 2.6.0, want 2.11.0"), "{}", failure.message);
        assert!(failure.message.contains("unset LIBTORCH"), "{}", failure.message);
    }

    #[test]
    fn a_link_gone_stale_is_passed_over() {
        let temp = tempfile::tempdir().unwrap();
        let places = places(temp.path());
        pretend(&places.link, "2.9.0", false);
        pretend(&places.cached[1], "2.11.0", false);
        assert_eq!(how(&places, false), Some("cached in"));
    }

    #[test]
    fn asking_for_cuda_passes_over_a_link_without() {
        let temp = tempfile::tempdir().unwrap();
        let mut places = places(temp.path());
        pretend(&places.link, "2.11.0", false);
        places.cached.pop();
        assert_eq!(how(&places, true), None);
        pretend(&places.cached[0], "2.11.0", true);
        assert_eq!(how(&places, true), Some("cached in"));
    }
}
