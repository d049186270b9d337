//! What a network costs: its stages, their output shapes, parameters, multiply-adds and memory.
//!
//! The network is built without values and a batch of **no** pictures, `[0, C, H, W]`, runs through
//! it: every layer says the shape of its output and computes nothing. So a summary takes
//! milliseconds, needs no memory, and is of the very code that trains.
//!
//! Multiply-adds are counted as the papers and torchvision count them: one for each product that
//! is summed, of convolutions and linear layers (not twice that, as "FLOPs" sometimes means; norms,
//! activations, poolings and biases are not counted). For an output of `C'` channels and a
//! weight of `C' · fan_in` numbers that is `outputs · fan_in`.

use serde::Serialize;
use tch::{Device, Kind, Tensor};

use crate::builder::TapKind;
use crate::config::ModelConfig;
use crate::error::ModelError;
use crate::mode::Mode;
use crate::model::Model;
use crate::taps::Taps;

/// A network at one picture size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Its row's name.
    pub model: String,
    /// `[C, H, W]` of a picture.
    pub input: [i64; 3],
    /// Its stages, in forward order.
    pub stages: Vec<Stage>,
    /// The totals of the stages.
    pub cost: Cost,
}

/// A part of the network: layers whose names begin alike, such as `layer1` or
/// `features.denseblock1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stage {
    /// What its layers' names begin with.
    pub name: String,
    /// Convolutions and linear layers in it.
    pub layers: u32,
    /// Of its last activation, for one picture: `[C, H, W]`, or `[C]` behind the head's pooling.
    pub output: Vec<i64>,
    /// What it adds to the totals.
    pub cost: Cost,
}

/// What a network, or a part of it, costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// Trained numbers, as PyTorch counts them.
    pub parameters: u64,
    /// Of one picture's forward; a training step takes about three times as many.
    pub multiply_adds: u64,
    /// Of the outputs of all convolutions, norms, poolings and linear layers for one picture.
    /// Training keeps about this much a picture for its backward; sums and concatenations come on
    /// top.
    pub activation_bytes: u64,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Cost) {
        self.parameters += other.parameters;
        self.multiply_adds += other.multiply_adds;
        self.activation_bytes += other.activation_bytes;
    }
}

impl Summary {
    /// The summary of a network for square pictures of `size_px`.
    ///
    /// # Errors
    /// A configuration that no network has, or a picture too small for it.
    pub fn of(config: &ModelConfig, size_px: i64) -> Result<Summary, ModelError> {
        let model = Model::without_values(config)?;
        let input = [config.in_channels, size_px, size_px];
        model.check_input(&[&[1], &input[..]].concat(), Mode::Eval)?;
        let mut taps = Taps::all();
        let nothing = Tensor::zeros([&[0], &input[..]].concat(), (Kind::Float, Device::Cpu));
        let _ = tch::no_grad(|| model.forward_shapes(&nothing, &mut taps));
        let mut stages: Vec<Stage> = Vec::new();
        for ((name, kind), (shown, output)) in model.tap_kinds().iter().zip(taps.iter()) {
            assert_eq!(name, shown, "{}: its taps are not those it names", config.name);
            if *kind == TapKind::Relu {
                continue; // of no layer that is counted
            }
            let stage = stage_at(&mut stages, stage_name(name));
            add(stage, *kind, output, model.weights().get(&format!("{name}.weight")));
        }
        for weight in model.weights().parameters() {
            let stage = stage_at(&mut stages, stage_name(&weight.name));
            stage.cost.parameters += weight.tensor.numel() as u64;
        }
        let mut cost = Cost::default();
        stages.iter().for_each(|stage| cost += stage.cost);
        Ok(Summary { model: config.name.clone(), input, stages, cost })
    }
}

/// Adds one activation, `[0, …]`, to its stage. A block's activation is its last layer's, or a sum
/// of it, and is not counted again.
fn add(stage: &mut Stage, kind: TapKind, output: &Tensor, weight: Option<&Tensor>) {
    stage.output = output.size()[1..].to_vec();
    let numbers = stage.output.iter().product::<i64>() as u64;
    if kind != TapKind::Block {
        stage.cost.activation_bytes += numbers * output.kind().elt_size_in_bytes() as u64;
    }
    if matches!(kind, TapKind::Conv | TapKind::Linear) {
        let weight = weight.expect("a convolution and a linear layer have a weight of their name");
        let fan_in = weight.numel() as u64 / weight.size()[0] as u64;
        stage.cost.multiply_adds += numbers * fan_in;
        stage.layers += 1;
    }
}

/// The first word of a layer's path; the second too where the first is torchvision's `features`,
/// which holds all the others.
fn stage_name(path: &str) -> &str {
    let words = if path.starts_with("features.") { 2 } else { 1 };
    let end = path.match_indices('.').nth(words - 1).map_or(path.len(), |(at, _)| at);
    &path[..end]
}

/// The stage of this name, made at the end if there is none yet.
fn stage_at<'a>(stages: &'a mut Vec<Stage>, name: &str) -> &'a mut Stage {
    let at = stages.iter().position(|stage| stage.name == name).unwrap_or_else(|| {
        let (name, output, cost) = (name.to_owned(), Vec::new(), Cost::default());
        stages.push(Stage { name, layers: 0, output, cost });
        stages.len() - 1
    });
    &mut stages[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_the_first_word_of_a_path() {
        assert_eq!(stage_name("layer1.0.conv1.weight"), "layer1");
        assert_eq!(stage_name("features.denseblock1.denselayer6.norm1"), "features.denseblock1");
        assert_eq!(stage_name("features.conv0"), "features.conv0");
        assert_eq!(stage_name("fc"), "fc");
    }
}
