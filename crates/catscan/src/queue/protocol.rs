//! What queue and cell tell each other: an order on the cell's first line, then perhaps a line that
//! asks to stop; events, a JSON line each, come back.

use std::io::{self, BufRead, Write};

use catscan_train::{Event, Recipe, RecipeError, Signal, Watch};
use serde::{Deserialize, Serialize};

use super::{Cell, Settings};
use crate::args::ComputeArgs;
use crate::signals::Stop;

/// All that a cell is to do, but for its folder, which its command line names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellOrder {
    /// Complete: changed by the arm, for the data's classes.
    pub recipe: Recipe,
    /// Of the records, like `arm` and `command`.
    pub experiment: String,
    pub arm: String,
    /// Program and arguments that asked for the experiment.
    pub command: Vec<String>,
    pub threads: usize,
    pub max_steps: Option<u64>,
    pub compute: ComputeArgs,
}

impl CellOrder {
    /// What a queue asks of this cell.
    pub fn of(cell: &Cell, settings: &Settings) -> CellOrder {
        CellOrder {
            recipe: cell.recipe.clone(),
            experiment: settings.experiment.clone(),
            arm: cell.name.arm.clone(),
            command: settings.command.clone(),
            threads: cell.threads_before.unwrap_or(settings.threads),
            max_steps: settings.max_steps,
            compute: settings.compute,
        }
    }

    /// As the queue writes it.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("an order is plain data") + "\n"
    }

    /// Reads a queue's first line.
    ///
    /// # Errors
    /// Where it is no order, or its recipe is not possible.
    pub fn read(input: &mut impl BufRead) -> Result<CellOrder, RecipeError> {
        let json = |error: &dyn ToString| RecipeError::Json(error.to_string());
        let mut line = String::new();
        input.read_line(&mut line).map_err(|error| json(&error))?;
        let order: CellOrder = serde_json::from_str(&line).map_err(|error| json(&error))?;
        order.recipe.validate()?;
        Ok(order)
    }
}

/// The line that asks a cell to stop.
pub fn stop_line(signal: Signal) -> String {
    format!("stop {signal}\n")
}

/// Follows the queue until it asks to stop, or until it is gone (which asks for the same).
pub fn follow(input: impl io::Read, stop: &Stop) {
    for line in io::BufReader::new(input).lines().map_while(Result::ok) {
        for signal in Signal::ALL {
            if line == stop_line(signal).trim_end() {
                return stop.ask(signal);
            }
        }
    }
    stop.ask(Signal::Terminate);
}

/// Prints events as JSON lines.
pub struct Reporter {
    pub stop: Stop,
}

impl Watch for Reporter {
    fn on_event(&mut self, event: &Event) {
        let mut line = serde_json::to_string(event).expect("an event is plain data");
        line.push('\n');
        // A reader that is gone must not end a training between two checkpoints.
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush());
    }

    fn should_stop(&mut self) -> Option<Signal> {
        self.stop.asked()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_survives_its_line() {
        let device = "cuda:1".to_owned().try_into().unwrap();
        let order = CellOrder {
            recipe: crate::recipes::quick(),
            experiment: "pooling-compare".into(),
            arm: "max".into(),
            command: vec!["catscan".into(), "two\nlines".into()],
            threads: 3,
            max_steps: Some(7),
            compute: ComputeArgs {
                device,
                allow_inexact_resume: true,
                deterministic: false,
                tf32: true,
            },
        };
        let line = order.line();
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(CellOrder::read(&mut line.as_bytes()).unwrap(), order);
    }

    #[test]
    fn an_order_that_is_cut_or_impossible_is_a_bad_recipe() {
        for line in ["", "{}\n", "not json"] {
            let error = CellOrder::read(&mut line.as_bytes()).unwrap_err();
            assert!(matches!(error, RecipeError::Json(_)), "{error}");
        }
    }

    #[test]
    fn a_stop_line_and_a_closed_pipe_both_stop() {
        for signal in Signal::ALL {
            let stop = Stop::new();
            follow(stop_line(signal).as_bytes(), &stop);
            assert_eq!(stop.asked(), Some(signal));
        }
        let stop = Stop::new();
        follow(&b"something else\n"[..], &stop);
        assert_eq!(stop.asked(), Some(Signal::Terminate));
    }
}
