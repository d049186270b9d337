//! Batch norm, ReLU and the addition between them in one walk through memory instead of three, on
//! the CPU (Ioffe & Szegedy 2015, *Batch Normalization*, arXiv:1502.03167, algorithm 1, and the
//! gradients after it).
//!
//! Maps are `[N, C, H, W]` in channels_last, or a narrower look at such a map: the `C` values of a
//! pixel lie side by side. Kinds are f32, bf16 and f64; parameters and statistics are f64 for f64
//! maps and f32 otherwise, `[C]`. Nothing here knows of autograd: [`crate::gradient`] does.
//!
//! The sums over a map are taken in tiles, tiles in order, so that the number of threads changes no
//! bit of a result. `norm_relu/kernels.cpp` holds the arithmetic.

use std::ffi::c_void;
use std::ptr::{null, null_mut};

use tch::{Device, Kind, Tensor};

mod running;

pub use running::move_running;

/// `struct Rows` of the kernels.
#[repr(C)]
#[derive(Clone, Copy)]
struct Rows {
    data: *mut c_void,
    stride: i64,
}

/// `struct Split` of the kernels.
#[repr(C)]
#[derive(Clone, Copy)]
struct Split {
    first: Rows,
    rest: Rows,
    first_channels: i64,
}

const NONE: Rows = Rows { data: null_mut(), stride: 0 };

/// `struct Problem` of the kernels.
#[repr(C)]
struct Problem {
    kind: i32,
    rows: i64,
    channels: i64,
    eps: f64,
    weight: *const c_void,
    bias: *const c_void,
    mean: *const c_void,
    var: *const c_void,
}

unsafe extern "C" {
    fn catscan_norm_copy(problem: &Problem, from: Rows, to: Rows);
    fn catscan_norm_moments(
        problem: &Problem,
        x: Rows,
        copy: Rows,
        mean: *mut c_void,
        var: *mut c_void,
    );
    fn catscan_norm_relu(problem: &Problem, x: Rows, addend: Rows, y: Rows);
    fn catscan_norm_relu_reduce(
        problem: &Problem,
        x: Rows,
        y: Rows,
        grad: Rows,
        gamma: *mut c_void,
        beta: *mut c_void,
    );
    fn catscan_norm_relu_backward(
        problem: &Problem,
        x: Rows,
        y: Rows,
        grad: Rows,
        gamma: *const c_void,
        beta: *const c_void,
        base: Rows,
        grad_x: Split,
        grad_addend: Rows,
    );
}

/// Whether these functions take `x`: on the CPU, not empty, of a kind and with strides as above.
pub fn fits(x: &Tensor) -> bool {
    x.device() == Device::Cpu
        && code(x.kind()).is_some()
        && x.numel() > 0
        && row_stride(x).is_some()
}

/// The same map as these functions take it, if its strides are others: a copy then.
pub fn packed(x: &Tensor) -> Tensor {
    if row_stride(x).is_some() {
        return x.shallow_clone();
    }
    let mut y = empty_like(x);
    y.copy_(x);
    y
}

/// Copies a map into some maps of a larger tensor, or out of them: faster than libtorch where the
/// maps are few, as a dense block's growth.
///
/// # Panics
/// When the two are not of one shape and kind, or `to` is not as [`fits`] wants it.
pub fn copy(from: &Tensor, to: &Tensor) {
    if !fits(from) {
        return to.shallow_clone().copy_(from);
    }
    let to = same(to, from);
    // SAFETY: both maps have the problem's shape and kind, and `same` and `rows` checked strides.
    unsafe { catscan_norm_copy(&of(from), rows(from), to) };
}

/// Mean and biased variance of each channel, `[C]` each.
pub fn moments(x: &Tensor) -> (Tensor, Tensor) {
    let options = (parameter_kind(x.kind()), Device::Cpu);
    let (mean, var) =
        (Tensor::empty([channels(x)], options), Tensor::empty([channels(x)], options));
    moments_into(x, None, &mean, &var);
    (mean, var)
}

/// [`copy`] and [`moments`] in one walk; `mean` and `var` are `[C]`, and written.
///
/// # Panics
/// As [`copy`], and when mean or variance are not as a norm of `from` has them.
pub fn copy_with_moments(from: &Tensor, to: &Tensor, mean: &Tensor, var: &Tensor) {
    moments_into(&packed(from), Some(to), mean, var);
}

