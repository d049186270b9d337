//! What a queue writes to a cell: the recipe on one line, then perhaps a line that asks to stop.

use std::io::{self, BufRead};

use catscan_train::{Recipe, RecipeError, Signal};

use crate::signals::Stop;

/// The recipe as one line.
pub fn recipe_line(recipe: &Recipe) -> String {
    serde_json::to_string(recipe).expect("a recipe is plain data") + "\n"
}

/// The line that asks a cell to stop.
pub fn stop_line(signal: Signal) -> String {
    format!("stop {signal}\n")
}

/// Reads a queue's first line.
///
/// # Errors
/// Where it is not a recipe.
pub fn read_recipe(input: &mut impl BufRead) -> Result<Recipe, RecipeError> {
    let mut line = String::new();
    input.read_line(&mut line).map_err(|error| RecipeError::Json(error.to_string()))?;
    Recipe::from_json(&line)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_survives_its_line() {
        let recipe = crate::recipes::quick();
        let line = recipe_line(&recipe);
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(read_recipe(&mut line.as_bytes()).unwrap(), recipe);
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
