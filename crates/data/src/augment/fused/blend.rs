//! One pixel of the result from the four around its place: in plain arithmetic, and by AVX2 where
//! the processor has it, to the same bits (so no fused multiply-adds).

use super::Scale;

/// How many bytes are read at a place: two neighbours of three channels fill six of them.
pub(super) const READ: usize = 8;

/// Weights of a place: how far right and below, and how much of it is the picture.
#[derive(Clone, Copy)]
pub(super) struct Weights {
    pub right: f32,
    pub down: f32,
    pub inside: f32,
}

/// A way to compute a pixel.
pub(super) trait Blend: Copy {
    /// From the bytes of two neighbours of `C` channels and of the two below, `C` values, scaled;
    /// what follows them means nothing.
    fn pixel<const C: usize>(
        self,
        upper: &[u8; READ],
        lower: &[u8; READ],
        weights: Weights,
        scale: &Scale,
    ) -> [f32; 4];
}

/// On any processor.
#[derive(Clone, Copy)]
pub(super) struct Plain;

impl Blend for Plain {
    #[inline(always)]
    fn pixel<const C: usize>(
        self,
        upper: &[u8; READ],
        lower: &[u8; READ],
        Weights { right, down, inside }: Weights,
        scale: &Scale,
    ) -> [f32; 4] {
        let column = |k: usize| {
            let (upper, lower) = (f32::from(upper[k]), f32::from(lower[k]));
            upper + down * (lower - upper)
        };
        std::array::from_fn(|k| {
            if k >= C {
                return 0.0;
            }
            let (left, far) = (column(k), column(k + C));
            let value = left + right * (far - left);
            value * scale.factor[k] + inside * scale.offset[k]
        })
    }
}

#[cfg(target_arch = "x86_64")]
impl Blend for pulp::x86::V3 {
    #[inline(always)]
    fn pixel<const C: usize>(
        self,
        upper: &[u8; READ],
        lower: &[u8; READ],
        Weights { right, down, inside }: Weights,
        scale: &Scale,
    ) -> [f32; 4] {
        let (sse, sse2, avx, avx2) = (self.sse, self.sse2, self.avx, self.avx2);
        let widened = |bytes: &[u8; READ]| {
            let bytes = sse2._mm_set_epi64x(0, i64::from_le_bytes(*bytes));
            avx._mm256_cvtepi32_ps(avx2._mm256_cvtepu8_epi32(bytes))
        };
        // Both columns at once: eight values, of which the second pixel's begin at C.
        let (upper, lower) = (widened(upper), widened(lower));
        let step = avx._mm256_mul_ps(avx._mm256_set1_ps(down), avx._mm256_sub_ps(lower, upper));
        let both = avx._mm256_add_ps(upper, step);
        let second = match C {
            1 => avx._mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 7),
            _ => avx._mm256_setr_epi32(3, 4, 5, 6, 7, 7, 7, 7),
        };
        let far = avx._mm256_castps256_ps128(avx2._mm256_permutevar8x32_ps(both, second));
        let left = avx._mm256_castps256_ps128(both);
        let step = sse._mm_mul_ps(sse._mm_set1_ps(right), sse._mm_sub_ps(far, left));
        let value = sse._mm_add_ps(left, step);
        let offset = sse._mm_mul_ps(sse._mm_set1_ps(inside), pulp::cast(scale.offset));
        pulp::cast(sse._mm_add_ps(sse._mm_mul_ps(value, pulp::cast(scale.factor)), offset))
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn both_ways_give_the_same_bits() {
        let Some(v3) = pulp::x86::V3::try_new() else {
            println!("skipped: this processor has no AVX2");
            return;
        };
        let scale = Scale { factor: [0.017, 0.004, 1.3, 0.1], offset: [-2.1, 0.3, -0.01, 0.0] };
        for i in 0..10_000u32 {
            let bytes = |salt: u32| -> [u8; READ] {
                std::array::from_fn(|k| (i.wrapping_mul(7919) + k as u32 * salt) as u8)
            };
            let (right, down) = (i as f32 / 9_999.0, (i * 37 % 10_000) as f32 / 9_999.0);
            let weights = Weights { right, down, inside: (i % 3) as f32 / 2.0 };
            let (upper, lower) = (bytes(91), bytes(203));
            let three = (
                Plain.pixel::<3>(&upper, &lower, weights, &scale),
                v3.pixel::<3>(&upper, &lower, weights, &scale),
            );
            assert_eq!(three.0[..3], three.1[..3], "{i}");
            let one = (
                Plain.pixel::<1>(&upper, &lower, weights, &scale),
                v3.pixel::<1>(&upper, &lower, weights, &scale),
            );
            assert_eq!(one.0[0], one.1[0], "{i}");
        }
    }
}
