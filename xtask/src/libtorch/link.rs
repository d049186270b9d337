//! `.libtorch` in the workspace's root: the one place plain cargo looks at.

use std::fs;
use std::io;
use std::path::Path;

use crate::failure::Failure;

/// Makes `link` lead to `folder`, in one step, so that a build going on sees the old or the new.
pub fn link(link: &Path, folder: &Path) -> Result<(), Failure> {
    let refuse = |error: io::Error| {
        Failure::storage(format!(
            "{}: cannot link it to {}: {error}; is the checkout writable?",
            link.display(),
            folder.display()
        ))
    };
    let same = |a: &Path, b: &Path| {
        fs::canonicalize(a).is_ok_and(|a| fs::canonicalize(b).is_ok_and(|b| a == b))
    };
    if same(link, folder) {
        return Ok(());
    }
    let is_link = fs::symlink_metadata(link).is_ok_and(|file| is_link(&file));
    if link.exists() && !is_link {
        return Err(Failure::usage(format!(
            "{}: is a folder of its own and would have to become a link to {}; move it away",
            link.display(),
            folder.display()
        )));
    }
    let fresh = link.with_extension(format!("new-{}", std::process::id()));
    make(folder, &fresh).map_err(refuse)?;
    replace(&fresh, link).map_err(refuse)
}

#[cfg(unix)]
fn is_link(file: &fs::Metadata) -> bool {
    file.is_symlink()
}

#[cfg(unix)]
fn make(folder: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(folder, link)
}

#[cfg(unix)]
fn replace(fresh: &Path, link: &Path) -> io::Result<()> {
    fs::rename(fresh, link)
}

/// A junction is neither a plain folder nor always a symlink; both are reparse points (0x400).
#[cfg(windows)]
fn is_link(file: &fs::Metadata) -> bool {
    std::os::windows::fs::MetadataExt::file_attributes(file) & 0x400 != 0
}

/// A junction: unlike symlinks it needs neither administrator rights nor developer mode.
#[cfg(windows)]
fn make(folder: &Path, link: &Path) -> io::Result<()> {
    let status = std::process::Command::new("cmd")
        .args(["/C", "mklink", "/J"])
        .args([link, folder])
        .stdout(std::process::Stdio::null())
        .status()?;
    status.success().then_some(()).ok_or_else(|| io::Error::other("mklink /J failed"))
}

/// Windows does not rename over a folder, so the old junction goes first.
#[cfg(windows)]
fn replace(fresh: &Path, link: &Path) -> io::Result<()> {
    if fs::symlink_metadata(link).is_ok() {
        fs::remove_dir(link)?;
    }
    fs::rename(fresh, link)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_moved_and_a_folder_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        let (one, two) = (temp.path().join("one"), temp.path().join("two"));
        let at = temp.path().join(".libtorch");
        fs::create_dir(&one).unwrap();
        fs::create_dir(&two).unwrap();
        link(&at, &one).unwrap();
        link(&at, &two).unwrap();
        assert_eq!(fs::read_link(&at).unwrap(), two);
        // A dangling link is replaced as well.
        fs::remove_dir(&two).unwrap();
        link(&at, &one).unwrap();
        assert_eq!(fs::read_link(&at).unwrap(), one);
        assert_eq!(link(&one, &temp.path().join("three")).unwrap_err().exit, 2);
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 2, "nothing left over");
    }
}
