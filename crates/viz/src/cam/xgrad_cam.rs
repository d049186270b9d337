//! XGrad-CAM: Fu et al. 2020, "Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation
//! of CNNs", <https://arxiv.org/abs/2008.02312>, equation 8.
//!
//! A channel's weight is the mean of its gradient, weighted by where the channel is active.

use super::{CamRow, How, Seen, over_channels, over_places};
use crate::VizError;
use tch::Tensor;

/// Keeps the weight of a channel that is nowhere active finite; pytorch-grad-cam's value.
const TINY: f64 = 1e-7;

pub(super) const ROW: CamRow = CamRow {
    name: "xgrad-cam",
    about: "channels weighted by their gradient where they are active",
    formula: "Σ_k (Σ G_k · A_k / Σ A_k) · A_k",
    cost: "1 forward, 1 backward",
    paper: "Fu et al. 2020, https://arxiv.org/abs/2008.02312",
    how: How::Tap(combine),
    forwards: |_| 3,
};

fn combine(seen: &Seen) -> Result<Tensor, VizError> {
    let a = seen.activation;
    let weights = over_places(&(seen.gradient * a)) / (over_places(a) + TINY);
    Ok(over_channels(&(weights * a)))
}
