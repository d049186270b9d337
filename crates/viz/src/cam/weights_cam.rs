//! CAM: Zhou et al. 2016, "Learning Deep Features for Discriminative Localization",
//! <https://arxiv.org/abs/1512.04150>, equation 2.
//!
//! The last block's channels weighted by the classifier's weights for the class: no gradient. It is
//! defined there only, and only where one number a channel reaches a linear classifier. The pool
//! stands behind a ReLU in all our networks, so the channels are taken behind it (a norm's output
//! is shown before it; elsewhere the ReLU changes nothing). With a head that does not average, such
//! as max pooling, it is still the weighted sum, but no longer a decomposition of the score.

use super::{CamRow, How, Seen, over_channels};
use crate::VizError;
use tch::Tensor;

pub(super) const ROW: CamRow = CamRow {
    name: "cam",
    about: "the last block's channels weighted by the classifier; no gradient",
    formula: "Σ_k w_k · relu(A_k), w the classifier's",
    cost: "1 forward",
    paper: "Zhou et al. 2016, https://arxiv.org/abs/1512.04150",
    how: How::Tap(combine),
    forwards: |_| 3,
};

fn combine(seen: &Seen) -> Result<Tensor, VizError> {
    let (channels, weights) = (seen.activation.size()[1], seen.classifier.size()[1]);
    if !seen.is_last || channels != weights {
        return Err(VizError::Shape {
            place: format!("cam at {}", seen.tap),
            got: format!("{channels} channels"),
            want: format!("the last block, and one channel for each of {weights} weights"),
            next: "leave out --at, or choose a method that works at every depth",
        });
    }
    let weights = seen.classifier.unsqueeze(-1).unsqueeze(-1);
    Ok(over_channels(&(weights * seen.activation.relu())))
}
