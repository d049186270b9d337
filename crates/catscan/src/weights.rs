//! `--weights`: a run's folder, one of its checkpoints, or a safetensors file with a recipe beside
//! it or named by options.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use catscan_data::{Colour, DataConfig};
use catscan_models::{Convention, Model, ModelConfig, ModelRow, POOLS, Pooling, Precision};
use catscan_train::{Recipe, RunRecord, SplitSummary, checkpoint};
use tch::Device;

use crate::commands::chosen::read_recipe;
use crate::recipes;
use crate::refusal::Refusal;

#[derive(Debug, clap::Args)]
pub struct WeightsArgs {
    /// A run's folder, one of its checkpoints (such as RUN/checkpoints/best), or a safetensors file
    #[arg(long, value_name = "RUN|CHECKPOINT|FILE")]
    pub weights: PathBuf,
    #[command(flatten)]
    pub file: FileArgs,
}

/// What a bare safetensors file does not say of itself.
#[derive(Debug, clap::Args)]
pub struct FileArgs {
    /// The recipe of a safetensors file; by default recipe.json beside it, if there is one
    #[arg(long, value_name = "FILE")]
    pub recipe: Option<PathBuf>,
    /// The model of a safetensors file without a recipe, a row of `catscan list models`
    #[arg(long, value_name = "NAME", conflicts_with = "recipe")]
    pub model: Option<String>,
    /// Its pooling, named as the arms of pooling-compare are; by default what it was made with
    #[arg(long, value_name = "NAME")]
    pub pooling: Option<String>,
    /// Its logits: 1 for two classes, else one a class
    #[arg(long, value_name = "K", default_value_t = 1)]
    pub outputs: i64,
}

/// A trained network, and what it was trained on.
pub struct Trained {
    /// With its weights, on the device asked for.
    pub model: Model,
    /// The run's; for a bare file what the options say, and the rest as in [`recipes::full`].
    pub recipe: Recipe,
    /// The digest of the run's pictures; a bare file tells none.
    pub data_digest: Option<String>,
    /// Names by label; a bare file has none, so there they are `0`, `1` and so on.
    pub classes: Vec<String>,
}

impl Trained {
    /// Opens a run's folder, a checkpoint or its file in one, or a file that is what `args` says.
    ///
    /// # Errors
    /// Where there is nothing, or the weights do not fit the model.
    pub fn open(path: &Path, args: &FileArgs, device: Device) -> Result<Trained> {
        if !path.exists() {
            let message = "no such file or folder; want a run's folder or a safetensors file";
            return Err(Refusal::usage(format!("{}: {message}", path.display())).into());
        }
        if path.is_dir() {
            return match RunRecord::of_checkpoint(path) {
                Some(run) => Trained::of_run(&run, &checkpoint::weights_path(path)?, device),
                None => Trained::open_run(path, device),
            };
        }
        let said = args.recipe.is_some() || args.model.is_some();
        let folder = path.canonicalize().ok().and_then(|path| Some(path.parent()?.to_owned()));
        if let Some(run) = folder.as_deref().filter(|_| !said).and_then(RunRecord::of_checkpoint) {
            folder.as_deref().map(checkpoint::verify).transpose()?;
            return Trained::of_run(&run, path, device);
        }
        let recipe = file_recipe(path, args)?;
        let classes = (0..recipe.model.outputs.max(2)).map(|class| class.to_string()).collect();
        Trained::load(recipe, None, classes, path, device)
    }

    /// Opens a run's newest weights.
    ///
    /// # Errors
    /// Where the folder holds no run, or no complete checkpoint.
    pub fn open_run(folder: &Path, device: Device) -> Result<Trained> {
        let weights = RunRecord::read(folder)?.weights_path()?;
        Trained::of_run(folder, &weights, device)
    }

    fn of_run(folder: &Path, weights: &Path, device: Device) -> Result<Trained> {
        let RunRecord { recipe, split, .. } = RunRecord::read(folder)?;
        let SplitSummary { data_digest, classes, .. } = split;
        Trained::load(recipe, Some(data_digest), classes, weights, device)
    }

