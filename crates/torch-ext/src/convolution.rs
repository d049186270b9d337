//! Convolutions that cost less than libtorch's own on the CPU, where there is a cheaper way to the
//! same numbers.
//!
//! - [`conv2d`] of bf16 maps, where the processor has dot products of bf16 pairs and no tiles: sums
//!   of those, over the maps as they lie (`convolution/dots.cpp`). oneDNN's convolutions are as
//!   fast as long as they run, but look themselves up at each call, gather and reorder.
//! - [`conv2d`] otherwise: a convolution of few pixels is a matrix product of the weight with the
//!   maps as they lie in channels_last, `[N·H·W, C] · [C, C']`, or where it is larger than 1×1 with
//!   their patches, `[N·H'·W', size²·C] · [size²·C, C']`. As a convolution it would first bring the
//!   weight into oneDNN's own order, and its gradient back, which then is most of the work.
//! - [`Packed`]: a convolution of evaluation whose weight is brought into that order once, and
//!   which adds its bias and takes its ReLU while the result is still in registers.
//!
//! Maps are `[N, C, H, W]`, weights `[C', C, size, size]`. There is no dilation and are no groups.

use std::ffi::{CStr, c_char};
use std::fmt;

use tch::Tensor;
use torch_sys::C_tensor;

unsafe extern "C" {
    fn catscan_conv2d(
        x: *const C_tensor,
        weight: *const C_tensor,
        bias: *const C_tensor,
        stride: i64,
        padding: i64,
        message: *mut c_char,
        size: usize,
    ) -> *mut C_tensor;

    fn catscan_conv2d_backward(
        gradient: *const C_tensor,
        x: *const C_tensor,
        weight: *const C_tensor,
        stride: i64,
        padding: i64,
        wanted: *const bool,
        results: *mut *mut C_tensor,
        message: *mut c_char,
        size: usize,
    ) -> bool;

    fn catscan_conv2d_rounds(
        x: *const C_tensor,
        weight: *const C_tensor,
        has_bias: bool,
        stride: i64,
        padding: i64,
    ) -> bool;

    fn catscan_conv2d_packs(x: *const C_tensor) -> bool;

    fn catscan_conv2d_pack(
        weight: *const C_tensor,
        x: *const C_tensor,
        stride: i64,
        padding: i64,
        message: *mut c_char,
        size: usize,
    ) -> *mut C_tensor;

    fn catscan_conv2d_packed(
        x: *const C_tensor,
        packed: *const C_tensor,
        bias: *const C_tensor,
        stride: i64,
        padding: i64,
        relu: bool,
        message: *mut c_char,
        size: usize,
    ) -> *mut C_tensor;
}

/// How a kernel moves over a map, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// From one place to the next.
    pub stride: i64,
    /// Zeros on each side.
    pub padding: i64,
}

/// Whether [`conv2d`] of these bf16 maps rounds a 32-bit weight on its way: it then makes no copy
/// of it, and its gradient is of 32 bits too.
pub fn rounds(x: &Tensor, weight: &Tensor, has_bias: bool, steps: Steps) -> bool {
    let Steps { stride, padding } = steps;
    // SAFETY: the shim only reads the tensors.
    unsafe { catscan_conv2d_rounds(x.as_ptr(), weight.as_ptr(), has_bias, stride, padding) }
}

/// `[N, C, H, W] -> [N, C', H', W']`, in the graph. A gradient of a gradient is refused where it is
/// not libtorch's own convolution. The weight is of the kind of `x`, or rounded to it.
///
/// # Panics
/// When libtorch refuses the shapes.
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, steps: Steps) -> Tensor {
    let mut message = [0; 512];
    // SAFETY: all pointers are of living tensors, which the shim only reads; it writes less than
    // the message's length, and answers a new tensor, which becomes ours, or null.
    unsafe {
        let result = catscan_conv2d(
            x.as_ptr(),
            weight.as_ptr(),
            pointer(bias),
            steps.stride,
            steps.padding,
            message.as_mut_ptr(),
            message.len(),
        );
        owned(result, &message)
    }
}

