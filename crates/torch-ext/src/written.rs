//! A tensor made by writing its memory, once and in place: without a vector that is zeroed first
//! and copied into the tensor afterwards.
//!
//! Its memory holds nothing yet, so it can only be appended to, in pieces that several threads may
//! fill; that each of them is full is checked before anybody sees the tensor.

use std::mem::MaybeUninit;

use tch::{Device, Kind, Tensor};

/// A stretch of a new tensor that is filled from its start.
#[derive(Debug)]
pub struct Piece<'memory> {
    /// What is not written yet.
    left: &'memory mut [MaybeUninit<f32>],
}

impl Piece<'_> {
    /// Writes behind what is written.
    ///
    /// # Panics
    /// Where the piece has no room for so many.
    #[inline(always)]
    pub fn push(&mut self, values: &[f32]) {
        let (room, more) = (self.left.len(), values.len());
        assert!(more <= room, "a piece has room for {room} values, got {more}");
        let (now, left) = std::mem::take(&mut self.left).split_at_mut(more);
        // SAFETY: MaybeUninit<f32> has f32's layout and may hold any f32.
        let values: &[MaybeUninit<f32>] =
            unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), more) };
        now.copy_from_slice(values);
        self.left = left;
    }
}

/// A contiguous f32 tensor of this size on the CPU, in as many equal `pieces`, in the order of its
/// memory, which `write` fills.
///
/// # Panics
/// Where the pieces cannot be equal, or one was not filled.
pub fn written(size: &[i64], pieces: usize, write: impl FnOnce(&mut [Piece])) -> Tensor {
    let tensor = Tensor::empty(size, (Kind::Float, Device::Cpu));
    let values = tensor.numel();
    if values == 0 {
        return tensor;
    }
    let whole = pieces > 0 && values.is_multiple_of(pieces);
    assert!(whole, "{size:?} are {values} values, want a multiple of {pieces} pieces");
    // SAFETY: a new tensor of the CPU is contiguous, aligned for its kind and not null (it has
    // values); nobody else knows it, and it outlives the borrow, which ends in this function.
    let memory = unsafe {
        std::slice::from_raw_parts_mut(tensor.data_ptr().cast::<MaybeUninit<f32>>(), values)
    };
    let mut all: Vec<Piece> =
        memory.chunks_exact_mut(values / pieces).map(|left| Piece { left }).collect();
    write(&mut all);
    // A piece gets smaller by `push` alone, and nobody else can make one.
    let left: usize = all.iter().map(|piece| piece.left.len()).sum();
    assert!(left == 0, "{left} of {values} values were not written");
    tensor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_lie_one_after_the_other_whoever_fills_them_first() {
        let tensor = written(&[3, 2, 2], 3, |pieces| {
            for (i, piece) in pieces.iter_mut().enumerate().rev() {
                let first = 4.0 * i as f32;
                piece.push(&[first]);
                piece.push(&[]);
                piece.push(&[first + 1.0, first + 2.0, first + 3.0]);
            }
        });
        assert_eq!((tensor.size(), tensor.is_contiguous()), (vec![3, 2, 2], true));
        assert_eq!(tensor, Tensor::arange(12, (Kind::Float, Device::Cpu)).view([3, 2, 2]));
    }

    #[test]
    fn threads_may_fill_them() {
        let tensor = written(&[4, 1000], 4, |pieces| {
            std::thread::scope(|scope| {
                for (i, piece) in pieces.iter_mut().enumerate() {
                    scope.spawn(move || (0..1000).for_each(|_| piece.push(&[i as f32])));
                }
            });
        });
        assert_eq!(tensor.sum(Kind::Float).double_value(&[]), 6000.0);
    }

    #[test]
    fn nothing_is_a_tensor_too() {
        assert_eq!(written(&[0, 3], 0, |_| ()).size(), [0, 3]);
    }

    #[test]
    #[should_panic(expected = "1 of 4 values were not written")]
    fn what_was_not_written_is_not_shown() {
        let _ = written(&[4], 2, |pieces| {
            pieces[0].push(&[1.0]);
            pieces[1].push(&[1.0, 2.0]);
        });
    }

    #[test]
    #[should_panic(expected = "room for 2 values, got 3")]
    fn no_piece_writes_into_the_next() {
        let _ = written(&[4], 2, |pieces| pieces[0].push(&[1.0, 2.0, 3.0]));
    }

    #[test]
    #[should_panic(expected = "want a multiple of 3 pieces")]
    fn pieces_are_equal() {
        let _ = written(&[4], 3, |_| ());
    }
}
