//! What `evaluate`, `predict` and `explain` share: a trained network is opened, and pictures are
//! shown to it as its training pictures were.

use std::path::{Path, PathBuf};

use anyhow::Result;
use catscan_data::{BadImage, Raster, RgbImage, decode, picture_tensor, resize};
use catscan_models::{Mode, Model, Taps};
use catscan_torch_ext::DeviceSpec;
use tch::{Device, Kind, Tensor};

use super::{device, ready};
use crate::refusal::Refusal;
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
        Ok((Trained::open(&self.weights, device)?, device))
    }
}

/// A trained network and pictures for it.
#[derive(Debug, clap::Args)]
pub struct PictureArgs {
    /// Pictures
    #[arg(required = true, value_name = "IMG")]
    pub pictures: Vec<PathBuf>,
    #[command(flatten)]
    pub network: NetworkArgs,
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

/// `[N, C, H, W]` pictures to N rows of K probabilities; one logit p gives `[1 − p, p]`.
pub fn probabilities(model: &Model, x: &Tensor) -> Vec<Vec<f32>> {
    let logits = tch::no_grad(|| model.forward(x, Mode::Eval, &mut Taps::off()));
    let shares = match model.config().outputs {
        1 => {
            let second = logits.sigmoid();
            Tensor::cat(&[1.0 - &second, second], 1)
        }
        _ => logits.softmax(1, Kind::Float),
    };
    Vec::try_from(shares.to_device(Device::Cpu)).expect("a matrix of floats")
}
