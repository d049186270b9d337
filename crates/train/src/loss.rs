//! The loss and what it is read from: one logit for two classes, K logits for K.
//!
//! A model is *judged* by the plain cross-entropy ([`mean`], [`sum`]). It may be *trained* by
//! another ([`Loss`]): with smoothed labels (Szegedy et al. 2016, arXiv:1512.00567, section 7) and
//! with weighted classes. With log-probabilities `l`, label `y`, smoothing `e`, weights `w`:
//!
//! `loss = Σᵢ [(1 − e)·w(yᵢ)·(−lᵢ(yᵢ)) + e/K · Σ_c w(c)·(−lᵢ(c))] / Σᵢ w(yᵢ)`
//!
//! which is `torch.nn.functional.cross_entropy(label_smoothing, weight)`. **One logit `z` counts as
//! the two logits `0, z`**, so that `K` is 2 and both spellings of a network of two classes learn
//! from the same numbers: smoothing moves the target of the binary cross-entropy from `y` to
//! `(1 − e)·y + e/2`.

use tch::{Kind, Reduction, Tensor};

mod weights;

pub use weights::ClassWeights;

/// What the logits of a batch are held against.
#[derive(Debug)]
pub struct Targets {
    /// `[N]` i64.
    pub labels: Tensor,
    /// Where pictures are mixed.
    pub mixed: Option<Mixed>,
}

/// The other half of mixed pictures, as `catscan_data`'s mixing leaves them (Zhang et al. 2018).
#[derive(Debug)]
pub struct Mixed {
    /// `[N]` f32: how much of each is its own label's.
    pub own: Tensor,
    /// `[N]` i64: whose the rest is.
    pub other: Tensor,
}

impl Targets {
    /// Of pictures of which `own [N]` is their own label's and the rest the label's of the picture
    /// before them in the batch, the first's of the last.
    pub fn new(labels: Tensor, own: Option<Tensor>) -> Targets {
        let mixed = own.map(|own| Mixed { own, other: labels.roll([1], [0]) });
        Targets { labels, mixed }
    }

    /// Those of a stretch of the batch.
    pub fn narrow(&self, start: i64, length: i64) -> Targets {
        let part = |tensor: &Tensor| tensor.narrow(0, start, length);
        let mixed = |mixed: &Mixed| Mixed { own: part(&mixed.own), other: part(&mixed.other) };
        Targets { labels: part(&self.labels), mixed: self.mixed.as_ref().map(mixed) }
    }
}

/// What a network is trained by.
#[derive(Debug)]
pub struct Loss {
    /// 0 to below 1; 0 believes every label.
    pub label_smoothing: f64,
    /// `[K]` f32; `None`: every class counts alike.
    pub class_weights: Option<Tensor>,
}

impl Loss {
    /// Mean over the batch, nats. `logits [N, 1 | K]` -> `[]`.
    pub fn mean(&self, logits: &Tensor, targets: &Targets) -> Tensor {
        if targets.mixed.is_none() && self.is_plain() {
            return mean(logits, &targets.labels);
        }
        let own = self.each(logits, &targets.labels);
        let each = match &targets.mixed {
            None => own,
            Some(mixed) => own * &mixed.own + self.each(logits, &mixed.other) * (1f64 - &mixed.own),
        };
        match self.counted(targets) {
            None => each.mean(Kind::Float),
            Some(counted) => each.sum(Kind::Float) / counted.sum(Kind::Float),
        }
    }

    /// How much of the batch's mean a part of it makes, `[]`: of [`Targets::narrow`].
    pub fn share(&self, part: &Targets, whole: &Targets) -> Tensor {
        let total = |targets: &Targets| match self.counted(targets) {
            None => targets.labels.ones_like().sum(Kind::Float),
            Some(counted) => counted.sum(Kind::Float),
        };
        total(part) / total(whole)
    }

    fn is_plain(&self) -> bool {
        self.label_smoothing == 0.0 && self.class_weights.is_none()
    }

    /// The weight of each picture's label `[N]`, where classes are weighted.
    fn counted(&self, targets: &Targets) -> Option<Tensor> {
        let of_class = self.class_weights.as_ref()?;
        let own = of_class.index_select(0, &targets.labels);
        Some(match &targets.mixed {
            None => own,
            Some(mixed) => {
                let other = of_class.index_select(0, &mixed.other);
                own * &mixed.own + other * (1f64 - &mixed.own)
            }
        })
    }

    /// `[N]`, the numerator of each picture.
    fn each(&self, logits: &Tensor, labels: &Tensor) -> Tensor {
        if self.is_plain() {
            return reduced(logits, labels, Reduction::None).reshape([-1]);
        }
        let surprise = -log_probabilities(logits);
        let weighted = match &self.class_weights {
            Some(weights) => surprise * weights,
            None => surprise,
        };
        let said = weighted.gather(1, &labels.unsqueeze(1), false).squeeze_dim(1);
        let classes = weighted.size()[1] as f64;
        let all = weighted.sum_dim_intlist(1, false, Kind::Float);
        said * (1.0 - self.label_smoothing) + all * (self.label_smoothing / classes)
    }
}

