//! The composite function of the paper's §3: batch norm, then ReLU, then a convolution; and then,
//! in training, dropout. A dense layer is one or two of them, a transition begins with one.
//!
//! `[N, C, H, W] -> [N, C', H, W]`, where the `C` maps may come in several tensors, in order.
//!
//! With [`Memory::Recompute`] (Pleiss et al. 2017, *Memory-Efficient Implementation of DenseNets*,
//! arXiv:1707.06990, §3) training keeps those tensors and computes their concatenation, the norm
//! and the ReLU again in backward. The convolution is not repeated, unlike in torchvision's
//! `memory_efficient`. The mode is off in evaluation, and where a tap wants the norm: what a tap
//! shows must lie on the way back.

use catscan_torch_ext::recompute::checkpoint_conv2d;
use tch::Tensor;

use crate::builder::Builder;
use crate::config::Memory;
use crate::layers::{BatchNorm2d, Conv2d, ConvShape, Dropout};
use crate::run::Run;

/// Norm, ReLU, convolution, dropout.
#[derive(Debug)]
pub(crate) struct NormReluConv {
    pub norm: BatchNorm2d,
    pub conv: Conv2d,
    pub dropout: Dropout,
    memory: Memory,
}

impl NormReluConv {
    /// Named `{name}.norm{number}` and `{name}.conv{number}`.
    pub fn new(
        builder: &mut Builder,
        name: &str,
        number: &str,
        shape: ConvShape,
        dropout: f64,
    ) -> NormReluConv {
        let norm = format!("{name}.norm{number}");
        NormReluConv {
            norm: BatchNorm2d::new(builder, norm, shape.in_channels),
            conv: Conv2d::new(builder, format!("{name}.conv{number}"), shape),
            dropout: Dropout::new(format!("{name}.dropout{number}"), dropout),
            memory: builder.memory(),
        }
    }

    pub fn forward(&self, maps: &[Tensor], run: &mut Run) -> Tensor {
        let again = self.memory == Memory::Recompute && run.mode.is_train();
        let y = if again && !run.taps.wants(&self.norm.name) {
            self.recomputed(maps, run)
        } else {
            let x = self.norm.forward_relu(&concatenated(maps), run);
            self.conv.forward(&x, run)
        };
        self.dropout.forward(y, run.mode)
    }

    fn recomputed(&self, maps: &[Tensor], run: &mut Run) -> Tensor {
        let mut inputs: Vec<&Tensor> = maps.iter().collect();
        inputs.extend([&self.norm.weight, &self.norm.bias]);
        let norm_relu = self.norm.again_relu();
        self.conv.folded.clear();
        let y = checkpoint_conv2d(
            &inputs,
            &self.conv.weight,
            self.conv.steps(),
            move |inputs, pass| {
                let [maps @ .., weight, bias] = inputs else { unreachable!("at least two") };
                norm_relu(&concatenated(maps), weight, bias, pass)
            },
        );
        run.taps.show(&self.conv.name, &y);
        y
    }
}

/// All the maps in one tensor: a copy, unless they are.
pub(crate) fn concatenated(maps: &[Tensor]) -> Tensor {
    match maps {
        [all] => all.shallow_clone(),
        _ => Tensor::cat(maps, 1),
    }
}
