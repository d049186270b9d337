//! What goes round a residual unit (He et al. 2016, arXiv:1512.03385, §3.3): the input itself or,
//! where the unit changes the shape, a stand-in of the new shape.
//!
//! `[N, C, H, W] -> [N, C', H', W']`. In torchvision's names `downsample.0` is the projection and
//! `downsample.1` its norm.

use tch::Tensor;

use super::{Order, Place, Shortcut};
use crate::builder::Builder;
use crate::layers::{BatchNorm2d, Conv2d, ConvShape};
use crate::run::Run;

/// The way round a unit.
#[derive(Debug)]
pub enum Path {
    /// The input.
    Identity,
    /// Option A: every `stride`-th pixel, and maps of zeros after those there are.
    Padded { stride: i64, zeros: i64 },
    /// Option B: a 1×1 convolution; its norm in post-activation units.
    Projection { conv: Conv2d, norm: Option<BatchNorm2d> },
}

impl Path {
    /// The way round the unit `unit`, if the network has any.
    pub fn new(builder: &mut Builder, unit: &str, place: Place) -> Option<Path> {
        let Place { network, channels, out_channels, stride, .. } = place;
        match network.shortcut {
            Shortcut::None => None,
            _ if !place.changes_shape() => Some(Path::Identity),
            Shortcut::Identity => Some(Path::Padded { stride, zeros: out_channels - channels }),
            Shortcut::Projection => {
                let shape = ConvShape { stride, ..network.convs().conv1x1(channels, out_channels) };
                let conv = Conv2d::new(builder, format!("{unit}.downsample.0"), shape);
                let norm = (network.order == Order::Post).then(|| {
                    BatchNorm2d::new(builder, format!("{unit}.downsample.1"), out_channels)
                });
                Some(Path::Projection { conv, norm })
            }
        }
    }

    pub fn forward(&self, x: &Tensor, run: &mut Run) -> Tensor {
        match self {
            Path::Identity => x.shallow_clone(),
            Path::Padded { stride, zeros } => x
                .slice(2, None, None, *stride)
                .slice(3, None, None, *stride)
                .constant_pad_nd([0, 0, 0, 0, 0, *zeros]),
            Path::Projection { conv, norm: Some(norm) } => conv.forward_norm(x, norm, run),
            Path::Projection { conv, norm: None } => conv.forward(x, run),
        }
    }
}
