//! How many pictures go through a network at once: as many as the processor takes most cheaply, and
//! no more than memory holds.
//!
//! Measured on a CPU with 32 MB of cache, DenseNet-121 at 224 px: scoring costs 14.5 ms a picture
//! by sixteen of them, 15.7 by 64, 17.9 one by one. With gradients it keeps 31 MB a picture of
//! 64 px for the way back, in bf16, so about 1.5 GB for four of 224 px.

use tch::Device;

/// Pixels of 224 × 224, which the budgets below are told in.
const PICTURE: usize = 224 * 224;
/// Pictures scored in one pass, at most.
const MOST_SCORED: usize = 64;
/// Pictures explained in one pass, at most.
const MOST_EXPLAINED: usize = 32;

/// Test pictures of a report in one pass: taps keep their activations, so memory grows with it.
pub const OF_A_REPORT: usize = 16;

/// Maskings of one picture in one pass, for methods that score it under many masks: enough to keep
/// the cores busy, little enough to fit beside them.
pub(crate) const OF_MASKINGS: i64 = 32;

/// Pictures of so many pixels that are only scored, on this device.
pub fn to_score(pixels: usize, device: Device) -> usize {
    match device {
        Device::Cpu => (16 * PICTURE / pixels.max(1)).clamp(1, MOST_SCORED),
        _ => MOST_SCORED,
    }
}

/// Pictures of so many pixels that are looked into with a backward pass.
pub fn to_explain(pixels: usize) -> usize {
    (4 * PICTURE / pixels.max(1)).clamp(1, MOST_EXPLAINED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_bounded_by_pixels_and_by_pictures() {
        let score = |side: usize| to_score(side * side, Device::Cpu);
        assert_eq!([0, 32, 224, 448, 4096].map(score), [64, 64, 16, 4, 1]);
        assert_eq!(to_score(4096 * 4096, Device::Cuda(0)), 64, "a card has memory of its own");
        let explain = |side: usize| to_explain(side * side);
        assert_eq!([0, 32, 128, 224, 4096].map(explain), [32, 32, 12, 4, 1]);
    }
}
