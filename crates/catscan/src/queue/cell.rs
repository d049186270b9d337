//! A cell: one arm under one seed, the folder of its run, and how far it got.

use std::path::{Path, PathBuf};

use anyhow::Result;
use catscan_data::SplitRecord;
use catscan_train::{Difference, Recipe, RunRecord, Signal, TrainError};

use crate::run_name::{RunName, has_checkpoint};

/// One training of an experiment.
#[derive(Clone, Debug)]
pub struct Cell {
    pub name: RunName,
    /// Complete: changed by the arm, for the data's classes.
    pub recipe: Recipe,
    /// `EXPERIMENT/ARM/seed-N`.
    pub folder: PathBuf,
    /// Whether there is anything left to do.
    pub state: State,
    /// Threads of an earlier, cut run: going on with them gives the bits of an uncut one.
    pub threads_before: Option<usize>,
}

/// How far a cell got before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No checkpoint: begins at step 0, whatever else the folder holds.
    New,
    /// Goes on from its newest checkpoint.
    Cut,
    /// Tested after as many steps as are asked for, on the same pictures.
    Finished,
}

/// How a cell ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CellEnd {
    Done,
    /// It was finished before.
    Skipped,
    /// After a checkpoint.
    Stopped(Signal),
    /// With its exit code (1 where it has none) and the last lines of its standard error.
    Failed {
        code: u8,
        stderr: String,
    },
    /// The queue stopped before its turn came.
    NotStarted,
}

impl CellEnd {
    /// For the line that stays when the cell's bar goes.
    pub fn in_words(&self) -> String {
        match self {
            CellEnd::Done => "finished".into(),
            CellEnd::Skipped => "finished before".into(),
            CellEnd::Stopped(signal) => format!("stopped by {signal}, checkpoint saved"),
            CellEnd::Failed { code, .. } => format!("failed with exit code {code}"),
            CellEnd::NotStarted => "not started".into(),
        }
    }
}

impl Cell {
    /// Looks into the run's folder in `experiment_folder` and plans what is left to do there with
    /// the pictures of `split`.
    ///
    /// # Errors
    /// Where the folder holds a run of another recipe, or a run that cannot be read.
    pub fn plan(
        experiment_folder: &Path,
        arm: &str,
        recipe: Recipe,
        split: &SplitRecord,
        max_steps: Option<u64>,
    ) -> Result<Cell> {
        let name = RunName::new(arm, recipe.seed);
        let mut cell = Cell {
            folder: name.folder(experiment_folder),
            name,
            state: State::New,
            threads_before: None,
            recipe,
        };
        if !has_checkpoint(&cell.folder) {
            return Ok(cell);
        }
        let run = RunRecord::read(&cell.folder)?;
        if run.recipe_hash != cell.recipe.hash() {
            return Err(other_recipe(&cell, &run).into());
        }
        cell.state = State::Cut;
        if let Some(test) = &run.test {
            let wanted = max_steps.map_or(test.steps_total, |steps| steps.min(test.steps_total));
            if test.covers(wanted) && test.is_of(&cell.folder, split)? {
                cell.state = State::Finished;
            }
        }
        cell.threads_before = Some(run.environment.threads as usize);
        Ok(cell)
    }
}

/// Names the first field in which the folder's recipe and ours differ.
fn other_recipe(cell: &Cell, run: &RunRecord) -> TrainError {
    let Difference { field, first, second } =
        run.recipe.differences(&cell.recipe).into_iter().next().unwrap_or_default();
    TrainError::OtherRun { folder: cell.folder.clone(), field, there: first, here: second }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_run_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = crate::recipes::smoke();
        let dataset = catscan_data::Dataset::open(&recipe.data, folder.path(), &()).unwrap();
        let split = dataset.split_record();
        let cell = Cell::plan(folder.path(), "avg", recipe, &split, None).unwrap();
        assert_eq!((cell.state, cell.name.seed), (State::New, 1));
        assert!(cell.folder.ends_with("avg/seed-1"));
    }
}
