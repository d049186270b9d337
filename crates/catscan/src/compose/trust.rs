//! How far an arm's probabilities can be trusted: whether its accuracy is what its confidence
//! promises (calibration), and what is gained by leaving the doubtful pictures to a person
//! (selective accuracy). All seeds of an arm together.

use anyhow::Result;
use catscan_train::TestPicture;
use catscan_train::metrics::{Answer, bins, calibration_error};
use catscan_viz::chart::{Axes, Line, lines};
use catscan_viz::report::{Block, Section};

use super::{section, table};
use crate::study::{Run, Runs, Study};
use crate::table::Table;

/// Parts of the pictures for the curve of selective accuracy.
const PARTS: usize = 20;

/// The section, with a line an arm in each of two charts.
pub fn trust(study: &Study, runs: &Runs) -> Result<Section> {
    let mut rows = Table::new(&[
        "arm",
        "#mean confidence, %",
        "#accuracy, %",
        "#calibration error, %",
        "#Brier score",
        "#accuracy at 90 % coverage",
        "#accuracy at 80 % coverage",
        "#accuracy at 50 % coverage",
    ]);
    let (mut reliability, mut selective) = (Vec::new(), Vec::new());
    for arm in &study.arms {
        let of_arm: Vec<&Run> = runs.of(&arm.arm).collect();
        let answers = answers(&of_arm);
        let at = |coverage: f64| format!("{:.2}", 100.0 * selective_accuracy(&answers, coverage));
        rows.row([
            arm.arm.clone(),
            format!("{:.1}", 100.0 * mean(answers.iter().map(|answer| answer.sureness))),
            format!("{:.1}", 100.0 * selective_accuracy(&answers, 1.0)),
            format!("{:.1}", 100.0 * calibration_error(&answers)),
            format!("{:.4}", brier(of_arm.iter().flat_map(|run| &run.test.pictures))),
            at(0.9),
            at(0.8),
            at(0.5),
        ]);
        let points =
            bins(&answers).into_iter().map(|bin| (100.0 * bin.sureness, 100.0 * bin.right));
        reliability.push(Line { name: arm.arm.clone(), seed: None, points: points.collect() });
        let part = |i: usize| i as f64 / PARTS as f64;
        let point = |i| (100.0 * part(i), 100.0 * selective_accuracy(&answers, part(i)));
        let points = (1..=PARTS).map(point);
        selective.push(Line { name: arm.arm.clone(), seed: None, points: points.collect() });
    }
    let confidence = Axes { x: "confidence, %", diagonal: true };
    let coverage = Axes { x: "coverage, %", diagonal: false };
    let chart = Block::Chart {
        caption:
            "Left, a reliability diagram: accuracy by confidence, which is the probability of the \
                  predicted class; on the dashed line the one is what the other promises, below it \
                  the arm is overconfident. Right: accuracy where only the pictures of highest \
                  confidence are classified, by the share of them (the coverage); a line that \
                  rises to the left says that its doubt is worth something."
                .into(),
        panels: vec![
            lines("Accuracy by confidence, %", confidence, &reliability)?,
            lines("Accuracy by coverage, %", coverage, &selective)?,
        ],
    };
    let caption = "All seeds of an arm together: mean confidence, accuracy on all pictures, and \
                   accuracy (%) on the 90, 80 and 50 % of highest confidence. Calibration error: \
                   the mean gap between confidence and accuracy over 15 bins (Guo et al. 2017), \
                   each by its pictures; Brier score: the \
                   squared error of the probabilities, added up over the classes (Brier 1950), \
                   mean over pictures: 0 is perfect, 2 is sure of what is wrong. Two classes count \
                   twice: halve it to compare it with a score of the second class alone.";
    Ok(section(
        "trust",
        "How far their probabilities can be trusted",
        vec![chart, table(rows, caption)],
    ))
}

fn answers(runs: &[&Run]) -> Vec<Answer> {
    runs.iter().flat_map(|run| run.test.answers()).collect()
}

/// Brier's score (1950, "Verification of forecasts expressed in terms of probability", equation 2):
/// the squared distance between the probabilities and the truth, added up over the classes, mean
/// over pictures; 0 is perfect, 2 is sure of what is wrong. Often half of it is given where there
/// are two classes; here it is the same for any number of them.
fn brier<'a>(pictures: impl Iterator<Item = &'a TestPicture>) -> f64 {
    mean(pictures.map(|picture| {
        let error = |(class, p): (usize, &f32)| {
            let truth = if class as u32 == picture.label { 1.0 } else { 0.0 };
            (f64::from(*p) - truth).powi(2)
        };
        picture.probabilities.iter().enumerate().map(error).sum::<f64>()
    }))
}

/// Accuracy on the `coverage` of the answers with the highest confidence, at least one.
fn selective_accuracy(answers: &[Answer], coverage: f64) -> f64 {
    let mut sorted = answers.to_vec();
    sorted.sort_by(|a, b| b.sureness.total_cmp(&a.sureness));
    let count = ((coverage * sorted.len() as f64).round() as usize).max(1);
    mean(sorted.iter().take(count).map(|answer| f64::from(u8::from(answer.right))))
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, n), value| (sum + value, n + 1));
    sum / f64::from(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(sureness: f64, right: bool) -> Answer {
        Answer { sureness, right }
    }

    #[test]
    fn briers_score_is_by_hand_for_two_classes_and_for_three() {
        let picture = |label: u32, probabilities: &[f32]| TestPicture {
            name: "a".into(),
            label,
            probabilities: probabilities.to_vec(),
        };
        let two = [picture(1, &[0.25, 0.75]), picture(0, &[0.5, 0.5])];
        assert_eq!(brier(two.iter()), (2.0 * 0.0625 + 2.0 * 0.25) / 2.0);
        // 0.5² + 0.25² + 0.25², and sure of what is wrong.
        let three = [picture(0, &[0.5, 0.25, 0.25]), picture(2, &[1.0, 0.0, 0.0])];
        assert_eq!(brier(three.iter()), (0.375 + 2.0) / 2.0);
    }

    #[test]
    fn the_most_confident_come_first() {
        let answers =
            [answer(0.6, false), answer(0.9, true), answer(0.8, true), answer(0.55, false)];
        assert_eq!([0.5, 1.0].map(|part| selective_accuracy(&answers, part)), [1.0, 0.5]);
    }
}
