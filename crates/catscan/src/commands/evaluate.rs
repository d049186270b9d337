//! `catscan evaluate`: how good a trained network is, on the pictures it was kept from or on
//! others.

use anyhow::Result;
use catscan_data::{BadImages, Dataset, Part};
use catscan_train::{Evaluation, evaluate, metrics};
use clap::ValueEnum;
use serde::Serialize;

use crate::args::NetworkArgs;
use crate::experiment::{BadImagesPolicy, bad_images, share};
use crate::output::{print, print_json, say};
use crate::pictures::open_dataset;
use crate::refusal::{DATA, Refusal};
use crate::stats::{Interval, wilson};
use crate::study::print as tables;
use crate::table::Table;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Other pictures than the run's, or the same at another place (see `catscan list sources`)
    #[arg(long, value_name = "SOURCE")]
    pub data: Option<String>,
    /// Which part; by default test, and all of other pictures than those it was trained on
    #[arg(long, value_enum)]
    pub part: Option<Which>,
    /// What to do about pictures that cannot be used
    #[arg(long, value_enum)]
    pub bad_images: Option<BadImagesPolicy>,
    /// Leave out pictures that cannot be used as long as they are at most this share, such as 1%
    #[arg(long, value_name = "SHARE", conflicts_with = "bad_images", value_parser = share)]
    pub max_bad: Option<f64>,
    /// Pictures at once
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,
}

/// `--part`: a part of the split, or the data as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    Train,
    Val,
    Test,
    All,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Scores<'a> {
    weights: String,
    source: &'a str,
    part: Which,
    classes: &'a [String],
    pictures: usize,
    accuracy: f64,
    /// Wilson, 95 %.
    interval: Interval,
    loss: f64,
    /// Precision, recall, F1, ROC-AUC, calibration, top-k: together and by class.
    scores: metrics::Scores,
    images_per_s: f64,
    seconds: f64,
    /// Rows are true classes, columns predicted ones.
    confusion: Vec<Vec<u64>>,
    predictions: Vec<Prediction<'a>>,
}

#[derive(Serialize)]
struct Prediction<'a> {
    name: &'a str,
    label: u32,
    probabilities: &'a [f32],
}

/// Scores the pictures and prints accuracy with its interval, loss and confusion matrix.
pub fn run(args: &Args) -> Result<u8> {
    let (trained, device) = args.network.open()?;
    let mut config = trained.data(args.data.as_deref());
    config.bad_images = bad_images(args.bad_images, args.max_bad, config.bad_images);
    let dataset = open_dataset(&config)?;
    trained.check_classes(&config.source, &dataset.classes)?;
    // The run's own pictures may have been moved; most of them it was trained on.
    let own = args.data.is_none() || trained.data_digest.as_ref() == Some(&dataset.digest);
    let part = args.part.unwrap_or(if own { Which::Test } else { Which::All });
    if own && part != Which::Test {
        say(format_args!(
            "{}: the network was fitted to part {part:?}, or chosen by it",
            config.source
        ));
    }
    let indices = indices(&dataset, part);
    if indices.is_empty() {
        let message = format!("{}: this part holds 0 pictures; name another --part", config.source);
        return Err(Refusal::new(DATA, message).into());
    }
    let scored = evaluate(&trained.model, &dataset, &indices, args.batch, device, &mut |_| None)?;
    let scores = scores(args, &config.source, part, &dataset, &indices, &scored);
    match args.network.json {
        true => print_json(&scores)?,
        false => print(in_tables(&scores))?,
    }
    // `report` has named them at once.
    if !dataset.rejected.is_empty() && config.bad_images != BadImages::Report {
        say(format_args!(
            "{} pictures could not be used and were left out:",
            dataset.rejected.len()
        ));
        dataset.rejected.iter().for_each(|bad| say(format_args!("  {}: {}", bad.name, bad.reason)));
    }
    Ok(0)
}

fn indices(dataset: &Dataset, which: Which) -> Vec<u32> {
    match which {
        Which::Train => dataset.split.part(Part::Train).to_vec(),
        Which::Val => dataset.split.part(Part::Val).to_vec(),
        Which::Test => dataset.split.part(Part::Test).to_vec(),
        Which::All => (0..dataset.samples.len() as u32).collect(),
    }
}

fn scores<'a>(
    args: &Args,
    source: &'a str,
    part: Which,
    dataset: &'a Dataset,
    indices: &[u32],
    scored: &'a Evaluation,
) -> Scores<'a> {
    let n = indices.len();
    Scores {
        weights: args.network.weights.weights.display().to_string(),
        source,
        part,
        classes: &dataset.classes,
        pictures: n,
        accuracy: scored.accuracy,
        interval: wilson(scored.accuracy * n as f64, n),
        loss: scored.loss,
        scores: metrics::Scores::of(&scored.probabilities, &scored.labels, &dataset.classes),
        images_per_s: scored.images_per_s,
        seconds: scored.seconds,
        confusion: metrics::confusion(&scored.probabilities, &scored.labels, dataset.classes.len()),
        predictions: indices
            .iter()
            .zip(&scored.probabilities)
            .map(|(&index, probabilities)| {
                let sample = &dataset.samples[index as usize];
                Prediction { name: &sample.name, label: sample.label, probabilities }
            })
            .collect(),
    }
}

/// A line of scores, one of finer ones, a line a class, and the confusion matrix.
fn in_tables(scores: &Scores) -> String {
    let mut table = Table::new(&[
        "data",
        "part",
        "#pictures",
        "#accuracy, % (95 % interval)",
        "#loss",
        "#images/s",
    ]);
    let Interval { low, high } = scores.interval.scale(100.0);
    table.row([
        scores.source.to_owned(),
        format!("{:?}", scores.part).to_lowercase(),
        scores.pictures.to_string(),
        format!("{:.2} ({low:.2} to {high:.2})", scores.accuracy * 100.0),
        format!("{:.4}", scores.loss),
        format!("{:.1}", scores.images_per_s),
    ]);
    let line = table.to_string();
    let head: Vec<String> = std::iter::once("true \\ predicted".to_owned())
        .chain(scores.classes.iter().map(|class| format!("#{class}")))
        .collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut table = Table::new(&head);
    for (class, row) in scores.classes.iter().zip(&scores.confusion) {
        table.row(std::iter::once(class.clone()).chain(row.iter().map(u64::to_string)));
    }
    format!(
        "{line}\n{}\n{}\n{table}",
        tables::scores(&scores.scores),
        tables::classes(&scores.scores)
    )
}
