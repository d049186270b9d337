//! What may follow the affine, as a recipe writes it: steps of Keras and of torchvision.
//!
//! A step is drawn for each picture by itself, from a stream of its own (its place in the list is
//! part of the stream's purpose), as one or more [`Op`]s. Ranges, tables and the order of draws are
//! torchvision 0.26's and Keras 3's; the numbers drawn are ours, because theirs come from a global
//! state.

use serde::{Deserialize, Serialize};

use super::op::Op;
use super::policy;
use crate::draw::Stream;
use crate::error::DataError;

/// One step after the affine. Values of pictures are on the scale 0..1, before normalisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Keras' `channel_shift_range`: all values move by one draw of U(−range, range), on the scale
    /// 0..255, and stay between the picture's own lowest and highest.
    ChannelShift {
        /// 0 to 255.
        range: f64,
    },
    /// Keras' `brightness_range`: values times a draw of U(low, high), cut off to whole steps of
    /// 255 as Pillow does.
    Brightness {
        /// 0 or more.
        low: f64,
        /// `low` or more.
        high: f64,
    },
    /// torchvision's `RandomResizedCrop` (Szegedy et al. 2015, arXiv:1409.4842, §6): a part of this
    /// share of the area and this ratio of width to height, bilinear to the picture's own size.
    ResizedCrop {
        /// Such as 0.08 to 1.
        scale: [f64; 2],
        /// Such as 3/4 to 4/3; its logarithm is uniform.
        ratio: [f64; 2],
    },
    /// torchvision's `ColorJitter`: factors U(max(0, 1 − x), 1 + x), hue U(−x, x), in an order that
    /// is drawn too. Zero switches one off.
    ColourJitter {
        /// Of all values.
        brightness: f64,
        /// About the mean of the picture's grey.
        contrast: f64,
        /// About each pixel's grey.
        saturation: f64,
        /// In turns; at most 0.5.
        hue: f64,
    },
    /// torchvision's `TrivialAugmentWide` (Müller and Hutter 2021, arXiv:2103.10158): one of 14
    /// operations at one of 31 magnitudes.
    TrivialAugment,
    /// torchvision's `RandAugment` (Cubuk et al. 2020, arXiv:1909.13719).
    RandAugment {
        /// How many operations, one after the other.
        ops: u32,
        /// 0 to 30.
        magnitude: u32,
    },
    /// torchvision's `RandomErasing` (Zhong et al. 2020, arXiv:1708.04896): a rectangle becomes
    /// zero as the network sees it.
    Erase {
        /// How often at all.
        probability: f64,
        /// Share of the area.
        scale: [f64; 2],
        /// Of height to width; its logarithm is uniform.
        ratio: [f64; 2],
    },
}

impl Step {
    /// Refuses ranges that cannot be meant; `key` is where the step stands in the recipe.
    pub(super) fn validate(&self, key: &str) -> Result<(), DataError> {
        let check = |name: &str, value: String, fits: bool, want: &str| {
            if fits {
                return Ok(());
            }
            let key = format!("{key}.{name}");
            Err(DataError::Config { key, value, want: want.into() })
        };
        let number = |name: &str, value: f64, most: f64| {
            let want = format!("0 to {most}");
            check(name, value.to_string(), (0.0..=most).contains(&value), &want)
        };
        let range = |name: &str, [low, high]: [f64; 2], most: f64| {
            let fits = low > 0.0 && low <= high && high <= most;
            let want = format!("two rising numbers above 0, at most {most}");
            check(name, format!("[{low}, {high}]"), fits, &want)
        };
        match *self {
            Step::ChannelShift { range } => number("range", range, 255.0),
            Step::Brightness { low, high } => {
                number("high", high, 10.0)?;
                number("low", low, high)
            }
            Step::ResizedCrop { scale, ratio } => {
                range("scale", scale, 1.0)?;
                range("ratio", ratio, 100.0)
            }
            Step::ColourJitter { brightness, contrast, saturation, hue } => {
                number("brightness", brightness, 10.0)?;
                number("contrast", contrast, 10.0)?;
                number("saturation", saturation, 10.0)?;
                number("hue", hue, 0.5)
            }
            Step::TrivialAugment => Ok(()),
            Step::RandAugment { ops, magnitude } => {
                check("ops", ops.to_string(), (1..=16).contains(&ops), "1 to 16")?;
                check("magnitude", magnitude.to_string(), magnitude <= 30, "0 to 30")
            }
            Step::Erase { probability, scale, ratio } => {
                number("probability", probability, 1.0)?;
                range("scale", scale, 1.0)?;
                range("ratio", ratio, 100.0)
            }
        }
    }

