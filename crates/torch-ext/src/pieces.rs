//! Many tensors as one row of numbers, on the CPU: gathered into one tensor, looked through for a
//! NaN, moved by gradient descent, each in a single walk through memory by all threads. A
//! training's weights and gradients are hundreds of tensors, most of them small; libtorch copies
//! them on one thread, and passes over them once for each operation of the formula.
//!
//! Numbers are f32 and tensors contiguous. No number depends on how many threads there are.

use std::ffi::c_void;
use std::ptr::null_mut;

use tch::{Device, Kind, Tensor};
use torch_sys::C_tensor;

use crate::stamp;

/// `struct Piece` of the kernels.
#[repr(C)]
struct Piece {
    numbers: *mut c_void,
    length: i64,
}

/// Coefficients of a step of gradient descent. With gradient `g`, weight `w` and velocity `v`
/// (`v = q` without one), rounded after each operation:
///
/// ```text
/// q ← scale · (g + decay · w)
/// v ← momentum · v + take · q
/// w ← keep · w + rate · (nesterov: momentum · v + q, else v)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub struct Descent {
    /// Of the gradient.
    pub scale: f32,
    /// How much of the weight itself joins its gradient.
    pub decay: f32,
    /// How much of the velocity is kept.
    pub momentum: f32,
    /// How much of the gradient reaches the velocity.
    pub take: f32,
    /// Of the change; below 0 where it is against it.
    pub rate: f32,
    /// How much of the weight is kept.
    pub keep: f32,
    /// Whether to look ahead by one momentum step.
    pub nesterov: bool,
}

unsafe extern "C" {
    fn catscan_gather(pieces: *const Piece, count: i64, row: *mut c_void);
    fn catscan_noted_largest(tensor: *const C_tensor, largest: &mut f32) -> bool;
    fn catscan_largest(pieces: *const Piece, count: i64) -> f32;
    fn catscan_descend(
        descent: &Descent,
        pieces: *const Piece,
        count: i64,
        gradients: *const Piece,
        velocity: *mut c_void,
    );
}

/// Whether these functions take `tensor`.
pub fn fits(tensor: &Tensor) -> bool {
    tensor.device() == Device::Cpu && tensor.kind() == Kind::Float && tensor.is_contiguous()
}

/// All `tensors`, one after the other: `[P]`.
///
/// # Panics
/// When one does not fit.
pub fn gather(tensors: &[Tensor]) -> Tensor {
    let (pieces, numbers) = seen(tensors);
    let row = Tensor::empty([numbers], (Kind::Float, Device::Cpu));
    // SAFETY: the pieces are living tensors' own memory, and the row has room for all of them.
    unsafe { catscan_gather(pieces.as_ptr(), pieces.len() as i64, row.data_ptr()) };
    row
}

/// The largest number of all `tensors`, without its sign; NaN if one is, 0 of none. Only those are
/// walked through of which it is not [`noted`].
///
/// # Panics
/// When one does not fit.
pub fn largest(tensors: &[Tensor]) -> f32 {
    let mut most = 0f32;
    let mut unknown = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        match noted(tensor) {
            Some(largest) => most = larger(most, largest),
            None => unknown.push(piece(tensor)),
        }
    }
    // SAFETY: the pieces are living tensors' own memory, which is only read.
    larger(most, unsafe { catscan_largest(unknown.as_ptr(), unknown.len() as i64) })
}

/// The largest number of `tensor`, without its sign, NaN if any is, if it is a gradient that a
/// convolution of ours wrote and nobody has written to since. Writes that libtorch does not count
/// are not seen: see [`stamp`].
pub fn noted(tensor: &Tensor) -> Option<f32> {
    let mut largest = 0.0;
    // SAFETY: the shim only reads the tensor, and writes the number.
    unsafe { catscan_noted_largest(tensor.as_ptr(), &mut largest) }.then_some(largest)
}

/// Of two numbers of 0 or more; NaN if either is.
fn larger(one: f32, other: f32) -> f32 {
    if one.is_nan() || one > other { one } else { other }
}

/// Moves `weights` in place, which are `P` numbers, each by its gradient of as many numbers, and
/// by `velocity [P]`, which is kept.
///
/// # Panics
/// When a tensor does not fit, or is not as long as it must be.
pub fn descend(
    descent: &Descent,
    weights: &[Tensor],
    gradients: &[Tensor],
    velocity: Option<&Tensor>,
) {
    let (pieces, numbers) = seen(weights);
    let (slopes, _) = seen(gradients);
    let lengths = |pieces: &[Piece]| pieces.iter().map(|piece| piece.length).collect::<Vec<_>>();
    assert_eq!(lengths(&pieces), lengths(&slopes), "a weight's gradient is as long as it");
    let velocity_data = velocity.map_or(null_mut(), |row| {
        assert!(fits(row) && row.numel() as i64 == numbers, "a row of {numbers} numbers");
        row.data_ptr()
    });
    // SAFETY: the pieces are living tensors' own memory, gradients as long as their weights, and
    // the row is as long as all of them.
    unsafe {
        let (pieces, slopes, count) = (pieces.as_ptr(), slopes.as_ptr(), pieces.len() as i64);
        catscan_descend(descent, pieces, count, slopes, velocity_data);
    }
    weights.iter().chain(velocity).for_each(stamp::wrote);
}

