//! What happens to training pictures: one affine a picture, then steps in an order ([`step`]), then
//! mixing with a neighbour ([`mix`]).
//!
//! The affine is Keras' (`ImageDataGenerator`), exactly: rotation, shift, shear, zoom and flips
//! composed into one matrix. And that of the CIFAR papers: a shift by whole pixels, zeros coming
//! in.
//!
//! With (x, y) = (column, row) measured from the picture's centre, input = M · output and
//! `M = [[cos θ, −sin θ], [sin θ, cos θ]] · [[1, −sin φ], [0, cos φ]] · diag(zx, zy)`,
//! θ ~ U(−r, r), φ ~ U(−s, s), zx, zy ~ U(1 − z, 1 + z) independently; flips (p = 0.5 each) come
//! after the affine, so they are the rightmost factor diag(±1, ±1). A shift is composed between
//! rotation and shear, so input = M · output + R · (tx, ty), tx ~ U(−width, width) along x, ty
//! along y. (Keras from 2.9 on crosses its own names: `height_shift_range` moves along x. Ours do
//! what they are called; for equal ranges there is no difference.) Read in Keras'
//! `apply_affine_transform`; a golden made by it stands in `tests/golden/keras_augment.json`.
//!
//! Keras up to 2.0.9, whose shears are radians, writes the same matrices in (row, column)
//! coordinates and turns about a point one pixel down and right of the centre: the same rotations
//! and zooms in distribution, shears along the other axis, and a shift of less than a pixel, which
//! later Keras took for the mistake it is. A recipe with [`Shear::Radians`] gets that, to the
//! picture (`tests/golden/keras_augment_older.json`); every other gets later Keras. (From 2.1 to
//! keras-preprocessing 1.1.2 the shears are degrees and the axes still the older ones; these are
//! not offered.)
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

mod affine;
#[cfg(feature = "tch")]
mod colour;
#[cfg(feature = "tch")]
pub(crate) mod fused;
pub mod mix;
pub mod op;
mod policy;
pub mod step;
#[cfg(feature = "tch")]
mod warp;

pub use affine::{Affine, AffineDraw};
pub use mix::{Mix, Mixed};
pub use op::Op;
pub use step::{Rectangle, Step};

/// Ranges of the draws. Zero switches one off. Recipes without the fields that may be absent keep
/// the hash they had before these fields existed.
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
    /// Turned upside down with probability one half.
    #[serde(default, skip_serializing_if = "is_false")]
    pub vertical_flip: bool,
    /// Moved along x by up to ± this many pixels, not only whole ones (Keras' shift ranges of 1 and
    /// more; a range below 1 is a share of the side).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub width_shift_px: f64,
    /// The same along y.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub height_shift_px: f64,
    /// What follows the affine, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<Step>,
    /// Whether pictures of a batch are mixed with each other in the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<Mix>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_zero(range: &f64) -> bool {
    *range == 0.0
}

/// What is seen where a moved picture has nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    /// The nearest pixel of its edge (Keras' `fill_mode='nearest'`).
    Edge,
    /// Zero as the network sees it: the mean colour of normalised pictures, else black. Pixels that
    /// lie partly outside are blended with it (torch's `zeros`).
    Zero,
    /// This value, 0 to 255, wherever a place outside is asked for; nothing is blended with it
    /// (Keras' `constant` with its `cval`).
    Constant(u8),
    /// The picture mirrored at its edges, the edge pixel twice (Keras' `reflect`).
    Reflect,
    /// The picture repeated, its first and last pixel in one place (Keras' `wrap`, which is
    /// scipy's: the period is a pixel less than the side).
    Wrap,
}

/// Whose `shear_range`. Today's Keras reads degrees, so the famous 0.2 is next to nothing; the
/// versions for which 0.2 was first written down (up to 2.0.9) meant radians (11.5°).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shear {
    /// Today's Keras.
    Degrees(f64),
    /// The older recipes; their whole affine is as Keras composed it then (see [`self`]).
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

/// All that was drawn for one picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    /// Comes first.
    pub affine: Affine,
    /// Then these, in their order.
    pub ops: Vec<Op>,
    /// Whether the recipe has such steps, whether or not one was drawn for this picture.
    pub has_steps: bool,
    /// In the end, how it is mixed with the picture before it in its batch.
    pub mixed: Option<Mixed>,
}

impl Augment {
    /// Every range zero: what recipes begin with (`..Augment::none()`), so that each names only
    /// what it draws.
    pub fn none() -> Augment {
        Augment {
            rotation_deg: 0.0,
            shear: Shear::Degrees(0.0),
            zoom: 0.0,
            horizontal_flip: false,
            shift_px: 0,
            fill: Fill::Edge,
            vertical_flip: false,
            width_shift_px: 0.0,
            height_shift_px: 0.0,
            then: Vec::new(),
            mix: None,
        }
    }

