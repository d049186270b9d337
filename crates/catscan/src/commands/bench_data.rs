//! `catscan bench-data`, hidden: takes timed passes over a folder of pictures on request, so that
//! `scripts/bench/data.py` can let torchvision and Keras take turns with it on the same cores.
//!
//! One JSON request a line on standard input, one JSON answer a line on standard output:
//!
//! ```text
//! {"work":"later","data":"folder:/photos","size_px":224,"batch":20,"repeat":3}
//! {"seconds":[0.21,0.20,0.21],"pictures":500,"peak_bytes":1234}
//! ```

use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};
use catscan_data::{BadImages, DataConfig, Dataset, Filter, Placement};
use catscan_train::Recipe;
use catscan_train::batches::{Loader, Plan};
use catscan_train::environment::peak_memory_bytes;
use serde::{Deserialize, Serialize};
use tch::Device;

use super::bench::requests::{Kept, answer_each};
use crate::recipes::original;

#[derive(Debug, clap::Args)]
pub struct Args {}

/// What to do, and how often.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    work: Work,
    /// As `--data` has it.
    data: String,
    size_px: u32,
    filter: Filter,
    batch: u32,
    repeat: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Work {
    /// Reads, decodes and resizes every picture, by all threads, and keeps none.
    Decode,
    /// What the first epoch takes: opens the set without a cache, then [`Work::Later`].
    First,
    /// One pass of the trainer's batches with the study's augmentation, from the cache.
    Later,
    /// One pass without augmentation, from the cache.
    Plain,
    /// One pass with augmentation where neither disk nor memory holds the pixels.
    Streamed,
}

#[derive(Debug, Serialize)]
struct Answer {
    /// Of each repetition.
    seconds: Vec<f64>,
    pictures: usize,
    peak_bytes: Option<u64>,
}

/// A set, ready for passes.
struct Bench {
    work: Work,
    recipe: Recipe,
    dataset: Dataset,
    /// Where the cache is; dropped with its contents.
    cache: tempfile::TempDir,
    passes: u64,
}

/// Answers requests until there are no more.
///
/// # Errors
/// A request that cannot be read, or pictures that cannot.
pub fn run(_: &Args) -> Result<u8> {
    let mut kept = Kept::new();
    answer_each(|request: Request| {
        let repeat = request.repeat;
        let bench = kept.of(Request { repeat: 0, ..request }, Bench::new)?;
        let seconds = (0..repeat).map(|_| bench.time()).collect::<Result<_>>()?;
        let pictures = bench.dataset.samples.len();
        Ok(Answer { seconds, pictures, peak_bytes: peak_memory_bytes() })
    })?;
    Ok(0)
}

impl Bench {
    fn new(request: &Request) -> Result<Bench> {
        let base = original();
        let data = DataConfig {
            source: request.data.clone(),
            size_px: request.size_px,
            filter: request.filter,
            bad_images: BadImages::Skip,
            ..base.data
        };
        let augment = base.augment.filter(|_| request.work != Work::Plain);
        let recipe = Recipe { data, augment, batch: request.batch, ..original() };
        let placement = match request.work {
            Work::Decode | Work::Streamed => Placement::Streamed,
            Work::First | Work::Later | Work::Plain => Placement::Mapped,
        };
        let cache = tempfile::tempdir().context("making a folder for the cache")?;
        let dataset = Dataset::open_as(&recipe.data, cache.path(), Some(placement), &())?;
        Ok(Bench { work: request.work, recipe, dataset, cache, passes: 0 })
    }

    /// Seconds of one repetition.
    fn time(&mut self) -> Result<f64> {
        if self.work == Work::First {
            // Before the clock starts: that the old one is deleted is no part of an epoch.
            self.cache = tempfile::tempdir().context("making a folder for the cache")?;
        }
        let began = Instant::now();
        match self.work {
            Work::Decode => {
                let all: Vec<u32> = (0..self.dataset.samples.len() as u32).collect();
                for some in all.chunks(512) {
                    self.dataset.gather(some)?;
                }
            }
            Work::First => {
                self.dataset = Dataset::open(&self.recipe.data, self.cache.path(), &())?;
                self.pass()?;
            }
            Work::Later | Work::Plain | Work::Streamed => self.pass()?,
        }
        Ok(began.elapsed().as_secs_f64())
    }

    /// Every picture once, as the trainer gets it.
    fn pass(&mut self) -> Result<()> {
        let all: Vec<u32> = (0..self.dataset.samples.len() as u32).collect();
        let plan = Plan::new(&self.recipe, &all)?;
        let (steps, dataset) = (plan.steps_per_pass(), &self.dataset);
        let planned = plan.steps(self.passes * steps..(self.passes + 1) * steps);
        self.passes += 1;
        let mut met = 0;
        thread::scope(|scope| {
            let mut batches = Loader::start(scope, dataset, Device::Cpu, 1, planned);
            while let Some(batch) = batches.next_batch()? {
                met += batch.indices.len();
            }
            anyhow::Ok(())
        })?;
        anyhow::ensure!(met == all.len(), "a pass met {met} of {} pictures", all.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_request_is_read_and_done() {
        for work in ["decode", "first", "later", "plain", "streamed"] {
            let text = format!(
                r#"{{"work":"{work}","data":"critters:12","size_px":16,"filter":"nearest",
                "batch":5,"repeat":1}}"#
            );
            let mut bench = Bench::new(&serde_json::from_str(&text).unwrap()).unwrap();
            assert!(bench.time().unwrap() > 0.0, "{work}");
            assert_eq!(bench.dataset.samples.len(), 12);
        }
    }
}
