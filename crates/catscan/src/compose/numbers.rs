//! The sections of numbers: result, training curves, confusion, predictions, split.

use anyhow::Result;
use catscan_train::metrics;
use catscan_viz::chart::{self, ArmCurves, ArmScores, EpochPoint, PartCounts, Prediction};
use catscan_viz::report::{Block, Section};

use super::{FirstRun, section, table};
use crate::stats::{Comparison, Factorial};
use crate::study::{Run, Runs, Study, print};
use crate::table::Table;

/// What came out: arms, seeds, comparisons, runs.
pub fn result(study: &Study) -> Result<Section> {
    let n: u64 = study.split.counts.test.iter().sum();
    let arms = format!(
        "Each arm over its seeds, scored once on the same {n} test pictures; ± is half of the 95 % \
         interval over seeds. The difference is against the first arm, paired by seed."
    );
    Ok(section(
        "result",
        "Result",
        vec![
            table(print::arms(study), &arms),
            by_seed(study)?,
            Block::Paragraph(
                "A difference of test accuracy is claimed only where two intervals exclude zero: \
                 the one over seeds (Student's t: what would other seeds give?) and the one over \
                 pictures (bootstrap, 10,000 resamples: what would other test pictures give?). \
                 Of several comparisons Student's test over seeds must also hold after Holm's \
                 correction, or one in twenty would be found by chance. McNemar's exact test \
                 counts, seed by seed, the pictures that only the first or only the second arm got \
                 right (in brackets, first : second). The permutation test tries every way of \
                 signs of the seeds' differences; with two seeds it cannot fall below 0.5, with \
                 three 0.25, with six 0.03."
                    .into(),
            ),
            table(print::comparisons(study), "Differences in points, with 95 % intervals."),
            table(
                print::tests(study),
                "How often chance alone would give as much: over seeds by Student's t test, before \
                 and after Holm's correction, and by the permutation test; over pictures by \
                 McNemar's.",
            ),
            table(
                print::power(study),
                "What this design could have shown, in points: the true difference that seeds \
                 which differ as these do would find in 80 of 100 studies (t test at 5 %), and how \
                 many seeds would find 1 point. A claim also needs the interval over pictures, \
                 and of several arms Holm's correction. The deviation is itself an estimate: from \
                 three seeds it may be off by a factor of two.",
            ),
            table(print::cells(study), "Every run."),
        ],
    ))
}

/// Accuracies by seed and, beside them, each seed's own differences from the first arm.
fn by_seed(study: &Study) -> Result<Block> {
    let percent = |arm: &crate::study::ArmSummary| ArmScores {
        name: arm.arm.clone(),
        seeds: study
            .cells
            .iter()
            .filter(|cell| cell.arm == arm.arm)
            .map(|cell| (cell.seed, cell.accuracy * 100.0))
            .collect(),
        // Student's t knows no bounds, an accuracy does.
        interval: (arm.accuracy.interval)
            .map(|range| (range.low.max(0.0) * 100.0, range.high.min(1.0) * 100.0)),
    };
    let scores: Vec<ArmScores> = study.arms.iter().map(percent).collect();
    let mut panels =
        vec![chart::seed_points("Test accuracy by seed", "test accuracy (%)", &scores)?];
    let differences: Vec<ArmScores> = study.comparisons.iter().map(differences_of).collect();
    if !differences.is_empty() {
        let title = "Difference from the first arm by seed";
        panels.push(chart::seed_differences(title, "points of test accuracy", &differences)?);
    }
    Ok(Block::Chart {
        caption: "One point a seed; the tick is the mean, the bar its 95 % interval over seeds \
              (cut at 0 and 100 % where it is of an accuracy), none with a single \
              seed. Arms share each seed's initial weights (where shapes agree), order \
              and draws, so what tells them apart is the second chart: each seed's own \
              difference. Two arms whose points overlap in the first may well differ \
              there; a bar that crosses the dashed line at zero shows no difference \
              over seeds."
            .into(),
        panels,
    })
}

/// An arm's differences from the first arm, in points.
fn differences_of(comparison: &Comparison) -> ArmScores {
    let paired = &comparison.paired;
    ArmScores {
        name: paired.to_string(),
        seeds: paired.by_seed.iter().map(|(seed, d)| (*seed, 100.0 * d)).collect(),
        interval: (paired.difference.interval).map(|range| (100.0 * range.low, 100.0 * range.high)),
    }
}

/// Main effects and interactions, where the arms are every combination of some factors' levels.
pub fn factorial(found: &Factorial) -> Section {
    let factors = found.factors.join(", ");
    let n = found.seeds;
    let seeds = if n == 1 { "1 seed".to_owned() } else { format!("{n} seeds") };
    let cells = format!(
        "Every combination of {factors}: mean test accuracy over the {seeds} that finished in all \
         of them; ± is half of the 95 % interval over seeds."
    );
    let effects = format!(
        "{} Each is a contrast of the arms under one seed, then averaged over seeds. Each interval \
         is a 95 % one by itself: of many effects that are none, one in twenty would lie outside \
         one of them by chance.",
        print::UNDER_EFFECTS
    );
    section(
        "factorial",
        "Which factor does it",
        vec![
            Block::Paragraph(
                "Arms that differ in several things at once cannot tell which of them matters. \
                 Here every combination was trained, so each factor's own effect can be told from \
                 the others', and whether one's effect depends on another (an interaction)."
                    .into(),
            ),
            Block::List(found.effects.iter().map(|effect| effect.words.clone()).collect()),
            table(print::factorial_cells(found), &cells),
            table(print::effects(found), &effects),
        ],
    )
}

