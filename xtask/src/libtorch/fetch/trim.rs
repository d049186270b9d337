//! Takes out of a wheel what a Rust program never loads: Python, tools and, for the CPU set, the
//! CUDA half. On Linux x86-64 that is 1.1 GB before and 0.5 GB after.

use std::fs;
use std::io;
use std::path::Path;

use crate::failure::Failure;

/// What stays of `torch/`: everything else there serves Python.
const KEPT: &[&str] = &["include", "lib", "share", "version.py"];

/// Libraries that serve Python.
const PYTHON: &[&str] = &["libtorch_python", "torch_python", "libshm"];

/// The CUDA half. The program loads it at run time where it is there and asks of it nothing else.
const CUDA: &[&str] = &["libtorch_cuda", "libc10_cuda", "libtorch_nvshmem", "libcaffe2_nvrtc"];

/// What `libtorch_cpu.so` of the Linux wheel wants of NVIDIA's packages even without a GPU.
const WANTED_WITHOUT_GPU: &[&str] = &["libcudart.so", "libcupti.so"];

/// Trims the folder that pip filled. The packages' licences (`*.dist-info`) stay.
pub fn trim(site: &Path, cuda: bool) -> Result<(), Failure> {
    trim_folder(site, cuda).map_err(|error| Failure::cache(site, &error))
}

/// Of NVIDIA's wheels, their headers alone. The packages' licences stay.
pub fn keep_headers(site: &Path) -> Result<(), Failure> {
    let keep_all = || {
        keep(site, |name| name == "nvidia" || name.ends_with(".dist-info"))?;
        folders(&site.join("nvidia"))?
            .iter()
            .try_for_each(|package| keep(package, |n| n == "include"))
    };
    keep_all().map_err(|error| Failure::cache(site, &error))
}

fn trim_folder(site: &Path, cuda: bool) -> io::Result<()> {
    keep(site, |name| ["torch", "nvidia"].contains(&name) || name.ends_with(".dist-info"))?;
    let torch = site.join("torch");
    keep(&torch, |name| KEPT.contains(&name))?;
    let begins = |name: &str, with: &[&str]| with.iter().any(|start| name.starts_with(start));
    keep(&torch.join("lib"), |name| !begins(name, PYTHON) && (cuda || !begins(name, CUDA)))?;
    if cuda {
        return Ok(());
    }
    for package in folders(&site.join("nvidia"))? {
        keep(&package, |name| name == "lib")?;
        keep(&package.join("lib"), |name| begins(name, WANTED_WITHOUT_GPU))?;
    }
    stand_in_for_libtorch(&torch.join("lib"))
}

/// `libtorch.so` is an empty library that asks for both halves. With one half gone it would not
/// link, so the other takes its name; on other systems it asks for the CPU half only.
fn stand_in_for_libtorch(lib: &Path) -> io::Result<()> {
    let (empty, half) = (lib.join("libtorch.so"), lib.join("libtorch_cpu.so"));
    if !half.exists() {
        return Ok(());
    }
    fs::remove_file(&empty)?;
    #[cfg(unix)]
    std::os::unix::fs::symlink("libtorch_cpu.so", &empty)?;
    Ok(())
}

fn folders(folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    Ok(entries.iter().map(fs::DirEntry::path).filter(|path| path.is_dir()).collect())
}

/// Removes every entry of `folder` whose name `kept` refuses.
fn keep(folder: &Path, kept: impl Fn(&str) -> bool) -> io::Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if kept(&entry.file_name().to_string_lossy()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn wheel(site: &Path) {
        for file in [
            "functorch/__init__.py",
            "torch-2.11.0.dist-info/LICENSE",
            "torch/version.py",
            "torch/nn/__init__.py",
            "torch/bin/protoc",
            "torch/include/torch/torch.h",
            "torch/lib/libtorch.so",
            "torch/lib/libtorch_cpu.so",
            "torch/lib/libtorch_cuda.so",
            "torch/lib/libtorch_python.so",
            "torch/lib/libgomp.so.1",
            "nvidia/cu13/include/cuda.h",
            "nvidia/cu13/lib/libcudart.so.13",
            "nvidia/cu13/lib/libnvperf_host.so",
        ] {
            let path = site.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
    }

    #[test]
    fn the_cpu_set_keeps_what_it_loads() {
        let temp = tempfile::tempdir().unwrap();
        let site = temp.path();
        wheel(site);
        trim(site, false).unwrap();
        for kept in [
            "torch-2.11.0.dist-info/LICENSE",
            "torch/version.py",
            "torch/include/torch/torch.h",
            "torch/lib/libgomp.so.1",
            "nvidia/cu13/lib/libcudart.so.13",
        ] {
            assert!(site.join(kept).exists(), "{kept}");
        }
        let stand_in = fs::read_link(site.join("torch/lib/libtorch.so")).unwrap();
        assert_eq!(stand_in, Path::new("libtorch_cpu.so"));
        for gone in [
            "functorch",
            "torch/nn",
            "torch/bin",
            "torch/lib/libtorch_cuda.so",
            "torch/lib/libtorch_python.so",
            "nvidia/cu13/include",
            "nvidia/cu13/lib/libnvperf_host.so",
        ] {
            assert!(!site.join(gone).exists(), "{gone}");
        }
    }

    #[test]
    fn the_cuda_set_keeps_both_halves_and_the_headers() {
        let temp = tempfile::tempdir().unwrap();
        wheel(temp.path());
        trim(temp.path(), true).unwrap();
        for kept in ["torch/lib/libtorch_cuda.so", "nvidia/cu13/include/cuda.h"] {
            assert!(temp.path().join(kept).exists(), "{kept}");
        }
        let file = fs::symlink_metadata(temp.path().join("torch/lib/libtorch.so")).unwrap();
        assert!(file.is_file());
    }
}
