//! Which trained network a command asks, where it runs, and how the answer is printed.

use anyhow::Result;
use catscan_torch_ext::DeviceSpec;
use tch::Device;

use super::{device, ready};
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