fn moments_into(x: &Tensor, copy: Option<&Tensor>, mean: &Tensor, var: &Tensor) {
    let copy = copy.map_or(NONE, |copy| same(copy, x));
    let to_mean = parameter("mean", mean, x).cast_mut();
    let to_var = parameter("variance", var, x).cast_mut();
    // SAFETY: `of` and `same` checked the maps, `parameter` that both results have a number for
    // each of their channels.
    unsafe { catscan_norm_moments(&of(x), rows(x), copy, to_mean, to_var) };
}

/// An uninitialised map of the shape and kind of `x`, its pixels densely packed.
pub fn empty_like(x: &Tensor) -> Tensor {
    let (n, c, h, w) = x.size4().expect("a map is [N, C, H, W]");
    empty([n, c, h, w], x.kind())
}

/// An uninitialised map `[N, C, H, W]` in channels_last.
pub fn empty([n, c, h, w]: [i64; 4], kind: Kind) -> Tensor {
    Tensor::empty_strided([n, c, h, w], [h * w * c, 1, w * c, c], (kind, Device::Cpu))
}

/// A batch norm as one pass sees it: `γ (x - mean) / √(var + eps) + β`, all `[C]`.
#[derive(Debug)]
pub struct Norm<'a> {
    /// γ.
    pub weight: &'a Tensor,
    /// β.
    pub bias: &'a Tensor,
    /// Of the batch, or learned.
    pub mean: &'a Tensor,
    /// Biased.
    pub var: &'a Tensor,
    /// Added to the variance.
    pub eps: f64,
}

/// What backward knows of the forward.
#[derive(Debug, Clone, Copy)]
pub struct Was<'a> {
    /// The norm's input.
    pub x: &'a Tensor,
    /// The ReLU's output, where something was added before it; computed again otherwise.
    pub y: Option<&'a Tensor>,
}

/// Where a gradient goes.
#[derive(Debug, Clone, Copy)]
pub enum To<'a> {
    /// Over what is there; may be the incoming gradient itself.
    Over(&'a Tensor),
    /// On top of `base`, and into two maps.
    Onto {
        /// What is added to; of the shape of the norm's input.
        base: &'a Tensor,
        /// Its first channels are written, the others stay as they are; may be `base`.
        first: &'a Tensor,
        /// As many of the last channels as this has go here; as many as there are, or fewer.
        last: &'a Tensor,
    },
}

impl To<'_> {
    /// What it is added to, and where it goes.
    fn rows(self, x: &Tensor) -> (Rows, Split) {
        match self {
            To::Over(map) => {
                (NONE, Split { first: same(map, x), rest: NONE, first_channels: channels(x) })
            }
            To::Onto { base, first, last } => {
                let count = channels(x) - channels(last);
                let before = x.narrow(1, 0, count);
                let split = Split {
                    first: if count == 0 {
                        NONE
                    } else {
                        same(&first.narrow(1, 0, count), &before)
                    },
                    rest: same(last, &x.narrow(1, count, channels(last))),
                    first_channels: count,
                };
                (same(base, x), split)
            }
        }
    }
}