/// Loss and accuracy by epoch.
pub fn curves(study: &Study, runs: &Runs) -> Result<Section> {
    let series = |run: &Run| -> Vec<EpochPoint> { run.record.epochs.iter().map(point).collect() };
    let arms: Vec<ArmCurves> = study
        .arms
        .iter()
        .map(|arm| ArmCurves {
            name: arm.arm.clone(),
            seeds: runs.of(&arm.arm).map(series).collect(),
        })
        .collect();
    let panels = chart::curves(&arms)?;
    let caption = "Training and validation, mean over seeds; the band spans the lowest and the \
                   highest seed. Training values are those met while learning: augmented pictures, \
                   weights that still changed. Look for the gap between training and validation.";
    let chart =
        Block::Chart { caption: caption.into(), panels: vec![panels.loss, panels.accuracy] };
    Ok(section("curves", "Training curves", vec![chart]))
}

fn point(epoch: &catscan_train::EpochRecord) -> EpochPoint {
    EpochPoint {
        epoch: epoch.epoch,
        train_loss: epoch.train_loss,
        train_accuracy: epoch.train_accuracy,
        val_loss: epoch.val_loss,
        val_accuracy: epoch.val_accuracy,
    }
}

/// Who is taken for whom: all seeds of an arm together.
pub fn confusion(study: &Study, runs: &Runs) -> Result<Section> {
    let classes = &study.split.classes;
    let mut panels = Vec::new();
    let mut by_class =
        Table::new(&["arm", "class", "#precision, %", "#recall, %", "#F1, %", "#ROC-AUC"]);
    for arm in &study.arms {
        let pictures: Vec<_> = runs.of(&arm.arm).flat_map(|run| &run.test.pictures).collect();
        let labels: Vec<u32> = pictures.iter().map(|picture| picture.label).collect();
        let said: Vec<Vec<f32>> =
            pictures.iter().map(|picture| picture.probabilities.clone()).collect();
        let counts = metrics::confusion(&said, &labels, classes.len());
        panels.push(chart::confusion(&arm.arm, classes, &counts)?);
        for class in metrics::Scores::of(&said, &labels, classes).classes {
            let [name, _, _, scores @ ..] = print::class(&class);
            by_class.row([arm.arm.clone(), name].into_iter().chain(scores));
        }
    }
    let caption = "Test pictures by true class (rows) and predicted class (columns), all seeds of \
                   an arm added up. Look whether an arm errs on one side.";
    let chart = Block::Chart { caption: caption.into(), panels };
    let caption = "Each class against the rest, all seeds of an arm together. Precision: of the \
                   pictures predicted to be of the class, those that are; recall: of those that \
                   are, those predicted to be; F1: their harmonic mean; ROC-AUC: how often a \
                   picture of the class is given a higher probability of it than one that is not.";
    Ok(section("confusion", "Confusion", vec![chart, table(by_class, caption)]))
}

/// How sure each arm's first seed is, picture by picture.
pub fn predictions(study: &Study, shown: &[FirstRun]) -> Result<Section> {
    let mut panels = Vec::new();
    for FirstRun { run, .. } in shown {
        let prediction = |picture: &catscan_train::TestPicture| Prediction {
            name: picture.name.clone(),
            label: picture.label,
            probabilities: picture.probabilities.clone(),
        };
        let pictures: Vec<Prediction> = run.test.pictures.iter().map(prediction).collect();
        let title = run.name.to_string();
        panels.push(chart::prediction_scatter(&title, &study.split.classes, &pictures)?);
    }
    let caption = "Every test picture by its true class and the probability it was given. Points \
                   far on the wrong side are confident errors.";
    let chart = Block::Chart { caption: caption.into(), panels };
    Ok(section("predictions", "Predictions", vec![chart]))
}

/// How many pictures of each class each part holds.
pub fn split(study: &Study, runs: &Runs) -> Result<Section> {
    let counts = &study.split.counts;
    let part =
        |name: &str, counts: &[u64]| PartCounts { part: name.into(), counts: counts.to_vec() };
    let parts =
        [part("train", &counts.train), part("validation", &counts.val), part("test", &counts.test)];
    let svg = chart::split_bars("Pictures by part and class", &study.split.classes, &parts)?;
    let caption = format!(
        "The split of {}: drawn once by its own seed, the same for every arm and seed. Its digest \
         is {}.",
        study.source, study.split.data_digest
    );
    let mut blocks = vec![Block::Chart { caption, panels: vec![svg] }];
    blocks.extend(fractions(study, runs).map(Block::Paragraph));
    Ok(section("split", "Data", blocks))
}

/// In words, which arms are trained on a share of the training part only; the chart is the first
/// arm's.
fn fractions(study: &Study, runs: &Runs) -> Option<String> {
    let arms = study.arms.iter().filter_map(|arm| runs.first_of(&arm.arm));
    let splits: Vec<_> = arms.map(|run| (&run.name.arm, &run.record.split)).collect();
    if splits.iter().all(|(_, split)| split.train_left_out == 0) {
        return None;
    }
    let words = splits.iter().map(|(arm, split)| {
        let train: u64 = split.counts.train.iter().sum();
        format!("{arm} on {train} of {}", train + split.train_left_out)
    });
    let words = words.collect::<Vec<_>>().join(", ");
    Some(format!(
        "Not every arm is trained on the whole training part (data.train_fraction): {words}. A \
         smaller share lies within a larger one; validation and test are the same for all."
    ))
}
