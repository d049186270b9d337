//! Keras' augmentation (`ImageDataGenerator`), exactly: rotation, shear, zoom and horizontal flip
//! composed into one affine a picture, edges replicated. And that of the CIFAR papers: a shift by
//! whole pixels, zeros coming in.
//!
//! With (x, y) = (column, row) measured from the picture's centre, input = M · output and
//! `M = [[cos θ, −sin θ], [sin θ, cos θ]] · [[1, −sin φ], [0, cos φ]] · diag(zx, zy)`,
//! θ ~ U(−r, r), φ ~ U(−s, s), zx, zy ~ U(1 − z, 1 + z) independently; a flip (p = 0.5) comes after
//! the affine, so it is the rightmost factor diag(−1, 1). Read in Keras' `apply_affine_transform`;
//! a golden made by it stands in `tests/golden/keras_augment.json`. The older package
//! keras-preprocessing 1.1.2 writes the same matrices in (row, column) coordinates and turns about
//! a point one pixel down and right of the centre: the same rotations and zooms in distribution,
//! shears along the other axis, and a shift of less than a pixel, which later Keras took for the
//! mistake it is. We follow later Keras.
//!
//! What we do differently: draws come from [`crate::draw`], not from numpy's global state, and a
//! whole batch is transformed at once by `grid_sampler` (bilinear, border), which for square
//! pictures is the same map. Pictures here are always square, so Keras' swap of the centre of
//! non-square pictures cannot show.
//!
//! The shift is the "4 pixels are padded on each side, and a 32×32 crop is randomly sampled" of
//! He et al. 2016 (arXiv:1512.03385, §4.2) and Huang et al. 2017 (arXiv:1608.06993, §4.1): each
//! axis by U{−p … p} pixels, a translation t of the same affine, input = M · output + t. Both
//! papers pad pictures whose mean has been subtracted, so what comes in is the mean colour: our
//! zeros too come in behind the normalisation. (torchvision's customary order pads first, with
//! black.)

use serde::{Deserialize, Serialize};

use crate::draw;
use crate::error::DataError;

/// Ranges of the draws. Zero switches one off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// θ is drawn within ± this many degrees.
    pub rotation_deg: f64,
    /// φ is drawn within ± this.
    pub shear: Shear,
    /// Each axis is scaled by a factor within 1 ± this.
    pub zoom: f64,
    /// Mirrored left to right with probability one half.
    pub horizontal_flip: bool,
    /// Each axis is moved by as many whole pixels within ± this.
    pub shift_px: u32,
    /// What comes in from outside the picture.
    pub fill: Fill,
}

/// What is seen where a moved picture has nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    /// The nearest pixel of its edge (Keras' `fill_mode='nearest'`).
    Edge,
    /// Zero as the network sees it: the mean colour of normalised pictures, else black.
    Zero,
}

/// The unit of `shear_range`. Today's Keras reads degrees, so the famous 0.2 is next to nothing;
/// the versions for which 0.2 was first written down meant radians (11.5°).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shear {
    /// Today's Keras.
    Degrees(f64),
    /// The older recipes.
    Radians(f64),
}

impl Shear {
    fn range_rad(self) -> f64 {
        match self {
            Shear::Degrees(degrees) => degrees.to_radians(),
            Shear::Radians(radians) => radians,
        }
    }
}

/// The two rows `[M | t]` of an affine from output to input coordinates, row by row, `t` in pixels;
/// with `t` in halves of a picture it is what PyTorch calls `theta`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine(pub [f32; 6]);

/// What was drawn for one picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draw {
    /// θ
    pub rotation_rad: f64,
    /// φ
    pub shear_rad: f64,
    /// zx: above 1 shows more of the picture, so things look narrower.
    pub zoom_x: f64,
    /// zy
    pub zoom_y: f64,
    /// Mirrored left to right, after the affine.
    pub flip: bool,
    /// tx: above 0 shows more of what lies to the right.
    pub shift_x_px: i32,
    /// ty
    pub shift_y_px: i32,
}

