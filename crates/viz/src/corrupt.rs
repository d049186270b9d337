//! Pictures made worse on purpose, to see how an arm stands it: after Hendrycks & Dietterich 2019,
//! "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
//! <https://arxiv.org/abs/1903.12261>, and Zhang 2019, "Making Convolutional Networks
//! Shift-Invariant Again", <https://arxiv.org/abs/1904.11486>.
//!
//! A corruption is a function of the picture, its level and its number, so every arm sees the very
//! same pictures. What is shifted or turned in repeats the edge. Levels are ours: lengths grow with
//! the picture, so that they mean the same at 64 and at 224 pixels.

use crate::chance::{sum_of_twelve, uniform};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

/// A way to make a picture worse.
#[derive(Debug)]
pub struct CorruptionRow {
    /// As charts call it.
    pub name: &'static str,
    /// What its level counts.
    pub unit: &'static str,
    /// The level at which nothing happens.
    pub clean: f64,
    /// The levels that are tried.
    pub levels: &'static [f64],
    apply: fn(&RgbImage, f64, u64) -> RgbImage,
}

/// The corruptions there are.
pub static CORRUPTIONS: &[CorruptionRow] = &[
    CorruptionRow {
        name: "shift",
        unit: "% of the side, to the right and down",
        clean: 0.0,
        levels: &[2.0, 5.0, 10.0, 20.0],
        apply: shift,
    },
    CorruptionRow {
        name: "rotation",
        unit: "degrees",
        clean: 0.0,
        levels: &[5.0, 15.0, 30.0, 60.0],
        apply: rotate,
    },
    CorruptionRow {
        name: "blur",
        unit: "deviation, % of the side",
        clean: 0.0,
        levels: &[1.0, 2.0, 4.0],
        apply: blur,
    },
    CorruptionRow {
        name: "noise",
        unit: "deviation, % of white",
        clean: 0.0,
        levels: &[5.0, 10.0, 20.0],
        apply: noise,
    },
    CorruptionRow {
        name: "brightness",
        unit: "factor",
        clean: 1.0,
        levels: &[0.4, 0.7, 1.4, 2.0],
        apply: brighten,
    },
    CorruptionRow {
        name: "JPEG",
        unit: "quality",
        clean: 100.0,
        levels: &[10.0, 25.0, 50.0],
        apply: compress,
    },
];

impl CorruptionRow {
    /// `picture` at `level`; `number` tells pictures apart where chance is drawn. At the clean
    /// level it is the picture itself.
    pub fn apply(&self, picture: &RgbImage, level: f64, number: u64) -> RgbImage {
        match level == self.clean {
            true => picture.clone(),
            false => (self.apply)(picture, level, number),
        }
    }
}

/// Each output pixel from a place of the picture, bilinear, edges repeated.
fn sampled(picture: &RgbImage, from: impl Fn(f64, f64) -> (f64, f64)) -> RgbImage {
    let (width, height) = picture.dimensions();
    RgbImage::from_fn(width, height, |x, y| {
        let (fx, fy) = from(f64::from(x), f64::from(y));
        let (fx, fy) = (fx.clamp(0.0, f64::from(width - 1)), fy.clamp(0.0, f64::from(height - 1)));
        let (left, top) = (fx.floor() as u32, fy.floor() as u32);
        let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
        let (across, down) = (fx.fract(), fy.fract());
        let mut out = [0; 3];
        for (c, value) in out.iter_mut().enumerate() {
            let at = |x, y| f64::from(picture.get_pixel(x, y)[c]);
            let above = at(left, top) * (1.0 - across) + at(right, top) * across;
            let below = at(left, bottom) * (1.0 - across) + at(right, bottom) * across;
            *value = (above * (1.0 - down) + below * down).round() as u8;
        }
        Rgb(out)
    })
}

fn shift(picture: &RgbImage, level: f64, _: u64) -> RgbImage {
    let by = (level / 100.0 * f64::from(picture.width())).round().max(1.0);
    sampled(picture, |x, y| (x - by, y - by))
}

/// `picture` moved by whole pixels at random, up to `most` per cent of its side each way, edges
/// repeated. A picture's `number` and a `draw` have one shift: two draws are the pair whose answers
/// Zhang 2019 (§4.1) compares.
pub fn random_shift(picture: &RgbImage, most: f64, number: u64, draw: u64) -> RgbImage {
    let reach = (most / 100.0 * f64::from(picture.width())).round();
    let place = number.wrapping_mul(1 << 32).wrapping_add(2 * draw);
    let by = |axis: u64| ((2.0 * reach + 1.0) * uniform(place + axis)).floor() - reach;
    let (right, down) = (by(0), by(1));
    sampled(picture, |x, y| (x - right, y - down))
}

