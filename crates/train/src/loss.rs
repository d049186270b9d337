//! The loss and what it is read from: one logit for two classes, K logits for K.

use tch::{Kind, Reduction, Tensor};

/// Mean cross-entropy in nats. `logits [N, 1]` (class 1's log-odds) or `[N, K]`, `labels [N]` i64.
pub fn mean(logits: &Tensor, labels: &Tensor) -> Tensor {
    reduced(logits, labels, Reduction::Mean)
}

/// [`mean`] over pictures of which `own [N]` is their own label's and the rest the label's of the
/// picture before them in the batch, as `catscan_data`'s mixing leaves them (Zhang et al. 2018).
pub fn mixed_mean(logits: &Tensor, labels: &Tensor, own: &Tensor) -> Tensor {
    let each = |labels: &Tensor| reduced(logits, labels, Reduction::None).reshape([-1]);
    let other = each(&labels.roll([1], [0]));
    (each(labels) * own + other * (1f64 - own)).mean(Kind::Float)
}

/// The sum over the batch, for exact means over many batches.
pub fn sum(logits: &Tensor, labels: &Tensor) -> Tensor {
    reduced(logits, labels, Reduction::Sum)
}

fn reduced(logits: &Tensor, labels: &Tensor, reduction: Reduction) -> Tensor {
    if one_logit(logits) {
        let target = labels.to_kind(Kind::Float).unsqueeze(1);
        // From the logit, not the probability: finite however sure the model is.
        logits.binary_cross_entropy_with_logits(
            &target,
            None::<&Tensor>,
            None::<&Tensor>,
            reduction,
        )
    } else {
        let no_label_is_skipped = -100;
        let log_probabilities = logits.log_softmax(1, Kind::Float);
        log_probabilities.g_nll_loss(labels, None::<&Tensor>, reduction, no_label_is_skipped)
    }
}

/// `logits [N, 1 | K] -> [N, 2 | K]` probabilities.
pub fn probabilities(logits: &Tensor) -> Tensor {
    if one_logit(logits) {
        // Two sigmoids, not 1 − p: a sure model's small probability keeps its digits.
        Tensor::cat(&[(-logits).sigmoid(), logits.sigmoid()], 1)
    } else {
        logits.softmax(1, Kind::Float)
    }
}

/// How many of the batch are right, `[]` i64, on the device.
pub fn right(logits: &Tensor, labels: &Tensor) -> Tensor {
    let predicted = if one_logit(logits) {
        logits.squeeze_dim(1).gt(0.0).to_kind(Kind::Int64)
    } else {
        logits.argmax(1, false)
    };
    predicted.eq_tensor(labels).sum(Kind::Int64)
}

fn one_logit(logits: &Tensor) -> bool {
    logits.size()[1] == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_logit_is_the_difference_of_two() {
        let logit = Tensor::from_slice(&[0.3f32, -2.0, 5.0]).unsqueeze(1);
        let two = Tensor::cat(&[logit.zeros_like(), logit.shallow_clone()], 1);
        let labels = Tensor::from_slice(&[1i64, 0, 0]);
        let gap = (mean(&logit, &labels) - mean(&two, &labels)).abs().double_value(&[]);
        assert!(gap < 1e-6, "{gap}");
        let gap = (probabilities(&logit) - probabilities(&two)).abs().max().double_value(&[]);
        assert!(gap < 1e-6, "{gap}");
        let count = |logits| right(logits, &labels).int64_value(&[]);
        assert_eq!((count(&logit), count(&two)), (2, 2));
    }

    #[test]
    fn mixed_pictures_have_both_labels_by_their_shares() {
        let labels = Tensor::from_slice(&[0i64, 2, 1]);
        let logits = Tensor::arange(9, (Kind::Float, tch::Device::Cpu)).sin().view([3, 3]);
        let all = Tensor::from_slice(&[1f32, 1.0, 1.0]);
        let gap = mixed_mean(&logits, &labels, &all) - mean(&logits, &labels);
        assert!(gap.abs().double_value(&[]) < 1e-6);
        let none = &all * 0.0;
        let before = Tensor::from_slice(&[1i64, 0, 2]);
        let gap = mixed_mean(&logits, &labels, &none) - mean(&logits, &before);
        assert!(gap.abs().double_value(&[]) < 1e-6);
        let one = logits.narrow(1, 0, 1);
        let (labels, before) =
            (Tensor::from_slice(&[0i64, 1, 1]), Tensor::from_slice(&[1i64, 0, 1]));
        let half = mixed_mean(&one, &labels, &(&all * 0.5));
        let want = (mean(&one, &labels) + mean(&one, &before)) * 0.5;
        assert!((half - want).abs().double_value(&[]) < 1e-6);
    }

    #[test]
    fn sum_is_n_means_and_a_sure_mistake_is_finite() {
        let logits = Tensor::from_slice(&[200f32, -200.0]).unsqueeze(1);
        let labels = Tensor::from_slice(&[0i64, 0]);
        assert_eq!(mean(&logits, &labels).double_value(&[]), 100.0);
        assert_eq!(sum(&logits, &labels).double_value(&[]), 200.0);
        let probabilities = probabilities(&logits);
        assert!(probabilities.double_value(&[0, 0]) < 1e-30);
        assert_eq!(probabilities.double_value(&[1, 0]), 1.0);
    }
}
