//! Gradient checkpointing: a segment of a network that keeps its inputs only and is run again in
//! backward (Chen, Xu, Zhang & Guestrin 2016, *Training Deep Nets with Sublinear Memory Cost*,
//! arXiv:1604.06174; for DenseNets Pleiss, Chen, Huang, Li, van der Maaten & Weinberger 2017,
//! *Memory-Efficient Implementation of DenseNets*, arXiv:1707.06990).
//!
//! ```
//! use catscan_torch_ext::recompute::checkpoint;
//! use tch::{Device, Kind, Tensor};
//!
//! let x = Tensor::ones([3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
//! let y = checkpoint(&[&x], |inputs, _| inputs[0].exp().relu());
//! y.sum(Kind::Float).backward(); // runs exp and relu again: neither result was kept
//! assert!(x.grad().allclose(&x.exp(), 1e-6, 0.0, false));
//! ```
//!
//! tch cannot put a function of one's own into libtorch's graph, hence `recompute/shim.cpp`.
//! A gradient reaches what is among the inputs, weights included, and nothing else: a segment that
//! captures a tensor that wants a gradient is refused in backward. Backward may be repeated as long
//! as the graph is kept; a gradient of a gradient is refused. The segment is freed with the graph.

use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null;

use tch::Tensor;
use torch_sys::C_tensor;

use crate::convolution::{Plan, Steps};

/// Which run of a segment it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// The forward: with what may happen once only, such as moving running statistics.
    First,
    /// In backward. It must compute the same values again.
    Again,
}

/// `run(inputs)`, of which backward remembers the inputs only. `run` gets tensors of the inputs'
/// values in their order; it must compute the same each time and make a new tensor.
///
/// # Panics
/// When `run` does, or returns a view of an input. A panic in backward is libtorch's error there.
pub fn checkpoint<F>(inputs: &[&Tensor], run: F) -> Tensor
where
    F: Fn(&[Tensor], Pass) -> Tensor + Send + 'static,
{
    let y = forward(inputs, &run, |y| y);
    attach(&y, inputs, None, Box::new(run))
}

/// `run(inputs)`, then a convolution of it without bias: `[N, C, H, W] -> [N, C', H', W']`, by a
/// weight `[C', C, size, size]` in the kind of the maps, or rounded to it. The convolution's
/// backward needs what `run` made but not its own result, so that only `run` is repeated.
///
/// # Panics
/// As [`checkpoint`].
pub fn checkpoint_conv2d<F>(inputs: &[&Tensor], weight: &Tensor, steps: Steps, run: F) -> Tensor
where
    F: Fn(&[Tensor], Pass) -> Tensor + Send + 'static,
{
    let (plan, y) = forward(inputs, &run, |y| {
        let plan = Plan::of(&y, weight, false, steps);
        (plan, plan.forward(&y, weight, None))
    });
    attach(&y, inputs, Some((weight, plan)), Box::new(run))
}

fn forward<F, T>(inputs: &[&Tensor], run: &F, then: impl Fn(Tensor) -> T) -> T
where
    F: Fn(&[Tensor], Pass) -> Tensor,
{
    let _not_recorded = tch::no_grad_guard();
    let inputs: Vec<Tensor> = inputs.iter().map(|x| x.shallow_clone()).collect();
    then(run(&inputs, Pass::First))
}

type Closure = Box<dyn Fn(&[Tensor], Pass) -> Tensor + Send>;

/// `struct Segment` of the shim.
#[repr(C)]
struct Segment {
    /// A `Closure` in a box of its own, so that it is one pointer wide.
    closure: *mut c_void,
    run: unsafe extern "C" fn(
        *mut c_void,
        *const *mut C_tensor,
        usize,
        *mut c_char,
        usize,
    ) -> *mut C_tensor,
    drop: unsafe extern "C" fn(*mut c_void),
}

unsafe extern "C" {
    fn catscan_recompute(
        output: *const C_tensor,
        inputs: *const *mut C_tensor,
        count: usize,
        weight: *const C_tensor,
        plan: *const Plan,
        segment: Segment,
        message: *mut c_char,
        size: usize,
    ) -> *mut C_tensor;
}

fn attach(y: &Tensor, inputs: &[&Tensor], conv: Option<(&Tensor, Plan)>, run: Closure) -> Tensor {
    let pointers: Vec<*mut C_tensor> = inputs.iter().map(|x| x.as_ptr().cast_mut()).collect();
    let weight = conv.map_or(null(), |(weight, _)| weight.as_ptr());
    let plan = conv.as_ref().map_or(null(), |(_, plan)| std::ptr::from_ref(plan));
    let closure = Box::into_raw(Box::new(run)).cast();
    let segment = Segment { closure, run: run_again, drop: drop_closure };
    let mut message = [0; 512];
    // SAFETY: all pointers are of living tensors and a plan, which the shim only reads; it owns the
    // closure from here on, calls it from one thread at a time, and hands it back to `drop_closure`
    // once. The message is longer than what it writes by at least the last zero.
    unsafe {
        let result = catscan_recompute(
            y.as_ptr(),
            pointers.as_ptr(),
            pointers.len(),
            weight,
            plan,
            segment,
            message.as_mut_ptr(),
            message.len(),
        );
        if result.is_null() {
            panic!("{}", CStr::from_ptr(message.as_ptr()).to_string_lossy());
        }
        Tensor::from_ptr(result)
    }
}

/// Runs the segment for the shim. A panic must not cross into C++: it becomes a message.
///
/// # Safety
/// `closure` is `attach`'s, `inputs` are `count` living tensors, `message` has `size` zero bytes.
unsafe extern "C" fn run_again(
    closure: *mut c_void,
    inputs: *const *mut C_tensor,
    count: usize,
    message: *mut c_char,
    size: usize,
) -> *mut C_tensor {
    let result = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: as this function's contract says; the clones are handles of the shim's tensors.
        let (run, inputs) = unsafe {
            let pointers = std::slice::from_raw_parts(inputs, count);
            let inputs: Vec<Tensor> =
                pointers.iter().map(|&pointer| Tensor::clone_from_ptr(pointer)).collect();
            (&*closure.cast::<Closure>(), inputs)
        };
        let mut y = run(&inputs, Pass::Again);
        let pointer = y.as_mut_ptr();
        std::mem::forget(y); // the shim frees it
        pointer
    }));
    result.unwrap_or_else(|payload| {
        crate::shim::write(&*payload, message, size);
        std::ptr::null_mut()
    })
}

/// Frees the segment, and with it what it captured.
///
/// # Safety
/// `closure` is `attach`'s, and this is the only call for it.
unsafe extern "C" fn drop_closure(closure: *mut c_void) {
    // SAFETY: it came from `Box::into_raw` and comes back once.
    let closure = unsafe { Box::from_raw(closure.cast::<Closure>()) };
    // A panic in a captured value's drop must not cross into C++; there is nobody to tell.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(closure)));
}