impl Draw {
    /// Rotation · shear · zoom · flip, and the shift.
    pub fn affine(&self) -> Affine {
        let (sin, cos) = self.rotation_rad.sin_cos();
        let (shear_sin, shear_cos) = self.shear_rad.sin_cos();
        let zoom_x = if self.flip { -self.zoom_x } else { self.zoom_x };
        let m = [
            cos * zoom_x,
            (-cos * shear_sin - sin * shear_cos) * self.zoom_y,
            sin * zoom_x,
            (-sin * shear_sin + cos * shear_cos) * self.zoom_y,
        ];
        let m = m.map(|entry| entry as f32);
        Affine([m[0], m[1], self.shift_x_px as f32, m[2], m[3], self.shift_y_px as f32])
    }
}

impl Augment {
    /// Refuses ranges that cannot be meant (exit 2).
    pub fn validate(&self) -> Result<(), DataError> {
        let within = |key: &str, value: f64, most: f64| {
            if (0.0..=most).contains(&value) {
                return Ok(());
            }
            let (key, value) = (format!("augment.{key}"), value.to_string());
            Err(DataError::Config { key, value, want: format!("0 to {most}") })
        };
        within("rotation_deg", self.rotation_deg, 180.0)?;
        match self.shear {
            Shear::Degrees(degrees) => within("shear.degrees", degrees, 89.0)?,
            Shear::Radians(radians) => within("shear.radians", radians, 1.55)?,
        }
        within("zoom", self.zoom, 0.99)?;
        within("shift_px", self.shift_px.into(), f64::from(crate::config::MAX_SIZE_PX))
    }

    /// What happens to `sample` in `epoch`: the same on any machine, thread or batch.
    pub fn sample(&self, seed: u64, epoch: u64, sample: u64) -> Draw {
        let mut stream = draw::stream(seed, epoch, sample, "augment");
        let rotation = self.rotation_deg.to_radians();
        let shear = self.shear.range_rad();
        Draw {
            rotation_rad: stream.between(-rotation, rotation),
            shear_rad: stream.between(-shear, shear),
            zoom_x: stream.between(1.0 - self.zoom, 1.0 + self.zoom),
            zoom_y: stream.between(1.0 - self.zoom, 1.0 + self.zoom),
            flip: stream.coin() && self.horizontal_flip,
            shift_x_px: self.shift(&mut stream),
            shift_y_px: self.shift(&mut stream),
        }
    }

    fn shift(&self, stream: &mut draw::Stream) -> i32 {
        stream.below(2 * u64::from(self.shift_px) + 1) as i32 - self.shift_px as i32
    }

    /// [`Augment::sample`] as an affine.
    pub fn draw(&self, seed: u64, epoch: u64, sample: u64) -> Affine {
        self.sample(seed, epoch, sample).affine()
    }

