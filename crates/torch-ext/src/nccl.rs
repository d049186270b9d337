//! Sums over several CUDA devices by NCCL: torch's own process group, by way of the plugin.
//!
//! One rank a device. The ranks find one another through a store at an address that all know, on
//! which rank 0 listens; `prefix` tells groups of one store apart. The work over several ranks is
//! built on this; without a CUDA device it answers with the plugin's error.

use std::ffi::{CString, c_int, c_void};
use std::time::Duration;

use tch::Tensor;

use crate::plugin::{self, PluginError};

/// Where and as whom a rank joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Of rank 0.
    pub host: String,
    /// On it.
    pub port: u16,
    /// Fresh for each start of a group, agreed upon by its ranks.
    pub prefix: String,
    /// From zero.
    pub rank: u32,
    /// How many ranks there are.
    pub world: u32,
    /// How long the others are waited for.
    pub timeout: Duration,
}

/// Ranks that sum their tensors. Left when dropped.
#[derive(Debug)]
pub struct Group {
    group: *mut c_void,
}

impl Group {
    /// Joins the group, and waits for the others to do so.
    ///
    /// # Errors
    /// Without a plugin or a device, or where the others do not come in time.
    pub fn join(place: &Place) -> Result<Group, PluginError> {
        let plugin = plugin::usable()?;
        let text = |text: &str| {
            CString::new(text)
                .map_err(|_| PluginError::Cuda(format!("{text:?}: holds a zero byte")))
        };
        let (host, prefix) = (text(&place.host)?, text(&place.prefix)?);
        let group = plugin::made(|message, size| {
            // SAFETY: both texts live until the call returns; the group is ours until closed.
            unsafe {
                (plugin.nccl_open)(
                    host.as_ptr(),
                    place.port,
                    prefix.as_ptr(),
                    place.rank as c_int,
                    place.world as c_int,
                    place.timeout.as_secs() as u32,
                    message,
                    size,
                )
            }
        })?;
        Ok(Group { group })
    }

    /// Each of `tensors`, on this rank's device, becomes the sum of the ranks'. The host does not
    /// wait for it. All ranks must call it with the same number, shapes and kinds.
    ///
    /// # Errors
    /// NCCL's own; the group is of no use then.
    pub fn sum(&self, tensors: &[Tensor]) -> Result<(), PluginError> {
        let plugin = plugin::usable()?;
        let pointers: Vec<*const c_void> =
            tensors.iter().map(|tensor| tensor.as_ptr().cast()).collect();
        plugin::said(|message, size| {
            // SAFETY: joined by `join`; the tensors live until the call returns, and libtorch keeps
            // what it still needs of them.
            unsafe {
                (plugin.nccl_sum)(self.group, pointers.as_ptr(), pointers.len(), message, size)
            }
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Ok(plugin) = plugin::usable() {
            // SAFETY: joined by `join`, and nobody else closes it.
            unsafe { (plugin.nccl_close)(self.group) };
        }
    }
}
