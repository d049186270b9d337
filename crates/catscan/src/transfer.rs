//! `--weights` and `--freeze` of a training: begin with what another network has learnt.

use std::path::PathBuf;

use anyhow::Result;
use catscan_models::Head;
use catscan_train::{Init, InitFile, Recipe, RunRecord, checkpoint};

/// What the command line may say of a recipe's start; without any of it the recipe's stays.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Transfer {
    /// Begin with the weights of a run's folder, of one of its checkpoints or of a safetensors file
    #[arg(long, value_name = "RUN|CHECKPOINT|FILE")]
    pub weights: Option<PathBuf>,
    /// Put a fresh classifier in the place of the file's, as another number of classes needs
    #[arg(long, requires = "weights")]
    pub replace_head: bool,
    /// Don't train the parameters that match, such as 'features.*'; may be given several times
    #[arg(long, value_name = "PATTERN")]
    pub freeze: Vec<String>,
}

impl Transfer {
    /// The recipe with these changes; a file's digest becomes part of it.
    ///
    /// # Errors
    /// Where there is no such run or file, or it holds no weights.
    pub fn apply(&self, recipe: Recipe) -> Result<Recipe> {
        let init = match &self.weights {
            None => recipe.init,
            Some(path) => {
                let path = match RunRecord::of_checkpoint(path) {
                    Some(_) => checkpoint::weights_path(path)?,
                    None if path.is_dir() => RunRecord::read(path)?.weights_path()?,
                    None => path.clone(),
                };
                let head = if self.replace_head { Head::Replace } else { Head::Keep };
                Init::File(InitFile::of(&path, head)?)
            }
        };
        let freeze = if self.freeze.is_empty() { recipe.freeze } else { self.freeze.clone() };
        Ok(Recipe { init, freeze, ..recipe })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipes::smoke;

    #[test]
    fn what_is_not_said_is_not_changed() {
        let frozen = Recipe { freeze: vec!["features.*".into()], ..smoke() };
        assert_eq!(Transfer::default().apply(frozen.clone()).unwrap(), frozen);
        let other = Transfer { freeze: vec!["features.conv0.*".into()], ..Transfer::default() };
        assert_eq!(other.apply(frozen).unwrap().freeze, ["features.conv0.*"]);
    }
}
