//! The data part of a recipe: plain values, nothing assumed, unknown keys refused.

use serde::{Deserialize, Serialize};

use crate::colour::Colour;
use crate::error::DataError;

/// What a picture is used for. Fixed once by the split, never by the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Weights are fitted to these, augmented.
    Train,
    /// Watched while training, never augmented.
    Val,
    /// Kept for the one final evaluation.
    Test,
}

impl Part {
    /// In the order of [`SplitRule::ratio`].
    pub const ALL: [Part; 3] = [Part::Train, Part::Val, Part::Test];

    /// `train`, `val` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Val => "val",
            Part::Test => "test",
        }
    }
}

/// Which pictures, at which size, split how. Part of every recipe, so it has no `Default`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// A row of [`crate::SOURCES`] and its argument: `critters`, `critters:2500`, `folder:PATH`,
    /// `mnist:PATH`.
    pub source: String,
    /// Side of the square every picture is squashed to, in pixels; aspect is ignored, as in the
    /// published study.
    pub size_px: u32,
    /// How pictures come to that size.
    pub filter: Filter,
    /// `None`: pictures are squashed to the square, as the published study does. `Some(256)`: the
    /// shorter side comes to 256 px, the aspect stays, and the middle square of `size_px` is taken
    /// (torchvision's `Resize(256)` and `CenterCrop`). Drawings are drawn square and stay whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub centre_crop_of_px: Option<u32>,
    /// Whether the network sees them in colour or grey, whatever they are stored as.
    pub colour: Colour,
    /// Who trains on what.
    pub split: SplitRule,
    /// The share of the training part that is trained on, above 0 and at most 1: of each class the
    /// same share, rounded, at least one picture. A smaller share is a subset of a larger one;
    /// validation and test stay as they are. The rest is counted in `split.json`.
    pub train_fraction: f64,
    /// What to do with pictures that cannot be read.
    pub bad_images: BadImages,
    /// Applied after the division by 255; `None` leaves values in 0..1.
    pub normalize: Option<Normalize>,
    /// `None`: a pass visits its pictures in an order shuffled over the whole part. `Some(4096)`:
    /// shard by shard, in windows of at least so many pictures; for sets that are read from where
    /// they lie, see [`crate::order::windowed`]. The order of a run, and so its result, depends on
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shuffle_window: Option<u32>,
}

/// How a picture is resized; see [`crate::resize`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// One source pixel for each target pixel, as Pillow's NEAREST (and so Keras' `nearest`).
    Nearest,
    /// Area average.
    Box,
    /// Triangle, widened when shrinking (Pillow's BILINEAR, not a two-tap sample).
    Bilinear,
    /// Catmull-Rom, a = −0.5 (Pillow's BICUBIC).
    Bicubic,
    /// Lanczos with three lobes (Pillow's LANCZOS).
    Lanczos,
}

impl Filter {
    /// The recipe's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Filter::Nearest => "nearest",
            Filter::Box => "box",
            Filter::Bilinear => "bilinear",
            Filter::Bicubic => "bicubic",
            Filter::Lanczos => "lanczos",
        }
    }
}

/// The share of train, validation and test pictures of each class, and the seed that deals them
/// out. The seed is not the training's: all seeds of an arm see the same split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitRule {
    /// train : val : test. The published study's is 17:4:4. A share whose part the source brings
    /// itself (a folder's `val/` or `test/`, the test files of MNIST and CIFAR-10) counts as 0:
    /// with a given test part, 17:4:4 keeps 17/21 of the training pictures for training.
    pub ratio: [u32; 3],
    /// Deals the pictures out; see [`crate::split`].
    pub seed: u64,
}

/// What to do with a picture that cannot be read in full. Either way each is counted and named.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadImages {
    /// Stop, and list them.
    Fail,
    /// Go on without them, and list them.
    Skip,
    /// The same, and whoever opens the set names each of them at once.
    Report,
    /// The same as long as they are at most this share of the set, 0 to 1; else stop, with a table.
    AtMost(f64),
}

/// `(x / 255 − mean) / std` per channel: red, green, blue, or grey alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalize {
    /// `[C]`, on the scale 0..1.
    pub mean: Vec<f32>,
    /// `[C]`, on the scale 0..1; above 0.
    pub std: Vec<f32>,
}

/// Largest side a picture may be squashed to: 4096² × 3 bytes is 50 MB a picture.
pub const MAX_SIZE_PX: u32 = 4096;

