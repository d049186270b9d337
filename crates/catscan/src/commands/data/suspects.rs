//! `catscan data audit --weights RUN`: the labels that a trained network doubts, among pictures it
//! was not trained on. Which those are, the run's `split.json` tells by the pictures' digests,
//! wherever they lie now and whatever they are called.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Result;
use catscan_data::audit::{Sheet, Suspects};
use catscan_data::{BadImages, DataConfig};
use catscan_train::{evaluate, read_split};

use crate::args::DeviceArgs;
use crate::pictures::open_dataset;
use crate::refusal::{DATA, Refusal};
use crate::weights::Trained;

/// Pictures at once.
const BATCH: u32 = 50;

/// Asks the run's newest weights about the pictures of `source`.
///
/// # Errors
/// Where the folder holds no run or no digests, where the classes differ, or where the run was
/// trained on every picture there is.
pub(super) fn suspects(run: &Path, source: &str, device: DeviceArgs) -> Result<(Suspects, Sheet)> {
    let name = run.display();
    if !run.is_dir() {
        let message = "is no run's folder; of bare weights nobody knows what they were trained on";
        return Err(Refusal::usage(format!("{name}: {message}")).into());
    }
    let device = device.resolve()?;
    let trained = Trained::open_run(run, device)?;
    let split = read_split(run)?;
    let (is, want) = (split.digests.train.len(), split.train.len());
    if is != want {
        let message = format!(
            "{name}: its split.json holds {is} digests of its {want} training pictures, so which \
             pictures it has seen cannot be told; train it with this version"
        );
        return Err(Refusal::usage(message).into());
    }
    let seen: HashSet<&str> = split.digests.train.iter().map(String::as_str).collect();
    let config = DataConfig { bad_images: BadImages::Skip, ..trained.data(Some(source)) };
    let dataset = open_dataset(&config)?;
    trained.check_classes(source, &dataset.classes)?;
    let all = 0..dataset.samples.len() as u32;
    let asked: Vec<u32> = all.filter(|i| !seen.contains(dataset.picture_digest(*i))).collect();
    if asked.is_empty() {
        let message = format!("{source}: {name} was trained on all of it; name a run that was not");
        return Err(Refusal::new(DATA, message).into());
    }
    let scored = evaluate(&trained.model, &dataset, &asked, BATCH, device, &mut |_| None)?;
    let rows = asked.iter().copied().zip(scored.probabilities.iter().map(Vec::as_slice));
    let suspects = Suspects::of(&dataset, &name.to_string(), rows);
    let sheet = suspects.sheet(&dataset)?;
    Ok((suspects, sheet))
}
