//! The residual unit of the second paper (He et al. 2016, arXiv:1603.05027, equation 5 and figure
//! 4e): `y = F(x) + x` with `F` = norm, relu, conv, …, norm, relu, conv, so that nothing stands
//! between one unit's sum and the next.
//!
//! `[N, C, H, W] -> [N, C', H', W']`. Two exceptions, the first from the paper's appendix, the
//! second from the authors' code (KaimingHe/resnet-1k-layers): the first unit of the network finds
//! its norm and ReLU in the stem, and a unit that changes the shape gives its shortcut the
//! activated map too. A projection has no norm: the next unit begins with one.

use tch::Tensor;

use super::Place;
use super::shortcut::Path;
use crate::builder::{Builder, TapKind};
use crate::layers::{BatchNorm2d, Conv2d, add};
use crate::run::Run;

/// Convolutions each after its norm, and what goes round them.
#[derive(Debug)]
pub struct PreUnit {
    name: String,
    layers: Vec<(Option<BatchNorm2d>, Conv2d)>,
    shortcut: Option<Path>,
    /// Whether the shortcut leaves after the first norm and ReLU instead of before.
    shares_activation: bool,
}

impl PreUnit {
    pub fn new(builder: &mut Builder, name: String, place: Place) -> PreUnit {
        let mut layers = Vec::new();
        for (i, shape) in (1..).zip(place.convs()) {
            let activated = place.first && i == 1;
            let norm = (!activated)
                .then(|| BatchNorm2d::new(builder, format!("{name}.bn{i}"), shape.in_channels));
            layers.push((norm, Conv2d::new(builder, format!("{name}.conv{i}"), shape)));
        }
        let shortcut = Path::new(builder, &name, place);
        builder.tap(&name, TapKind::Block);
        PreUnit { name, layers, shortcut, shares_activation: place.changes_shape() }
    }

    pub fn forward(&self, x: &Tensor, run: &mut Run) -> Tensor {
        let ((norm, conv), layers) = self.layers.split_first().expect("two or three");
        let activated = match norm {
            Some(norm) => norm.forward_relu(x, run),
            None => x.shallow_clone(),
        };
        // Each convolution with the norm and the ReLU of the next, as they may be one operation.
        let (mut conv, mut y) = (conv, activated.shallow_clone());
        for (norm, next) in layers {
            let norm = norm.as_ref().expect("only a network's first finds its norm in the stem");
            y = conv.forward_norm_relu(&y, norm, run);
            conv = next;
        }
        y = conv.forward(&y, run);
        if let Some(path) = &self.shortcut {
            let x = if self.shares_activation { &activated } else { x };
            y = add(y, &path.forward(x, run), run.taps.wants(&conv.name));
        }
        run.taps.show(&self.name, &y);
        y
    }
}
