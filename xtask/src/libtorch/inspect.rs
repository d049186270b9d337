//! Is this folder a libtorch we can build against?

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};

use super::version::{FETCHED, Version};

/// What the linker takes: on Windows the import library beside the DLL.
const SUFFIX: &str = if cfg!(windows) { ".lib" } else { DLL_SUFFIX };

/// A libtorch folder that was looked at and will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Libtorch {
    /// Holds `lib/` and `include/`.
    pub folder: PathBuf,
    /// 2.11.x.
    pub version: Version,
    /// Whether its CUDA half is there, with the libraries it wants.
    pub cuda: bool,
}

/// Looks at `folder`; the error says what is wrong with it, without naming it.
pub fn inspect(folder: &Path) -> Result<Libtorch, String> {
    if !folder.is_dir() {
        return Err("no such folder".to_owned());
    }
    let version = Version::of(folder)
        .ok_or("has neither build-version nor version.py, so it is no libtorch folder")?;
    if !version.fits() {
        return Err(format!("libtorch {version}, want {FETCHED}"));
    }
    let library = |name: &str| {
        // On Windows the linker wants the import library beside the DLL.
        folder.join("lib").join(format!("{DLL_PREFIX}{name}{SUFFIX}"))
    };
    let header = folder.join("include/torch/csrc/api/include/torch/torch.h");
    for part in [library("torch_cpu"), library("torch"), library("c10"), header] {
        // Follows links, so that a dangling one counts as missing.
        if !fs::metadata(&part).is_ok_and(|file| file.len() > 0) {
            let part = part.strip_prefix(folder).unwrap_or(&part).display().to_string();
            return Err(format!("libtorch {version}, but {part} is missing or empty"));
        }
    }
    let cuda = library("torch_cuda").exists() && has_cudnn(folder);
    Ok(Libtorch { folder: folder.to_path_buf(), version, cuda })
}

/// A wheel without its NVIDIA packages has the CUDA half but cannot load it. cuDNN is the telling
/// one: archives carry it in `lib/`, wheels in a package beside `torch/`.
fn has_cudnn(folder: &Path) -> bool {
    let holds = |lib: PathBuf| {
        fs::read_dir(lib).is_ok_and(|mut entries| {
            entries.any(|entry| {
                entry.is_ok_and(|entry| entry.file_name().to_string_lossy().contains("cudnn"))
            })
        })
    };
    holds(folder.join("lib")) || holds(folder.join("../nvidia/cudnn/lib"))
}

/// A folder that looks like libtorch `version`, for tests.
#[cfg(test)]
pub fn pretend(folder: &Path, version: &str, cuda: bool) {
    let include = folder.join("include/torch/csrc/api/include/torch");
    fs::create_dir_all(&include).unwrap();
    fs::create_dir_all(folder.join("lib")).unwrap();
    fs::write(include.join("torch.h"), "//").unwrap();
    fs::write(folder.join("build-version"), format!("{version}\n")).unwrap();
    for name in ["torch_cpu", "torch", "c10", "torch_cuda", "cudnn"] {
        if !["torch_cuda", "cudnn"].contains(&name) || cuda {
            fs::write(folder.join(format!("lib/{DLL_PREFIX}{name}{SUFFIX}")), "x").unwrap();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_wrong() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("torch");
        assert_eq!(inspect(&folder).unwrap_err(), "no such folder");
        pretend(&folder, "2.6.0+cpu", false);
        assert_eq!(inspect(&folder).unwrap_err(), "libtorch 2.6.0+cpu, want 2.11.0");
        pretend(&folder, "2.11.0", true);
        assert!(inspect(&folder).unwrap().cuda);
        fs::remove_file(folder.join(format!("lib/{DLL_PREFIX}cudnn{SUFFIX}"))).unwrap();
        assert!(!inspect(&folder).unwrap().cuda, "it could not be loaded");
        fs::write(folder.join("include/torch/csrc/api/include/torch/torch.h"), "").unwrap();
        let problem = inspect(&folder).unwrap_err();
        assert!(problem.contains("torch.h is missing or empty"), "{problem}");
    }
}
