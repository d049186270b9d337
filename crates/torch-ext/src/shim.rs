//! What our C++ halves share.

use std::any::Any;
use std::ffi::c_char;

use crate::panics;

/// Writes what a panic said where a shim's message goes.
pub fn write(payload: &(dyn Any + Send), message: *mut c_char, size: usize) {
    let text = panics::text(payload).unwrap_or("it panicked");
    let length = text.len().min(size - 1);
    // SAFETY: by the shims' contracts `message` has `size` zero bytes.
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), message.cast(), length) };
}
