//! The tables of TrivialAugment and RandAugment, as torchvision 0.26 has them
//! (`transforms/v2/_auto_augment.py`): which operations, how strong, which may be negative.
//!
//! Shears turn about the top left corner and take the nearest pixel, as there; black comes in.

use super::op::Op;
use crate::draw::Stream;

/// Bins of magnitude, in both.
const BINS: u64 = 31;

#[derive(Clone, Copy)]
enum Kind {
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Colour,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
}

use Kind::*;

const KINDS: [Kind; 14] = [
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Colour,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
];

/// How strong each kind is at its last bin.
struct Strengths {
    shear: f64,
    translate_px: f64,
    rotate_deg: f64,
    colour: f64,
    /// Bits that are taken off.
    posterize: f64,
}

/// TrivialAugment, "wide".
pub(super) fn trivial(stream: &mut Stream) -> Option<Op> {
    let most = Strengths {
        shear: 0.99,
        translate_px: 32.0,
        rotate_deg: 135.0,
        colour: 0.99,
        posterize: 6.0,
    };
    let kind = KINDS[stream.below(KINDS.len() as u64) as usize];
    let bin = stream.below(BINS);
    op(kind, bin, stream.coin(), &most)
}

/// One operation of RandAugment.
pub(super) fn rand(stream: &mut Stream, magnitude: u32, size_px: u32) -> Option<Op> {
    let most = Strengths {
        shear: 0.3,
        translate_px: 150.0 / 331.0 * f64::from(size_px),
        rotate_deg: 30.0,
        colour: 0.9,
        posterize: 4.0,
    };
    let kind = KINDS[stream.below(KINDS.len() as u64) as usize];
    op(kind, magnitude.into(), stream.coin(), &most)
}

fn op(kind: Kind, bin: u64, negative: bool, most: &Strengths) -> Option<Op> {
    let share = bin as f64 / (BINS - 1) as f64;
    let signed = |most: f64| if negative { -share * most } else { share * most };
    // int() of Python: towards zero.
    let whole = |px: f64| px.trunc();
    Some(match kind {
        Identity => return None,
        ShearX => Op::ShearX(signed(most.shear)),
        ShearY => Op::ShearY(signed(most.shear)),
        TranslateX => Op::Translate(whole(signed(most.translate_px)), 0.0),
        TranslateY => Op::Translate(0.0, whole(signed(most.translate_px))),
        Rotate => Op::Rotate(signed(most.rotate_deg)),
        Brightness => Op::Brightness(1.0 + signed(most.colour)),
        Colour => Op::Saturation(1.0 + signed(most.colour)),
        Contrast => Op::Contrast(1.0 + signed(most.colour)),
        Sharpness => Op::Sharpness(1.0 + signed(most.colour)),
        Posterize => Op::Posterize((8.0 - share * most.posterize).round_ties_even() as u32),
        Solarize => Op::Solarize(1.0 - share),
        AutoContrast => Op::AutoContrast,
        Equalize => Op::Equalize,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw;

    #[test]
    fn every_kind_is_drawn_and_within_torchvisions_table() {
        let mut identities = 0;
        let mut kinds = std::collections::HashMap::new();
        for sample in 0..14_000 {
            let Some(op) = trivial(&mut draw::stream(1, 0, sample, "trivial")) else {
                identities += 1;
                continue;
            };
            let fits = match op {
                Op::ShearX(by) | Op::ShearY(by) => by.abs() <= 0.99,
                Op::Translate(x, y) => x.abs() <= 32.0 && y.abs() <= 32.0 && x.fract() == 0.0,
                Op::Rotate(by) => by.abs() <= 135.0,
                Op::Posterize(bits) => (2..=8).contains(&bits),
                Op::Solarize(from) => (0.0..=1.0).contains(&from),
                Op::Brightness(by) | Op::Saturation(by) => (0.01..1.991).contains(&by),
                Op::Contrast(by) | Op::Sharpness(by) => (0.0099..1.991).contains(&by),
                Op::AutoContrast | Op::Equalize => true,
                _ => false,
            };
            assert!(fits, "{op:?}");
            *kinds.entry(std::mem::discriminant(&op)).or_insert(0) += 1;
        }
        // 1,000 of each of 14, five standard deviations of 30; x and y translate share a kind.
        assert!((850..1150).contains(&identities), "{identities}");
        assert_eq!(kinds.len(), 12);
        assert!(kinds.values().all(|count| (850..2200).contains(count)), "{kinds:?}");
    }

    #[test]
    fn randaugment_is_as_strong_as_it_is_told() {
        for sample in 0..500 {
            match rand(&mut draw::stream(1, 0, sample, "rand"), 30, 331) {
                Some(Op::Translate(x, y)) => assert_eq!((x + y).abs(), 150.0),
                Some(Op::Rotate(by)) => assert_eq!(by.abs(), 30.0),
                Some(Op::Posterize(bits)) => assert_eq!(bits, 4),
                Some(Op::Solarize(from)) => assert_eq!(from, 0.0),
                _ => {}
            }
            match rand(&mut draw::stream(1, 0, sample, "rand"), 0, 331) {
                Some(Op::Translate(x, y)) => assert_eq!((x, y), (0.0, 0.0)),
                Some(Op::Posterize(bits)) => assert_eq!(bits, 8),
                _ => {}
            }
        }
    }
}
