//! `--weights`: a run's folder, one of its checkpoints, or a safetensors file with a recipe beside
//! it or named by options. A file of ours says itself what network it is of ([`provenance`]):
//! options and recipes that say otherwise are refused.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use catscan_data::{Colour, DataConfig, Raster, RgbImage, picture_tensor, resize};
use catscan_models::weights::file::read_header;
use catscan_models::{
    Convention, Model, ModelConfig, ModelRow, POOLS, Pooling, Precision, Shape, Sites,
};
use catscan_train::{Recipe, RunRecord, SplitSummary, checkpoint};
use tch::{Device, Tensor};

use crate::recipes;
use crate::refusal::Refusal;

pub mod provenance;

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
    /// Its pooling, named as the arms of pooling-compare are; by default what it was made with, or
    /// its model's own where it does not say
    #[arg(long, value_name = "NAME")]
    pub pooling: Option<String>,
    /// Its logits: 1 for two classes, else one a class; by default what it was made with, or 1
    /// where it does not say
    #[arg(long, value_name = "K")]
    pub outputs: Option<i64>,
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
        let recipe = file_recipe(path, read_header(path)?.config, args)?;
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

    /// A picture as the network saw its training pictures, and as its input `[1, C, H, W]`.
    pub fn input(&self, rgb: RgbImage) -> (Raster, Tensor) {
        let picture = resize::prepare(rgb, &self.recipe.data);
        let x = picture_tensor(&picture, &self.recipe.data);
        (picture, x)
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

/// The recipe of a `file` that says `own` of itself.
fn file_recipe(file: &Path, own: Option<ModelConfig>, args: &FileArgs) -> Result<Recipe> {
    let beside = file.with_file_name("recipe.json");
    let recipe = match &args.recipe {
        Some(path) => Some(recipes::read(path)?),
        None if args.model.is_none() && beside.exists() => {
            Some(recipes::read(&beside).context("the recipe beside the weights")?)
        }
        None => None,
    };
    if let Some(recipe) = recipe {
        if let Some(own) = own {
            provenance::agree(file, &own, &recipe.model, "the recipe")?;
        }
        return Ok(recipe);
    }
    let Some(model) = &args.model else {
        let message = "no recipe.json beside it; say what it is with --recipe FILE or --model NAME";
        return Err(Refusal::usage(format!("{}: {message}", file.display())).into());
    };
    let row = ModelRow::find(model)?;
    let said = ModelConfig {
        // Weights from elsewhere are most often torchvision's.
        convention: Convention::Torchvision,
        outputs: 1,
        precision: Precision::Fp32,
        ..row.natural_config()
    };
    let said = ModelConfig { name: row.name.to_owned(), ..own.clone().unwrap_or(said) };
    let shape = said.shape.as_ref().unwrap_or(&row.shape);
    let asked = ModelConfig {
        pooling: match &args.pooling {
            None => said.pooling.clone(),
            Some(name) => pooling(name, shape.sites())?,
        },
        outputs: args.outputs.unwrap_or(said.outputs),
        ..said.clone()
    };
    if let Some(own) = own {
        provenance::agree(file, &own, &asked, "the command line")?;
    }
    Ok(recipe_of(asked, shape))
}

/// A recipe for pictures that a network of this shape was made for, normalised as torchvision's
/// weights want it.
fn recipe_of(model: ModelConfig, shape: &Shape) -> Recipe {
    let size_px = match shape {
        Shape::Mnist(mnist) => mnist.picture_px,
        _ => shape.natural().size_px,
    };
    let base = recipes::full();
    let grey = model.in_channels == 1;
    Recipe {
        model,
        data: DataConfig {
            size_px: size_px as u32,
            colour: if grey { Colour::Grey } else { Colour::Rgb },
            normalize: base.data.normalize.filter(|_| !grey),
            ..base.data
        },
        ..base
    }
}

fn pooling(name: &str, sites: Sites) -> Result<Pooling, Refusal> {
    let (transition, head) = recipes::pools(name).ok_or_else(|| {
        let known: Vec<&str> = POOLS.iter().map(|row| row.name).collect();
        Refusal::usage(format!(
            "pooling {name}: want A for the transitions, or transition-A_head-B, of {}; see \
             catscan list pools for where each can stand",
            known.join(", ")
        ))
    })?;
    Ok(Pooling::for_sites(sites, transition, head))
}

#[cfg(test)]
mod tests {
    use catscan_models::{MODELS, Mode, Pool, Summary, Taps};
    use tch::{Kind, Tensor};

    use super::*;

    fn args(model: &str) -> FileArgs {
        FileArgs { recipe: None, model: Some(model.into()), pooling: None, outputs: None }
    }

    #[test]
    fn every_network_can_be_named_beside_a_bare_file() {
        for row in MODELS {
            let file = Path::new("no/such/folder/weights.safetensors");
            let ten = || FileArgs { outputs: Some(10), ..args(row.name) };
            let recipe = file_recipe(file, None, &ten()).unwrap();
            recipe.validate().unwrap();
            let size_px = recipe.data.size_px.into();
            Summary::of(&recipe.model, size_px).unwrap();
            let max = FileArgs { pooling: Some("max".into()), ..ten() };
            let max = file_recipe(file, None, &max).unwrap();
            Summary::of(&max.model, size_px).unwrap();
        }
    }

    /// Of a run with max pooling and of one with Keras' eps: the same answer, bit by bit.
    #[test]
    fn a_file_of_ours_is_what_it_says_wherever_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("copied.safetensors");
        let max = Pooling::densenet(Pool::Max, Pool::Max);
        let max = ModelConfig { pooling: max, ..recipes::smoke().model };
        let row = ModelRow::find("mnist-resnet").unwrap().natural_config();
        let keras = ModelConfig { convention: Convention::KerasLayers, ..row };
        for config in [max, keras] {
            let first = Model::build(&config, 1, Device::Cpu).unwrap();
            first.weights().save(&file).unwrap();
            let second = Trained::open(&file, &args(&config.name), Device::Cpu).unwrap();
            assert_eq!(second.model.config(), &config);
            let px = second.recipe.data.size_px.into();
            let x = Tensor::rand([2, config.in_channels, px, px], (Kind::Float, Device::Cpu));
            let say =
                |model: &Model| tch::no_grad(|| model.forward(&x, Mode::Eval, &mut Taps::off()));
            assert_eq!(say(&second.model), say(&first));
        }
    }

    #[test]
    fn options_and_recipes_that_contradict_a_file_are_refused_with_both_values() {
        let max = Pooling::densenet(Pool::Max, Pool::Max);
        let own = ModelConfig { pooling: max, outputs: 3, ..recipes::smoke().model };
        let file = Path::new("no/such/folder/weights.safetensors");
        let refuse = |args: FileArgs, words: [&str; 2]| {
            let error = file_recipe(file, Some(own.clone()), &args).unwrap_err();
            assert_eq!(crate::refusal::exit_code(&error), 2);
            let error = error.to_string();
            assert!(words.iter().all(|words| error.contains(words)), "{error}");
        };
        let usual = || args("densenet-mini");
        let max = || FileArgs { pooling: Some("max".into()), outputs: Some(3), ..usual() };
        assert_eq!(file_recipe(file, Some(own.clone()), &max()).unwrap().model, own);
        let avg = FileArgs { pooling: Some("avg".into()), ..max() };
        refuse(avg, ["\"transition\":\"max\"", "\"transition\":\"avg\""]);
        refuse(FileArgs { outputs: Some(1), ..max() }, ["outputs is 3", "says 1"]);
        refuse(args("resnet-mini"), ["name is \"densenet-mini\"", "says \"resnet-mini\""]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recipe.json");
        let model = ModelConfig { convention: Convention::KerasLayers, ..own.clone() };
        let keras = Recipe { model, ..recipes::smoke() };
        std::fs::write(&path, keras.to_json_pretty()).unwrap();
        let recipe = FileArgs { recipe: Some(path), model: None, ..usual() };
        refuse(recipe, ["convention is ", "the recipe says \"keras-layers\""]);
    }
}
