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
}

impl From<BadImagesPolicy> for BadImages {
    fn from(policy: BadImagesPolicy) -> BadImages {
        match policy {
            BadImagesPolicy::Fail => BadImages::Fail,
            BadImagesPolicy::Skip => BadImages::Skip,
        }
    }
}

impl Overrides {
    /// The recipe with these changes.
    ///
    /// # Errors
    /// Where the weights to begin with cannot be read.
    pub fn apply(&self, recipe: Recipe) -> anyhow::Result<Recipe> {
        let bad_images = self.bad_images.map_or(recipe.data.bad_images, BadImages::from);
        self.transfer.apply(Recipe {
            epochs: self.epochs.unwrap_or(recipe.epochs),
            data: DataConfig {
                source: self.data.clone().unwrap_or(recipe.data.source),
                size_px: self.size.unwrap_or(recipe.data.size_px),
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
    use crate::recipes::quick;

    #[test]
    fn overrides_change_only_what_they_name() {
        let overrides = Overrides { epochs: Some(3), size: Some(48), ..Overrides::default() };
        let changed = overrides.apply(quick()).unwrap();
        assert_eq!((changed.epochs, changed.data.size_px), (3, 48));
        let data = DataConfig { size_px: quick().data.size_px, ..changed.data.clone() };
        assert_eq!(Recipe { epochs: quick().epochs, data, ..changed }, quick());
    }
}