    /// Adds what is drawn for one picture of `size_px` a side.
    pub(super) fn draw(&self, stream: &mut Stream, size_px: u32, ops: &mut Vec<Op>) {
        match *self {
            Step::ChannelShift { range } => {
                ops.push(Op::ChannelShift(stream.between(-range, range)));
            }
            Step::Brightness { low, high } => {
                ops.push(Op::KerasBrightness { factor: stream.between(low, high) })
            }
            Step::ResizedCrop { scale, ratio } => {
                ops.push(Op::Crop(crop(stream, size_px, scale, ratio)));
            }
            Step::ColourJitter { brightness, contrast, saturation, hue } => {
                jitter(stream, [brightness, contrast, saturation], hue, ops);
            }
            Step::TrivialAugment => ops.extend(policy::trivial(stream)),
            Step::RandAugment { ops: count, magnitude } => {
                for _ in 0..count {
                    ops.extend(policy::rand(stream, magnitude, size_px));
                }
            }
            Step::Erase { probability, scale, ratio } => {
                if stream.unit() < probability {
                    ops.extend(erased(stream, size_px, scale, ratio).map(Op::Erase));
                }
            }
        }
    }
}

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rectangle {
    /// First row.
    pub top: u32,
    /// First column.
    pub left: u32,
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
}

/// Ten tries for sides (from √(area · ratio), √(area / ratio)) that `fit`, rounded half to even as
/// Python rounds.
fn sides(
    stream: &mut Stream,
    size_px: u32,
    scale: [f64; 2],
    ratio: [f64; 2],
    fit: impl Fn(f64) -> bool,
) -> Option<(u32, u32)> {
    let area = f64::from(size_px) * f64::from(size_px);
    (0..10).find_map(|_| {
        let target = area * stream.between(scale[0], scale[1]);
        let ratio = stream.between(ratio[0].ln(), ratio[1].ln()).exp();
        let long = (target * ratio).sqrt().round_ties_even();
        let short = (target / ratio).sqrt().round_ties_even();
        (fit(long) && fit(short)).then_some((long as u32, short as u32))
    })
}

fn crop(stream: &mut Stream, size_px: u32, scale: [f64; 2], ratio: [f64; 2]) -> Rectangle {
    let within = |side: f64| side > 0.0 && side <= f64::from(size_px);
    let Some((width, height)) = sides(stream, size_px, scale, ratio, within) else {
        // The largest part in the middle whose ratio is allowed.
        let side = f64::from(size_px);
        let shrunk = |by: f64| ((side / by).round_ties_even() as u32).clamp(1, size_px);
        let (width, height) = match ratio {
            [low, _] if low > 1.0 => (size_px, shrunk(low)),
            [_, high] if high < 1.0 => (shrunk(1.0 / high), size_px),
            _ => (size_px, size_px),
        };
        return Rectangle {
            top: (size_px - height) / 2,
            left: (size_px - width) / 2,
            height,
            width,
        };
    };
    let top = stream.below(u64::from(size_px - height) + 1) as u32;
    let left = stream.below(u64::from(size_px - width) + 1) as u32;
    Rectangle { top, left, height, width }
}

/// `None` where ten tries found no rectangle smaller than the picture, as in torchvision.
fn erased(
    stream: &mut Stream,
    size_px: u32,
    scale: [f64; 2],
    ratio: [f64; 2],
) -> Option<Rectangle> {
    let within = |side: f64| side < f64::from(size_px);
    let (height, width) = sides(stream, size_px, scale, ratio, within)?;
    let top = stream.below(u64::from(size_px - height) + 1) as u32;
    let left = stream.below(u64::from(size_px - width) + 1) as u32;
    Some(Rectangle { top, left, height, width })
}

