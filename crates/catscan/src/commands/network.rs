//! What `evaluate`, `predict` and `explain` share: a trained network is opened, and pictures are
//! shown to it as its training pictures were.

use std::path::{Path, PathBuf};

use anyhow::Result;
use catscan_data::{BadImage, Raster, RgbImage, decode, picture_tensor, resize};
use catscan_models::{Mode, Model, ModelError, Taps, check_answer};
use catscan_torch_ext::DeviceSpec;
use catscan_train::RunRecord;
use tch::{Device, Tensor};

use super::{device, folders, ready};
use crate::refusal::Refusal;
use crate::run_name::is_run;
use crate::weights::{Trained, WeightsArgs};

/// A trained network, and where it runs.
#[derive(Debug, clap::Args)]
pub struct NetworkArgs {
    #[command(flatten)]
    pub weights: WeightsArgs,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto", value_parser = device)]
    pub device: DeviceSpec,
    /// Print the answer as JSON, with all its numbers
    #[arg(long)]
    pub json: bool,
}

impl NetworkArgs {
    /// Opens it on its device.
    ///
    /// # Errors
    /// Where there is no such device, no such file, or weights do not fit.
    pub fn open(&self) -> Result<(Trained, Device)> {
        let device = ready(self.device)?;
        let WeightsArgs { weights, file } = &self.weights;
        Ok((Trained::open(weights, file, device)?, device))
    }
}

/// Opens a picture strictly.
///
/// # Errors
/// Where there is no such file: a slip on the command line, not a bad picture.
pub fn open(path: &Path) -> Result<Result<RgbImage, BadImage>> {
    if !path.exists() {
        let message = format!("{}: no such file; check the path", path.display());
        return Err(Refusal::usage(message).into());
    }
    Ok(decode::open_rgb(path))
}

/// A picture as the network saw its training pictures, and as its input `[1, C, H, W]`.
pub fn input(rgb: RgbImage, trained: &Trained) -> (Raster, Tensor) {
    let picture = resize::prepare(rgb, &trained.recipe.data);
    let x = picture_tensor(&picture, &trained.recipe.data);
    (picture, x)
}

/// `[N, C, H, W]` pictures to N rows of K probabilities; one logit gives two.
pub fn probabilities(model: &Model, x: &Tensor) -> Vec<Vec<f32>> {
    rows(&logits(model, x))
}

/// What the network says of one picture `[1, C, H, W]`, a probability a class.
///
/// # Errors
/// Where a logit is NaN or infinite: such an answer is none.
pub fn answer(model: &Model, x: &Tensor) -> Result<Vec<f32>, ModelError> {
    let logits = logits(model, x);
    let said: Vec<f32> =
        Vec::try_from(logits.flatten(0, -1).to_device(Device::Cpu)).expect("floats");
    check_answer(&said)?;
    Ok(rows(&logits).remove(0))
}

fn logits(model: &Model, x: &Tensor) -> Tensor {
    tch::no_grad(|| model.forward(x, Mode::Eval, &mut Taps::off()))
}

fn rows(logits: &Tensor) -> Vec<Vec<f32>> {
    let probabilities = catscan_models::probabilities(logits);
    Vec::try_from(probabilities.to_device(Device::Cpu)).expect("a matrix of floats")
}

/// Names and folders: the run itself, or its checkpoint, or of each arm of an experiment the first
/// seed's run.
///
/// # Errors
/// Where the folder is neither.
pub fn runs(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let path = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let last_two = |path: &Path| {
        let words: Vec<_> = path.iter().map(|word| word.to_string_lossy()).collect();
        words[words.len().saturating_sub(2)..].join(", ")
    };
    if is_run(folder) {
        return Ok(vec![(last_two(&path), folder.to_owned())]);
    }
    if let Some(run) = RunRecord::of_checkpoint(folder) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        return Ok(vec![(format!("{}, {name}", last_two(&run)), folder.to_owned())]);
    }
    let mut found = Vec::new();
    for arm in folders(folder)? {
        let path = folder.join(&arm);
        let seeds = folders(&path)?.into_iter().map(|seed| path.join(seed));
        if let Some(run) = seeds.into_iter().find(|path| is_run(path)) {
            found.push((arm, run));
        }
    }
    if found.is_empty() {
        let message = "neither a run's folder nor an experiment's; such as runs/pooling-compare";
        return Err(Refusal::usage(format!("{}: {message}", folder.display())).into());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sure_network_leaves_the_other_class_its_share() {
        let recipe = crate::recipes::smoke();
        let model = Model::build(&recipe.model, 1, Device::Cpu).unwrap();
        for (name, value) in [("classifier.weight", 0.0), ("classifier.bias", 17.0)] {
            let _ = model.weights().get(name).unwrap().detach().fill_(value);
        }
        let x = picture_tensor(&resize::prepare(RgbImage::new(32, 32), &recipe.data), &recipe.data);
        let [first, second] = answer(&model, &x).unwrap()[..] else { panic!("two classes") };
        assert!((first - 4.14e-8).abs() < 1e-10 && second == 1.0, "{first}, {second}");
        assert_eq!(probabilities(&model, &x), [[first, second]]);
    }
}
