//! How right the probabilities are: pure functions of `[N][K]` probabilities and `[N]` labels.
//! [`Scores`] is all of them at once.

use serde::{Deserialize, Serialize};

mod calibration;
mod scores;

pub use calibration::{Answer, Bin, answers, bins, calibration_error};
pub use scores::{ClassScores, Scores, TOP_K, roc_auc, top_k_accuracy};

/// The class with the largest probability; the first of equals.
pub fn predicted(probabilities: &[f32]) -> u32 {
    let mut best = 0;
    for (class, probability) in probabilities.iter().enumerate() {
        if *probability > probabilities[best] {
            best = class;
        }
    }
    best as u32
}

/// The share of pictures whose predicted class is their label; 0 without pictures.
pub fn accuracy(probabilities: &[Vec<f32>], labels: &[u32]) -> f64 {
    let right = probabilities.iter().zip(labels).filter(|(row, label)| predicted(row) == **label);
    right.count() as f64 / (labels.len() as f64).max(1.0)
}

/// `[K][K]` counts: row = label, column = predicted class.
pub fn confusion(probabilities: &[Vec<f32>], labels: &[u32], classes: usize) -> Vec<Vec<u64>> {
    let mut counts = vec![vec![0; classes]; classes];
    for (row, label) in probabilities.iter().zip(labels) {
        counts[*label as usize][predicted(row) as usize] += 1;
    }
    counts
}

/// Mean cross-entropy in nats. A probability that f32 rounded to zero counts as the smallest
/// normal f32 (1.2e-38), so that one sure mistake does not make the mean infinite; scikit-learn
/// counts it as the eps of the probabilities' own type (1.2e-7 for f32), which is milder.
pub fn log_loss(probabilities: &[Vec<f32>], labels: &[u32]) -> f64 {
    let sum: f64 = probabilities
        .iter()
        .zip(labels)
        .map(|(row, label)| -f64::from(row[*label as usize].max(f32::MIN_POSITIVE)).ln())
        .sum();
    sum / (labels.len() as f64).max(1.0)
}

/// Running sums of an epoch that is still open. Saved with a checkpoint, to the bit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// Over pictures, not batches, nats; so a short batch weighs what it holds.
    pub loss_sum: f64,
    /// Pictures whose predicted class was their label.
    pub right: u64,
    /// Pictures met, augmented copies counted each time.
    pub pictures: u64,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Taking steps.
    pub step_seconds: f64,
    /// Not part of `step_seconds`.
    pub seconds_waiting_for_data: f64,
}

impl Tally {
    /// A step on `pictures` pictures, `right` of them right, with `mean_loss` (nats) over them, at
    /// rate `lr`.
    pub fn add(&mut self, mean_loss: f64, right: u64, pictures: u64, lr: f64) {
        self.loss_sum += mean_loss * pictures as f64;
        self.right += right;
        self.pictures += pictures;
        self.lr = lr;
    }

    /// Mean over the pictures met so far; 0 before the first.
    pub fn loss(&self) -> f64 {
        self.loss_sum / (self.pictures as f64).max(1.0)
    }

    /// 0 to 1; 0 before the first picture.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / (self.pictures as f64).max(1.0)
    }

    /// Without the time spent waiting for data.
    pub fn images_per_s(&self) -> f64 {
        if self.step_seconds > 0.0 { self.pictures as f64 / self.step_seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn four() -> (Vec<Vec<f32>>, Vec<u32>) {
        let rows = [[0.9f32, 0.1], [0.2, 0.8], [0.5, 0.5], [0.4, 0.6]];
        (rows.map(|row| row.to_vec()).to_vec(), vec![0, 1, 1, 0])
    }

    #[test]
    fn counts_by_label_and_prediction() {
        let (rows, labels) = four();
        assert_eq!(accuracy(&rows, &labels), 0.5);
        assert_eq!(confusion(&rows, &labels, 2), [[1, 1], [1, 1]]);
        assert_eq!(accuracy(&[], &[]), 0.0);
    }

    #[test]
    fn log_loss_is_the_mean_of_minus_the_logarithm() {
        let (rows, labels) = four();
        let by_hand = -(0.9f64.ln() + 0.8f64.ln() + 0.5f64.ln() + 0.4f64.ln()) / 4.0;
        assert!((log_loss(&rows, &labels) - by_hand).abs() < 1e-6);
        assert!(log_loss(&[vec![1.0, 0.0]], &[1]).is_finite());
    }

    #[test]
    fn short_batches_weigh_what_they_hold() {
        let mut tally = Tally::default();
        tally.add(1.0, 1, 4, 0.1);
        tally.add(4.0, 2, 2, 0.05);
        assert_eq!((tally.loss(), tally.accuracy(), tally.lr), (2.0, 0.5, 0.05));
    }
}