/// Mean cross-entropy in nats. `logits [N, 1]` (class 1's log-odds) or `[N, K]`, `labels [N]` i64.
pub fn mean(logits: &Tensor, labels: &Tensor) -> Tensor {
    reduced(logits, labels, Reduction::Mean)
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
        log_probabilities(logits).g_nll_loss(
            labels,
            None::<&Tensor>,
            reduction,
            no_label_is_skipped,
        )
    }
}

/// `logits [N, 1 | K] -> [N, 2 | K]`.
fn log_probabilities(logits: &Tensor) -> Tensor {
    if one_logit(logits) {
        Tensor::cat(&[(-logits).log_sigmoid(), logits.log_sigmoid()], 1)
    } else {
        logits.log_softmax(1, Kind::Float)
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
    use catscan_models::probabilities;

    use super::*;

    const PLAIN: Loss = Loss { label_smoothing: 0.0, class_weights: None };

    fn gap(first: &Tensor, second: &Tensor) -> f64 {
        (first - second).abs().max().double_value(&[])
    }

    fn logits() -> Tensor {
        Tensor::arange(9, (Kind::Float, tch::Device::Cpu)).sin().view([3, 3])
    }

    #[test]
    fn one_logit_is_the_difference_of_two() {
        let logit = Tensor::from_slice(&[0.3f32, -2.0, 5.0]).unsqueeze(1);
        let two = Tensor::cat(&[logit.zeros_like(), logit.shallow_clone()], 1);
        let labels = Tensor::from_slice(&[1i64, 0, 0]);
        assert!(gap(&mean(&logit, &labels), &mean(&two, &labels)) < 1e-6);
        assert!(gap(&probabilities(&logit), &probabilities(&two)) < 1e-6);
        let count = |logits| right(logits, &labels).int64_value(&[]);
        assert_eq!((count(&logit), count(&two)), (2, 2));
        let class_weights = Some(Tensor::from_slice(&[2f32, 0.5]));
        let loss = Loss { label_smoothing: 0.2, class_weights };
        let targets = Targets::new(labels, None);
        assert!(gap(&loss.mean(&logit, &targets), &loss.mean(&two, &targets)) < 1e-6);
    }

    #[test]
    fn smoothing_moves_the_target_of_one_logit() {
        let logit = Tensor::from_slice(&[0.3f32, -2.0]).unsqueeze(1);
        let loss = Loss { label_smoothing: 0.1, class_weights: None };
        let got = loss.mean(&logit, &Targets::new(Tensor::from_slice(&[1i64, 0]), None));
        let target = Tensor::from_slice(&[0.95f32, 0.05]).unsqueeze(1);
        let none = None::<&Tensor>;
        let want = logit.binary_cross_entropy_with_logits(&target, none, none, Reduction::Mean);
        assert!(gap(&got, &want) < 1e-6);
    }

    #[test]
    fn mixed_pictures_have_both_labels_by_their_shares() {
        let logits = logits();
        let labels = Tensor::from_slice(&[0i64, 2, 1]);
        let before = Tensor::from_slice(&[1i64, 0, 2]);
        let all = Tensor::from_slice(&[1f32, 1.0, 1.0]);
        let mixed = |own: Tensor| PLAIN.mean(&logits, &Targets::new(labels.copy(), Some(own)));
        assert!(gap(&mixed(all.copy()), &mean(&logits, &labels)) < 1e-6);
        assert!(gap(&mixed(&all * 0.0), &mean(&logits, &before)) < 1e-6);
        let half = (mean(&logits, &labels) + mean(&logits, &before)) * 0.5;
        assert!(gap(&mixed(&all * 0.5), &half) < 1e-6);
    }

    #[test]
    fn parts_by_their_shares_make_the_whole() {
        let logits = logits();
        let own = Tensor::from_slice(&[0.25f32, 1.0, 0.5]);
        let class_weights = Some(Tensor::from_slice(&[3f32, 1.0, 0.2]));
        for loss in [PLAIN, Loss { label_smoothing: 0.1, class_weights }] {
            for own in [None, Some(own.copy())] {
                let whole = Targets::new(Tensor::from_slice(&[0i64, 2, 1]), own);
                let parts = [(0, 1), (1, 2)].map(|(start, length)| {
                    let part = whole.narrow(start, length);
                    loss.mean(&logits.narrow(0, start, length), &part) * loss.share(&part, &whole)
                });
                let [first, second] = parts;
                assert!(gap(&(first + second), &loss.mean(&logits, &whole)) < 1e-6, "{loss:?}");
            }
        }
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
        let smoothed = Loss { label_smoothing: 0.1, class_weights: None };
        let loss = smoothed.mean(&logits, &Targets::new(labels, None));
        assert!((loss.double_value(&[]) - 100.0).abs() < 1e-3, "{loss:?}");
    }
}