impl DataConfig {
    /// Refuses impossible values.
    ///
    /// # Errors
    /// [`DataError::Config`] with the key, the value and what it may be (exit 2).
    pub fn validate(&self) -> Result<(), DataError> {
        let bad = |key: &str, value: String, want: &str| {
            Err(DataError::Config { key: key.into(), value, want: want.into() })
        };
        if !(1..=MAX_SIZE_PX).contains(&self.size_px) {
            let want = format!("1 to {MAX_SIZE_PX} pixels");
            return bad("size_px", self.size_px.to_string(), &want);
        }
        if let Some(px) = self.centre_crop_of_px
            && !(self.size_px..=MAX_SIZE_PX).contains(&px)
        {
            let want = format!("{} (size_px) to {MAX_SIZE_PX} pixels", self.size_px);
            return bad("centre_crop_of_px", px.to_string(), &want);
        }
        if self.shuffle_window == Some(0) {
            return bad("shuffle_window", "0".into(), "at least 1 picture");
        }
        if self.split.ratio[0] == 0 {
            let value = format!("{:?}", self.split.ratio);
            return bad("split.ratio", value, "a train share of at least 1, such as [17, 4, 4]");
        }
        if !(self.train_fraction > 0.0 && self.train_fraction <= 1.0) {
            let want = "a number above 0 and at most 1";
            return bad("train_fraction", self.train_fraction.to_string(), want);
        }
        if let BadImages::AtMost(share) = self.bad_images
            && !(0.0..=1.0).contains(&share)
        {
            return bad("bad_images.at_most", share.to_string(), "a share from 0 to 1");
        }
        let Some(Normalize { mean, std }) = &self.normalize else { return Ok(()) };
        let channels = self.colour.channels();
        let want = |kind: &str| format!("{channels} {kind}, as colour is {}", self.colour.name());
        if mean.len() != channels || mean.iter().any(|m| !m.is_finite()) {
            return bad("normalize.mean", format!("{mean:?}"), &want("finite numbers"));
        }
        if std.len() != channels || std.iter().any(|s| !s.is_finite() || *s <= 0.0) {
            return bad("normalize.std", format!("{std:?}"), &want("numbers above 0"));
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn config() -> DataConfig {
        DataConfig {
            source: "critters".into(),
            size_px: 64,
            filter: Filter::Nearest,
            centre_crop_of_px: None,
            colour: Colour::Rgb,
            split: SplitRule { ratio: [17, 4, 4], seed: 1 },
            train_fraction: 1.0,
            bad_images: BadImages::Fail,
            normalize: None,
            shuffle_window: None,
        }
    }

    #[test]
    fn survives_json_and_refuses_unknown_keys() {
        let text = serde_json::to_string(&config()).unwrap();
        assert!(text.contains("\"filter\":\"nearest\""), "{text}");
        assert_eq!(serde_json::from_str::<DataConfig>(&text).unwrap(), config());
        let text = text.replace("size_px", "sizepx");
        assert!(serde_json::from_str::<DataConfig>(&text).is_err());
    }

    #[test]
    fn impossible_values_are_named() {
        let message = |config: DataConfig| {
            let error = config.validate().unwrap_err();
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        };
        assert!(message(DataConfig { size_px: 0, ..config() }).contains("size_px: 0"));
        let crop = DataConfig { centre_crop_of_px: Some(63), ..config() };
        assert!(message(crop).contains("centre_crop_of_px: 63 is not possible, want 64 (size_px)"));
        let ratio = SplitRule { ratio: [0, 4, 4], seed: 1 };
        assert!(message(DataConfig { split: ratio, ..config() }).contains("[0, 4, 4]"));
        for fraction in [0.0, -0.1, 1.5, f64::NAN] {
            let message = message(DataConfig { train_fraction: fraction, ..config() });
            assert!(message.contains(&format!("train_fraction: {fraction}")), "{message}");
        }
        assert!(config().validate().is_ok());
    }

    #[test]
    fn normalisation_has_a_number_for_each_channel() {
        let check = |colour, mean: &[f32], std: &[f32]| {
            let normalize = Some(Normalize { mean: mean.into(), std: std.into() });
            let checked = DataConfig { colour, normalize, ..config() }.validate();
            checked.map_err(|error| error.to_string()).err().unwrap_or_default()
        };
        let text = check(Colour::Rgb, &[0.0; 3], &[1.0, 0.0, 1.0]);
        assert!(text.contains("normalize.std: [1.0, 0.0, 1.0]"), "{text}");
        let text = check(Colour::Grey, &[0.5; 3], &[0.5; 3]);
        assert!(text.ends_with("want 1 finite numbers, as colour is grey"), "{text}");
        let text = check(Colour::Rgb, &[0.5; 3], &[0.5]);
        assert!(text.ends_with("want 3 numbers above 0, as colour is rgb"), "{text}");
        assert_eq!(check(Colour::Grey, &[0.13], &[0.31]), "");
    }
}
