//! What several of the tests need: configurations, pictures, a loss.

use catscan_models::{
    Convention, Draws, Memory, Mode, Model, ModelConfig, ModelRow, Pool, Pooling, Precision,
};
use tch::{Device, Kind, Reduction, Tensor};

pub use super::closed_form::{closed_form, fill, pictures};

/// A row's model with `pool` in its transitions and its head, where it has them.
pub fn config(name: &str, pool: Pool, outputs: i64) -> ModelConfig {
    ModelConfig {
        name: name.to_string(),
        shape: None,
        pooling: Pooling::for_sites(ModelRow::find(name).unwrap().sites(), pool, pool),
        convention: Convention::Torchvision,
        in_channels: 3,
        outputs,
        precision: Precision::Fp32,
        memory: Memory::Keep,
    }
}

pub fn build(config: &ModelConfig) -> Model {
    Model::build(config, 7, Device::Cpu).unwrap()
}

/// Training on the first pictures of some data, of which there are at most eight.
pub fn training(pictures: i64) -> Mode<'static> {
    const SAMPLES: [u32; 8] = [0, 1, 2, 3, 4, 5, 6, 7];
    Mode::Train(Draws { seed: 7, epoch: 0, samples: &SAMPLES[..pictures as usize] })
}

/// The same pictures with channels_last strides. (Flattened on the way, because `contiguous` leaves
/// the strides of grey pictures, `[N, H, W, 1]`, as they are.)
pub fn channels_last(x: &Tensor) -> Tensor {
    let (n, c, h, w) = x.size4().unwrap();
    x.permute([0, 2, 3, 1]).reshape([-1]).view([n, h, w, c]).permute([0, 3, 1, 2])
}

/// Whether the strides of `[N, C, H, W]` are those of channels_last.
pub fn is_channels_last(x: &Tensor) -> bool {
    let (size, stride) = (x.size(), x.stride());
    let (c, h, w) = (size[1], size[2], size[3]);
    let channel_is_dense = c == 1 || stride[1] == 1;
    channel_is_dense && (w == 1 || stride[3] == c) && (h == 1 || stride[2] == c * w)
}

/// The loss of logits `[N, K]` for the labels 0, 1, 2 … repeated: binary for one logit.
pub fn loss(logits: &Tensor) -> Tensor {
    let (pictures, outputs) = logits.size2().unwrap();
    let labels = Tensor::arange(pictures, (Kind::Int64, Device::Cpu)).remainder(outputs.max(2));
    if outputs == 1 {
        let labels = labels.to_kind(logits.kind()).view([pictures, 1]);
        let none = None::<Tensor>;
        logits.binary_cross_entropy_with_logits(&labels, none.as_ref(), None, Reduction::Mean)
    } else {
        // tch's cross_entropy_for_logits would round 64-bit logits to 32.
        logits.log_softmax(1, logits.kind()).nll_loss(&labels)
    }
}

/// One step of plain gradient descent; the gradients are then 0.
pub fn descend(model: &Model, lr: f64) {
    tch::no_grad(|| {
        for weight in model.weights().parameters() {
            let mut gradient = weight.tensor.grad();
            let _ = weight.tensor.shallow_clone().subtract_(&(&gradient * lr));
            let _ = gradient.zero_();
        }
    });
}
