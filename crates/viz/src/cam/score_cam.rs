//! Score-CAM: Wang et al. 2020, "Score-CAM: Score-Weighted Visual Explanations for Convolutional
//! Neural Networks", <https://arxiv.org/abs/1910.01279>, algorithm 1.
//!
//! No gradient: each channel, enlarged (bilinear, half-pixel centres) and scaled to 0..=1, masks
//! the picture; its weight is the softmax over the channels of the scores the masked pictures get.
//! (The score of an empty picture, which the paper subtracts, cancels in the softmax.)

use super::passes::{Asked, runs};
use super::{CamRow, How, over_channels};
use crate::VizError;
use crate::batch_size::OF_MASKINGS;
use tch::{Kind, Tensor};

/// Keeps the scale of a flat channel finite; pytorch-grad-cam's value.
const TINY: f64 = 1e-8;
/// A channel that varies by less than this share of its size is flat: only rounding varies.
const FLAT: f64 = 1e-6;

pub(super) const ROW: CamRow = CamRow {
    name: "score-cam",
    about: "channels weighted by the score of the picture masked with them; no gradient",
    formula: "Σ_k softmax_k(score(x · scaled A_k)) · A_k",
    cost: "C forwards a picture and tap",
    paper: "Wang et al. 2020, https://arxiv.org/abs/1910.01279",
    how: How::Passes(map),
    forwards: |channels| channels,
};

fn map(asked: &Asked, _: &str, activation: &Tensor) -> Result<Tensor, VizError> {
    let (pictures, channels) = (activation.size()[0], activation.size()[1]);
    let size = &asked.batch.size()[2..];
    let weights = |n: i64| {
        let mut scores = Vec::new();
        for (first, count) in runs(channels, OF_MASKINGS) {
            let some = activation.narrow(0, n, 1).narrow(1, first, count);
            let masks = some.upsample_bilinear2d(size, false, None, None).transpose(0, 1);
            let (low, high) = (masks.amin([2i64, 3].as_slice(), true), masks.amax([2i64, 3], true));
            // A flat channel masks everything; without this its rounding would be blown up.
            let range = &high - &low;
            let shaped = range.gt_tensor(&(high.abs() * FLAT)).to_kind(Kind::Float);
            let masks = shaped * (masks - low) / (range + TINY); // [count, 1, H, W]
            scores.push(asked.scores_like(n as usize, &(asked.picture(n as usize) * masks))?);
        }
        Ok(Tensor::cat(&scores, 0).softmax(0, Kind::Float))
    };
    let weights: Vec<Tensor> = (0..pictures).map(weights).collect::<Result<_, VizError>>()?;
    let weights = Tensor::stack(&weights, 0).view([pictures, channels, 1, 1]);
    Ok(over_channels(&(weights * activation)))
}
