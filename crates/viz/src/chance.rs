//! Numbers that look like chance and are a formula of their place: splitmix64 (Steele, Lea and
//! Flood 2014, <https://doi.org/10.1145/2660193.2660195>) started at 0, of which place `i` is the
//! number `i` from the front. Every picture, network and machine gets the same ones, in any order;
//! `scripts/golden/cams.py` repeats them.

use std::f64::consts::PI;

/// The 64 bits of a place.
pub(crate) fn bits(place: u64) -> u64 {
    let z = place.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// In 0..1, of 53 bits.
pub(crate) fn uniform(place: u64) -> f64 {
    (bits(place) >> 11) as f64 * 2f64.powi(-53)
}

/// Standard normal: Box and Muller's transform (1958) of two places, `2·place` and the next.
pub(crate) fn normal(place: u64) -> f64 {
    // Never 0, which has no logarithm.
    let inside = |place| ((bits(place) >> 11) as f64 + 0.5) * 2f64.powi(-53);
    let (u, v) = (inside(2 * place), inside(2 * place + 1));
    (-2.0 * u.ln()).sqrt() * (2.0 * PI * v).cos()
}

/// Roughly standard normal, and no further than 6 from zero: the sum of twelve places, `12·place`
/// and those behind it. It takes additions only, so all machines agree to the last bit.
pub(crate) fn sum_of_twelve(place: u64) -> f64 {
    let first = place.wrapping_mul(12);
    (0..12).map(|k| uniform(first.wrapping_add(k))).sum::<f64>() - 6.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_splitmix64s() {
        // The first of the published generator's output from seed 0.
        let first = [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F];
        assert_eq!([0, 1, 2].map(bits), first);
    }

    #[test]
    fn a_places_numbers_never_change() {
        assert_eq!([0, 1].map(uniform), [0.883_310_808_213_642_6, 0.431_527_997_048_509_97]);
        assert_eq!([0, 1].map(sum_of_twelve), [0.046_463_470_549_563_9, 1.382_945_770_457_203_2]);
        // By numpy, as in cams.py; logarithm and cosine may differ in the last bit.
        for (place, want) in [(0, -0.452_757_740_217_458_07), (1, 2.650_605_812_079_67)] {
            assert!((normal(place) - want).abs() < 1e-14, "{place}");
        }
    }

    #[test]
    fn both_normals_are_standard() {
        for draw in [normal, sum_of_twelve] {
            let all: Vec<f64> = (0..20_000).map(draw).collect();
            let mean = |of: &dyn Fn(f64) -> f64| all.iter().map(|v| of(*v)).sum::<f64>() / 20_000.0;
            assert!(mean(&|v| v).abs() < 0.03 && (mean(&|v| v * v) - 1.0).abs() < 0.03);
        }
    }
}
