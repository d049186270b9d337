//! What a model is, as plain data: nothing here has a default, because everything here changes a
//! result. A recipe holds a [`ModelConfig`], and a run writes it down.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::pool::Pool;

/// Whether batch norm uses the batch's statistics (and updates its running ones) or the running
/// ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The batch's statistics.
    Train,
    /// The running statistics.
    Eval,
}

/// Everything that decides what a model computes, apart from the values of its weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// A row of [`crate::MODELS`].
    pub name: String,
    /// Its poolings, by site.
    pub pooling: Pooling,
    /// Initial weights and batch norms.
    pub convention: Convention,
    /// Channels of a picture: 3 for colour, 1 for grey.
    pub in_channels: i64,
    /// Logits a picture gets: 1 for two classes (binary cross-entropy), K otherwise.
    pub outputs: i64,
    /// The kind of number it computes in.
    pub precision: Precision,
}

/// Which pooling sits at each site of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pooling {
    /// 3×3, stride 2, padding 1, after the first convolution.
    pub stem: Pool,
    /// 2×2, stride 2, one after each dense block but the last.
    pub transitions: Vec<Pool>,
    /// Over the whole last map.
    pub head: Pool,
}

impl Pooling {
    /// The pooling of a network with four dense blocks: max in the stem, as in the paper and in
    /// both arms of the study, `transitions` in all three transitions, `head` over the last map.
    pub fn densenet(transitions: Pool, head: Pool) -> Pooling {
        Pooling { stem: Pool::Max, transitions: vec![transitions; 3], head }
    }
}

/// Whose habits the initial weights and the batch norms follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Convention {
    /// torchvision's: convolutions from N(0, 2 / fan_in) (He et al. 2015, arXiv:1502.01852), the
    /// classifier from torch's U(±1/√fan_in) with bias 0; batch-norm eps 1e-5, momentum 0.1.
    Torchvision,
    /// Keras': convolutions and classifier from U(±√(6 / (fan_in + fan_out))) (Glorot & Bengio
    /// 2010), bias 0; batch-norm eps 1.001e-5, Keras momentum 0.99, which is 0.01 in PyTorch's
    /// sense.
    Keras,
}

impl Convention {
    /// What a batch norm adds to a variance before its square root.
    pub fn norm_eps(self) -> f64 {
        match self {
            Convention::Torchvision => 1e-5,
            Convention::Keras => 1.001e-5,
        }
    }

    /// The weight of the newest batch in the running statistics (PyTorch's sense of the word).
    pub fn norm_momentum(self) -> f64 {
        match self {
            Convention::Torchvision => 0.1,
            Convention::Keras => 0.01,
        }
    }
}

/// The kind of number the convolutions compute in. Weights, batch-norm statistics, head and logits
/// are 32-bit either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit throughout.
    Fp32,
    /// 16-bit with the exponent of 32-bit: half the memory, and fast where the CPU has AMX.
    Bf16,
}

impl Precision {
    /// The picture in the kind the convolutions compute in: each layer follows its input's.
    pub fn enter(self, x: &Tensor) -> Tensor {
        match self {
            Precision::Fp32 => x.shallow_clone(),
            Precision::Bf16 => x.to_kind(Kind::BFloat16),
        }
    }

    /// The last maps in the head's kind: they are small, and the logits must not be rounded.
    pub fn leave(self, x: &Tensor) -> Tensor {
        match self {
            Precision::Fp32 => x.shallow_clone(),
            Precision::Bf16 => x.to_kind(Kind::Float),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused() {
        let config = ModelConfig {
            name: "densenet121".into(),
            pooling: Pooling::densenet(Pool::Avg, Pool::Max),
            convention: Convention::Keras,
            in_channels: 3,
            outputs: 1,
            precision: Precision::Bf16,
        };
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<ModelConfig>(&text).unwrap(), config);
        assert!(text.contains(r#""transitions":["avg","avg","avg"],"head":"max""#), "{text}");
        let wrong = text.replace("outputs", "classes");
        let message = serde_json::from_str::<ModelConfig>(&wrong).unwrap_err().to_string();
        assert!(message.contains("classes"), "{message}");
    }
}
