//! Random draws that depend on nothing but (seed, index, purpose).
//!
//! Every part of a scene rolls its own dice. So a change in how tails are drawn does not move a
//! single background, and the dice of the ears may fall differently for cats and dogs without
//! any other part taking notice: that is what keeps the surroundings silent about the class.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A stream of draws for one purpose in one picture.
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The dice of `purpose` in picture `index` of the set `seed`.
    pub fn new(seed: u64, index: u64, purpose: &str) -> Dice {
        let mut hash = blake3::Hasher::new_derive_key("catscan critters dice v1");
        hash.update(&seed.to_le_bytes());
        hash.update(&index.to_le_bytes());
        hash.update(purpose.as_bytes());
        Dice(ChaCha8Rng::from_seed(*hash.finalize().as_bytes()))
    }

    /// Uniform in `0..1`, a multiple of 2⁻²⁴. Made here, not by a crate of distributions, so that
    /// no upgrade of one can redraw the set.
    pub fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// Uniform in `low..high`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// A whole number in `low..=high`.
    pub fn whole(&mut self, low: usize, high: usize) -> usize {
        low + (self.unit() * (high - low + 1) as f32) as usize
    }

    /// One of the choices, all equally likely.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.whole(0, choices.len() - 1)]
    }

    /// −1 or 1: a side.
    pub fn side(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    /// A point of the unit picture, `margin` outside it included.
    pub fn point(&mut self, margin: f32) -> (f32, f32) {
        (self.range(-margin, 1.0 + margin), self.range(-margin, 1.0 + margin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_has_its_own_stream() {
        let first = |index, purpose| Dice::new(7, index, purpose).unit();
        assert_eq!(first(3, "coat"), first(3, "coat"));
        assert_ne!(first(3, "coat"), first(3, "pose"));
        assert_ne!(first(3, "coat"), first(4, "coat"));
    }

    #[test]
    fn whole_numbers_reach_both_ends_and_no_further() {
        let mut dice = Dice::new(1, 2, "whole");
        let mut seen = [0; 6];
        (0..3000).for_each(|_| seen[dice.whole(1, 4)] += 1);
        assert_eq!((seen[0], seen[5]), (0, 0));
        assert!(seen[1..5].iter().all(|&n| (600..900).contains(&n)), "{seen:?}");
    }
}
