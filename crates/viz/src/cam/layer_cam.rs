//! LayerCAM: Jiang et al. 2021, "LayerCAM: Exploring Hierarchical Class Activation Maps for
//! Localization", IEEE Transactions on Image Processing 30,
//! <https://doi.org/10.1109/TIP.2021.3089943>, equations 5 to 7.
//!
//! Each place is weighted by its own positive gradient, which keeps early layers' maps fine.

use super::{CamRow, How, Seen, over_channels};
use crate::VizError;
use tch::Tensor;

pub(super) const ROW: CamRow = CamRow {
    name: "layer-cam",
    about: "places weighted by their positive gradient; fine at early layers",
    formula: "Σ_k relu(G_k) · A_k",
    cost: "1 forward, 1 backward",
    paper: "Jiang et al. 2021, https://doi.org/10.1109/TIP.2021.3089943",
    how: How::Tap(combine),
    forwards: |_| 3,
};

fn combine(seen: &Seen) -> Result<Tensor, VizError> {
    Ok(over_channels(&(seen.gradient.relu() * seen.activation)))
}