impl Norm<'_> {
    /// `relu(norm(x) + addend)`, densely packed.
    ///
    /// # Panics
    /// Where [`fits`] says no, or shapes or kinds differ.
    pub fn relu(&self, x: &Tensor, addend: Option<&Tensor>) -> Tensor {
        let y = empty_like(x);
        let addend = addend.map_or(NONE, |addend| same(addend, x));
        // SAFETY: `problem`, `rows` and `same` checked what the kernel walks through.
        unsafe { catscan_norm_relu(&self.problem(x), rows(x), addend, rows(&y)) };
        y
    }

    /// The gradients of γ and β, `[C]` each, from the one of the ReLU's output.
    ///
    /// # Panics
    /// As [`Norm::relu`].
    pub fn parameter_gradients(&self, was: Was, grad: &Tensor) -> (Tensor, Tensor) {
        let (x, y) = (was.x, was.y.map_or(NONE, |y| same(y, was.x)));
        let (gamma, beta) = (self.weight.empty_like(), self.weight.empty_like());
        let (to_gamma, to_beta) = (gamma.data_ptr(), beta.data_ptr());
        // SAFETY: as `relu`; the results have the parameters' shape.
        unsafe {
            catscan_norm_relu_reduce(
                &self.problem(x),
                rows(x),
                y,
                same(grad, x),
                to_gamma,
                to_beta,
            );
        }
        (gamma, beta)
    }

    /// The gradient of the norm's input, and that of the addend into `addend`, which may be `grad`.
    ///
    /// `sums` are [`Norm::parameter_gradients`] where mean and variance are those of `x` itself.
    ///
    /// # Panics
    /// As [`Norm::relu`].
    pub fn input_gradient(
        &self,
        was: Was,
        grad: &Tensor,
        sums: Option<&(Tensor, Tensor)>,
        to: To,
        addend: Option<&Tensor>,
    ) {
        let (x, y) = (was.x, was.y.map_or(NONE, |y| same(y, was.x)));
        let (gamma, beta) = sums.map_or((null(), null()), |(gamma, beta)| {
            (parameter("gradient of γ", gamma, x), parameter("gradient of β", beta, x))
        });
        let (base, to) = to.rows(x);
        let addend = addend.map_or(NONE, |addend| same(addend, x));
        // SAFETY: as `relu`; every value is read before its place is written.
        unsafe {
            catscan_norm_relu_backward(
                &self.problem(x),
                rows(x),
                y,
                same(grad, x),
                gamma,
                beta,
                base,
                to,
                addend,
            );
        }
    }

    fn problem(&self, x: &Tensor) -> Problem {
        Problem {
            eps: self.eps,
            weight: parameter("weight", self.weight, x),
            bias: parameter("bias", self.bias, x),
            mean: parameter("mean", self.mean, x),
            var: parameter("variance", self.var, x),
            ..of(x)
        }
    }
}

/// Where the `[C]` numbers of a norm of `x` lie: in main memory, of its kind, without gaps.
fn parameter(name: &str, tensor: &Tensor, x: &Tensor) -> *const c_void {
    assert_eq!(tensor.size(), [channels(x)], "{name} of a norm");
    assert_eq!(tensor.kind(), parameter_kind(x.kind()), "{name} of a norm");
    assert_eq!(tensor.device(), Device::Cpu, "{name} of a norm");
    assert!(tensor.is_contiguous(), "{name} of a norm has gaps");
    tensor.data_ptr().cast_const()
}

/// The map's part of a problem.
fn of(x: &Tensor) -> Problem {
    let (n, channels, h, w) = x.size4().expect("a map is [N, C, H, W]");
    let kind = code(x.kind()).unwrap_or_else(|| panic!("maps of {:?}", x.kind()));
    let (weight, bias, mean, var) = (null(), null(), null(), null());
    Problem { kind, rows: n * h * w, channels, eps: 0.0, weight, bias, mean, var }
}

fn rows(x: &Tensor) -> Rows {
    let stride = row_stride(x);
    let stride = stride.unwrap_or_else(|| panic!("{:?} has strides {:?}", x.size(), x.stride()));
    assert_eq!(x.device(), Device::Cpu);
    Rows { data: x.data_ptr(), stride }
}

/// The rows of a map that must be of the shape and kind of `x`.
fn same(map: &Tensor, x: &Tensor) -> Rows {
    assert_eq!((map.size(), map.kind()), (x.size(), x.kind()), "two maps of one norm");
    rows(map)
}

/// From one pixel to the next, if that is the same everywhere and channels are neighbours.
fn row_stride(x: &Tensor) -> Option<i64> {
    let &[n, c, h, w] = x.size().as_slice() else { return None };
    let &[of_n, of_c, of_h, of_w] = x.stride().as_slice() else { unreachable!("one a dimension") };
    // The stride along an axis of one element says nothing.
    let stride = match (w > 1, h > 1, n > 1) {
        (true, ..) => of_w,
        (_, true, _) => of_h,
        (.., true) => of_n,
        _ => c,
    };
    let even = (c == 1 || of_c == 1)
        && (w == 1 || of_w == stride)
        && (h == 1 || of_h == w * stride)
        && (n == 1 || of_n == h * w * stride);
    (even && stride >= c).then_some(stride)
}

fn channels(x: &Tensor) -> i64 {
    x.size()[1]
}

fn code(kind: Kind) -> Option<i32> {
    match kind {
        Kind::Float => Some(0),
        Kind::BFloat16 => Some(1),
        Kind::Double => Some(2),
        _ => None,
    }
}

/// The kind of a norm's parameters and statistics, for maps of this one.
pub fn parameter_kind(map: Kind) -> Kind {
    if map == Kind::Double { Kind::Double } else { Kind::Float }
}
