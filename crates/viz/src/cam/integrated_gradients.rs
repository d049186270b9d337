//! Integrated gradients: Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks",
//! <https://arxiv.org/abs/1703.01365>, equations 1 and 3.
//!
//! The picture times its mean gradient on the straight way from an empty picture (zeros, in the
//! numbers the network sees) to it; summed over the colour channels, the map adds up to what the
//! picture's score is above the empty one's. The integral is the midpoint rule of [`STEPS`] steps.

use super::passes::Asked;
use super::{CamRow, How, over_channels};
use crate::VizError;
use tch::{Kind, Tensor};

/// The paper found 20 to 300 enough.
const STEPS: u32 = 32;

pub(super) const ROW: CamRow = CamRow {
    name: "integrated-gradients",
    about: "pixels times their mean gradient from an empty picture to this one",
    formula: "Σ_c x · mean_t ∂score/∂x at t·x, t midpoints of 32 steps",
    cost: "32 forwards, 32 backwards",
    paper: "Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365",
    how: How::Input(map),
    forwards: |_| 3 * STEPS as usize,
};

fn map(asked: &Asked) -> Result<Tensor, VizError> {
    let mut sum = asked.batch.zeros_like().to_kind(Kind::Float);
    for step in 0..STEPS {
        let share = (f64::from(step) + 0.5) / f64::from(STEPS);
        sum += asked.input_gradient(&(asked.batch * share))?;
    }
    Ok(over_channels(&(asked.batch * sum / f64::from(STEPS))))
}
