//! libtorch on this machine: found where it is, else fetched once.
//!
//! The order: the user's `LIBTORCH`; what `.libtorch` already links to; a copy in the cache; pip.
//! Whatever is found, `.libtorch` in the workspace's root becomes a link to it, and
//! `.cargo/config.toml` tells plain cargo to look there.

pub mod cache;
pub mod compiler;
mod fetch;
mod find;
pub mod headers;
mod inspect;
mod link;
mod platform;
mod python;
mod version;

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::say::say;
use find::Places;

/// What the user asked of `setup`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// The CUDA libraries too (Linux; 2.5 GB to fetch, 3.8 GB on disk).
    pub cuda: bool,
    /// Never start pip.
    pub offline: bool,
}

/// Makes `<root>/.libtorch` lead to a libtorch 2.11 and says in one line where it is.
pub fn set_up(root: &Path, wanted: Wanted) -> Result<(), Failure> {
    let places = Places {
        user: users_own(root),
        link: root.join(".libtorch"),
        cached: cache::copies(wanted.cuda)?,
    };
    let found = match find::find(&places, wanted.cuda)? {
        Some(found) => found,
        None => fetch::fetch(root, wanted)?,
    };
    link::link(&places.link, &found.libtorch.folder)?;
    let half = if found.libtorch.cuda { " with CUDA" } else { "" };
    let folder = found.libtorch.folder.display();
    say(format!("libtorch {}{half}: {} {folder}", found.libtorch.version, found.how));
    if !found.libtorch.cuda && Path::new("/dev/nvidia0").exists() {
        say("this machine has an NVIDIA GPU: `cargo xtask setup --cuda` fetches what it needs");
    }
    Ok(())
}

/// The libtorch that [`set_up`] settled on: the folder with `include/` and `lib/`.
pub fn folder(root: &Path) -> PathBuf {
    users_own(root).unwrap_or_else(|| root.join(".libtorch"))
}

/// `LIBTORCH`, unless it is only what `.cargo/config.toml` sets for every process cargo starts.
fn users_own(root: &Path) -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("LIBTORCH")?);
    (folder != root.join(".libtorch")).then_some(folder)
}
