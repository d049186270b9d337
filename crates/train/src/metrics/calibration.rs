//! Whether a probability means what it says: pictures are sorted into bins by the probability of
//! the class that was said, and each bin's mean probability is held against its share of right
//! answers (Guo et al. 2017, *On Calibration of Modern Neural Networks*, arXiv:1706.04599,
//! equations 2 and 3, with their 15 bins of equal width).

use super::predicted;

/// Bins of equal width, each with its lower edge and without its upper.
pub const BINS: usize = 15;

/// One answer: the probability of the class that was said, and whether it was right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// 1/K to 1.
    pub sureness: f64,
    /// The class that was said is the label.
    pub right: bool,
}

/// A bin that holds answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// Mean over its answers.
    pub sureness: f64,
    /// Share of its answers.
    pub right: f64,
    /// How many there are.
    pub answers: usize,
}

/// The answers of `probabilities [N][K]` about pictures of `labels [N]`.
pub fn answers(probabilities: &[Vec<f32>], labels: &[u32]) -> Vec<Answer> {
    let answer = |(row, label): (&Vec<f32>, &u32)| {
        let said = predicted(row);
        Answer { sureness: f64::from(row[said as usize]), right: said == *label }
    };
    probabilities.iter().zip(labels).map(answer).collect()
}

/// Every bin that holds answers, from doubtful to sure.
pub fn bins(answers: &[Answer]) -> Vec<Bin> {
    let bin = |answer: &Answer| ((answer.sureness * BINS as f64) as usize).min(BINS - 1);
    let of_bin = |place: usize| {
        let inside: Vec<&Answer> = answers.iter().filter(|answer| bin(answer) == place).collect();
        let count = inside.len() as f64;
        let right = inside.iter().filter(|answer| answer.right).count();
        Bin {
            sureness: inside.iter().map(|answer| answer.sureness).sum::<f64>() / count,
            right: right as f64 / count,
            answers: inside.len(),
        }
    };
    (0..BINS).map(of_bin).filter(|bin| bin.answers > 0).collect()
}

/// The expected calibration error: the mean gap between probability and share right, over the
/// answers; 0 without any.
pub fn calibration_error(answers: &[Answer]) -> f64 {
    let gap = |bin: Bin| (bin.sureness - bin.right).abs() * bin.answers as f64;
    bins(answers).into_iter().map(gap).sum::<f64>() / (answers.len() as f64).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_as_often_right_as_he_says_has_no_calibration_error() {
        let answers = |sureness| -> Vec<Answer> {
            (0..100).map(|i| Answer { sureness, right: i < 75 }).collect()
        };
        assert!(calibration_error(&answers(0.75)) < 1e-12, "honest");
        assert!((calibration_error(&answers(0.99)) - 0.24).abs() < 1e-12, "boastful");
        assert_eq!(calibration_error(&[]), 0.0);
    }
}
