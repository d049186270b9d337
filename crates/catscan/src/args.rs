//! Options that several commands share, one file a group. What is of one module alone stands there:
//! `weights`, `transfer`, `experiment`, `compose`.

mod network;
mod recipe;
mod saving;
mod seeds;

use anyhow::Result;
use catscan_torch_ext::{DeviceSpec, cuda};
use tch::Device;

pub use network::NetworkArgs;
pub use recipe::RecipeArgs;
pub use saving::SavingArgs;
pub use seeds::Seeds;

/// `--device` as clap reads it.
pub fn device(text: &str) -> Result<DeviceSpec, String> {
    text.parse().map_err(|error: catscan_torch_ext::DeviceError| error.to_string())
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
    let device = asked.resolve()?;
    cuda::prepare(device, cuda::Settings::USUAL)?;
    Ok(device)
}

/// This process's command line, for the records.
pub fn command_line() -> Vec<String> {
    let mut words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    // Where the program lies is the machine's business, not the study's.
    if let Some(program) = words.first_mut() {
        *program = "catscan".into();
    }
    words
}
