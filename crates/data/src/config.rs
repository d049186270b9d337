//! The data part of a recipe: plain values, nothing assumed, unknown keys refused.

use serde::{Deserialize, Serialize};

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
    /// `cats-vs-dogs:PATH`.
    pub source: String,
    /// Side of the square every picture is squashed to, in pixels; aspect is ignored, as in the
    /// published study.
    pub size_px: u32,
    /// How pictures come to that size.
    pub filter: Filter,
    /// Who trains on what.
    pub split: SplitRule,
    /// What to do with pictures that cannot be read.
    pub bad_images: BadImages,
    /// Applied after the division by 255; `None` leaves values in 0..1.
    pub normalize: Option<Normalize>,
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
    /// train : val : test. The published study's is 17:4:4.
    pub ratio: [u32; 3],
    /// Deals the pictures out; see [`crate::split`].
    pub seed: u64,
}

/// What to do with a picture that cannot be read in full. Either way each is counted and named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BadImages {
    /// Stop, and list them.
    Fail,
    /// Go on without them, and list them.
    Skip,
}

/// `(x / 255 − mean) / std` per channel, RGB.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalize {
    /// Of each channel, on the scale 0..1.
    pub mean: [f32; 3],
    /// Of each channel, on the scale 0..1; above 0.
    pub std: [f32; 3],
}

/// Largest side a picture may be squashed to: 4096² × 3 bytes is 50 MB a picture.
pub const MAX_SIZE_PX: u32 = 4096;

impl DataConfig {
    /// Refuses impossible values, naming the key, the value and the allowed range (exit 2).
    pub fn validate(&self) -> Result<(), DataError> {
        let bad = |key: &str, value: String, want: &str| {
            Err(DataError::Config { key: key.into(), value, want: want.into() })
        };
        if !(1..=MAX_SIZE_PX).contains(&self.size_px) {
            let want = format!("1 to {MAX_SIZE_PX} pixels");
            return bad("size_px", self.size_px.to_string(), &want);
        }
        if self.split.ratio[0] == 0 {
            let value = format!("{:?}", self.split.ratio);
            return bad("split.ratio", value, "a train share of at least 1, such as [17, 4, 4]");
        }
        if let Some(normalize) = &self.normalize {
            if normalize.mean.iter().any(|m| !m.is_finite()) {
                return bad("normalize.mean", format!("{:?}", normalize.mean), "finite numbers");
            }
            if normalize.std.iter().any(|s| !s.is_finite() || *s <= 0.0) {
                return bad("normalize.std", format!("{:?}", normalize.std), "numbers above 0");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> DataConfig {
        DataConfig {
            source: "critters".into(),
            size_px: 64,
            filter: Filter::Nearest,
            split: SplitRule { ratio: [17, 4, 4], seed: 1 },
            bad_images: BadImages::Fail,
            normalize: None,
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
        let ratio = SplitRule { ratio: [0, 4, 4], seed: 1 };
        assert!(message(DataConfig { split: ratio, ..config() }).contains("[0, 4, 4]"));
        let normalize = Some(Normalize { mean: [0.0; 3], std: [1.0, 0.0, 1.0] });
        assert!(message(DataConfig { normalize, ..config() }).contains("normalize.std"));
        assert!(config().validate().is_ok());
    }
}
