//! The residual unit of the first paper (He et al. 2016, arXiv:1512.03385, figures 2 and 5):
//! `y = relu(F(x) + x)` with `F` = conv, norm, relu, …, conv, norm.
//!
//! `[N, C, H, W] -> [N, C', H', W']`. Without its shortcut, `y = relu(F(x))`, it is a piece of a
//! plain net.

use tch::Tensor;

use super::Place;
use super::shortcut::Path;
use crate::builder::{Builder, TapKind};
use crate::layers::{BatchNorm2d, Conv2d};
use crate::run::Run;

/// Convolutions each followed by its norm, and what goes round them.
#[derive(Debug)]
pub struct PostUnit {
    name: String,
    layers: Vec<(Conv2d, BatchNorm2d)>,
    shortcut: Option<Path>,
}

impl PostUnit {
    pub fn new(builder: &mut Builder, name: String, place: Place) -> PostUnit {
        let mut layers = Vec::new();
        for (i, shape) in (1..).zip(place.convs()) {
            let conv = Conv2d::new(builder, format!("{name}.conv{i}"), shape);
            let norm = BatchNorm2d::new(builder, format!("{name}.bn{i}"), shape.out_channels);
            layers.push((conv, norm));
        }
        let shortcut = Path::new(builder, &name, place);
        builder.tap(&name, TapKind::Block);
        PostUnit { name, layers, shortcut }
    }

    pub fn forward(&self, x: &Tensor, run: &mut Run) -> Tensor {
        let ((last_conv, last_norm), layers) = self.layers.split_last().expect("two or three");
        let mut y = x.shallow_clone();
        for (conv, norm) in layers {
            y = conv.forward_norm_relu(&y, norm, run);
        }
        let y = match &self.shortcut {
            None => last_conv.forward_norm_relu(&y, last_norm, run),
            Some(path) => {
                let y = last_conv.forward(&y, run);
                last_norm.forward_add_relu(&y, |run| path.forward(x, run), run)
            }
        };
        run.taps.show(&self.name, &y);
        y
    }
}
