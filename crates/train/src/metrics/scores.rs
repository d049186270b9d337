//! All that is usually asked of a classifier, from its probabilities: for all classes together and
//! for each. The definitions are scikit-learn's, whose values the golden holds
//! (`scripts/golden/metrics.py`).
//!
//! For a class, with `tp`, `fp`, `fn` pictures rightly, wrongly, and not said to be of it:
//! precision `tp / (tp + fp)`, recall `tp / (tp + fn)`, F1 `2·tp / (2·tp + fp + fn)`. **Where
//! nothing was said to be of a class its precision is not defined**: it is absent here, where
//! scikit-learn gives 0 and a warning; a mean over classes takes it as 0, as scikit-learn does. **A
//! class that has no pictures, and which nothing was said to be of, is in no mean**: scikit-learn
//! does not know of it. Of equal probabilities the first class is the answer, in the top five too,
//! where scikit-learn's `top_k_accuracy_score` takes the last. The calibration error is not
//! scikit-learn's, which has none: [`calibration_error`] says whose.

use serde::{Deserialize, Serialize};

use super::{accuracy, answers, calibration_error, confusion, log_loss};

/// How many classes of the most probable [`Scores::top_k_accuracy`] looks at.
pub const TOP_K: usize = 5;

/// What `N` pictures' probabilities are worth. Shares are 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// Share whose most probable class is their label.
    pub accuracy: f64,
    /// Share whose label is among the [`TOP_K`] most probable; `None` where there are no more.
    pub top_k_accuracy: Option<f64>,
    /// Mean recall over the classes that have pictures, so that a rare one counts as much.
    pub balanced_accuracy: f64,
    /// Mean over the classes that have pictures, or that something was said to be of.
    pub macro_precision: f64,
    /// Over the same classes.
    pub macro_recall: f64,
    /// Over the same classes.
    pub macro_f1: f64,
    /// Of two classes: of the second. Of more: the mean of each against the rest. `None` where a
    /// class has no pictures.
    pub roc_auc: Option<f64>,
    /// Mean cross-entropy, nats.
    pub log_loss: f64,
    /// See [`calibration_error`].
    pub calibration_error: f64,
    /// `[K]`.
    pub classes: Vec<ClassScores>,
}

/// The same of one class against the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassScores {
    /// Its name.
    pub class: String,
    /// Of this label.
    pub pictures: u64,
    /// Said to be of it.
    pub predicted: u64,
    /// `None` where nothing was said to be of it.
    pub precision: Option<f64>,
    /// `None` where it has no pictures.
    pub recall: Option<f64>,
    /// 0 where nothing is rightly said to be of it, though it be because there was nothing to say.
    pub f1: f64,
    /// Area under the curve of its probability; `None` without pictures of it, or of others.
    pub roc_auc: Option<f64>,
}

impl Scores {
    /// Of `probabilities [N][K]` and `labels [N]`; `classes [K]` are their names.
    pub fn of(probabilities: &[Vec<f32>], labels: &[u32], classes: &[String]) -> Scores {
        let counts = confusion(probabilities, labels, classes.len());
        let of_class = |(class, name): (usize, &String)| {
            let said: Vec<f32> = probabilities.iter().map(|row| row[class]).collect();
            let is: Vec<bool> = labels.iter().map(|label| *label as usize == class).collect();
            ClassScores::of(name, class, &counts, roc_auc(&said, &is))
        };
        let classes: Vec<ClassScores> = classes.iter().enumerate().map(of_class).collect();
        let met: Vec<&ClassScores> = classes.iter().filter(|class| class.is_met()).collect();
        let mean = |value: fn(&ClassScores) -> Option<f64>| {
            let sum: f64 = met.iter().map(|class| value(class).unwrap_or(0.0)).sum();
            sum / (met.len() as f64).max(1.0)
        };
        let recalls: Vec<f64> = classes.iter().filter_map(|class| class.recall).collect();
        let aucs: Option<Vec<f64>> = classes.iter().map(|class| class.roc_auc).collect();
        Scores {
            accuracy: accuracy(probabilities, labels),
            top_k_accuracy: (classes.len() > TOP_K)
                .then(|| top_k_accuracy(probabilities, labels, TOP_K)),
            balanced_accuracy: recalls.iter().sum::<f64>() / (recalls.len() as f64).max(1.0),
            macro_precision: mean(|class| class.precision),
            macro_recall: mean(|class| class.recall),
            macro_f1: mean(|class| Some(class.f1)),
            roc_auc: aucs.map(|aucs| match aucs[..] {
                [_, second] => second,
                _ => aucs.iter().sum::<f64>() / aucs.len() as f64,
            }),
            log_loss: log_loss(probabilities, labels),
            calibration_error: calibration_error(&answers(probabilities, labels)),
            classes,
        }
    }
}

impl ClassScores {
    /// Whether there is a picture of it, or one that was said to be.
    fn is_met(&self) -> bool {
        self.pictures + self.predicted > 0
    }