/// Of [`conv2d`]: the gradients of `x`, of `weight` and of the bias, those that are wanted.
///
/// # Panics
/// When libtorch refuses the shapes.
pub fn conv2d_backward(
    gradient: &Tensor,
    x: &Tensor,
    weight: &Tensor,
    steps: Steps,
    wanted: [bool; 3],
) -> [Option<Tensor>; 3] {
    let mut results = [std::ptr::null_mut(); 3];
    let mut message = [0; 512];
    // SAFETY: as in `conv2d`; three wishes are read and up to three new tensors written.
    unsafe {
        let done = catscan_conv2d_backward(
            gradient.as_ptr(),
            x.as_ptr(),
            weight.as_ptr(),
            steps.stride,
            steps.padding,
            wanted.as_ptr(),
            results.as_mut_ptr(),
            message.as_mut_ptr(),
            message.len(),
        );
        if !done {
            panic!("{}", CStr::from_ptr(message.as_ptr()).to_string_lossy());
        }
        results.map(|pointer| (!pointer.is_null()).then(|| Tensor::from_ptr(pointer)))
    }
}

/// A convolution with its weight in oneDNN's own order. It has no gradient.
pub struct Packed {
    /// Opaque: no other operation takes it.
    weight: Tensor,
    bias: Option<Tensor>,
    steps: Steps,
}

impl Packed {
    /// Whether maps like `x` can be convolved so: 32-bit or, where oneDNN has it, bf16 on the CPU,
    /// and not empty.
    pub fn fits(x: &Tensor) -> bool {
        // SAFETY: the shim only reads the tensor.
        unsafe { catscan_conv2d_packs(x.as_ptr()) }
    }

    /// For maps like `x`, of whose kind weight and bias are. Others of its kind are taken too, at
    /// the cost of another reordering at each call.
    ///
    /// # Panics
    /// When libtorch refuses the shapes, or [`Packed::fits`] says no.
    pub fn new(weight: &Tensor, bias: Option<Tensor>, steps: Steps, x: &Tensor) -> Packed {
        assert!(Packed::fits(x), "maps {:?} of {:?} cannot be convolved so", x.size(), x.kind());
        let mut message = [0; 512];
        // SAFETY: as in `conv2d`.
        let weight = unsafe {
            let result = catscan_conv2d_pack(
                weight.as_ptr(),
                x.as_ptr(),
                steps.stride,
                steps.padding,
                message.as_mut_ptr(),
                message.len(),
            );
            owned(result, &message)
        };
        Packed { weight, bias, steps }
    }

    /// `[N, C, H, W] -> [N, C', H', W']` in channels_last, then `max(0, ·)` if `relu`.
    ///
    /// # Panics
    /// When libtorch refuses the shapes.
    pub fn run(&self, x: &Tensor, relu: bool) -> Tensor {
        let mut message = [0; 512];
        // SAFETY: as in `conv2d`.
        unsafe {
            let result = catscan_conv2d_packed(
                x.as_ptr(),
                self.weight.as_ptr(),
                pointer(self.bias.as_ref()),
                self.steps.stride,
                self.steps.padding,
                relu,
                message.as_mut_ptr(),
                message.len(),
            );
            owned(result, &message)
        }
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packed").field("steps", &self.steps).finish_non_exhaustive()
    }
}

fn pointer(tensor: Option<&Tensor>) -> *const C_tensor {
    tensor.map_or(std::ptr::null(), Tensor::as_ptr)
}

/// # Safety
/// `result` is a shim's new tensor, or null and then `message` ends in a zero.
unsafe fn owned(result: *mut C_tensor, message: &[c_char]) -> Tensor {
    // SAFETY: by this function's contract.
    unsafe {
        if result.is_null() {
            panic!("{}", CStr::from_ptr(message.as_ptr()).to_string_lossy());
        }
        Tensor::from_ptr(result)
    }
}
