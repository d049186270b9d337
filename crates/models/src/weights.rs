//! A model's tensors by name, in a fixed order: trained parameters and the batch norms' running
//! statistics. Names, shapes and order are those of torchvision's `state_dict`, without its
//! `num_batches_tracked`.
//!
//! Saving and loading: [`mod@file`] reads safetensors and nothing else, `save` writes them so
//! that a file is either complete or absent.

use std::path::Path;

use tch::Tensor;

use crate::error::ModelError;

pub mod file;
mod save;

/// Whether the optimiser changes a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Trained: a leaf that requires its gradient.
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

    /// Fills every tensor from a safetensors file. The file must hold exactly these names, with
    /// these shapes, in 32-bit; otherwise the error lists the first ten differences and no tensor
    /// has changed.
    pub fn load(&self, path: &Path) -> Result<(), ModelError> {
        file::load(self, path)
    }
}
