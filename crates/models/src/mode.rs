//! How a forward runs: in training, with that step's draws, or in evaluation.
//!
//! There is no random state anywhere: what a layer draws in training (dropout, stochastic pooling)
//! is a pure function of (seed, epoch, sample, layer), so it depends neither on the batch a picture
//! came in nor on what was drawn before it.

use rand::SeedableRng;
use rand::distr::{Distribution, StandardUniform};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Tensor};

/// Whether batch norm uses the batch's statistics (and updates its running ones) or the running
/// ones, and whether layers that draw at random do so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode<'a> {
    /// The batch's statistics, and random layers draw.
    Train(Draws<'a>),
    /// The running statistics, and random layers give their expectation.
    Eval,
}

impl Mode<'_> {
    /// Training whose layers draw nothing: for networks without random layers, which look at no
    /// draws. A random layer refuses it.
    pub const TRAIN: Mode<'static> = Mode::Train(Draws { seed: 0, epoch: 0, samples: &[] });

    /// Whether this is training.
    pub fn is_train(&self) -> bool {
        matches!(self, Mode::Train(_))
    }
}

/// What a training forward's draws are a function of, besides the layer's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws<'a> {
    /// The training's.
    pub seed: u64,
    /// How often every picture was shown before.
    pub epoch: u64,
    /// The number of each picture of the batch within the data, in the batch's order.
    pub samples: &'a [u32],
}

impl Draws<'_> {
    /// Numbers in [0, 1), 32-bit: `shape` is `[N, …]` with one row a picture, each row a function
    /// of (seed, epoch, sample, `layer`).
    ///
    /// # Panics
    /// Where there is not one sample number a picture: the forward was not given its draws, which
    /// [`Mode::Train`] takes.
    pub fn uniform(&self, layer: &str, shape: &[i64], device: Device) -> Tensor {
        let (samples, pictures) = (self.samples.len(), shape[0]);
        assert!(samples > 0, "{layer} draws at random in training, and got nothing to draw from");
        assert_eq!(samples as i64, pictures, "{layer}: one sample number a picture is wanted");
        let row = shape[1..].iter().product::<i64>() as usize;
        let numbers: Vec<f32> = self
            .samples
            .iter()
            .flat_map(|sample| {
                let rng = self.stream(layer, *sample);
                Distribution::<f32>::sample_iter(StandardUniform, rng).take(row)
            })
            .collect();
        Tensor::from_slice(&numbers).view(shape).to_device(device)
    }

    fn stream(&self, layer: &str, sample: u32) -> ChaCha8Rng {
        let mut hasher = blake3::Hasher::new_derive_key("catscan models: draws, version 1");
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(&self.epoch.to_le_bytes());
        hasher.update(&sample.to_le_bytes());
        hasher.update(layer.as_bytes());
        ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(seed: u64, epoch: u64, samples: &[u32], layer: &str) -> Tensor {
        let shape = [samples.len() as i64, 2, 3];
        Draws { seed, epoch, samples }.uniform(layer, &shape, Device::Cpu)
    }

    #[test]
    fn a_picture_draws_the_same_in_any_batch() {
        let both = draw(1, 2, &[7, 9], "a");
        assert_eq!(both.narrow(0, 1, 1), draw(1, 2, &[9], "a"));
        assert_ne!(both.narrow(0, 0, 1), both.narrow(0, 1, 1));
        for other in [draw(2, 2, &[7, 9], "a"), draw(1, 3, &[7, 9], "a"), draw(1, 2, &[7, 9], "b")]
        {
            assert_ne!(both, other);
        }
    }

    #[test]
    #[should_panic(expected = "pool1 draws at random in training, and got nothing to draw from")]
    fn a_forward_without_draws_is_refused() {
        let Mode::Train(draws) = Mode::TRAIN else { unreachable!() };
        let _ = draws.uniform("pool1", &[2, 1], Device::Cpu);
    }
}
