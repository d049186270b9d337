//! Where a command computes, and by which operations.

use anyhow::Result;
use catscan_torch_ext::{DeviceError, DeviceSpec, cuda, determinism};
use serde::{Deserialize, Serialize};
use tch::Device;

/// Where networks run. As plain data it is the option's text.
#[derive(Clone, Copy, Debug, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DeviceArgs {
    /// Where networks run: auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto", value_parser = device)]
    device: DeviceSpec,
}

/// How trainings are computed; a queue hands it on to its cells.
#[derive(Clone, Copy, Debug, PartialEq, clap::Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComputeArgs {
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Let a cut run go on although threads, device, batch, pictures or the like have changed;
    /// noted in its records
    #[arg(long)]
    pub allow_inexact_resume: bool,
    /// Take only operations that give the same bits each time, and refuse others
    #[arg(long)]
    pub deterministic: bool,
    /// On a GPU: multiply 32-bit numbers in TF32, faster and less exact; noted in the records
    #[arg(long)]
    pub tf32: bool,
}

impl DeviceArgs {
    /// The device itself, on which nothing is made ready.
    ///
    /// # Errors
    /// Where it cannot be had.
    pub fn resolve(self) -> Result<Device> {
        Ok(self.device.resolve()?)
    }

    /// The device, ready to compute on.
    ///
    /// # Errors
    /// Where it cannot be had.
    pub fn ready(self) -> Result<Device> {
        ready(self.device)
    }
}

impl ComputeArgs {
    /// Forbids, where that was asked for, operations that do not give the same bits each time.
    /// Comes first: it may set a variable, so the process must have one thread.
    pub fn forbid_inexact(&self) {
        if self.deterministic {
            determinism::require();
        }
    }

    /// The device, ready to train on.
    ///
    /// # Errors
    /// Where it cannot be had.
    pub fn ready(&self) -> Result<Device> {
        let settings = cuda::Settings { tf32: self.tf32, ..cuda::Settings::USUAL };
        prepared(self.device.device, settings)
    }
}

impl From<DeviceArgs> for String {
    fn from(args: DeviceArgs) -> String {
        args.device.to_string()
    }
}

impl TryFrom<String> for DeviceArgs {
    type Error = DeviceError;

    fn try_from(text: String) -> Result<DeviceArgs, DeviceError> {
        Ok(DeviceArgs { device: text.parse()? })
    }
}

/// `--device` as clap reads it.
pub fn device(text: &str) -> Result<DeviceSpec, String> {
    text.parse().map_err(|error: DeviceError| error.to_string())
}

/// `--threads` as clap reads it: more than any machine has would only hang it.
pub fn threads() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..=1024)
}

/// The device that was asked for, ready to compute on.
///
/// # Errors
/// Where it cannot be had.
pub fn ready(asked: DeviceSpec) -> Result<Device> {
    prepared(asked, cuda::Settings::USUAL)
}

fn prepared(asked: DeviceSpec, settings: cuda::Settings) -> Result<Device> {
    let device = asked.resolve()?;
    cuda::prepare(device, settings)?;
    Ok(device)
}
