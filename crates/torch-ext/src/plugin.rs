//! What CUDA offers beyond tensors: graphs, streams and memory figures, by a second small library.
//!
//! It is C++ against libtorch's CUDA half, which the program does not link, so it is a file of its
//! own (`plugin/*.cpp` → `libcatscan_cuda.so`), built by `cargo xtask bundle` or `setup --cuda` and
//! looked for beside the program, or where `CATSCAN_PLUGIN` says. It is loaded after
//! [`crate::cuda::load`]. Without it everything still trains; what it offers is told to be absent.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Serialize;

use crate::cuda;

/// The library's name.
pub const FILE: &str = "libcatscan_cuda.so";

/// Names the library where it is not beside the program.
pub const VARIABLE: &str = "CATSCAN_PLUGIN";

/// `catscan_plugin_abi` of plugin/device.cpp.
const ABI: c_uint = 1;

/// Room for one line of what a function says went wrong.
const MESSAGE: usize = 512;

/// Why there is no plugin to be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// No such file.
    #[error(
        "{FILE}: not beside the program, and {VARIABLE} does not name it; `cargo xtask setup \
         --cuda` builds it"
    )]
    Absent,
    /// The loader refuses it.
    #[error("{}: cannot be loaded: {reason}; build it again with `cargo xtask setup --cuda`", path.display())]
    Unloadable {
        /// The file.
        path: PathBuf,
        /// The loader's words.
        reason: String,
    },
    /// Of another version of this program.
    #[error("{}: of version {theirs}, want {ABI}; build it again with `cargo xtask setup --cuda`", path.display())]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// What it says of itself.
        theirs: u32,
    },
    /// Loaded, but there is nothing for it to work on; or CUDA failed. In its own words.
    #[error("CUDA: {0}")]
    Cuda(String),
}

/// The memory of a device, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DeviceMemory {
    /// Nobody's.
    pub free_bytes: u64,
    /// Built in.
    pub total_bytes: u64,
    /// Of this process's tensors.
    pub tensors_bytes: u64,
    /// Kept by this process, tensors included.
    pub kept_bytes: u64,
    /// The most its tensors ever held.
    pub peak_bytes: u64,
}

/// A function that gives 0, or 1 with a message.
type Device = unsafe extern "C" fn(c_int, *mut c_char, usize) -> c_int;

/// The library's functions. Private: what is safe of them is below, in [`crate::graphs`] and in
/// [`crate::nccl`].
pub(crate) struct Plugin {
    ready: unsafe extern "C" fn(*mut c_char, usize) -> c_int,
    memory: unsafe extern "C" fn(c_int, *mut u64, *mut c_char, usize) -> c_int,
    side_stream: Device,
    pub(crate) graph_begin: unsafe extern "C" fn(*mut c_char, usize) -> *mut c_void,
    pub(crate) graph_end: unsafe extern "C" fn(*mut c_void, *mut c_char, usize) -> c_int,
    pub(crate) graph_abandon: unsafe extern "C" fn(*mut c_void),
    pub(crate) graph_replay: unsafe extern "C" fn(*mut c_void, *mut c_char, usize) -> c_int,
    pub(crate) graph_free: unsafe extern "C" fn(*mut c_void),
    pub(crate) nccl_open: NcclOpen,
    pub(crate) nccl_sum: NcclSum,
    pub(crate) nccl_close: unsafe extern "C" fn(*mut c_void),
}

/// Host, port, prefix, rank, world, seconds, and the message.
type NcclOpen = unsafe extern "C" fn(
    *const c_char,
    u16,
    *const c_char,
    c_int,
    c_int,
    u32,
    *mut c_char,
    usize,
) -> *mut c_void;

/// The group, its tensors and their number, and the message.
type NcclSum =
    unsafe extern "C" fn(*mut c_void, *const *const c_void, usize, *mut c_char, usize) -> c_int;

/// Whether the plugin is there and has a device to work on. The first call decides.
///
/// # Errors
/// Why not.
pub fn ready() -> Result<(), PluginError> {
    usable().map(|_| ())
}

/// What `device` (counted from zero) has, and this process holds of it.
///
/// # Errors
/// Without a plugin or such a device.
pub fn memory(device: usize) -> Result<DeviceMemory, PluginError> {
    let plugin = usable()?;
    let mut bytes = [0u64; 5];
    said(|message, size| {
        // SAFETY: five numbers are written, as plugin/device.cpp says.
        unsafe { (plugin.memory)(device as c_int, bytes.as_mut_ptr(), message, size) }
    })?;
    let [free_bytes, total_bytes, tensors_bytes, kept_bytes, peak_bytes] = bytes;
    Ok(DeviceMemory { free_bytes, total_bytes, tensors_bytes, kept_bytes, peak_bytes })
}

