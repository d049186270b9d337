//! The published study's own recipe, kept to be compared with: `(p − c) · (A · w)`, where w are the
//! means over space of the gradient of the *probability* p (Keras' networks end in the sigmoid),
//! and c is the threshold between the classes, one half.
//!
//! No ReLU. Both factors change sign with the class, so both classes get the same map: it says how
//! far the answer is from undecided, and where. Because the gradient of a sigmoid vanishes where
//! the network is sure, the surer it is, the fainter the map. The study drew its two arms at
//! different layers and cut each at a threshold of its own; ours cuts nothing. The study's network
//! has one logit. With several, p is the class's softmax, whose gradient all logits have a part in;
//! c stays one half, and each class has a map of its own.

use super::{CamRow, How, Seen, over_channels};
use crate::VizError;
use tch::{Kind, Tensor};

/// Where the study's two classes meet.
const THRESHOLD: f64 = 0.5;

pub(super) const ROW: CamRow = CamRow {
    name: "original",
    about: "the published pooling study's own recipe, for comparison",
    formula: "(p − ½) · Σ_k mean(∂p/∂A_k) · A_k",
    cost: "1 forward, 1 backward",
    paper: "the published study's notebook, its Grad-CAM cells",
    how: How::Probability(combine),
    forwards: |_| 3,
};

fn combine(seen: &Seen) -> Result<Tensor, VizError> {
    let p = seen.probability.view([-1, 1, 1]);
    let weights = seen.gradient.mean_dim([2i64, 3].as_slice(), true, Kind::Float);
    Ok((p - THRESHOLD) * over_channels(&(weights * seen.activation)))
}
