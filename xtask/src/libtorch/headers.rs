//! CUDA's headers, for the plugin alone: fetched once into the cache, pinned as libtorch is.

use std::fs;
use std::path::{Path, PathBuf};

use super::cache::{self, Lock};
use super::fetch::{enough_room, pip_install, succeeds, trim};
use super::platform;
use super::python::Pip;
use crate::failure::Failure;
use crate::say::{say, timed};

/// Of CUDA, and what the folder in the cache is called.
const VERSION: &str = "13.0";

/// Folders to include from, below the place.
const INCLUDE: [&str; 2] = ["nvidia/cu13/include", "nvidia/nccl/include"];

/// At the worst moment; nearly all of it is NCCL's library, which goes again.
const PEAK_MB: u32 = 700;

/// The folders with CUDA's and NCCL's headers, from the cache or by pip.
pub fn get(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let folder = cache::root()?.join("cuda-headers");
    let place = folder.join(VERSION);
    if !place.exists() {
        fetch(root, &folder, &place)?;
    }
    Ok(INCLUDE.iter().map(|include| place.join(include)).collect())
}

fn fetch(root: &Path, folder: &Path, place: &Path) -> Result<(), Failure> {
    let platform = platform::current()?;
    let pins = platform.header_pins(root)?;
    let pip = Pip::find()?;
    let lock = Lock::take(folder)?;
    if place.exists() {
        return Ok(());
    }
    let partial = lock.fresh_partial(folder)?;
    enough_room(folder, PEAK_MB)?;
    say(format!("CUDA {VERSION} headers: fetching about 200 MB by {}, once", pip.name()));
    let site = partial.path.join("site");
    let mut command = pip_install(&pip, platform, &partial.path, &site)?;
    command.arg("--require-hashes").arg("-r").arg(&pins);
    if !timed("fetching CUDA's headers", || succeeds(&mut command))? {
        return Err(Failure::step(format!(
            "{} could not fetch CUDA's headers, its own words stand above; without a network copy \
             {} from a machine that has it",
            pip.name(),
            place.display()
        )));
    }
    trim::keep_headers(&site)?;
    fs::rename(&site, place).map_err(|error| Failure::cache(place, &error))
}
