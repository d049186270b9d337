//! The values of every window along one axis, so that a pooling is a reduction over that axis.
//!
//! `[N, C, H, W] -> [R, N, H', W', C]` for windows of `R` values, in the order of their rows, and
//! `-> [R, N, C]` with `R = H·W` for the whole map. The axis comes first because reductions over an
//! outer axis are vectorised along the inner one, and channels last because that is how the maps of
//! a training lie in memory.
//!
//! Windows that share no value are a view, copied once when they are reduced; others are copied
//! strip by strip. Both have a backward without sums in a random order, unlike indexing.

use tch::{Kind, Tensor};

use crate::pool::Extent;

/// The axis of [`Extent::gather`] that holds a window's values.
pub const WINDOW: i64 = 0;

/// Padding that must never win or weigh anything: as good as -∞, except that 0 times it is 0.
pub const OUTSIDE: f64 = -1e30;

impl Extent {
    /// The values of each window along [`WINDOW`], with `padding` where there is no map.
    pub(super) fn gather(self, x: &Tensor, padding: f64) -> Tensor {
        let Extent::Window { size, stride, padding: pixels } = self else {
            return x.flatten(2, 3).permute([2, 0, 1]); // [HW, N, C]
        };
        let mut x = x.permute([0, 2, 3, 1]);
        if pixels > 0 {
            x = x.pad([0, 0, pixels, pixels, pixels, pixels], "constant", padding);
        }
        let rows = strips(&x, 1, size, stride); // [size, N, H', W, C]
        let columns = strips(&rows, 3, size, stride); // [size, size, N, H', W', C]
        columns.transpose(0, 1).flatten(0, 1)
    }

    /// What a reduction over [`WINDOW`] left, as the pooling of `x`: `[N, H', W', C] ->
    /// [N, C, H', W']` for windows, in the strides and the kind of `x`.
    pub(super) fn place(self, y: &Tensor, x: &Tensor) -> Tensor {
        let y = y.to_kind(x.kind());
        match self {
            Extent::Global => y,
            Extent::Window { .. } => as_contiguous_as(x, &y.permute([0, 3, 1, 2])),
        }
    }
}

/// `y`, contiguous if `x` is, and as it is (channels_last) otherwise.
pub(super) fn as_contiguous_as(x: &Tensor, y: &Tensor) -> Tensor {
    if x.is_contiguous() { y.contiguous() } else { y.shallow_clone() }
}

/// `x` in the kind to take exponentials and logarithms in: bf16 keeps 8 bits, which is a percent of
/// `e^4`, so its maps are widened and the result is rounded once.
pub(super) fn widen(x: &Tensor) -> Tensor {
    if x.kind() == Kind::BFloat16 { x.to_kind(Kind::Float) } else { x.shallow_clone() }
}

/// All strips of `size` along `axis`, a new first axis for the place within the strip.
fn strips(x: &Tensor, axis: i64, size: i64, stride: i64) -> Tensor {
    let count = (x.size()[axis as usize] - size) / stride + 1;
    if size == stride {
        let whole = x.narrow(axis, 0, count * size);
        return whole.unflatten(axis, [count, size]).movedim_int(axis + 1, 0);
    }
    let end = (count - 1) * stride + 1;
    let strip = |place| x.slice(axis, place, place + end, stride);
    Tensor::stack(&(0..size).map(strip).collect::<Vec<_>>(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_by_rows_and_padded() {
        let x = Tensor::arange(9, (Kind::Float, tch::Device::Cpu)).view([1, 1, 3, 3]);
        let two = Extent::TRANSITION.gather(&x, OUTSIDE);
        assert_eq!(two.size(), [4, 1, 1, 1, 1]);
        assert_eq!(Vec::<f32>::try_from(two.flatten(0, -1)).unwrap(), [0.0, 1.0, 3.0, 4.0]);
        let three = Extent::STEM.gather(&x, -7.0);
        assert_eq!(three.size(), [9, 1, 2, 2, 1]);
        let last = three.select(2, 1).select(2, 1).flatten(0, -1);
        let want = [4.0, 5.0, -7.0, 7.0, 8.0, -7.0, -7.0, -7.0, -7.0];
        assert_eq!(Vec::<f32>::try_from(last).unwrap(), want);
        assert_eq!(Extent::Global.gather(&x, OUTSIDE).size(), [9, 1, 1]);
    }
}
