//! Initial values: each tensor is a pure function of (seed, parameter name, shape, convention).
//!
//! Its draws come from a ChaCha8 stream keyed by blake3 of (seed, name), so no tensor depends on
//! which others were made before it: two models share the initial values of every parameter whose
//! name and shape they share, which is what makes the arms of an experiment paired.

use rand::SeedableRng;
use rand::distr::{Distribution, Uniform};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use tch::Tensor;

use crate::convention::Convention;

/// What a tensor starts as; the convention says what that means in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    Zeros,
    Ones,
    /// This number everywhere.
    Constant(i16),
    /// A convolution's weight `[C', C, size, size]`.
    Convolution(Fan),
    /// A linear layer's weight `[K, C]`.
    Linear,
    /// The bias of a layer each of whose outputs has this many inputs.
    Bias {
        fan_in: i64,
    },
}

/// What torchvision divides the variance of a convolution's weight by; its families differ, so the
/// family's file names it. The other conventions have their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fan {
    /// The inputs of one output, which keeps the variance of the activations.
    In,
    /// The outputs of one input, which keeps the variance of the gradients.
    Out,
}

/// The initial tensor of the parameter `name`: 32-bit, on the CPU.
pub fn initial(
    seed: u64,
    name: &str,
    dims: &[i64],
    values: Values,
    convention: Convention,
) -> Tensor {
    let count = dims.iter().product::<i64>() as usize;
    let (fan_in, fan_out) = fans(dims);
    let glorot_bound = (6.0 / (fan_in + fan_out)).sqrt();
    let numbers = match (values, convention) {
        (Values::Zeros, _) => vec![0.0; count],
        (Values::Ones, _) => vec![1.0; count],
        (Values::Constant(number), _) => vec![f32::from(number); count],
        (Values::Convolution(fan), Convention::Torchvision) => {
            let fan = if fan == Fan::In { fan_in } else { fan_out };
            normal(stream(seed, name), count, (2.0 / fan).sqrt())
        }
        // torch's own layers: kaiming_uniform with a = √5, whose bound comes to 1/√fan_in.
        (Values::Linear, Convention::Torchvision) => {
            uniform(stream(seed, name), count, 1.0 / fan_in.sqrt())
        }
        (Values::Bias { fan_in }, Convention::Torchvision) => {
            uniform(stream(seed, name), count, 1.0 / (fan_in as f64).sqrt())
        }
        (Values::Bias { .. }, _) => vec![0.0; count],
        (Values::Convolution(_) | Values::Linear, Convention::Paper) => {
            normal(stream(seed, name), count, (2.0 / fan_in).sqrt())
        }
        (Values::Convolution(_) | Values::Linear, Convention::Keras | Convention::KerasLayers) => {
            uniform(stream(seed, name), count, glorot_bound)
        }
    };
    Tensor::from_slice(&numbers).view(dims)
}

/// Inputs to one output and outputs of one input: `(C · size², C' · size²)` for `[C', C, size…]`.
fn fans(dims: &[i64]) -> (f64, f64) {
    let window = dims.iter().skip(2).product::<i64>() as f64;
    let at = |axis: usize| dims.get(axis).copied().unwrap_or(1) as f64;
    (at(1) * window, at(0) * window)
}

/// The random stream of one tensor.
fn stream(seed: u64, name: &str) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new_derive_key("catscan models: initial values, version 1");
    hasher.update(&seed.to_le_bytes());
    hasher.update(name.as_bytes());
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}

/// `count` draws from N(0, deviation²).
fn normal(rng: ChaCha8Rng, count: usize, deviation: f64) -> Vec<f32> {
    let draws = Distribution::<f64>::sample_iter(StandardNormal, rng);
    draws.take(count).map(|draw| (draw * deviation) as f32).collect()
}

/// `count` draws from U(-bound, bound).
fn uniform(rng: ChaCha8Rng, count: usize, bound: f64) -> Vec<f32> {
    let range = Uniform::new(-bound, bound).expect("a bound is positive and finite");
    range.sample_iter(rng).take(count).map(|draw: f64| draw as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    const CONV: [i64; 4] = [64, 32, 3, 3];
    const CONV_IN: Values = Values::Convolution(Fan::In);
    const CONV_OUT: Values = Values::Convolution(Fan::Out);
    const BIAS: Values = Values::Bias { fan_in: 400 };

    fn draw(seed: u64, name: &str, values: Values, convention: Convention) -> Tensor {
        let dims: &[i64] = match values {
            Values::Linear => &[50, 400],
            Values::Bias { .. } => &[20_000],
            _ => &CONV,
        };
        initial(seed, name, dims, values, convention)
    }

    /// Mean, standard deviation and largest magnitude.
    fn moments(tensor: &Tensor) -> [f64; 3] {
        let statistics = [tensor.mean(Kind::Float), tensor.std(false), tensor.abs().max()];
        statistics.map(|value| value.double_value(&[]))
    }

    #[test]
    fn each_convention_has_its_spread() {
        for (values, convention, fan) in [
            (CONV_IN, Convention::Torchvision, 288f64),
            (CONV_OUT, Convention::Torchvision, 576f64),
            (CONV_OUT, Convention::Paper, 288f64),
        ] {
            let he = (2.0 / fan).sqrt();
            let [mean, deviation, most] = moments(&draw(1, "a", values, convention));
            // 18,432 draws: the deviation's own error is 0.5 %.
            assert!(mean.abs() < 0.03 * he, "{values:?} {convention:?}: mean {mean}");
            assert!((deviation / he - 1.0).abs() < 0.02, "{values:?} {convention:?}: {deviation}");
            assert!(most > 3.0 * he, "a normal has tails, largest is {most}");
        }
        for (values, convention, bound) in [
            (Values::Linear, Convention::Torchvision, 1.0 / 20.0),
            (BIAS, Convention::Torchvision, 1.0 / 20.0),
            (Values::Linear, Convention::Keras, (6.0 / 450f64).sqrt()),
            (CONV_OUT, Convention::Keras, (6.0 / 864f64).sqrt()),
        ] {
            let [mean, deviation, most] = moments(&draw(1, "a", values, convention));
            assert!(mean.abs() < 0.03 * bound, "{values:?} {convention:?}: mean {mean}");
            let uniform = bound / 3f64.sqrt();
            assert!((deviation / uniform - 1.0).abs() < 0.02, "{values:?}: {deviation}");
            assert!(most <= bound && most > 0.99 * bound, "{values:?}: {most} of {bound}");
        }
    }

    #[test]
    fn biases_start_at_zero_outside_torchvision() {
        for convention in [Convention::Keras, Convention::KerasLayers, Convention::Paper] {
            assert_eq!(moments(&draw(1, "a", BIAS, convention)), [0.0; 3], "{convention:?}");
        }
    }

    #[test]
    fn a_tensor_depends_on_its_seed_and_name_alone() {
        let draw = |seed, name| draw(seed, name, CONV_IN, Convention::Torchvision);
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
    }

    #[test]
    fn the_stream_never_changes() {
        // Pinned, because a change would silently change every experiment's starting point.
        let tensor = draw(0, "features.conv0.weight", CONV_IN, Convention::Torchvision);
        let first = tensor.double_value(&[0, 0, 0, 0]);
        assert!((first - 0.006_546_838).abs() < 1e-8, "{first}");
    }
}
