//! Whose habits the initial weights and the batch norms follow: a value of the recipe, because
//! libraries differ and the difference moves results.

use serde::{Deserialize, Serialize};

/// Initial weights and the constants of batch norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Convention {
    /// torchvision's: convolutions from He's normal distribution (He et al. 2015,
    /// arXiv:1502.01852; over the fan that the family's file names), linear layers from torch's
    /// U(±1/√fan_in), biases from the same where the family's file does not say 0; batch-norm eps
    /// 1e-5, momentum 0.1.
    Torchvision,
    /// Keras': convolutions and linear layers from U(±√(6 / (fan_in + fan_out))) (Glorot & Bengio
    /// 2010), biases 0; batch-norm eps 1.001e-5 as in `keras.applications`, Keras momentum 0.99,
    /// which is 0.01 in PyTorch's sense.
    Keras,
    /// The same with the eps of a `BatchNormalization()` that was given none: 1e-3.
    KerasLayers,
    /// The papers': convolutions and linear layers from He's normal distribution over fan in,
    /// biases 0; batch-norm eps 1e-5, momentum 0.1 (He et al. 2016, arXiv:1512.03385 §3.4; Huang
    /// et al. 2017, arXiv:1608.06993 §4.2; both through Torch 7, whose constants these are).
    Paper,
}

impl Convention {
    /// Every one of them.
    pub const ALL: [Convention; 4] =
        [Convention::Torchvision, Convention::Keras, Convention::KerasLayers, Convention::Paper];

    /// What a batch norm adds to a variance before its square root.
    pub fn norm_eps(self) -> f64 {
        match self {
            Convention::Torchvision | Convention::Paper => 1e-5,
            Convention::Keras => 1.001e-5,
            Convention::KerasLayers => 1e-3,
        }
    }

    /// The weight of the newest batch in the running statistics (PyTorch's sense of the word).
    pub fn norm_momentum(self) -> f64 {
        match self {
            Convention::Torchvision | Convention::Paper => 0.1,
            Convention::Keras | Convention::KerasLayers => 0.01,
        }
    }
}
