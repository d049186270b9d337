//! Suspected mislabels: pictures of which a trained network, that was never fitted to them, is sure
//! that they are of another class.
//!
//! This crate knows no network: whoever has one gives its probabilities, and only for pictures it
//! was not trained on. Of its training pictures it would say what it was told,
//! wrong labels included.

use std::fmt::Write;

use serde::Serialize;

use super::Sheet;
use super::markdown::cell;
use crate::dataset::Dataset;
use crate::error::BadImage;

/// Least probability of another class at which a label is doubted. (Not a most of the label's own:
/// with many classes that is small where a network simply does not know.)
pub const SURE: f64 = 0.9;

/// Lines and small pictures in the report; the JSON has all.
const SHOWN: usize = 24;

/// Labels that one network doubts.
#[derive(Debug, PartialEq, Serialize)]
pub struct Suspects {
    /// Whose opinion it is.
    pub run: String,
    /// Pictures it was not trained on, all of which were asked about.
    pub asked: usize,
    /// Pictures it was trained on, of which nothing can be said.
    pub trained_on: usize,
    /// The surest first.
    pub pictures: Vec<Suspect>,
}

/// A picture whose label is doubted.
#[derive(Debug, PartialEq, Serialize)]
pub struct Suspect {
    /// Which.
    pub name: String,
    /// Its label.
    pub class: String,
    /// Of its label, 0 to 1.
    pub probability: f64,
    /// What the network takes it for.
    pub taken_for: String,
    /// Of that class, 0 to 1; at least [`SURE`].
    pub sure: f64,
    #[serde(skip)]
    sample: u32,
}

impl Suspects {
    /// `asked` are samples that the run was not trained on, each with its `[K]` probabilities.
    ///
    /// # Panics
    /// Where a sample has not one probability a class.
    pub fn of<'a>(
        dataset: &Dataset,
        run: &str,
        asked: impl IntoIterator<Item = (u32, &'a [f32])>,
    ) -> Suspects {
        let (mut count, mut pictures) = (0, Vec::new());
        for (i, probabilities) in asked {
            let (is, want) = (probabilities.len(), dataset.classes.len());
            assert_eq!(is, want, "{is} probabilities of picture {i}, want {want}");
            count += 1;
            let sample = &dataset.samples[i as usize];
            let best = (0..is).max_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
            let (Some(best), label) = (best, sample.label as usize) else { continue };
            let sure = f64::from(probabilities[best]);
            if best != label && sure >= SURE {
                pictures.push(Suspect {
                    name: sample.name.clone(),
                    class: dataset.classes[label].clone(),
                    probability: probabilities[label].into(),
                    taken_for: dataset.classes[best].clone(),
                    sure,
                    sample: i,
                });
            }
        }
        pictures.sort_by(|a, b| b.sure.total_cmp(&a.sure).then(a.sample.cmp(&b.sample)));
        let trained_on = dataset.samples.len() - count;
        Suspects { run: run.into(), asked: count, trained_on, pictures }
    }

    /// The surest ones side by side, in the order of the report.
    ///
    /// # Errors
    /// As [`Dataset::pixels`].
    pub fn sheet(&self, dataset: &Dataset) -> Result<Sheet, BadImage> {
        let shown = self.pictures.iter().take(SHOWN);
        let pictures = shown.map(|suspect| dataset.picture(suspect.sample).map(Some));
        Ok(Sheet::of(pictures.collect::<Result<_, _>>()?))
    }

    /// A part of the report, which names `sheet`, the contact sheet's file.
    pub fn markdown(&self, sheet: &str) -> String {
        let (n, percent) = (self.pictures.len(), 100.0 * SURE);
        let mut text = format!(
            "## Suspected mislabels\n\nOf the {} pictures that the run {} was **not** trained on, \
             it takes {n} for another class and is at least {percent} % sure. Such a label is \
             wrong, or the picture is hard, or the network is no good: look at them. Of the {} \
             pictures it was trained on it can say nothing, for it has learned their labels, \
             wrong ones too.\n\n",
            self.asked,
            cell(&self.run),
            self.trained_on
        );
        if n == 0 {
            return text;
        }
        let _ = writeln!(text, "![Pictures whose labels are doubted, in this order]({sheet})\n");
        text += "| picture | its label | probability | taken for | probability |\n\
                 |---|---|---|---|---|\n";
        for suspect in self.pictures.iter().take(SHOWN) {
            let Suspect { name, class, probability, taken_for, sure, .. } = suspect;
            let (name, class, other) = (cell(name), cell(class), cell(taken_for));
            let _ = writeln!(text, "| {name} | {class} | {probability:.4} | {other} | {sure:.4} |");
        }
        if n > SHOWN {
            let _ = writeln!(text, "\nand {} more, in the JSON", n - SHOWN);
        }
        text
    }
}
