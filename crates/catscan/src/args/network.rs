//! Which trained network a command asks, where it runs, and how the answer is printed.

use anyhow::Result;
use tch::Device;

use super::DeviceArgs;
use crate::weights::{Trained, WeightsArgs};

/// A trained network, and where it runs.
#[derive(Debug, clap::Args)]
pub struct NetworkArgs {
    #[command(flatten)]
    pub weights: WeightsArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
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
        let device = self.device.ready()?;
        let WeightsArgs { weights, file } = &self.weights;
        Ok((Trained::open(weights, file, device)?, device))
    }
}
