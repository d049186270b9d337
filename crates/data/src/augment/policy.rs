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

impl Strengths {
    /// TrivialAugment's, "wide".
    const TRIVIAL: Strengths = Strengths {
        shear: 0.99,
        translate_px: 32.0,
        rotate_deg: 135.0,
        colour: 0.99,
        posterize: 6.0,
    };

    /// RandAugment's, of pictures of so many pixels a side.
    fn rand(size_px: u32) -> Strengths {
        let translate_px = 150.0 / 331.0 * f64::from(size_px);
        Strengths { shear: 0.3, translate_px, rotate_deg: 30.0, colour: 0.9, posterize: 4.0 }
    }
}

/// TrivialAugment, "wide".
pub(super) fn trivial(stream: &mut Stream) -> Option<Op> {
    let kind = KINDS[stream.below(KINDS.len() as u64) as usize];
    let bin = stream.below(BINS);
    op(kind, bin, stream.coin(), &Strengths::TRIVIAL)
}

/// One operation of RandAugment.
pub(super) fn rand(stream: &mut Stream, magnitude: u32, size_px: u32) -> Option<Op> {
    let kind = KINDS[stream.below(KINDS.len() as u64) as usize];
    op(kind, magnitude.into(), stream.coin(), &Strengths::rand(size_px))
}

/// `bin` of `torch.linspace(0, most, BINS)`: in 32 bits, from the nearer end, product and sum
/// rounded once, as torch does it on a processor with FMA. (So the middle bin of 32 pixels is a
/// hair below 16, and moves a picture by 15.)
fn strength(bin: u64, most: f64) -> f64 {
    let (last, most) = (BINS - 1, most as f32);
    let step = most / last as f32;
    let from_the_end = || (-step).mul_add((last - bin) as f32, most);
    f64::from(if bin < BINS / 2 { step * bin as f32 } else { from_the_end() })
}

fn op(kind: Kind, bin: u64, negative: bool, most: &Strengths) -> Option<Op> {
    let share = bin as f64 / (BINS - 1) as f64;
    let signed = |most: f64| if negative { -strength(bin, most) } else { strength(bin, most) };
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

    /// torchvision's tables, by its names: whether a magnitude may be negative, and each bin's.
    #[derive(serde::Deserialize)]
    struct Golden {
        size_px: u32,
        trivial: Table,
        rand: Table,
    }

    /// torchvision's name and magnitude of what `kind` came to.
    fn told(kind: Kind, op: Option<Op>) -> (&'static str, f64) {
        match (kind, op) {
            (Identity, None) => ("Identity", 0.0),
            (ShearX, Some(Op::ShearX(by))) => ("ShearX", by),
            (ShearY, Some(Op::ShearY(by))) => ("ShearY", by),
            (TranslateX, Some(Op::Translate(by, 0.0))) => ("TranslateX", by),
            (TranslateY, Some(Op::Translate(0.0, by))) => ("TranslateY", by),
            (Rotate, Some(Op::Rotate(by))) => ("Rotate", by),
            // Its colours are factors, 1 + magnitude.
            (Brightness, Some(Op::Brightness(by))) => ("Brightness", by - 1.0),
            (Colour, Some(Op::Saturation(by))) => ("Color", by - 1.0),
            (Contrast, Some(Op::Contrast(by))) => ("Contrast", by - 1.0),
            (Sharpness, Some(Op::Sharpness(by))) => ("Sharpness", by - 1.0),
            (Posterize, Some(Op::Posterize(bits))) => ("Posterize", bits.into()),
            (Solarize, Some(Op::Solarize(from))) => ("Solarize", from),
            (AutoContrast, Some(Op::AutoContrast)) => ("AutoContrast", 0.0),
            (Equalize, Some(Op::Equalize)) => ("Equalize", 0.0),
            (_, op) => panic!("{op:?} is of another kind"),
        }
    }

    type Table = std::collections::BTreeMap<String, (bool, Option<Vec<f64>>)>;

    #[test]
    fn each_bin_is_as_strong_as_torchvisions() {
        let golden: Golden =
            serde_json::from_str(include_str!("../../tests/golden/policies.json")).unwrap();
        let of_rand = Strengths::rand(golden.size_px);
        for (table, most) in [(golden.trivial, &Strengths::TRIVIAL), (golden.rand, &of_rand)] {
            assert_eq!(table.len(), KINDS.len());
            for (kind, bin) in KINDS.iter().flat_map(|kind| (0..BINS).map(move |bin| (*kind, bin)))
            {
                let [(name, up), (_, down)] =
                    [false, true].map(|negative| told(kind, op(kind, bin, negative, most)));
                let (signed, bins) = &table[name];
                let want = bins.as_ref().map_or(0.0, |bins| bins[bin as usize]);
                let other = if *signed { -want } else { want };
                assert!((up - want).abs() < 1e-6, "{name}, bin {bin}: {up}, not {want}");
                assert!((down - other).abs() < 1e-6, "{name}, bin {bin}: {down}, not {other}");
            }
        }
    }

    #[test]
    fn every_kind_is_drawn_about_equally_often() {
        let mut identities = 0;
        let mut kinds = std::collections::HashMap::new();
        for sample in 0..14_000 {
            match trivial(&mut draw::stream(1, 0, sample, "trivial")) {
                Some(op) => *kinds.entry(std::mem::discriminant(&op)).or_insert(0) += 1,
                None => identities += 1,
            }
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
