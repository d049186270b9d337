//! Whether a tensor still holds the values it held: what is computed from weights is kept for as
//! long as they stay.
//!
//! libtorch counts the writes to a tensor, but not those through another one that was given the
//! same memory (`set_data`, a flat buffer). So a stamp is given only where nobody else holds the
//! memory, and ends as soon as somebody does.

use std::ffi::c_void;

use tch::Tensor;
use torch_sys::C_tensor;

unsafe extern "C" {
    fn catscan_holders(tensor: *const C_tensor) -> usize;
    fn catscan_wrote(tensor: *const C_tensor);
}

/// Tells libtorch that kernels of ours wrote to `tensor`, so that its stamps end.
pub(crate) fn wrote(tensor: &Tensor) {
    // SAFETY: the shim counts up a number that belongs to the tensor.
    unsafe { catscan_wrote(tensor.as_ptr()) };
}

/// A tensor's state when it was looked at.
#[derive(Debug)]
pub struct Stamp {
    /// Keeps the memory, so that nothing else can be put at its address.
    _memory: Tensor,
    address: *mut c_void,
    version: i64,
}

// SAFETY: the address is compared, never followed.
unsafe impl Send for Stamp {}

impl Stamp {
    /// None where another tensor holds the same memory and could change it unseen.
    pub fn of(tensor: &Tensor) -> Option<Stamp> {
        (holders(tensor) == 1).then(|| Stamp {
            _memory: tensor.detach(),
            address: tensor.data_ptr(),
            version: tensor.internal_version(),
        })
    }

    /// Whether `tensor` is the one that was looked at, and unchanged since.
    pub fn is_of(&self, tensor: &Tensor) -> bool {
        tensor.data_ptr() == self.address
            && tensor.internal_version() == self.version
            && holders(tensor) == 2 // itself and this stamp
    }
}

fn holders(tensor: &Tensor) -> usize {
    // SAFETY: the shim only reads the tensor.
    unsafe { catscan_holders(tensor.as_ptr()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_by_whatever_way_ends_it() {
        let fresh = || Tensor::from_slice(&[1f32, 2.0, 3.0, 4.0]);
        let mut tensor = fresh();
        let stamp = Stamp::of(&tensor).unwrap();
        assert!(stamp.is_of(&tensor) && stamp.is_of(&tensor.shallow_clone()));
        assert!(!stamp.is_of(&fresh()), "equal, but another");
        let _ = tensor.fill_(0.0);
        assert!(!stamp.is_of(&tensor), "written in place");

        let tensor = fresh();
        let stamp = Stamp::of(&tensor).unwrap();
        let _ = tensor.view([2, 2]).narrow(0, 0, 1).fill_(0.0);
        assert!(!stamp.is_of(&tensor), "written through a view");

        let mut tensor = fresh();
        let stamp = Stamp::of(&tensor).unwrap();
        let mut buffer = fresh();
        tensor.set_data(&buffer.narrow(0, 0, 4));
        assert!(!stamp.is_of(&tensor), "given other memory");
        assert!(Stamp::of(&tensor).is_none(), "the buffer could write to it unseen");
        let version = tensor.internal_version();
        let _ = buffer.fill_(0.0);
        assert_eq!(tensor.internal_version(), version, "as here");
        drop(buffer);
        assert!(Stamp::of(&tensor).is_some(), "nobody else is left");
    }
}
