//! Ablation-CAM: Desai & Ramaswamy 2020, "Ablation-CAM: Visual Explanations for Deep Convolutional
//! Network via Gradient-free Localization", WACV, equation 3.
//!
//! A channel's weight is the part of the score that is lost when the channel is set to zero. What
//! we do differently: the loss is divided by the score's size, not by the score, so that a picture
//! with a negative score is not drawn upside down. (pytorch-grad-cam sets a channel to a hugely
//! negative number where the tap has negative values; we set it to zero, as the paper does.)

use super::passes::{Asked, runs};
use super::{CamRow, How, over_channels};
use crate::VizError;
use crate::batch_size::OF_MASKINGS;
use catscan_models::Taps;
use tch::Tensor;

pub(super) const ROW: CamRow = CamRow {
    name: "ablation-cam",
    about: "channels weighted by what the score loses without them; no gradient",
    formula: "Σ_k ((score − score without A_k) / |score|) · A_k",
    cost: "C forwards a picture and tap",
    paper: "Desai & Ramaswamy 2020, https://doi.org/10.1109/WACV45572.2020.9093360",
    how: How::Passes(map),
    forwards: |channels| channels,
};

fn map(asked: &Asked, tap: &str, activation: &Tensor) -> Result<Tensor, VizError> {
    let (pictures, channels) = (activation.size()[0], activation.size()[1]);
    let one = Tensor::eye(channels, (activation.kind(), activation.device()));
    let all_but_one = (one.neg() + 1.0).view([channels, channels, 1, 1]);
    let weights = |n: i64| {
        let mut scores = Vec::new();
        for (first, count) in runs(channels, OF_MASKINGS) {
            let mut taps = Taps::scaling(tap, all_but_one.narrow(0, first, count));
            let x = asked.picture(n as usize).repeat([count, 1, 1, 1]);
            scores.push(asked.scores_seen(n as usize, &x, &mut taps)?);
        }
        let score = asked.scores.get(n);
        Ok((&score - Tensor::cat(&scores, 0)) / score.abs().clamp_min(1e-12))
    };
    let weights: Vec<Tensor> = (0..pictures).map(weights).collect::<Result<_, VizError>>()?;
    let weights = Tensor::stack(&weights, 0).view([pictures, channels, 1, 1]);
    Ok(over_channels(&(weights * activation)))
}
