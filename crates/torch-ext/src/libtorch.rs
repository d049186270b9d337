//! Which libtorch this process runs on, and from where.
//!
//! The loader decides at start (rpath, `LD_LIBRARY_PATH`, …), so the answer is read from the
//! process itself where the system shows it, and only else from what was linked at build time.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder that holds the libtorch in use (`…/torch/lib`), if it can be told.
pub fn library_folder() -> Option<PathBuf> {
    loaded_from().or_else(|| option_env!("CATSCAN_LIBTORCH_LIB").map(PathBuf::from))
}

/// Its version as its own files state it, for example `2.11.0+cu130`.
pub fn version() -> Option<String> {
    version_in(library_folder()?.parent()?)
}

/// On Linux the process's memory map names every loaded library.
#[cfg(target_os = "linux")]
fn loaded_from() -> Option<PathBuf> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    let path = maps.lines().find_map(|line| {
        let path = &line[line.find('/')?..];
        path.ends_with("/libtorch_cpu.so").then_some(path)
    })?;
    Path::new(path).parent().map(Path::to_owned)
}

#[cfg(not(target_os = "linux"))]
fn loaded_from() -> Option<PathBuf> {
    None
}

/// Wheels carry `version.py`, the libtorch archives `build-version`.
fn version_in(root: &Path) -> Option<String> {
    if let Ok(text) = fs::read_to_string(root.join("version.py")) {
        let line = text.lines().find(|line| line.starts_with("__version__"))?;
        return line.split('\'').nth(1).map(str::to_owned);
    }
    let text = fs::read_to_string(root.join("build-version")).ok()?;
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_knows_its_libtorch() {
        // A tensor forces the library in, should the linker have thought it unused.
        assert_eq!(tch::Tensor::from(1.5f32).double_value(&[]), 1.5);
        let folder = library_folder().expect("the folder of libtorch");
        assert!(folder.is_dir(), "{folder:?}");
        assert!(version().expect("a version").starts_with("2.11."));
    }
}
