//! Convolutions that cost less than libtorch's own on the CPU, where there is a cheaper way to the
//! same numbers.
//!
//! - [`conv2d`] of bf16 maps, where the processor has products of bf16 pairs: sums of those, by
//!   AMX's tiles (`convolution/tiles.cpp`) or AVX-512's dot products (`convolution/dots.cpp`), over
//!   the maps as they lie, or with a stride over their patches. oneDNN's convolutions are as fast
//!   as long as they run, but look themselves up at each call, gather and reorder.
//! - [`conv2d`] otherwise: a convolution of few pixels is a matrix product of the weight with the
//!   maps as they lie in channels_last, `[N·H·W, C] · [C, C']`, or where it is larger than 1×1 with
//!   their patches, `[N·H'·W', size²·C] · [size²·C, C']`. As a convolution it would first bring the
//!   weight into oneDNN's own order, and its gradient back, which then is most of the work.
//! - [`Plan`]: which of these, or libtorch's own, decided once for a forward and its backward.
//! - [`Packed`]: a convolution of evaluation whose weight is brought into that order once, and
//!   which adds its bias and takes its ReLU while the result is still in registers.
//!
//! Maps are `[N, C, H, W]`, weights `[C', C, size, size]`. There is no dilation and are no groups.

use std::ffi::{CStr, c_char};
use std::fmt;

use tch::Tensor;
use torch_sys::C_tensor;

unsafe extern "C" {
    fn catscan_conv2d_plan(
        x: *const C_tensor,
        weight: *const C_tensor,
        has_bias: bool,
        stride: i64,
        padding: i64,
        result: &mut Plan,
    );

    fn catscan_conv2d(
        plan: &Plan,
        x: *const C_tensor,
        weight: *const C_tensor,
        bias: *const C_tensor,
        message: *mut c_char,
        size: usize,
    ) -> *mut C_tensor;

    fn catscan_conv2d_backward(
        plan: &Plan,
        gradient: *const C_tensor,
        x: *const C_tensor,
        weight: *const C_tensor,
        wanted: *const bool,
        results: *mut *mut C_tensor,
        message: *mut c_char,
        size: usize,
    ) -> bool;

    fn catscan_conv2d_pairs() -> i32;

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

/// What multiplies pairs of bf16 numbers here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairs {
    /// AMX's tiles.
    Tiles,
    /// AVX-512's dot products.
    Dots,
    /// oneDNN, by whatever the processor has.
    Library,
}

impl Pairs {
    /// The fastest of what this processor has, this build knows and `ONEDNN_MAX_CPU_ISA` leaves.
    pub fn here() -> Pairs {
        // SAFETY: it answers a number.
        match unsafe { catscan_conv2d_pairs() } {
            0 => Pairs::Library,
            1 => Pairs::Dots,
            _ => Pairs::Tiles,
        }
    }
}

/// How a kernel moves over a map, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// From one place to the next.
    pub stride: i64,
    /// Zeros on each side.
    pub padding: i64,
}

/// A convolution before it is computed: in which way, and how its kernel moves. Its backward goes
/// the same way, whichever gradients are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Plan {
    /// `enum class Way` of `convolution/convolve.h`.
    way: i32,
    stride: i64,
    padding: i64,
}

/// `Way::Pairs` and `Way::Patches`.
const PAIRS: [i32; 2] = [0, 1];
/// `Way::Library`.
const LIBRARY: i32 = 3;

/// `[N, C, H, W] -> [N, C', H', W']`, in the graph. A gradient of a gradient is refused where it is
/// not libtorch's own convolution. The weight is of the kind of `x`, or rounded to it.
///
/// # Panics
/// When libtorch refuses the shapes.
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, steps: Steps) -> Tensor {
    Plan::of(x, weight, bias.is_some(), steps).forward(x, weight, bias)
}

impl Plan {
    /// The cheapest way for such maps and such a weight.
    pub fn of(x: &Tensor, weight: &Tensor, has_bias: bool, steps: Steps) -> Plan {
        let Steps { stride, padding } = steps;
        let mut plan = Plan { way: LIBRARY, stride, padding };
        // SAFETY: the shim only reads the tensors, and writes a plan.
        unsafe {
            catscan_conv2d_plan(x.as_ptr(), weight.as_ptr(), has_bias, stride, padding, &mut plan);
        }
        plan
    }

    /// Whether a 32-bit weight is rounded on its way to bf16 maps: no copy of it is made then, and
    /// its gradient is of 32 bits too.
    pub fn rounds(self) -> bool {
        PAIRS.contains(&self.way)
    }

    /// [`conv2d`] in this way.
    ///
    /// # Panics
    /// When libtorch refuses the shapes, or the way was planned for others.
    pub fn forward(self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
        let mut message = [0; 512];
        // SAFETY: all pointers are of living tensors, which the shim only reads; it writes less
        // than the message's length, and answers a new tensor, which becomes ours, or null.
        unsafe {
            let result = catscan_conv2d(
                &self,
                x.as_ptr(),
                weight.as_ptr(),
                pointer(bias),
                message.as_mut_ptr(),
                message.len(),
            );
            owned(result, &message)
        }
    }

    /// Of [`Plan::forward`]: the gradients of `x`, of `weight` and of the bias, those that are
    /// wanted.
    ///
    /// # Panics
    /// As [`Plan::forward`].
    pub fn backward(
        self,
        gradient: &Tensor,
        x: &Tensor,
        weight: &Tensor,
        wanted: [bool; 3],
    ) -> [Option<Tensor>; 3] {
        let mut results = [std::ptr::null_mut(); 3];
        let mut message = [0; 512];
        // SAFETY: as in `forward`; three wishes are read and up to three new tensors written.
        unsafe {
            let done = catscan_conv2d_backward(
                &self,
                gradient.as_ptr(),
                x.as_ptr(),
                weight.as_ptr(),
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
        // SAFETY: as in `Plan::forward`.
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
        // SAFETY: as in `Plan::forward`.
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
