//! Everything that can go wrong here, each with where, what (both numbers) and what to do next.

#![allow(missing_docs, reason = "each variant's message says what it and its fields are")]

use std::path::PathBuf;

/// The errors of this crate. [`ModelError::exit_code`] says how a program should end on one.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("model {name}: no such model{nearest}; see catscan list models")]
    UnknownModel { name: String, nearest: String },
    #[error("pooling {name}: no such pooling{nearest}; see catscan list pools")]
    UnknownPool { name: String, nearest: String },
    #[error("tap {name}: {model} shows no such layer{nearest}")]
    UnknownTap { model: String, name: String, nearest: String },
    #[error("model {model}: {key} is {value}, want {want}; correct the recipe")]
    Config { model: String, key: &'static str, value: String, want: String },
    #[error(
        "model {model}: its shape has {parameters} parameters, at least {needed} of memory, and \
         this machine has {memory}; correct the shape in the recipe"
    )]
    TooLarge { model: String, parameters: String, needed: String, memory: String },
    #[error("model {model}: input is {got:?}, want [N, {channels}, H, W]; {hint}")]
    InputShape { model: String, got: Vec<i64>, channels: i64, hint: &'static str },
    #[error(
        "model {model}: pictures are {height}×{width} px, want at least {smallest}×{smallest}; \
         enlarge the pictures or choose a model with fewer poolings"
    )]
    InputSize { model: String, height: i64, width: i64, smallest: i64 },
    #[error(
        "model {model}: pictures are {height}×{width} px, want {want}×{want} (its linear layer \
         reads every pixel of the last map); resize the pictures or set picture_px in its shape"
    )]
    OnlySize { model: String, height: i64, width: i64, want: i64 },
    #[error(
        "model {model}: a training batch of {pictures} picture(s) of {height}×{width} px leaves \
         {values} value(s) a channel for the last batch norm, want at least 2; \
         use a larger batch or larger pictures"
    )]
    TooFewValues { model: String, pictures: i64, height: i64, width: i64, values: i64 },
    #[error(
        "{bad} of {all} numbers that the network gives for it are NaN or infinite; has the training \
         diverged?"
    )]
    NoAnswer { bad: usize, all: usize },
    #[error("{path}: {what}, want safetensors (a pickle can run code, so none is read); {convert}")]
    NotSafetensors { path: PathBuf, what: &'static str, convert: String },
    #[error("{path}: damaged safetensors file ({reason}); copy or convert it again")]
    Damaged { path: PathBuf, reason: String },
    #[error("{path}: {count} difference(s) from {model}, nothing was loaded:\n{listed}{hint}")]
    Differs { path: PathBuf, model: String, count: usize, listed: String, hint: String },
    #[error("{path}: cannot read weights ({source}); check the path")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: cannot save weights ({source}); free space or choose another folder")]
    Save { path: PathBuf, source: std::io::Error },
}

impl ModelError {
    /// A value of a configuration that is not what is wanted.
    pub(crate) fn config(
        model: &str,
        key: &'static str,
        value: impl ToString,
        want: &str,
    ) -> ModelError {
        let (model, value, want) = (model.to_owned(), value.to_string(), want.to_owned());
        ModelError::Config { model, key, value, want }
    }

    /// The exit status a program should end with: 2 a bad command line, recipe or file kind,
    /// 4 bad weights, 5 bad numbers, 7 storage.
    pub fn exit_code(&self) -> u8 {
        match self {
            ModelError::Damaged { .. } | ModelError::Differs { .. } => 4,
            ModelError::NoAnswer { .. } => 5,
            ModelError::Save { .. } => 7,
            _ => 2,
        }
    }
}
