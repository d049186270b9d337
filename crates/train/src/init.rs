//! Where a run's weights begin: at random, or in a file, which is what transfer learning needs.
//!
//! The file's digest stands in the recipe, so that a run stays a function of its recipe: another
//! content under the same name is refused, when the run begins and each time it goes on.

use std::path::Path;

use catscan_models::{Head, Model, ModelError, WeightsFile};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::event::Event;

/// The weights before the first step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// A function of the recipe's seed and each parameter's name, by the model's convention.
    Random,
    /// A safetensors file's.
    File(InitFile),
}

/// A file that weights are taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InitFile {
    /// As it was given: relative to the folder that the program is started in.
    pub path: String,
    /// blake3 of its content, in hexadecimal.
    pub digest: String,
    /// What becomes of the classifier.
    pub head: Head,
}

impl InitFile {
    /// The file at `path` as it is now.
    ///
    /// # Errors
    /// Where it cannot be read or is no safetensors file.
    pub fn of(path: &Path, head: Head) -> Result<InitFile, ModelError> {
        let digest = WeightsFile::read(path)?.digest();
        Ok(InitFile { path: path.display().to_string(), digest, head })
    }

    /// Reads the file, if it is still the one of the recipe.
    pub(crate) fn read(&self) -> Result<WeightsFile, TrainError> {
        let path = Path::new(&self.path);
        let file = WeightsFile::read(path)?;
        let digest = file.digest();
        if digest != self.digest {
            let (there, here) = (self.digest.clone(), digest);
            return Err(TrainError::OtherWeights { path: path.to_path_buf(), there, here });
        }
        Ok(file)
    }

    /// Fills the model's weights from `file`; the event says which stay at random.
    pub(crate) fn fill(&self, model: &Model, file: &WeightsFile) -> Result<Event, TrainError> {
        let random = model.start_from(file, self.head)?;
        let tensors = (model.weights().iter().len() - random.len()) as u64;
        Ok(Event::Loaded { path: self.path.clone(), tensors, random })
    }
}