    fn load(
        recipe: Recipe,
        data_digest: Option<String>,
        classes: Vec<String>,
        file: &Path,
        device: Device,
    ) -> Result<Trained> {
        let model = Model::build(&recipe.model, recipe.seed, device)?;
        model.weights().load(file)?;
        Ok(Trained { model, recipe, data_digest, classes })
    }

    /// The data to score: what it was trained on, or other pictures read in the same way.
    pub fn data(&self, source: Option<&str>) -> DataConfig {
        let data = self.recipe.data.clone();
        DataConfig { source: source.map_or(data.source, str::to_owned), ..data }
    }

    /// Refuses pictures of other classes than those the network knows, in whatever case.
    ///
    /// # Errors
    /// Where the classes differ; exit code 3.
    pub fn check_classes(&self, source: &str, classes: &[String]) -> Result<()> {
        let lower = |names: &[String]| -> Vec<String> {
            names.iter().map(|name| name.to_lowercase()).collect()
        };
        // A bare file does not tell its classes' names, only how many there are.
        let bare = self.classes.iter().enumerate().all(|(i, name)| *name == i.to_string());
        let agree = match bare {
            true => classes.len() == self.classes.len(),
            false => lower(classes) == lower(&self.classes),
        };
        if agree {
            return Ok(());
        }
        let (got, want) = (classes.join(", "), self.classes.join(", "));
        let message = format!(
            "{source}: has {} classes ({got}), the network knows {} ({want}); \
             give pictures of the same classes",
            classes.len(),
            self.classes.len()
        );
        Err(Refusal::new(crate::refusal::DATA, message).into())
    }
}

fn file_recipe(file: &Path, args: &FileArgs) -> Result<Recipe> {
    if let Some(path) = &args.recipe {
        return read_recipe(path);
    }
    let beside = file.with_file_name("recipe.json");
    if args.model.is_none() && beside.exists() {
        return read_recipe(&beside).context("the recipe beside the weights");
    }
    let Some(model) = &args.model else {
        let message = "no recipe.json beside it; say what it is with --recipe FILE or --model NAME";
        return Err(Refusal::usage(format!("{}: {message}", file.display())).into());
    };
    let row = ModelRow::find(model)?;
    let (natural, shape) = (row.natural_config(), row.shape.natural());
    let pooling = match &args.pooling {
        None => natural.pooling,
        Some(name) => pooling(name, row)?,
    };
    // Weights from elsewhere are most often torchvision's: its batch norm, size and normalisation.
    let base = recipes::full();
    let grey = natural.in_channels == 1;
    Ok(Recipe {
        model: ModelConfig {
            name: natural.name,
            pooling,
            convention: Convention::Torchvision,
            in_channels: natural.in_channels,
            outputs: args.outputs,
            precision: Precision::Fp32,
            ..base.model
        },
        data: DataConfig {
            size_px: shape.size_px as u32,
            colour: if grey { Colour::Grey } else { Colour::Rgb },
            normalize: base.data.normalize.filter(|_| !grey),
            ..base.data
        },
        ..base
    })
}

fn pooling(name: &str, row: &ModelRow) -> Result<Pooling, Refusal> {
    let (transition, head) = recipes::pools(name).ok_or_else(|| {
        let known: Vec<&str> = POOLS.iter().map(|row| row.name).collect();
        Refusal::usage(format!(
            "pooling {name}: want A for the transitions, or transition-A_head-B, of {}; see \
             catscan list pools for where each can stand",
            known.join(", ")
        ))
    })?;
    Ok(Pooling::for_sites(row.sites(), transition, head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_can_be_named_beside_a_bare_file() {
        for row in catscan_models::MODELS {
            let file = Path::new("no/such/folder/weights.safetensors");
            let args =
                FileArgs { recipe: None, model: Some(row.name.into()), pooling: None, outputs: 10 };
            let recipe = file_recipe(file, &args).unwrap();
            recipe.validate().unwrap();
            let size_px = recipe.data.size_px.into();
            catscan_models::Summary::of(&recipe.model, size_px).unwrap();
            let max = file_recipe(file, &FileArgs { pooling: Some("max".into()), ..args }).unwrap();
            catscan_models::Summary::of(&max.model, size_px).unwrap();
        }
    }
}
