//! What the command line may change in any recipe, before the arm does.

use catscan_data::{BadImages, DataConfig};
use catscan_train::Recipe;
use clap::ValueEnum;

use crate::transfer::Transfer;

/// Options of `experiment` and `train`.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Overrides {
    /// Pictures: critters[:N], folder:PATH, cats-vs-dogs:PATH, mnist:PATH, cifar10:PATH and others
    /// (see `catscan list sources`)
    #[arg(long, value_name = "SOURCE")]
    pub data: Option<String>,
    /// Epochs
    #[arg(long, value_name = "N")]
    pub epochs: Option<u32>,
    /// Side of the pictures in pixels
    #[arg(long, value_name = "PX")]
    pub size: Option<u32>,
    /// What to do about pictures that cannot be used
    #[arg(long, value_enum)]
    pub bad_images: Option<BadImagesPolicy>,
    /// Leave out pictures that cannot be used as long as they are at most this share, such as 1%
    #[arg(long, value_name = "SHARE", conflicts_with = "bad_images", value_parser = share)]
    pub max_bad: Option<f64>,
    /// Refuse a set of which a picture lies in two parts of the split (exit code 3)
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub transfer: Transfer,
}

/// [`BadImages`] as the command line spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BadImagesPolicy {
    /// Stop, and list them
    Fail,
    /// Leave them out, and list them in the report
    Skip,
    /// The same, and name each of them at once, on standard error
    Report,
}

impl From<BadImagesPolicy> for BadImages {
    fn from(policy: BadImagesPolicy) -> BadImages {
        match policy {
            BadImagesPolicy::Fail => BadImages::Fail,
            BadImagesPolicy::Skip => BadImages::Skip,
            BadImagesPolicy::Report => BadImages::Report,
        }
    }
}

/// What `--bad-images` and `--max-bad` ask for, of which one at most is given.
pub(crate) fn bad_images(
    policy: Option<BadImagesPolicy>,
    max_bad: Option<f64>,
    otherwise: BadImages,
) -> BadImages {
    max_bad.map(BadImages::AtMost).or(policy.map(BadImages::from)).unwrap_or(otherwise)
}

/// `1%` or `0.01`.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let (number, whole) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    let share = number.trim().parse::<f64>().map(|number| number / whole);
    share
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "want a share such as 1% or 0.01".to_owned())
}

impl Overrides {
    /// The recipe with these changes.
    ///
    /// # Errors
    /// Where the weights to begin with cannot be read, or the recipe's network is no row of MODELS.
    pub fn apply(&self, recipe: Recipe) -> anyhow::Result<Recipe> {
        let bad_images = bad_images(self.bad_images, self.max_bad, recipe.data.bad_images);
        let size_px = self.size.unwrap_or(recipe.data.size_px);
        self.transfer.apply(Recipe {
            epochs: self.epochs.unwrap_or(recipe.epochs),
            model: match self.size {
                Some(size_px) => recipe.model.for_pictures(size_px.into())?,
                None => recipe.model,
            },
            data: DataConfig {
                source: self.data.clone().unwrap_or(recipe.data.source),
                size_px,
                bad_images,
                ..recipe.data
            },
            ..recipe
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes::{self, quick};
    use catscan_models::Shape;

    #[test]
    fn a_share_may_be_written_in_percent() {
        assert_eq!(share("1%"), Ok(0.01));
        assert_eq!(share("0.25"), Ok(0.25));
        for wrong in ["", "%", "-1%", "101%", "1.5", "NaN"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn overrides_change_only_what_they_name() {
        let overrides = Overrides { epochs: Some(3), size: Some(48), ..Overrides::default() };
        let changed = overrides.apply(quick()).unwrap();
        assert_eq!((changed.epochs, changed.data.size_px), (3, 48));
        let data = DataConfig { size_px: quick().data.size_px, ..changed.data.clone() };
        assert_eq!(Recipe { epochs: quick().epochs, data, ..changed }, quick());
    }

    #[test]
    fn a_network_that_has_a_size_follows_the_pictures() {
        let to = |size: u32| Overrides { size: Some(size), ..Overrides::default() };
        let smaller = to(20).apply(recipes::mnist::quick()).unwrap();
        smaller.validate().unwrap();
        let Some(Shape::Mnist(shape)) = &smaller.model.shape else { panic!("{smaller:?}") };
        assert_eq!(shape.picture_px, 20);
        // The arms take the place of the network, and at the row's own size nothing is said of it.
        let arm = recipes::with_model(smaller.clone(), "mnist-densenet");
        arm.validate().unwrap();
        assert_eq!(to(28).apply(smaller).unwrap(), recipes::mnist::quick());
    }
}