    /// `[N, C, S, S] -> [N, C, S, S]` f32: each picture through its own affine, bilinear; strides
    /// (channels_last or not) are kept. `S` is one number: pictures are square.
    #[cfg(feature = "tch")]
    pub fn apply(batch: &tch::Tensor, affines: &[Affine], fill: Fill) -> tch::Tensor {
        let (n, c, h, w) = batch.size4().expect("a batch is [N, C, H, W]");
        assert_eq!(h, w, "augment: {h} x {w} pictures, want square ones");
        assert_eq!(n as usize, affines.len(), "augment: {n} pictures, {} affines", affines.len());
        // align_corners: −1 and 1 are the centres of the first and last pixel, as in Keras.
        let halves = 2.0 / (w - 1).max(1) as f32;
        let theta = |&Affine([a, b, x, c, d, y]): &Affine| [a, b, x * halves, c, d, y * halves];
        let rows: Vec<f32> = affines.iter().flat_map(theta).collect();
        let theta = tch::Tensor::from_slice(&rows).view([n, 2, 3]).to_device(batch.device());
        let grid = tch::Tensor::affine_grid_generator(&theta, [n, c, h, w], true);
        const BILINEAR: i64 = 0;
        let padding = match fill {
            Fill::Zero => 0,
            Fill::Edge => 1,
        };
        let moved = batch.grid_sampler(&grid, BILINEAR, padding, true);
        if crate::batch::is_channels_last(batch) {
            crate::batch::to_channels_last(&moved)
        } else {
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn study() -> Augment {
        let shear = Shear::Degrees(0.2);
        Augment {
            rotation_deg: 40.0,
            shear,
            zoom: 0.2,
            horizontal_flip: true,
            shift_px: 0,
            fill: Fill::Edge,
        }
    }

    #[test]
    fn draws_fill_their_ranges_and_no_more() {
        let draws: Vec<Draw> = (0..4000).map(|i| study().sample(1, 0, i)).collect();
        let spread = |value: fn(&Draw) -> f64| {
            let low = draws.iter().map(value).fold(f64::INFINITY, f64::min);
            let high = draws.iter().map(value).fold(f64::NEG_INFINITY, f64::max);
            (low, high)
        };
        let near = |(low, high): (f64, f64), want: f64, centre: f64| {
            assert!(low >= centre - want && high <= centre + want, "{low} {high}");
            assert!(low < centre - 0.99 * want && high > centre + 0.99 * want, "{low} {high}");
        };
        near(spread(|d| d.rotation_rad.to_degrees()), 40.0, 0.0);
        near(spread(|d| d.shear_rad.to_degrees()), 0.2, 0.0);
        near(spread(|d| d.zoom_x), 0.2, 1.0);
        near(spread(|d| d.zoom_y), 0.2, 1.0);
        let flips = draws.iter().filter(|d| d.flip).count();
        assert!((1850..2150).contains(&flips), "{flips} flips of 4000");
        // zx and zy are drawn independently: their correlation is within 5 / √4000 of none.
        let product: f64 = draws.iter().map(|d| (d.zoom_x - 1.0) * (d.zoom_y - 1.0)).sum();
        let correlation = product / 4000.0 / (0.2f64.powi(2) / 3.0);
        assert!(correlation.abs() < 0.08, "{correlation}");
    }

    #[test]
    fn radians_are_not_degrees() {
        let radians = Augment { shear: Shear::Radians(0.2), ..study() };
        let widest = (0..1000).map(|i| radians.sample(1, 0, i).shear_rad).fold(0.0, f64::max);
        assert!(widest > 0.19 && widest <= 0.2, "{widest}");
        let json = serde_json::to_string(&radians).unwrap();
        assert!(json.contains("{\"radians\":0.2}"), "{json}");
    }

    #[test]
    fn nothing_drawn_is_the_identity() {
        let shear = Shear::Degrees(0.0);
        let still =
            Augment { rotation_deg: 0.0, shear, zoom: 0.0, horizontal_flip: false, ..study() };
        assert_eq!(still.draw(9, 9, 9), Affine([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]));
    }

    #[test]
    fn every_shift_is_drawn_about_equally_often_and_changes_no_other_draw() {
        let cifar = Augment { shift_px: 4, ..study() };
        let mut counts = [0; 9];
        for i in 0..9000 {
            let draw = cifar.sample(1, 0, i);
            counts[(draw.shift_x_px + 4) as usize] += 1;
            assert!(draw.shift_y_px.abs() <= 4);
            assert_eq!(Draw { shift_x_px: 0, shift_y_px: 0, ..draw }, study().sample(1, 0, i));
        }
        // 1,000 each, give or take five standard deviations of 30.
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn impossible_ranges_are_refused() {
        let error = Augment { zoom: 1.5, ..study() }.validate().unwrap_err();
        assert_eq!(error.to_string(), "data.augment.zoom: 1.5 is not possible, want 0 to 0.99");
        assert!(Augment { rotation_deg: f64::NAN, ..study() }.validate().is_err());
        assert!(study().validate().is_ok());
    }
}
