//! Grad-CAM++: Chattopadhyay et al. 2018, "Grad-CAM++: Improved Visual Explanations for Deep
//! Convolutional Networks", <https://arxiv.org/abs/1710.11063>, equations 5, 7 and 19.
//!
//! A channel's weight is the sum of its positive gradients, each place weighted so that several
//! places that show the same thing count as much as one. The weighting takes the score for the
//! exponential of the logit, whose higher derivatives are then powers of the first.

use super::{CamRow, How, Seen, over_channels, over_places};
use crate::VizError;
use tch::Tensor;

/// Keeps the share finite where all its terms vanish; pytorch-grad-cam's value.
const TINY: f64 = 1e-6;

pub(super) const ROW: CamRow = CamRow {
    name: "grad-cam++",
    about: "channels weighted by their positive gradients, so that several objects count alike",
    formula: "Σ_k (Σ α_k · relu(G_k)) · A_k, α = G² / (2 G² + G³ · ΣA)",
    cost: "1 forward, 1 backward",
    paper: "Chattopadhyay et al. 2018, https://arxiv.org/abs/1710.11063",
    how: How::Tap(combine),
    forwards: |_| 3,
};

fn combine(seen: &Seen) -> Result<Tensor, VizError> {
    let (a, g) = (seen.activation, seen.gradient);
    let square = g * g;
    let share = &square / (2.0 * &square + over_places(a) * &square * g + TINY);
    let weights = over_places(&(share * g.relu()));
    Ok(over_channels(&(weights * a)))
}
