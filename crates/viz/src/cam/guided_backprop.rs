//! Guided backpropagation: Springenberg et al. 2015, "Striving for Simplicity: The All
//! Convolutional Net", <https://arxiv.org/abs/1412.6806>, §3.4.
//!
//! The score's gradient at the picture, with its negative part cut off at every ReLU on its way
//! back; signed, the colours added up. Sharp, but Adebayo et al. 2018
//! (<https://arxiv.org/abs/1810.03292>) found that it hardly changes when the weights are drawn
//! anew: see the sanity check before believing it.
//!
//! tch has no hooks, so the graph is cut at each ReLU and walked back piece by piece. Where pieces
//! share layers (dense blocks) a shared layer's backward runs once for each, about four times in
//! all for DenseNet-121.

use super::passes::Asked;
use super::score::class_scores;
use super::{CamRow, How, over_channels};
use crate::VizError;
use catscan_models::{Cut, Mode, Taps};
use tch::{Kind, Tensor};

pub(super) const ROW: CamRow = CamRow {
    name: "guided-backprop",
    about: "the gradient at the pixels, negative parts cut off at every ReLU",
    formula: "Σ_c ∂score/∂x, with relu(G) passed back at every ReLU",
    cost: "1 forward, about 4 backwards",
    paper: "Springenberg et al. 2015, https://arxiv.org/abs/1412.6806",
    how: How::Input(map),
    forwards: |_| 9,
};

fn map(asked: &Asked) -> Result<Tensor, VizError> {
    tch::with_grad(|| {
        let x = asked.batch.detach().set_requires_grad(true);
        let mut taps = Taps::cutting();
        let logits = asked.model.forward(&x, Mode::Eval, &mut taps);
        let score = class_scores(&logits, asked.classes)?.sum(Kind::Float);
        let cuts = taps.cuts();
        // The picture is the first leaf, then each ReLU's output in forward order.
        let leaves: Vec<&Tensor> =
            std::iter::once(&x).chain(cuts.iter().map(|cut| &cut.after)).collect();
        let mut gradients: Vec<Tensor> = leaves.iter().map(|leaf| leaf.zeros_like()).collect();
        add_back(score, &leaves, &mut gradients)?;
        for (i, Cut { before, .. }) in cuts.iter().enumerate().rev() {
            // All that comes after this ReLU has been walked: its gradient is whole.
            let passed = gradients[i + 1].relu() * before.gt(0.0).to_kind(before.kind());
            let root = (before * passed).sum(before.kind());
            add_back(root, &leaves[..=i], &mut gradients)?;
        }
        Ok(over_channels(&gradients[0].to_kind(Kind::Float)))
    })
}

/// Adds the gradients of `root` at the leaves it comes from.
fn add_back(root: Tensor, leaves: &[&Tensor], gradients: &mut [Tensor]) -> Result<(), VizError> {
    let found = Tensor::f_run_backward(&[root], leaves, true, false)
        .map_err(|source| VizError::Torch { place: "guided backpropagation", source })?;
    for (sum, gradient) in gradients.iter_mut().zip(found).filter(|(_, found)| found.defined()) {
        *sum += gradient;
    }
    Ok(())
}
