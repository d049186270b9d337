//! The CUDA plugin: three small C++ files against libtorch's CUDA half, compiled without a GPU.
//!
//! Nothing of CUDA is linked: the program loads libtorch's CUDA half first, and what the plugin
//! calls is found there. So headers are enough, and they are needed for this alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::failure::Failure;
use crate::libtorch::{self, headers};
use crate::say::timed;
use crate::workspace;

/// As `catscan_torch_ext::plugin::FILE`.
pub const FILE: &str = "libcatscan_cuda.so";

/// Below the workspace's root.
const SOURCES: &str = "crates/torch-ext/src/plugin";

/// Compiles the plugin into `folder` unless the one there is newer than its sources.
pub fn build(root: &Path, folder: &Path) -> Result<PathBuf, Failure> {
    if !cfg!(target_os = "linux") {
        return Err(Failure::usage("the CUDA plugin: libtorch has CUDA on Linux only"));
    }
    let sources = root.join(SOURCES);
    let plugin = folder.join(FILE);
    if is_newer(&plugin, &sources) {
        return Ok(plugin);
    }
    let headers = headers::get(root)?;
    fs::create_dir_all(folder).map_err(|error| Failure::cache(folder, &error))?;
    timed("building the CUDA plugin", || compile(root, &sources, &headers, &plugin))?;
    Ok(plugin)
}

fn compile(root: &Path, sources: &Path, cuda: &[PathBuf], to: &Path) -> Result<(), Failure> {
    let include = libtorch::folder(root).join("include");
    let own = include.join("torch/csrc/api/include");
    // Beside its place, then renamed: a program that has the old one loaded keeps it whole.
    let fresh = to.with_extension(format!("new-{}", std::process::id()));
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let mut words = compiler.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or("c++"));
    command.args(words).args(["-std=c++17", "-O1", "-fPIC", "-shared", "-w"]);
    // libtorch's flags, and ours: only what is marked is seen from outside.
    command.args(["-D_GLIBCXX_USE_CXX11_ABI=1", "-DUSE_C10D_NCCL", "-DUSE_DISTRIBUTED"]);
    command.args(["-fvisibility=hidden", "-DAT_PER_OPERATOR_HEADERS"]);
    // Functions are looked for when called: without libtorch's CUDA half it must still load.
    command.arg("-Wl,-z,lazy");
    for folder in [&include, &own].into_iter().chain(cuda) {
        command.arg("-isystem").arg(folder);
    }
    command.arg("-I").arg(sources.join("stubs"));
    for file in ["device.cpp", "graph.cpp", "nccl.cpp"] {
        command.arg(sources.join(file));
    }
    workspace::run(command.arg("-o").arg(&fresh), "building the CUDA plugin")?;
    fs::rename(&fresh, to).map_err(|error| Failure::cache(to, &error))
}

/// Whether `file` was written after every file of `folder` (its stubs never change alone).
fn is_newer(file: &Path, folder: &Path) -> bool {
    let written = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let Some(ours) = written(file) else { return false };
    let sources = fs::read_dir(folder).into_iter().flatten().flatten();
    let newest: Option<SystemTime> = sources.filter_map(|entry| written(&entry.path())).max();
    newest.is_some_and(|newest| ours > newest)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_changed_source_is_noticed() {
        let temp = tempfile::tempdir().unwrap();
        let (sources, plugin) = (temp.path().join("sources"), temp.path().join(FILE));
        fs::create_dir(&sources).unwrap();
        fs::write(sources.join("a.cpp"), "").unwrap();
        assert!(!is_newer(&plugin, &sources), "not there yet");
        let later = |seconds| SystemTime::now() + std::time::Duration::from_secs(seconds);
        let touch = |path: &Path, seconds| {
            let file = fs::File::options().create(true).append(true).open(path).unwrap();
            file.set_modified(later(seconds)).unwrap();
        };
        touch(&plugin, 10);
        assert!(is_newer(&plugin, &sources));
        touch(&sources.join("a.cpp"), 20);
        assert!(!is_newer(&plugin, &sources));
    }

    #[test]
    fn the_program_and_xtask_agree_on_the_name() {
        let theirs = workspace::root().join("crates/torch-ext/src/plugin.rs");
        let line = format!("pub const FILE: &str = \"{FILE}\";");
        assert!(fs::read_to_string(theirs).unwrap().contains(&line));
    }
}