/// From here on this thread's work on `device` goes to a stream that can be recorded.
///
/// # Errors
/// Without a plugin or such a device.
pub fn use_side_stream(device: usize) -> Result<(), PluginError> {
    let plugin = usable()?;
    // SAFETY: no memory of ours is involved.
    said(|message, size| unsafe { (plugin.side_stream)(device as c_int, message, size) })
}

/// The plugin, once it has said that there is a device.
pub(crate) fn usable() -> Result<&'static Plugin, PluginError> {
    static FOUND: OnceLock<Result<Plugin, PluginError>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            // Its functions are libtorch's CUDA half's, which must be there first.
            cuda::load();
            let plugin = load(&place().ok_or(PluginError::Absent)?)?;
            // SAFETY: asks libtorch's CPU half only.
            said(|message, size| unsafe { (plugin.ready)(message, size) })?;
            Ok(plugin)
        })
        .as_ref()
        .map_err(Clone::clone)
}

/// Calls a function of the plugin with room for its message.
pub(crate) fn said(call: impl FnOnce(*mut c_char, usize) -> c_int) -> Result<(), PluginError> {
    let mut message = [0 as c_char; MESSAGE];
    match call(message.as_mut_ptr(), MESSAGE) {
        0 => Ok(()),
        _ => Err(PluginError::Cuda(words(&message))),
    }
}

/// The same, of a function that gives a pointer or null.
pub(crate) fn made(
    call: impl FnOnce(*mut c_char, usize) -> *mut c_void,
) -> Result<*mut c_void, PluginError> {
    let mut message = [0 as c_char; MESSAGE];
    let pointer = call(message.as_mut_ptr(), MESSAGE);
    if pointer.is_null() { Err(PluginError::Cuda(words(&message))) } else { Ok(pointer) }
}

fn words(message: &[c_char; MESSAGE]) -> String {
    // SAFETY: it was zeroed, and the plugin leaves the last byte alone.
    unsafe { CStr::from_ptr(message.as_ptr()) }.to_string_lossy().into_owned()
}

/// Where the library is, if it is anywhere.
fn place() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        return Some(named.into());
    }
    // A test or an example lies one folder below the program.
    let program = std::env::current_exe().ok()?;
    let folders = program.ancestors().skip(1).take(2);
    folders.map(|folder| folder.join(FILE)).find(|path| path.exists())
}

#[cfg(unix)]
fn load(path: &Path) -> Result<Plugin, PluginError> {
    use libloading::os::unix::{Library, RTLD_LAZY, RTLD_LOCAL};

    let refuse = |error: libloading::Error| {
        let reason = error.to_string();
        PluginError::Unloadable { path: path.to_owned(), reason }
    };
    // SAFETY: a library of ours, whose initialisers register nothing. Lazily, because without
    // libtorch's CUDA half most of its functions have nothing to call; `ready` is then all we ask.
    let library = unsafe { Library::open(Some(path), RTLD_LAZY | RTLD_LOCAL) }.map_err(refuse)?;
    // SAFETY: the signatures are those of plugin/*.cpp while the version agrees, which is asked
    // first; the library is never unloaded.
    unsafe {
        let abi = *library
            .get::<unsafe extern "C" fn() -> c_uint>(b"catscan_plugin_abi\0")
            .map_err(refuse)?;
        let theirs = abi();
        if theirs != ABI {
            return Err(PluginError::OtherVersion { path: path.to_owned(), theirs });
        }
        let plugin = Plugin {
            ready: *library.get(b"catscan_plugin_ready\0").map_err(refuse)?,
            memory: *library.get(b"catscan_device_memory\0").map_err(refuse)?,
            side_stream: *library.get(b"catscan_device_side_stream\0").map_err(refuse)?,
            graph_begin: *library.get(b"catscan_graph_begin\0").map_err(refuse)?,
            graph_end: *library.get(b"catscan_graph_end\0").map_err(refuse)?,
            graph_abandon: *library.get(b"catscan_graph_abandon\0").map_err(refuse)?,
            graph_replay: *library.get(b"catscan_graph_replay\0").map_err(refuse)?,
            graph_free: *library.get(b"catscan_graph_free\0").map_err(refuse)?,
            nccl_open: *library.get(b"catscan_nccl_open\0").map_err(refuse)?,
            nccl_sum: *library.get(b"catscan_nccl_sum\0").map_err(refuse)?,
            nccl_close: *library.get(b"catscan_nccl_close\0").map_err(refuse)?,
        };
        std::mem::forget(library);
        Ok(plugin)
    }
}

#[cfg(not(unix))]
fn load(path: &Path) -> Result<Plugin, PluginError> {
    let reason = "it is built on Linux only".to_owned();
    Err(PluginError::Unloadable { path: path.to_owned(), reason })
}