    /// Refuses ranges that cannot be meant.
    ///
    /// # Errors
    /// [`DataError::Config`] with the key, the value and what it may be (exit 2).
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
        let most_px = f64::from(crate::config::MAX_SIZE_PX);
        within("shift_px", self.shift_px.into(), most_px)?;
        within("width_shift_px", self.width_shift_px, most_px)?;
        within("height_shift_px", self.height_shift_px, most_px)?;
        for (i, step) in self.then.iter().enumerate() {
            step.validate(&format!("augment.then[{i}]"))?;
        }
        self.mix.as_ref().map_or(Ok(()), Mix::validate)
    }

    /// What happens to `sample` in `epoch`: the same on any machine, thread or batch.
    pub fn draw_affine(&self, seed: u64, epoch: u64, sample: u64) -> AffineDraw {
        let mut stream = draw::stream(seed, epoch, sample, "augment");
        let rotation = self.rotation_deg.to_radians();
        let shear = self.shear.range_rad();
        AffineDraw {
            rotation_rad: stream.between(-rotation, rotation),
            shear_rad: stream.between(-shear, shear),
            zoom_x: stream.between(1.0 - self.zoom, 1.0 + self.zoom),
            zoom_y: stream.between(1.0 - self.zoom, 1.0 + self.zoom),
            flip: stream.coin() && self.horizontal_flip,
            shift_x_px: self.shift(&mut stream),
            shift_y_px: self.shift(&mut stream),
            flip_vertical: stream.coin() && self.vertical_flip,
            move_x_px: stream.between(-self.width_shift_px, self.width_shift_px),
            move_y_px: stream.between(-self.height_shift_px, self.height_shift_px),
            older: matches!(self.shear, Shear::Radians(_)),
        }
    }

    fn shift(&self, stream: &mut draw::Stream) -> i32 {
        stream.below(2 * u64::from(self.shift_px) + 1) as i32 - self.shift_px as i32
    }

    /// [`Augment::draw_affine`] as an affine.
    pub fn affine(&self, seed: u64, epoch: u64, sample: u64) -> Affine {
        self.draw_affine(seed, epoch, sample).affine()
    }

    /// All that happens to `sample`, a picture of `size_px` a side, in `epoch`.
    pub fn draw(&self, seed: u64, epoch: u64, sample: u64, size_px: u32) -> Draw {
        let affine = self.affine(seed, epoch, sample);
        let mut ops = Vec::new();
        for (i, step) in self.then.iter().enumerate() {
            let stream = &mut draw::stream(seed, epoch, sample, &format!("augment {i}"));
            step.draw(stream, size_px, &mut ops);
        }
        let mixed =
            self.mix.map(|mix| mix.draw(&mut draw::stream(seed, epoch, sample, "mix"), size_px));
        Draw { affine, ops, has_steps: !self.then.is_empty(), mixed }
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
            ..Augment::none()
        }
    }

    #[test]
    fn draws_fill_their_ranges_and_no_more() {
        let draws: Vec<AffineDraw> = (0..4000).map(|i| study().draw_affine(1, 0, i)).collect();
        let spread = |value: fn(&AffineDraw) -> f64| {
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
        let widest = (0..1000).map(|i| radians.draw_affine(1, 0, i).shear_rad).fold(0.0, f64::max);
        assert!(widest > 0.19 && widest <= 0.2, "{widest}");
        let json = serde_json::to_string(&radians).unwrap();
        assert!(json.contains("{\"radians\":0.2}"), "{json}");
    }

    #[test]
    fn nothing_drawn_is_the_identity() {
        let shear = Shear::Degrees(0.0);
        let still =
            Augment { rotation_deg: 0.0, shear, zoom: 0.0, horizontal_flip: false, ..study() };
        assert_eq!(still.affine(9, 9, 9), Affine::IDENTITY);
        assert_eq!(AffineDraw::STILL.affine(), Affine::IDENTITY);
    }

    #[test]
    fn every_shift_is_drawn_about_equally_often_and_changes_no_other_draw() {
        let cifar = Augment { shift_px: 4, ..study() };
        let mut counts = [0; 9];
        for i in 0..9000 {
            let draw = cifar.draw_affine(1, 0, i);
            counts[(draw.shift_x_px + 4) as usize] += 1;
            assert!(draw.shift_y_px.abs() <= 4);
            assert_eq!(
                AffineDraw { shift_x_px: 0, shift_y_px: 0, ..draw },
                study().draw_affine(1, 0, i)
            );
        }
        // 1,000 each, give or take five standard deviations of 30.
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn later_ranges_leave_a_recipe_of_before_and_its_draws_alone() {
        let json = serde_json::to_string(&study()).unwrap();
        let want = r#"{"rotation_deg":40.0,"shear":{"degrees":0.2},"zoom":0.2,"horizontal_flip":true,"shift_px":0,"fill":"edge"}"#;
        assert_eq!(json, want);
        assert_eq!(serde_json::from_str::<Augment>(want).unwrap(), study());
        let moved = Augment { vertical_flip: true, width_shift_px: 3.0, ..study() };
        for i in 0..200 {
            let draw = moved.draw_affine(1, 0, i);
            assert!(draw.move_x_px.abs() <= 3.0 && draw.move_y_px == 0.0);
            let without = AffineDraw { flip_vertical: false, move_x_px: 0.0, ..draw };
            assert_eq!(without, study().draw_affine(1, 0, i));
        }
    }

    #[test]
    fn impossible_ranges_are_refused() {
        let error = Augment { zoom: 1.5, ..study() }.validate().unwrap_err();
        assert_eq!(error.to_string(), "data.augment.zoom: 1.5 is not possible, want 0 to 0.99");
        assert!(Augment { rotation_deg: f64::NAN, ..study() }.validate().is_err());
        assert!(study().validate().is_ok());
    }
}
