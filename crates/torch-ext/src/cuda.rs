//! CUDA, loaded while the program runs.
//!
//! The program links libtorch's CPU half only, so that one binary serves both kinds of machine.
//! libtorch decides once, at the first question, whether CUDA exists; therefore [`load`] must run
//! before anything asks (`tch::Cuda::is_available` included), and it runs at most once.
//!
//! [`prepare`] then sets what libtorch leaves at defaults: nothing of CUDA's numbers is left to
//! them.

use std::sync::OnceLock;

use serde::Serialize;
use tch::Device;

use crate::determinism;
use crate::plugin::{self, PluginError};

unsafe extern "C" {
    fn catscan_set_cuda(tf32: bool, autotune: bool);
    fn catscan_tf32() -> bool;
}

/// How a CUDA device computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Multiplies 32-bit numbers with 10 bits of mantissa instead of 23: faster, and no longer what
    /// `fp32` says. PyTorch's own default is on for convolutions and off for matrices.
    pub tf32: bool,
    /// Lets cuDNN time its algorithms for each new shape and keep the fastest. Never together with
    /// [`determinism::require`]: which one wins is a matter of the moment.
    pub autotune: bool,
}

impl Settings {
    /// 32-bit numbers are 32 bits, and the fastest algorithm is taken.
    pub const USUAL: Settings = Settings { tf32: false, autotune: true };
}

/// Readies this thread to compute on `device`; nothing on another kind than CUDA.
///
/// # Errors
/// Where CUDA fails. A plugin that is absent is no error: then there are no graphs.
pub fn prepare(device: Device, settings: Settings) -> Result<(), PluginError> {
    let Device::Cuda(index) = device else { return Ok(()) };
    let autotune = settings.autotune && !determinism::is_required();
    // SAFETY: sets flags of libtorch's own.
    unsafe { catscan_set_cuda(settings.tf32, autotune) };
    match plugin::ready() {
        Ok(()) => plugin::use_side_stream(index),
        Err(_) => Ok(()),
    }
}

/// Whether [`Settings::tf32`] holds, for matrices and for convolutions.
pub fn is_tf32() -> bool {
    // SAFETY: reads flags of libtorch's own.
    unsafe { catscan_tf32() }
}

/// What came of looking for CUDA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub enum CudaStatus {
    /// Loaded, and libtorch sees this many devices (at least one).
    Ready {
        /// Number of devices.
        devices: usize,
    },
    /// Loaded, but the driver offers no device.
    NoDevice,
    /// The libtorch in use is a CPU build: it has no CUDA half at all.
    CpuBuild,
    /// The CUDA half is there but could not be loaded, as the loader puts it
    /// (usually it names the first library that is missing).
    Unloadable {
        /// The loader's own words.
        reason: String,
    },
}

impl std::fmt::Display for CudaStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CudaStatus::Ready { devices } => write!(f, "ready, {devices} device(s)"),
            CudaStatus::NoDevice => f.write_str("loaded, but the driver offers no device"),
            CudaStatus::CpuBuild => f.write_str("no: this libtorch is a CPU build"),
            CudaStatus::Unloadable { reason } => write!(f, "not loaded: {reason}"),
        }
    }
}

/// Loads libtorch's CUDA half if it is there. The first call decides; later calls repeat its
/// answer.
pub fn load() -> CudaStatus {
    static STATUS: OnceLock<CudaStatus> = OnceLock::new();
    STATUS.get_or_init(load_once).clone()
}

#[cfg(unix)]
fn load_once() -> CudaStatus {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

    let name = "libtorch_cuda.so";
    let path = crate::libtorch::library_folder().map(|folder| folder.join(name));
    let Some(path) = path.filter(|path| path.exists()) else {
        return CudaStatus::CpuBuild;
    };
    // SAFETY: libtorch's own library of the same version; its initialisers register kernels and
    // hooks, which is what we load it for. It is never unloaded.
    match unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => {
            std::mem::forget(library);
            match tch::Cuda::device_count() {
                0.. if !tch::Cuda::is_available() => CudaStatus::NoDevice,
                devices => CudaStatus::Ready { devices: devices as usize },
            }
        }
        Err(error) => CudaStatus::Unloadable { reason: innermost(&error) },
    }
}

/// The loader's own sentence, which names the missing library, is the last of the chain.
#[cfg(unix)]
fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}

#[cfg(not(unix))]
fn load_once() -> CudaStatus {
    match tch::Cuda::device_count() {
        devices if tch::Cuda::is_available() => CudaStatus::Ready { devices: devices as usize },
        _ => CudaStatus::CpuBuild,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_libtorchs_default_and_the_processor_is_left_alone() {
        prepare(Device::Cpu, Settings { tf32: true, autotune: true }).unwrap();
        // SAFETY: as in `prepare`; no CUDA device is asked.
        unsafe { catscan_set_cuda(true, false) };
        assert!(is_tf32());
        // SAFETY: as above.
        unsafe { catscan_set_cuda(false, false) };
        assert!(!is_tf32());
    }
}
