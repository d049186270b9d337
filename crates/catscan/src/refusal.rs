//! Every way this program ends that is not success: one message, and the exit code of its kind.
//!
//! | code | meaning |
//! |---|---|
//! | 2 | bad command line or configuration |
//! | 3 | bad data |
//! | 4 | bad checkpoint or weights |
//! | 5 | numbers went bad (NaN, infinity) |
//! | 7 | storage failed |
//! | 8 | out of memory |
//! | 129, 130, 143 | stopped by SIGHUP, SIGINT, SIGTERM after a checkpoint |
//!
//! The libraries' errors know their own code; the program's own refusals are [`Refusal`]s.

use catscan_data::{BadImage, DataError};
use catscan_models::ModelError;
use catscan_torch_ext::DeviceError;
use catscan_train::{RecipeError, TrainError};
use catscan_viz::VizError;

/// Bad command line or configuration.
pub const USAGE: u8 = 2;
/// Bad data.
pub const DATA: u8 = 3;
/// Numbers went bad.
pub const NUMBERS: u8 = 5;
/// Storage failed.
pub const STORAGE: u8 = 7;
/// Out of memory.
pub const MEMORY: u8 = 8;

/// A refusal of the program itself.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The exit code, one of the table above.
    pub code: u8,
    /// *Where: what; what to do next.*
    pub message: String,
}

impl Refusal {
    /// A refusal of any kind; `code` is one of the table above.
    pub fn new(code: u8, message: impl Into<String>) -> Refusal {
        Refusal { code, message: message.into() }
    }

    /// A bad command line, the commonest kind.
    pub fn usage(message: impl Into<String>) -> Refusal {
        Refusal::new(USAGE, message)
    }
}

/// The exit code of an error: that of the first cause in its chain which knows one.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(code_of).unwrap_or(1)
}

fn code_of(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    macro_rules! ask {
        ($($kind:ty),*) => {
            $(if let Some(error) = cause.downcast_ref::<$kind>() {
                return Some(error.exit_code());
            })*
        };
    }
    if let Some(refusal) = cause.downcast_ref::<Refusal>() {
        return Some(refusal.code);
    }
    ask!(DataError, BadImage, ModelError, RecipeError, TrainError, VizError, DeviceError);
    cause.downcast_ref::<std::io::Error>().map(|_| STORAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn the_first_cause_with_a_code_decides() {
        let refusal = anyhow::Error::from(Refusal::new(DATA, "data/x: empty")).context("opening");
        assert_eq!(exit_code(&refusal), DATA);
        let full: Result<(), _> = Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
        assert_eq!(exit_code(&full.context("study.json").unwrap_err()), STORAGE);
        assert_eq!(exit_code(&anyhow::anyhow!("something else")), 1);
    }
}