    fn of(name: &str, class: usize, counts: &[Vec<u64>], roc_auc: Option<f64>) -> ClassScores {
        let right = counts[class][class];
        let pictures: u64 = counts[class].iter().sum();
        let predicted: u64 = counts.iter().map(|row| row[class]).sum();
        let share = |of: u64| (of > 0).then(|| right as f64 / of as f64);
        ClassScores {
            class: name.to_owned(),
            pictures,
            predicted,
            precision: share(predicted),
            recall: share(pictures),
            f1: 2.0 * right as f64 / ((pictures + predicted) as f64).max(1.0),
            roc_auc,
        }
    }
}

/// Share of pictures whose label is among the `k` most probable classes; of equals the first come
/// first, so that `k` = 1 is [`accuracy`].
pub fn top_k_accuracy(probabilities: &[Vec<f32>], labels: &[u32], k: usize) -> f64 {
    let is_among = |(row, label): (&Vec<f32>, &u32)| {
        let label = *label as usize;
        let before =
            |(class, p): &(usize, &f32)| **p > row[label] || (**p == row[label] && *class < label);
        row.iter().enumerate().filter(before).count() < k
    };
    let among = probabilities.iter().zip(labels).filter(|pair| is_among(*pair)).count();
    among as f64 / (labels.len() as f64).max(1.0)
}

/// The chance that a picture that `is` of a class has a higher `said [N]` than one that is not,
/// equals counting half: the area under the ROC curve (Hanley & McNeil 1982). `None` where all are,
/// or none is.
pub fn roc_auc(said: &[f32], is: &[bool]) -> Option<f64> {
    let mut sorted: Vec<(f32, bool)> = said.iter().copied().zip(is.iter().copied()).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positive = is.iter().filter(|is| **is).count() as f64;
    let negative = is.len() as f64 - positive;
    if positive == 0.0 || negative == 0.0 {
        return None;
    }
    let (mut below, mut wins) = (0.0, 0.0);
    for equals in sorted.chunk_by(|a, b| a.0 == b.0) {
        let won = equals.iter().filter(|(_, is)| *is).count() as f64;
        let lost = equals.len() as f64 - won;
        wins += won * (below + lost / 2.0);
        below += lost;
    }
    Some(wins / (positive * negative))
}

#[cfg(test)]
mod tests {
    use super::super::predicted;
    use super::*;

    fn rows<const K: usize>(rows: &[[f32; K]]) -> Vec<Vec<f32>> {
        rows.iter().map(|row| row.to_vec()).collect()
    }

    #[test]
    fn what_was_never_said_has_no_precision() {
        let names = ["cat".to_owned(), "dog".to_owned()];
        let scores = Scores::of(&rows(&[[0.9, 0.1], [0.8, 0.2]]), &[0, 1], &names);
        let dog = &scores.classes[1];
        assert_eq!((dog.precision, dog.recall, dog.f1, dog.predicted), (None, Some(0.0), 0.0, 0));
        assert_eq!((scores.macro_precision, scores.roc_auc), (0.25, Some(1.0)));
        assert_eq!(scores.top_k_accuracy, None, "of two classes five are too many");
    }

    #[test]
    fn a_class_that_is_nowhere_lowers_no_mean() {
        let names = ["a", "b", "c"].map(str::to_owned);
        let scores = Scores::of(&rows(&[[0.9, 0.1, 0.0], [0.1, 0.8, 0.1]]), &[0, 1], &names);
        assert_eq!((scores.accuracy, scores.balanced_accuracy), (1.0, 1.0));
        let means = (scores.macro_precision, scores.macro_recall, scores.macro_f1);
        assert_eq!(means, (1.0, 1.0, 1.0));
        assert_eq!(scores.roc_auc, None);
        // Said once, it counts.
        let scores = Scores::of(&rows(&[[0.9, 0.1, 0.0], [0.1, 0.2, 0.7]]), &[0, 1], &names);
        assert_eq!((scores.macro_precision, scores.macro_recall), (1.0 / 3.0, 1.0 / 3.0));
        assert_eq!(Scores::of(&[], &[], &names).macro_f1, 0.0);
    }

    #[test]
    fn a_class_without_others_has_no_curve() {
        assert_eq!(roc_auc(&[0.1, 0.9], &[true, true]), None);
        assert_eq!(roc_auc(&[0.5, 0.5, 0.5], &[true, false, false]), Some(0.5));
        assert_eq!(roc_auc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]), Some(0.75));
    }

    #[test]
    fn the_first_of_equals_comes_first() {
        let rows = rows(&[[0.4, 0.4, 0.2]]);
        assert_eq!(predicted(&rows[0]), 0);
        assert_eq!(top_k_accuracy(&rows, &[0], 1), 1.0);
        assert_eq!(top_k_accuracy(&rows, &[1], 1), 0.0);
        assert_eq!(top_k_accuracy(&rows, &[1], 2), 1.0);
    }
}
