//! A study: the runs of an experiment read back from their folders, weighed, and put into words.
//!
//! It is made from the folders alone, so a report can be written again at any time. Runs of one
//! study must have seen the same pictures; those that were bounded, cut or failed are named.

mod answer;
mod notices;
pub mod print;

use std::ops::Deref;
use std::path::Path;

use anyhow::{Context, Result};
use catscan_models::Summary;
use catscan_train::{Environment, RunRecord, SplitSummary, TestRecord, metrics};
use serde::{Deserialize, Serialize};

use crate::experiment::{EXPERIMENTS, Profile};
use crate::files::write_file;
use crate::refusal::{DATA, Refusal};
use crate::run_name::{RunName, has_checkpoint};
use crate::stats::{
    ArmResult, Comparison, Estimate, Factorial, Interval, SeedResult, compare_all, factorial,
    mean_t, wilson,
};

/// The study's name in the experiment's folder.
pub const STUDY: &str = "study.json";

/// What was asked for: enough to find the runs and to write the report again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub experiment: String,
    pub question: String,
    pub metric: String,
    pub profile: Option<Profile>,
    /// The first arm is the one others are compared with.
    pub arms: Vec<String>,
    pub seeds: Vec<u64>,
    pub max_steps: Option<u64>,
    pub command: Vec<String>,
    pub failures: Vec<Failure>,
}

/// A cell that failed, in its own words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    pub arm: String,
    pub seed: u64,
    pub exit_code: u8,
    pub stderr: String,
}

impl Failure {
    pub fn run_name(&self) -> RunName {
        RunName::new(&self.arm, self.seed)
    }
}

/// `study.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Study {
    pub request: Request,
    /// The answer in words, one sentence a comparison.
    pub answer: Vec<String>,
    /// What must be known before the answer is believed.
    pub notices: Vec<String>,
    pub drawings: bool,
    pub source: String,
    pub split: SplitSummary,
    pub arms: Vec<ArmSummary>,
    pub comparisons: Vec<Comparison>,
    /// Main effects and interactions, where all arms of the experiment's factorial ran.
    pub factorial: Option<Factorial>,
    pub cells: Vec<CellSummary>,
    pub environment: Environment,
}

/// One arm over its finished seeds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ArmSummary {
    pub arm: String,
    pub accuracy: Estimate,
    /// Of the mean accuracy over the test pictures (Wilson).
    pub accuracy_over_pictures: Interval,
    pub loss: Estimate,
    pub parameters: u64,
    /// Of one picture's forward, see [`catscan_models::summary`].
    pub multiply_adds: u64,
    /// Training pictures a second, mean over epochs and seeds.
    pub images_per_s: f64,
    /// Wall-clock of one training, mean over seeds.
    pub seconds: f64,
}

/// One (arm, seed).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CellSummary {
    pub arm: String,
    pub seed: u64,
    pub epochs: u32,
    pub steps: u64,
    pub steps_total: u64,
    pub accuracy: f64,
    pub loss: f64,
    /// Precision, recall, F1, ROC-AUC, calibration, top-k; studies of before have none.
    #[serde(default)]
    pub scores: Option<metrics::Scores>,
    /// Validation no longer got better before the last step.
    #[serde(default)]
    pub stopped_early: bool,
    pub seconds: f64,
    pub threads: u32,
    pub device: String,
}

/// A finished run.
pub struct Run {
    pub name: RunName,
    pub record: RunRecord,
    pub test: TestRecord,
}

/// Finished runs, in the order of arms and seeds.
pub struct Runs(Vec<Run>);

impl Deref for Runs {
    type Target = [Run];

    fn deref(&self) -> &[Run] {
        &self.0
    }
}

impl Runs {
    /// An arm's.
    pub fn of(&self, arm: &str) -> impl Iterator<Item = &Run> {
        self.0.iter().filter(move |run| run.name.arm == arm)
    }

    /// An arm's first.
    pub fn first_of(&self, arm: &str) -> Option<&Run> {
        self.0.iter().find(|run| run.name.arm == arm)
    }
}

impl Study {
    /// Reads the runs that `request` names under an experiment's folder, and weighs them.
    ///
    /// # Errors
    /// Where no run is finished, or runs saw different pictures.
    pub fn read(folder: &Path, request: Request) -> Result<(Study, Runs)> {
        let (runs, missing) = read_runs(folder, &request)?;
        let Some(first) = runs.first() else {
            let message = "no run in it is finished; run the experiment again, it goes on";
            return Err(Refusal::usage(format!("{}: {message}", folder.display())).into());
        };
        same_pictures(first, &runs)?;
        let results: Vec<ArmResult> = request.arms.iter().map(|arm| result(arm, &runs)).collect();
        let results: Vec<ArmResult> =
            results.into_iter().filter(|result| !result.seeds.is_empty()).collect();
        let comparisons = compare_all(&results);
        let row = EXPERIMENTS.iter().find(|row| row.name == request.experiment);
        let factorial =
            row.and_then(|row| row.factorial).and_then(|design| factorial(design, &results));
        let drawings = first.record.recipe.data.source.starts_with("critters");
        let arms = results.iter().map(|result| summary(result, &runs)).collect::<Result<_>>()?;
        let study = Study {
            answer: answer::answer(&results, &comparisons, factorial.as_ref(), row),
            notices: notices::notices(&request, &runs, &missing, drawings),
            drawings,
            source: first.record.recipe.data.source.clone(),
            split: first.record.split.clone(),
            arms,
            comparisons,
            factorial,
            cells: runs.iter().map(cell).collect(),
            environment: first.record.environment.clone(),
            request,
        };
        Ok((study, runs))
    }

