//! Options that several commands share, one file a group. What is of one module alone stands there:
//! `weights`, `transfer`, `experiment`, `compose`.

mod compute;
mod network;
mod recipe;
mod saving;
mod seeds;

pub use compute::{ComputeArgs, DeviceArgs, device, ready, threads};
pub use network::NetworkArgs;
pub use recipe::RecipeArgs;
pub use saving::SavingArgs;
pub use seeds::Seeds;

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
