//! Layers whose backward is our own: a function of tensors put into libtorch's graph, which tch
//! alone cannot do.
//!
//! ```
//! use catscan_torch_ext::gradient::with_gradient;
//! use tch::{Device, Kind, Tensor, no_grad};
//!
//! let x = Tensor::from_slice(&[1f32, 2.0]).set_requires_grad(true);
//! let kept = x.detach();
//! let y = no_grad(|| &x * &x);
//! let y = with_gradient(y, &[&x], move |gradient, _| vec![Some(gradient * 2.0 * &kept)]);
//! y.sum(Kind::Float).backward();
//! assert_eq!(Vec::<f32>::try_from(x.grad()).unwrap(), [2.0, 4.0]);
//! ```
//!
//! What the closure captures must be outside of the graph: a captured tensor with a history would
//! keep itself alive for ever. A gradient of a gradient is refused.

use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use tch::Tensor;
use torch_sys::C_tensor;

type Closure = Box<dyn Fn(&Tensor, &[bool]) -> Vec<Option<Tensor>> + Send>;

/// `struct Backward` of the shim.
#[repr(C)]
struct Backward {
    /// A `Closure` in a box of its own, so that it is one pointer wide.
    closure: *mut c_void,
    run: unsafe extern "C" fn(
        *mut c_void,
        *const C_tensor,
        *const bool,
        *mut *mut C_tensor,
        usize,
        *mut c_char,
        usize,
    ) -> bool,
    drop: unsafe extern "C" fn(*mut c_void),
}

unsafe extern "C" {
    fn catscan_with_gradient(
        output: *const C_tensor,
        inputs: *const *mut C_tensor,
        count: usize,
        backward: Backward,
        message: *mut c_char,
        size: usize,
    ) -> *mut C_tensor;

    fn catscan_is_recorded() -> bool;
}

/// `y`, computed from `inputs` without a graph, as a result of them in the graph.
///
/// `backward(gradient of y, wanted)` gives one gradient an input, in their order; `wanted` tells
/// which are of use. It may run more than once where the graph is kept, and never at the same time.
///
/// # Panics
/// When libtorch refuses; a panic of `backward` is libtorch's error there.
pub fn with_gradient<F>(y: Tensor, inputs: &[&Tensor], backward: F) -> Tensor
where
    F: Fn(&Tensor, &[bool]) -> Vec<Option<Tensor>> + Send + 'static,
{
    let pointers: Vec<*mut C_tensor> = inputs.iter().map(|x| x.as_ptr().cast_mut()).collect();
    let closure: Closure = Box::new(backward);
    let closure = Box::into_raw(Box::new(closure)).cast();
    let backward = Backward { closure, run: run_backward, drop: drop_closure };
    let mut message = [0; 512];
    // SAFETY: all pointers are of living tensors, which the shim only reads; it owns the closure
    // from here on, calls it from one thread at a time, and hands it back to `drop_closure` once.
    // The message is longer than what it writes by at least the last zero.
    unsafe {
        let result = catscan_with_gradient(
            y.as_ptr(),
            pointers.as_ptr(),
            pointers.len(),
            backward,
            message.as_mut_ptr(),
            message.len(),
        );
        if result.is_null() {
            panic!("{}", CStr::from_ptr(message.as_ptr()).to_string_lossy());
        }
        Tensor::from_ptr(result)
    }
}

/// Whether this thread's operations are recorded for backward: not within `tch::no_grad`.
pub fn is_recorded() -> bool {
    // SAFETY: reads a flag of libtorch's own.
    unsafe { catscan_is_recorded() }
}

/// Runs the closure for the shim. A panic must not cross into C++: it becomes a message.
///
/// # Safety
/// `closure` is `with_gradient`'s, `gradient` a living tensor, `wanted` and `results` `count` long,
/// `message` has `size` zero bytes.
unsafe extern "C" fn run_backward(
    closure: *mut c_void,
    gradient: *const C_tensor,
    wanted: *const bool,
    results: *mut *mut C_tensor,
    count: usize,
    message: *mut c_char,
    size: usize,
) -> bool {
    let result = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: as this function's contract says; the clone is a handle of the shim's tensor.
        let (run, gradient, wanted) = unsafe {
            let gradient = Tensor::clone_from_ptr(gradient.cast_mut());
            let wanted = std::slice::from_raw_parts(wanted, count);
            (&*closure.cast::<Closure>(), gradient, wanted)
        };
        let found = run(&gradient, wanted);
        assert_eq!(found.len(), count, "a gradient an input");
        for (i, mut gradient) in found.into_iter().enumerate() {
            let pointer = gradient.as_mut().map_or(std::ptr::null_mut(), Tensor::as_mut_ptr);
            std::mem::forget(gradient); // the shim frees it
            // SAFETY: `results` has `count` places.
            unsafe { *results.add(i) = pointer };
        }
    }));
    result.map_err(|payload| crate::shim::write(&*payload, message, size)).is_ok()
}

/// Frees the closure, and with it what it captured.
///
/// # Safety
/// `closure` is `with_gradient`'s, and this is the only call for it.
unsafe extern "C" fn drop_closure(closure: *mut c_void) {
    // SAFETY: it came from `Box::into_raw` and comes back once.
    let closure = unsafe { Box::from_raw(closure.cast::<Closure>()) };
    // A panic in a captured value's drop must not cross into C++; there is nobody to tell.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(closure)));
}
