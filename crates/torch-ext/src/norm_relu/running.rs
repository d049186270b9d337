//! Running statistics: some hundred numbers a norm, for which a call of libtorch takes longer than
//! its arithmetic.

use std::ops::{Add, Mul};
use std::slice;

use tch::{Device, Kind, Tensor, no_grad};

use crate::stamp;

/// Moves running statistics `[C]` in place, and not in the graph: `keep · running + take · batch`,
/// rounded after each operation as libtorch's four would be.
///
/// # Panics
/// When the two are not of one shape and kind.
pub fn move_running(running: &Tensor, batch: &Tensor, keep: f64, take: f64) {
    let shape = |x: &Tensor| (x.size(), x.kind());
    assert_eq!(shape(running), shape(batch), "statistics of a norm");
    let plain = |x: &Tensor| x.device() == Device::Cpu && x.is_contiguous() && x.numel() > 0;
    let fits = plain(running) && plain(batch) && running.data_ptr() != batch.data_ptr();
    match running.kind() {
        // SAFETY: both have as many numbers of that kind, without gaps, and not in one place.
        Kind::Float if fits => unsafe { go(running, batch, keep as f32, take as f32) },
        // SAFETY: as above.
        Kind::Double if fits => unsafe { go(running, batch, keep, take) },
        _ => no_grad(|| {
            let _ = running.shallow_clone().g_mul_scalar_(keep).g_add_(&(batch * take));
        }),
    }
    stamp::wrote(running);
}

/// # Safety
/// Both hold as many numbers of type `T` without gaps, and nobody else reads or writes them.
unsafe fn go<T>(running: &Tensor, batch: &Tensor, keep: T, take: T)
where
    T: Copy + Mul<Output = T> + Add<Output = T>,
{
    let count = running.numel();
    // SAFETY: by this function's contract.
    let (to, from) = unsafe {
        let to = slice::from_raw_parts_mut(running.data_ptr().cast::<T>(), count);
        (to, slice::from_raw_parts(batch.data_ptr().cast::<T>(), count))
    };
    for (to, from) in to.iter_mut().zip(from) {
        *to = *to * keep + *from * take;
    }
}
