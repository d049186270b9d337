//! A model's tensors by name, in a fixed order: trained parameters and the batch norms' running
//! statistics. Names, shapes and order are those of torchvision's `state_dict`, without its
//! `num_batches_tracked`.
//!
//! Saving and loading: [`mod@file`] reads safetensors and nothing else, `fill` copies them into a
//! model once they agree with it (`torchvision` knows some older names), `save` writes them so that
//! a file is either complete or absent, [`stream`] in pieces.

use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::error::ModelError;
use crate::nearest::nearest;
use crate::weights::file::WeightsFile;

pub mod file;
pub(crate) mod fill;
mod save;
pub mod stream;
mod torchvision;

/// Whether the optimiser changes a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Trained, unless it is frozen: a leaf that requires its gradient.
    Parameter,
    /// Kept by a batch norm: its running mean or variance.
    Buffer,
}

/// A named tensor of a model, always 32-bit.
#[derive(Debug)]
pub struct Weight {
    /// torchvision's name for it.
    pub name: String,
    /// Whether it is trained.
    pub role: Role,
    /// The very tensor a layer uses.
    pub tensor: Tensor,
}

/// What becomes of the classifier (the last linear layer) when a training starts from a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Head {
    /// The file's is taken; another number of classes is an error.
    Keep,
    /// A fresh one with its random start takes its place, whatever the file holds.
    Replace,
}

impl Weight {
    /// Takes a parameter out of training: backward computes no gradient for it and stops where
    /// nothing before it is trained either. A batch norm with both its parameters frozen works as
    /// in evaluation and keeps its running statistics.
    pub fn freeze(&self) {
        let _ = self.tensor.set_requires_grad(false);
    }

    /// Whether an optimiser changes it: a parameter that is not frozen.
    pub fn is_trained(&self) -> bool {
        self.tensor.requires_grad()
    }
}

/// The tensors of one model. They are handles of the very tensors its layers use: what is written
/// into them in place (or given to them by `Tensor::set_data`) is what the model computes with.
#[derive(Debug)]
pub struct Weights {
    entries: Vec<Weight>,
    /// The model's configuration as JSON, saved with the tensors.
    config: String,
    /// The model's name, for messages.
    model: String,
}

impl Weights {
    pub(crate) fn new(entries: Vec<Weight>, model: &str, config: String) -> Weights {
        Weights { entries, config, model: model.to_string() }
    }

    /// All tensors, in the order of torchvision's `state_dict`.
    pub fn iter(&self) -> std::slice::Iter<'_, Weight> {
        self.entries.iter()
    }

    /// The trained tensors, in that order.
    pub fn parameters(&self) -> impl Iterator<Item = &Weight> {
        self.entries.iter().filter(|weight| weight.role == Role::Parameter)
    }

    /// The parameter whose name begins with what is nearest to what somebody wrote, if any is near.
    pub fn nearest_parameter(&self, written: &str) -> Option<&str> {
        let letters = written.chars().count();
        let start = |weight: &Weight| weight.name.chars().take(letters).collect::<String>();
        let starts: Vec<String> = self.parameters().map(start).collect();
        let near = nearest(written, starts.iter().map(String::as_str))?;
        self.parameters().map(|weight| weight.name.as_str()).find(|name| name.starts_with(near))
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.entries.iter().find(|weight| weight.name == name).map(|weight| &weight.tensor)
    }

    /// How many numbers are trained: what PyTorch counts.
    pub fn count_parameters(&self) -> usize {
        self.parameters().map(|weight| weight.tensor.numel()).sum()
    }

    /// How many numbers there are, running statistics included: what Keras counts.
    pub fn count_all(&self) -> usize {
        self.entries.iter().map(|weight| weight.tensor.numel()).sum()
    }

    /// Writes a safetensors file that is either complete or absent.
    pub fn save(&self, path: &Path) -> Result<(), ModelError> {
        save::save(self, path)
    }

    /// Writes the content of that file, piece by piece.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        save::write(self, out)
    }

    /// Fills every tensor from a safetensors file. The file must hold exactly these names, with
    /// these shapes, in 32-bit; otherwise the error lists the first ten differences and no tensor
    /// has changed.
    pub fn load(&self, path: &Path) -> Result<(), ModelError> {
        fill::whole(self, &WeightsFile::read(path)?)
    }
}
