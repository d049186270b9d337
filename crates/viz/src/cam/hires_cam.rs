//! HiResCAM: Draelos & Carin 2020, "Use HiResCAM instead of Grad-CAM for faithful explanations of
//! convolutional neural networks", <https://arxiv.org/abs/2011.08891>, equation 4.
//!
//! Gradient times activation, place by place: nothing is averaged over space, so at the last block
//! of a network that ends in an average and a linear layer the map adds up to the score.

use super::{CamRow, How, Seen, over_channels};
use crate::VizError;
use tch::Tensor;

pub(super) const ROW: CamRow = CamRow {
    name: "hires-cam",
    about: "gradient times activation, place by place",
    formula: "Σ_k G_k · A_k",
    cost: "1 forward, 1 backward",
    paper: "Draelos & Carin 2020, https://arxiv.org/abs/2011.08891",
    how: How::Tap(combine),
    forwards: |_| 3,
};

fn combine(seen: &Seen) -> Result<Tensor, VizError> {
    Ok(over_channels(&(seen.gradient * seen.activation)))
}
