//! What a panic said: tch hands libtorch's errors on as panics.

use std::any::Any;

/// The message of a caught panic; none where it carried something else than text.
pub fn text(panic: &(dyn Any + Send)) -> Option<&str> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
}