fn jitter(stream: &mut Stream, ranges: [f64; 3], hue: f64, ops: &mut Vec<Op>) {
    let mut order = [0, 1, 2, 3];
    for i in (1..4).rev() {
        order.swap(i, stream.below(i as u64 + 1) as usize);
    }
    let factor =
        |stream: &mut Stream, range: f64| stream.between((1.0 - range).max(0.0), 1.0 + range);
    let factors = ranges.map(|range| factor(stream, range));
    let turn = stream.between(-hue, hue);
    for which in order {
        match which {
            3 if hue > 0.0 => ops.push(Op::Hue(turn)),
            0 if ranges[0] > 0.0 => ops.push(Op::Brightness(factors[0])),
            1 if ranges[1] > 0.0 => ops.push(Op::Contrast(factors[1])),
            2 if ranges[2] > 0.0 => ops.push(Op::Saturation(factors[2])),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw;

    fn drawn(step: &Step, sample: u64) -> Vec<Op> {
        let mut ops = Vec::new();
        step.draw(&mut draw::stream(1, 0, sample, "test"), 64, &mut ops);
        ops
    }

    #[test]
    fn crops_lie_within_the_picture_and_keep_their_shape() {
        let step = Step::ResizedCrop { scale: [0.08, 1.0], ratio: [0.75, 4.0 / 3.0] };
        let mut areas = Vec::new();
        for sample in 0..500 {
            let [Op::Crop(Rectangle { top, left, height, width })] = drawn(&step, sample)[..]
            else {
                panic!("one crop a picture");
            };
            assert!(height > 0 && width > 0 && top + height <= 64 && left + width <= 64);
            let ratio = f64::from(width) / f64::from(height);
            // Sides are whole pixels, at least 16 of them: a sixteenth more or less.
            assert!((0.7..1.43).contains(&ratio), "{width} x {height}");
            areas.push(f64::from(width * height) / 4096.0);
        }
        let mean = areas.iter().sum::<f64>() / 500.0;
        // Uniform from 0.08 to 1 but for the largest, of which some do not fit.
        assert!((0.45..0.56).contains(&mean), "{mean}");
        let narrow = Step::ResizedCrop { scale: [1.0, 1.0], ratio: [2.0, 2.0] };
        let whole = Rectangle { top: 16, left: 0, height: 32, width: 64 };
        assert_eq!(drawn(&narrow, 0), [Op::Crop(whole)]);
    }

    #[test]
    fn erasing_is_as_often_as_asked_and_smaller_than_the_picture() {
        let step = Step::Erase { probability: 0.25, scale: [0.02, 0.33], ratio: [0.3, 3.3] };
        let all: Vec<Op> = (0..2000).flat_map(|sample| drawn(&step, sample)).collect();
        // 500 and five standard deviations of 19.4.
        assert!((403..597).contains(&all.len()), "{}", all.len());
        for op in all {
            let Op::Erase(Rectangle { top, left, height, width }) = op else { panic!("{op:?}") };
            assert!(top + height <= 64 && left + width <= 64 && height < 64 && width < 64);
        }
    }

    #[test]
    fn jitter_draws_its_order_and_leaves_out_what_is_off() {
        let step = Step::ColourJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 };
        let kinds: std::collections::HashSet<_> = (0..500)
            .map(|sample| {
                let ops = drawn(&step, sample);
                assert_eq!(ops.len(), 4);
                ops.iter().map(std::mem::discriminant).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(kinds.len(), 24, "every order is drawn");
        let step = Step::ColourJitter { brightness: 0.0, contrast: 2.0, saturation: 0.0, hue: 0.0 };
        for sample in 0..100 {
            let [Op::Contrast(factor)] = drawn(&step, sample)[..] else { panic!("only contrast") };
            assert!((0.0..=3.0).contains(&factor));
        }
    }

    #[test]
    fn impossible_steps_are_named_by_their_place() {
        let refuse = |step: Step| step.validate("augment.then[2]").unwrap_err().to_string();
        let text = refuse(Step::Erase { probability: 2.0, scale: [0.1, 0.2], ratio: [1.0, 1.0] });
        assert!(text.contains("augment.then[2].probability: 2 is not possible, want 0 to 1"));
        let text = refuse(Step::ResizedCrop { scale: [0.5, 0.1], ratio: [1.0, 1.0] });
        assert!(text.contains("then[2].scale: [0.5, 0.1] is not possible"), "{text}");
        assert!(refuse(Step::RandAugment { ops: 2, magnitude: 31 }).contains("magnitude: 31"));
        assert!(refuse(Step::ChannelShift { range: f64::NAN }).contains("range: NaN"));
        let json =
            r#"{"colour_jitter":{"brightness":0.4,"contrast":0.4,"saturation":0.4,"hue":0.1}}"#;
        let step: Step = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&step).unwrap(), json);
        assert_eq!(
            serde_json::from_str::<Step>("\"trivial_augment\"").unwrap(),
            Step::TrivialAugment
        );
    }
}