fn rotate(picture: &RgbImage, level: f64, _: u64) -> RgbImage {
    let (sin, cos) = level.to_radians().sin_cos();
    let middle = |side: u32| (f64::from(side) - 1.0) / 2.0;
    let (mx, my) = (middle(picture.width()), middle(picture.height()));
    sampled(picture, |x, y| {
        let (dx, dy) = (x - mx, y - my);
        (mx + cos * dx + sin * dy, my - sin * dx + cos * dy)
    })
}

fn blur(picture: &RgbImage, level: f64, _: u64) -> RgbImage {
    image::imageops::blur(picture, (level / 100.0 * f64::from(picture.width())) as f32)
}

fn noise(picture: &RgbImage, level: f64, number: u64) -> RgbImage {
    let mut out = picture.clone();
    for (i, value) in out.iter_mut().enumerate() {
        let place = number.wrapping_mul(1 << 32).wrapping_add(i as u64);
        *value = (f64::from(*value) + 2.55 * level * sum_of_twelve(place)).round().clamp(0.0, 255.0)
            as u8;
    }
    out
}

fn brighten(picture: &RgbImage, level: f64, _: u64) -> RgbImage {
    let mut out = picture.clone();
    out.iter_mut().for_each(|v| *v = (f64::from(*v) * level).round().min(255.0) as u8);
    out
}

fn compress(picture: &RgbImage, level: f64, _: u64) -> RgbImage {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, level as u8);
    picture.write_with_encoder(encoder).expect("a picture in memory can be packed");
    image::load_from_memory(&bytes).expect("just packed").to_rgb8()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> RgbImage {
        RgbImage::from_fn(32, 32, |x, y| Rgb([(8 * x) as u8, (8 * y) as u8, ((x * y) % 256) as u8]))
    }

    fn distance(a: &RgbImage, b: &RgbImage) -> f64 {
        a.iter().zip(b.iter()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>()
    }

    #[test]
    fn each_is_nothing_when_clean_worse_with_its_level_and_always_the_same() {
        let clean = picture();
        for row in CORRUPTIONS {
            assert_eq!(row.apply(&clean, row.clean, 1), clean, "{}", row.name);
            let mut away: Vec<(f64, f64)> = (row.levels.iter())
                .map(|level| {
                    ((level - row.clean).abs(), distance(&row.apply(&clean, *level, 1), &clean))
                })
                .collect();
            away.sort_by(|a, b| a.0.total_cmp(&b.0));
            let worse =
                away.windows(2).all(|pair| pair[0].1 <= pair[1].1) || row.name == "brightness";
            assert!(worse && away[0].1 > 0.0, "{}: {away:?}", row.name);
            let level = row.levels[0];
            assert_eq!(row.apply(&clean, level, 1), row.apply(&clean, level, 1), "{}", row.name);
        }
    }

    #[test]
    fn a_shift_moves_and_repeats_the_edge() {
        let moved = shift(&picture(), 10.0, 0); // 3 pixels
        assert_eq!(moved.get_pixel(13, 9), picture().get_pixel(10, 6));
        assert_eq!(moved.get_pixel(0, 20)[0], 0);
    }

    #[test]
    fn random_shifts_are_whole_within_reach_and_each_draws_own() {
        let picture = picture();
        let moved = |number, draw| random_shift(&picture, 10.0, number, draw);
        assert_eq!(moved(3, 0), moved(3, 0));
        let (mut same, mut seen) = (0, std::collections::BTreeSet::new());
        for number in 0..200 {
            same += usize::from(moved(number, 0) == moved(number, 1));
            // Red is eight times the column, green eight times the row.
            let Rgb([red, green, _]) = *moved(number, 0).get_pixel(16, 16);
            let by = [red, green].map(|v| 16 - i32::from(v) / 8);
            assert!(red % 8 == 0 && green % 8 == 0 && by.iter().all(|v| v.abs() <= 3), "{by:?}");
            seen.extend(by);
        }
        assert_eq!(seen.len(), 7, "every shift from −3 to 3: {seen:?}");
        assert!(same < 20, "{same} of 200 pairs are one");
    }

    #[test]
    fn pictures_get_noise_of_their_own() {
        let noisy = |number| CORRUPTIONS[3].apply(&picture(), 10.0, number);
        assert_ne!(noisy(1), noisy(2));
    }
}
