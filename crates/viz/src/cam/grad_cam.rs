//! Grad-CAM: Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via
//! Gradient-based Localization", <https://arxiv.org/abs/1610.02391>, equations 1 and 2.
//!
//! A channel's weight is the mean over space of the score's gradient there; the map is the weighted
//! sum of the channels. What we do differently: equation 2's ReLU is left to the reader of the map
//! ([`super::Map::positive`]), because the negative part shows what speaks against the class.

use super::{CamRow, How, Seen, over_channels};
use crate::VizError;
use tch::{Kind, Tensor};

pub(super) const ROW: CamRow = CamRow {
    name: "grad-cam",
    about: "channels weighted by the mean of their gradient",
    formula: "Σ_k mean(G_k) · A_k",
    cost: "1 forward, 1 backward",
    paper: "Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391",
    how: How::Tap(combine),
    forwards: |_| 3,
};

fn combine(seen: &Seen) -> Result<Tensor, VizError> {
    let weights = seen.gradient.mean_dim([2i64, 3].as_slice(), true, Kind::Float);
    Ok(over_channels(&(weights * seen.activation)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_papers_equations_by_hand() {
        // Two channels of 1 × 2; mean gradients 2 and -1.
        let activation = Tensor::from_slice(&[1.0f32, 3.0, 5.0, 7.0]).view([1, 2, 1, 2]);
        let gradient = Tensor::from_slice(&[0.0f32, 4.0, -1.0, -1.0]).view([1, 2, 1, 2]);
        let none = Tensor::from_slice(&[0.0f32]);
        let seen = Seen {
            tap: "t",
            is_last: false,
            activation: &activation,
            gradient: &gradient,
            classifier: &none,
            probability: &none,
        };
        let map = crate::cam::values(&combine(&seen).unwrap());
        assert_eq!(map, [2.0 * 1.0 - 5.0, 2.0 * 3.0 - 7.0]);
    }
}
