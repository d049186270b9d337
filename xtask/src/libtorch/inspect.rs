//! Is this folder a libtorch we can build against?

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};

use super::version::{FETCHED, Version};

/// A libtorch folder that was looked at and will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Libtorch {
    /// Holds `lib/` and `include/`.
    pub folder: PathBuf,
    /// 2.11.x.
    pub version: Version,
    /// Whether its CUDA half is there.
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
        let suffix = if cfg!(windows) { ".lib" } else { DLL_SUFFIX };
        folder
            .join("lib")
            .join(format!("{DLL_PREFIX}{name}{suffix}"))
    };
    let header = folder.join("include/torch/csrc/api/include/torch/torch.h");
    for part in [
        library("torch_cpu"),
        library("torch"),
        library("c10"),
        header,
    ] {
        // Follows links, so that a dangling one counts as missing.
        if !fs::metadata(&part).is_ok_and(|file| file.len() > 0) {
            let part = part
                .strip_prefix(folder)
                .unwrap_or(&part)
                .display()
                .to_string();
            return Err(format!(
                "libtorch {version}, but {part} is missing or empty"
            ));
        }
    }
    let cuda = library("torch_cuda").exists();
    Ok(Libtorch {
        folder: folder.to_path_buf(),
        version,
        cuda,
    })
}

/// A folder that looks like libtorch `version`, for tests.
#[cfg(test)]
pub fn pretend(folder: &Path, version: &str, cuda: bool) {
    let include = folder.join("include/torch/csrc/api/include/torch");
    fs::create_dir_all(&include).unwrap();
    fs::create_dir_all(folder.join("lib")).unwrap();
    fs::write(include.join("torch.h"), "//").unwrap();
    fs::write(folder.join("build-version"), format!("{version}\n")).unwrap();
    let suffix = if cfg!(windows) { ".lib" } else { DLL_SUFFIX };
    for name in ["torch_cpu", "torch", "c10", "torch_cuda"] {
        if name != "torch_cuda" || cuda {
            fs::write(folder.join(format!("lib/{DLL_PREFIX}{name}{suffix}")), "x").unwrap();
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
        assert_eq!(
            inspect(&folder).unwrap_err(),
            "libtorch 2.6.0+cpu, want 2.11.0"
        );
        pretend(&folder, "2.11.0", true);
        assert!(inspect(&folder).unwrap().cuda);
        fs::write(
            folder.join("include/torch/csrc/api/include/torch/torch.h"),
            "",
        )
        .unwrap();
        let problem = inspect(&folder).unwrap_err();
        assert!(problem.contains("torch.h is missing or empty"), "{problem}");
    }
}