/// The tensors' memory, and how many numbers that is.
fn seen(tensors: &[Tensor]) -> (Vec<Piece>, i64) {
    let pieces: Vec<Piece> = tensors.iter().map(piece).collect();
    let numbers = pieces.iter().map(|piece| piece.length).sum();
    (pieces, numbers)
}

fn piece(tensor: &Tensor) -> Piece {
    assert!(fits(tensor), "want contiguous f32 on the CPU, got {tensor:?}");
    Piece { numbers: tensor.data_ptr(), length: tensor.numel() as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp::Stamp;

    const PLAIN: Descent = Descent {
        scale: 1.0,
        decay: 0.0,
        momentum: 0.9,
        take: 1.0,
        rate: -0.1,
        keep: 1.0,
        nesterov: false,
    };

    /// Empty ones, short ones, and one longer than several stretches, `3` numbers past one's end.
    fn tensors() -> Vec<Tensor> {
        let lengths = [0, 5, 1, 3 * (1 << 14) - 3, 0, 7, 1 << 14];
        lengths.map(|n| Tensor::rand([n], (Kind::Float, Device::Cpu)) - 0.5).into()
    }

    #[test]
    fn gathered_they_are_one_after_the_other() {
        let tensors = tensors();
        assert_eq!(gather(&tensors), Tensor::cat(&tensors, 0));
        assert_eq!(gather(&[]).size(), [0]);
    }

    #[test]
    fn the_largest_is_found_wherever_it_lies_and_a_nan_before_all() {
        let tensors = tensors();
        assert_eq!(f64::from(largest(&tensors)), gather(&tensors).abs().max().double_value(&[]));
        assert_eq!(largest(&[]), 0.0);
        for (at, value) in [(1, -2.0), (3, 1e30), (5, f64::NEG_INFINITY), (6, f64::NAN)] {
            let last = tensors[at].size()[0] - 1;
            let _ = tensors[at].narrow(0, last, 1).fill_(value);
            let found = largest(&tensors);
            let wanted = (value as f32).abs();
            assert!(found == wanted || (found.is_nan() && value.is_nan()), "{found}, {value}");
        }
    }

    #[test]
    fn a_step_is_its_formula_to_the_bit() {
        let all = Descent { scale: -0.3, decay: 0.01, take: 0.7, keep: 0.99, ..PLAIN };
        for descent in [PLAIN, all, Descent { nesterov: true, ..all }] {
            for with_velocity in [false, true] {
                let weights = tensors();
                let gradients = tensors();
                let (mut w, g) = (gather(&weights), gather(&gradients));
                let v = gather(&tensors());
                let (scale, decay) = (f64::from(descent.scale), f64::from(descent.decay));
                let q = (&w * decay + &g) * scale;
                let (momentum, take) = (f64::from(descent.momentum), f64::from(descent.take));
                let kept = &v * momentum + &q * take;
                let change = match (with_velocity, descent.nesterov) {
                    (false, _) => q,
                    (true, false) => kept.shallow_clone(),
                    (true, true) => &kept * momentum + q,
                };
                w = w * f64::from(descent.keep) + change * f64::from(descent.rate);
                descend(&descent, &weights, &gradients, with_velocity.then_some(&v));
                assert_eq!(gather(&weights), w, "{descent:?}");
                if with_velocity {
                    assert_eq!(v, kept);
                }
            }
        }
    }

    #[test]
    fn a_moved_weight_is_no_longer_what_it_was() {
        let weight = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let stamp = Stamp::of(&weight).unwrap();
        // As the optimiser sees it: through a view, outside of the graph.
        let seen = tch::no_grad(|| [weight.permute([0, 1])]);
        descend(&PLAIN, &seen, &[Tensor::ones([6], (Kind::Float, Device::Cpu))], None);
        drop(seen);
        assert_eq!(weight.double_value(&[1, 2]) as f32, PLAIN.rate);
        assert!(!stamp.is_of(&weight));
    }

    #[test]
    #[should_panic(expected = "want contiguous f32")]
    fn what_lies_otherwise_is_refused() {
        let _ = gather(&[Tensor::zeros([2, 3], (Kind::Float, Device::Cpu)).tr()]);
    }
}
