//! What pip must fetch for this machine: a table, one row a platform.
//!
//! The pins (versions and SHA-256) lie in `xtask/libtorch/`; any Python 3 fetches them, because
//! only the wheels' libraries and headers are used.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// One platform PyTorch publishes a wheel of 2.11.0 for.
#[derive(Debug)]
pub struct Platform {
    /// As `std::env::consts::OS`.
    os: &'static str,
    /// As `std::env::consts::ARCH`.
    arch: &'static str,
    /// pip's names for it: every one the pinned wheels carry (old pips do not derive them).
    pub tags: &'static [&'static str],
    /// What is fetched for the CPU.
    pub cpu: Size,
    /// What is fetched with CUDA, where that exists.
    pub cuda: Option<Size>,
}

/// How big a set is, in millions of bytes.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Through the network.
    pub fetched_mb: u32,
    /// On disk at the worst moment: archives and unpacked files together.
    pub peak_mb: u32,
}

static PLATFORMS: &[Platform] = &[
    Platform {
        os: "linux",
        arch: "x86_64",
        tags: &[
            "manylinux_2_28_x86_64",
            "manylinux_2_27_x86_64",
            "manylinux_2_25_x86_64",
            "manylinux_2_18_x86_64",
            "manylinux2014_x86_64",
            "manylinux2010_x86_64",
            "manylinux1_x86_64",
        ],
        cpu: Size { fetched_mb: 544, peak_mb: 1_700 },
        cuda: Some(Size { fetched_mb: 2_200, peak_mb: 7_000 }),
    },
    Platform {
        os: "linux",
        arch: "aarch64",
        tags: &[
            "manylinux_2_28_aarch64",
            "manylinux_2_27_aarch64",
            "manylinux_2_25_aarch64",
            "manylinux_2_18_aarch64",
            "manylinux2014_aarch64",
        ],
        cpu: Size { fetched_mb: 433, peak_mb: 1_500 },
        cuda: Some(Size { fetched_mb: 2_200, peak_mb: 7_000 }),
    },
    Platform {
        os: "macos",
        arch: "aarch64",
        tags: &["macosx_11_0_arm64"],
        cpu: Size { fetched_mb: 81, peak_mb: 500 },
        cuda: None,
    },
    Platform {
        os: "windows",
        arch: "x86_64",
        tags: &["win_amd64"],
        cpu: Size { fetched_mb: 115, peak_mb: 700 },
        cuda: None,
    },
];

/// This machine's row.
pub fn current() -> Result<&'static Platform, Failure> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let known = PLATFORMS.iter().find(|platform| platform.os == os && platform.arch == arch);
    known.filter(|_| !cfg!(target_env = "musl")).ok_or_else(|| {
        let libc = if cfg!(target_env = "musl") { " (musl)" } else { "" };
        Failure::usage(format!(
            "{os} on {arch}{libc}: PyTorch publishes no libtorch 2.11.0 for it; build one and set \
             LIBTORCH to its folder"
        ))
    })
}

impl Platform {
    /// The sizes of the wanted set.
    pub fn size(&self, cuda: bool) -> Result<Size, Failure> {
        if !cuda {
            return Ok(self.cpu);
        }
        self.cuda.ok_or_else(|| {
            Failure::usage(format!("--cuda: there is no CUDA libtorch for {}", self.os))
        })
    }

    /// The file of pins, for `pip install -r`.
    pub fn pins(&self, root: &Path, cuda: bool) -> PathBuf {
        let half = if cuda { "-cuda" } else { "" };
        root.join("xtask/libtorch").join(format!("{}-{}{half}.txt", self.os, self.arch))
    }

    /// The same of CUDA's headers, where there is CUDA.
    pub fn header_pins(&self, root: &Path) -> Result<PathBuf, Failure> {
        self.size(true)?;
        let name = format!("{}-{}-cuda-headers.txt", self.os, self.arch);
        Ok(root.join("xtask/libtorch").join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libtorch::version::FETCHED;
    use crate::workspace;

    /// The packages of a file of pins, each of which has its digest.
    fn pinned(path: &Path) -> Vec<String> {
        let pins = std::fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = pins.lines().filter(|line| !line.starts_with('#')).collect();
        let package = |pair: &[&str]| {
            assert!(pair[0].contains("==") && pair[0].ends_with('\\'), "{pair:?}");
            let digest = pair[1].trim().strip_prefix("--hash=sha256:").unwrap();
            assert_eq!(digest.len(), 64, "{pair:?}");
            pair[0].trim_end_matches(" \\").to_owned()
        };
        lines.chunks(2).map(package).collect()
    }

    #[test]
    fn every_set_is_pinned_by_digest() {
        let root = workspace::root();
        for platform in PLATFORMS {
            let cpu = pinned(&platform.pins(&root, false));
            assert_eq!(cpu[0], format!("torch=={FETCHED}"));
            if platform.cuda.is_none() {
                assert_eq!(platform.header_pins(&root).unwrap_err().exit, 2);
                continue;
            }
            let cuda = pinned(&platform.pins(&root, true));
            assert_eq!(cuda[0], cpu[0]);
            // The plugin is compiled against the very runtime and NCCL that it will meet.
            let headers = pinned(&platform.header_pins(&root).unwrap());
            for package in ["nvidia-cuda-runtime", "nvidia-nccl-cu13"] {
                let version = |set: &[String]| set.iter().find(|p| p.starts_with(package)).cloned();
                assert_eq!(version(&headers), version(&cuda));
            }
        }
    }
}