    /// Writes [`STUDY`] into the experiment's folder.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        write_file(&folder.join(STUDY), self.to_json()?.as_bytes())
    }

    /// The text of [`STUDY`].
    ///
    /// # Errors
    /// None that a study can cause.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(self).context("writing study.json")
    }
}

/// Finished runs in the order of arms and seeds, and the names of the others.
fn read_runs(folder: &Path, request: &Request) -> Result<(Runs, Vec<String>)> {
    let (mut runs, mut missing) = (Vec::new(), Vec::new());
    for arm in &request.arms {
        for &seed in &request.seeds {
            let name = RunName::new(arm, seed);
            let run_folder = name.folder(folder);
            let record = match has_checkpoint(&run_folder) {
                true => Some(RunRecord::read(&run_folder)?),
                false => None,
            };
            match record.and_then(|record| Some((record.test.clone()?, record))) {
                Some((test, record)) => runs.push(Run { name, record, test }),
                None => missing.push(name.to_string()),
            }
        }
    }
    Ok((Runs(runs), missing))
}

/// Paired comparisons need the same test pictures in the same order.
fn same_pictures(first: &Run, runs: &Runs) -> Result<()> {
    let names = |run: &Run| -> Vec<(String, u32)> {
        run.test.pictures.iter().map(|picture| (picture.name.clone(), picture.label)).collect()
    };
    let want = names(first);
    for run in runs.iter() {
        if run.test.data_digest != first.test.data_digest || names(run) != want {
            let message = format!(
                "{}: tested on other pictures (data {}) than {} (data {}); \
                 arms can only be compared on the same ones, use one folder for each data set",
                run.record.folder.display(),
                run.test.data_digest,
                first.record.folder.display(),
                first.test.data_digest,
            );
            return Err(Refusal::new(DATA, message).into());
        }
    }
    Ok(())
}

fn result(arm: &str, runs: &Runs) -> ArmResult {
    let seed = |run: &Run| SeedResult {
        seed: run.name.seed,
        right: run
            .test
            .pictures
            .iter()
            .map(|picture| metrics::predicted(&picture.probabilities) == picture.label)
            .collect(),
        loss: run.test.loss,
    };
    let seeds = runs.of(arm).map(seed).collect();
    ArmResult { arm: arm.to_owned(), seeds }
}

fn summary(result: &ArmResult, runs: &Runs) -> Result<ArmSummary> {
    let runs: Vec<&Run> = runs.of(&result.arm).collect();
    let accuracy = mean_t(&result.seeds.iter().map(SeedResult::accuracy).collect::<Vec<_>>());
    let pictures = result.seeds[0].right.len();
    let epochs = || runs.iter().flat_map(|run| &run.record.epochs);
    let speeds: Vec<f64> = epochs().map(|epoch| epoch.images_per_s).collect();
    let seconds: Vec<f64> = runs.iter().map(|run| run.record.train_seconds).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let recipe = &runs[0].record.recipe;
    let cost = Summary::of(&recipe.model, i64::from(recipe.data.size_px))?.cost;
    Ok(ArmSummary {
        arm: result.arm.clone(),
        accuracy,
        accuracy_over_pictures: wilson(accuracy.mean * pictures as f64, pictures),
        loss: mean_t(&result.seeds.iter().map(|seed| seed.loss).collect::<Vec<_>>()),
        parameters: cost.parameters,
        multiply_adds: cost.multiply_adds,
        images_per_s: mean(&speeds),
        seconds: mean(&seconds),
    })
}

fn cell(run: &Run) -> CellSummary {
    CellSummary {
        arm: run.name.arm.clone(),
        seed: run.name.seed,
        epochs: run.record.epochs.last().map_or(0, |epoch| epoch.epoch),
        steps: run.test.steps,
        steps_total: run.test.steps_total,
        accuracy: run.test.accuracy,
        loss: run.test.loss,
        scores: Some(run.test.scores()),
        stopped_early: run.test.stopped_early,
        seconds: run.record.train_seconds,
        threads: run.record.environment.threads,
        device: run.record.environment.device.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_finished_runs_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let request = Request {
            experiment: "smoke".into(),
            question: "?".into(),
            metric: "test accuracy".into(),
            profile: None,
            arms: vec!["avg".into()],
            seeds: vec![1],
            max_steps: None,
            command: vec![],
            failures: vec![],
        };
        let error = Study::read(folder.path(), request).err().unwrap();
        assert_eq!(crate::refusal::exit_code(&error), crate::refusal::USAGE);
        assert!(error.to_string().contains("no run in it is finished"), "{error}");
    }
}
