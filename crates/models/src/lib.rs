//! Convolutional networks whose pooling is a value per site, with weights by PyTorch's names and a
//! tap on every layer.
//!
//! The crate in reading order, which is also the flow of a picture through it:
//!
//! 1. [`config`]: what a model is, as plain data: a row's name, pooling by site, [`convention`];
//!    [`mode`]: whether it trains, and what its layers then draw.
//! 2. [`table`]: MODELS, the registry; `bounds` and `size`: what is no network, and what no machine
//!    holds; [`pool`]: POOLS and the pooling layers.
//! 3. `init`: an initial tensor as a pure function of (seed, parameter name); `builder`: hands a
//!    network its tensors and writes down their order and names.
//! 4. `layers`: convolution, batch norm and linear, with nothing left to a library's default.
//! 5. [`resnet`]: residual and plain networks, [`densenet`]: dense ones, from those layers;
//!    [`mnist`]: two small ones of both kinds.
//! 6. [`model`]: the public entrance: build, check the input, forward.
//!    `run`: what its layers are told, and where they run as one; `sound`: whether the weights may
//!    be folded; `answer`: what logits say.
//! 7. [`taps`]: the named activations a forward shows; [`weights`]: named tensors, load and save;
//!    [`summary`]: what a network costs.
//!
//! The letters used for axes: `N` pictures of a batch, `C` channels, `H W` space, `K` outputs.
//!
//! ```
//! use catscan_models::{
//!     Convention, Memory, Mode, Model, ModelConfig, Pool, Pooling, Precision, Taps,
//! };
//! use tch::{Device, Kind, Tensor};
//!
//! let config = ModelConfig {
//!     name: "densenet-mini".into(),
//!     shape: None,
//!     pooling: Pooling::densenet(Pool::Avg, Pool::Max),
//!     convention: Convention::Torchvision,
//!     in_channels: 3,
//!     outputs: 1,
//!     precision: Precision::Fp32,
//!     memory: Memory::Keep,
//! };
//! let model = Model::build(&config, 0, Device::Cpu)?;
//! let mut taps = model.taps(&["features.denseblock4"])?;
//! let pictures = Tensor::zeros([2, 3, 64, 64], (Kind::Float, Device::Cpu));
//! let logits = model.forward(&pictures, Mode::Eval, &mut taps);
//! assert_eq!(logits.size(), [2, 1]);
//! assert_eq!(taps.get("features.denseblock4").unwrap().size(), [2, 32, 2, 2]);
//! # Ok::<(), catscan_models::ModelError>(())
//! ```

mod answer;
mod bounds;
mod builder;
pub mod config;
pub mod convention;
pub mod densenet;
pub mod error;
mod init;
mod layers;
pub mod mnist;
pub mod mode;
pub mod model;
mod nearest;
pub mod pool;
pub mod resnet;
mod run;
mod size;
mod sound;
pub mod summary;
pub mod table;
pub mod taps;
pub mod weights;

pub use answer::{check_answer, probabilities};
pub use config::{Memory, ModelConfig, Pooling, Precision, Sites, Transitions};
pub use convention::Convention;
pub use error::ModelError;
pub use mode::{Draws, Mode};
pub use model::Model;
pub use nearest::{nearest, nearest_is};
pub use pool::{Extent, POOLS, Pool, PoolLayer, PoolRow, Site};
pub use summary::{Cost, Stage, Summary};
pub use table::{MODELS, ModelRow, Natural, Shape};
pub use taps::{Cut, Taps};
pub use weights::file::WeightsFile;
pub use weights::{Head, Role, Weight, Weights};
