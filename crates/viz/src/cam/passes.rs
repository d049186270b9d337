//! For methods that run the network more than once: scores and input gradients of any pictures.

use super::score::class_scores;
use crate::VizError;
use catscan_models::{Mode, Model, Taps};
use tch::{Kind, Tensor};

/// The network, the pictures, and the class asked of each.
pub(super) struct Asked<'a> {
    pub model: &'a Model,
    /// `[N, C, H, W]`.
    pub batch: &'a Tensor,
    /// One a picture.
    pub classes: &'a [i64],
    /// Each picture's score for its class, `[N]`.
    pub scores: Tensor,
}

impl<'a> Asked<'a> {
    /// `logits` are the batch's own.
    pub fn new(
        model: &'a Model,
        batch: &'a Tensor,
        classes: &'a [i64],
        logits: &Tensor,
    ) -> Result<Asked<'a>, VizError> {
        let scores = class_scores(logits, classes)?.detach();
        Ok(Asked { model, batch, classes, scores })
    }

    /// Picture `n` alone, `[1, C, H, W]`.
    pub fn picture(&self, n: usize) -> Tensor {
        self.batch.narrow(0, n as i64, 1)
    }

    /// The scores `[M]` of pictures `[M, C, H, W]` made of picture `n`.
    pub fn scores_like(&self, n: usize, x: &Tensor) -> Result<Tensor, VizError> {
        self.scores_seen(n, x, &mut Taps::off())
    }

    /// The same, with taps that look on or step in.
    pub fn scores_seen(&self, n: usize, x: &Tensor, taps: &mut Taps) -> Result<Tensor, VizError> {
        let logits = tch::no_grad(|| self.model.forward(x, Mode::Eval, taps));
        class_scores(&logits, &vec![self.classes[n]; x.size()[0] as usize])
    }

    /// The gradient of each one's own score at pictures `[N, C, H, W]`, one for each of the batch.
    pub fn input_gradient(&self, x: &Tensor) -> Result<Tensor, VizError> {
        tch::with_grad(|| {
            let x = x.detach().set_requires_grad(true);
            let logits = self.model.forward(&x, Mode::Eval, &mut Taps::off());
            let score = class_scores(&logits, self.classes)?.sum(Kind::Float);
            let gradients = Tensor::f_run_backward(&[score], &[x], false, false);
            let failed = |source| VizError::Torch { place: "backward pass", source };
            Ok(gradients.map_err(failed)?.remove(0))
        })
    }
}

/// `0..count` in runs of at most `size`: (first, length).
pub(super) fn runs(count: i64, size: i64) -> impl Iterator<Item = (i64, i64)> {
    (0..count).step_by(size as usize).map(move |first| (first, size.min(count - first)))
}
