//! The queue: one process per cell, finished cells skipped, some cells at once.
//!
//! A cell is a `catscan cell` of its own, so that a crash loses one cell and its memory always
//! comes back. Queue and cell talk over pipes, see [`protocol`]: the order goes in on the cell's
//! first line, events come out as JSON lines, and a line `stop SIGINT` asks for a checkpoint. A
//! cell whose queue is gone finds its input closed, and stops with a checkpoint too.

pub mod admission;
pub mod cell;
pub mod fresh;
pub mod process;
pub mod protocol;

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use anyhow::Result;
use catscan_torch_ext::plugin;
use catscan_train::{Event, Signal};

use crate::args::ComputeArgs;
use crate::progress::{Board, Line};
use crate::signals::Stop;
use admission::Admission;
pub use cell::{Cell, CellEnd, State};
pub use process::{Message, Process};

/// How cells are run; the same for all of them.
#[derive(Clone, Debug)]
pub struct Settings {
    pub experiment: String,
    /// Program and arguments that asked for the cells.
    pub command: Vec<String>,
    /// Cells at once.
    pub jobs: usize,
    /// Threads of each cell that begins now; a cut cell goes on with those it began with.
    pub threads: usize,
    pub max_steps: Option<u64>,
    pub compute: ComputeArgs,
    /// The CUDA device that all cells share, whose memory says how many begin.
    pub card: Option<usize>,
}

/// How often the queue looks whether it was asked to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Runs all cells that are not finished, and tells how each ended, in the order of `cells`.
///
/// # Errors
/// Where a process cannot be started. A cell that fails is no error here: see [`CellEnd::Failed`].
pub fn run(cells: &[Cell], settings: &Settings, stop: &Stop) -> Result<Vec<CellEnd>> {
    let mut board = Board::new(cells.len());
    let mut ends: Vec<Option<CellEnd>> = vec![None; cells.len()];
    for (cell, end) in cells.iter().zip(&mut ends) {
        if cell.state == State::Finished {
            board.say(&format!("{}: finished before, skipped", cell.name));
            board.cell_ended();
            *end = Some(CellEnd::Skipped);
        }
    }
    let mut waiting =
        (0..cells.len()).filter(|&i| ends[i].is_none()).collect::<Vec<_>>().into_iter();
    let (sender, messages) = mpsc::channel();
    let mut running: Vec<Running> = Vec::new();
    let mut told_to_stop = false;
    let mut admission = Admission::new(settings.card.map(meter));
    loop {
        while running.len() < settings.jobs
            && stop.asked().is_none()
            && admission.admits(running.len())
        {
            let Some(index) = waiting.next() else { break };
            admission.begins(index);
            let process = Process::start(index, &cells[index], settings, sender.clone())?;
            running.push(Running {
                index,
                process,
                line: board.line(&cells[index].name.to_string()),
            });
        }
        if running.is_empty() {
            break;
        }
        if let Some(signal) = stop.asked().filter(|_| !told_to_stop) {
            told_to_stop = true;
            board
                .say(&format!("{signal}: cells save a checkpoint and stop; again to stop at once"));
            running.iter_mut().for_each(|cell| cell.process.ask_to_stop(signal));
        }
        if let Some(index) = listen(&messages, &mut running, &mut board, &mut admission) {
            admission.ended(index);
            let place = running.iter().position(|cell| cell.index == index).expect("it runs");
            let Running { process, line, .. } = running.swap_remove(place);
            let end = process.finish()?;
            line.end(&end.in_words());
            board.cell_ended();
            ends[index] = Some(end);
        }
    }
    board.clear();
    Ok(ends.into_iter().map(|end| end.unwrap_or(CellEnd::NotStarted)).collect())
}

/// Asks how much is free on a CUDA device, whoever uses it.
fn meter(card: usize) -> admission::Meter {
    Box::new(move || plugin::memory(card).ok().map(|memory| memory.free_bytes))
}

/// A cell that runs, and its line on the terminal.
struct Running {
    index: usize,
    process: Process,
    line: Line,
}

/// Hears one message; the index of a cell that has ended, if that was it.
fn listen(
    messages: &Receiver<(usize, Message)>,
    running: &mut [Running],
    board: &mut Board,
    admission: &mut Admission,
) -> Option<usize> {
    let (index, message) = match messages.recv_timeout(LOOK_EVERY) {
        Ok(message) => message,
        Err(RecvTimeoutError::Timeout) => return None,
        Err(RecvTimeoutError::Disconnected) => unreachable!("the queue holds a sender"),
    };
    let cell = running.iter_mut().find(|cell| cell.index == index)?;
    match message {
        Message::Event(event) => {
            cell.line.on_event(&event);
            if let Event::Step { step, steps_total, .. } = *event {
                admission.stepped(index);
                board.cell_moved(index, step as f64 / steps_total.max(1) as f64);
            }
        }
        Message::Said(text) => cell.line.say(&text),
        Message::Ended => return Some(index),
    }
    None
}

/// The exit code of a queue's work: the signal's, else the first failed cell's, else 0.
pub fn exit_code(ends: &[CellEnd], signal: Option<Signal>) -> u8 {
    let failed = ends.iter().find_map(|end| match end {
        CellEnd::Failed { code, .. } => Some(*code),
        _ => None,
    });
    signal.map(Signal::exit_code).or(failed).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_is_the_signals_then_the_first_failures() {
        let failed = CellEnd::Failed { code: 5, stderr: String::new() };
        let ends = [CellEnd::Done, failed, CellEnd::Failed { code: 7, stderr: String::new() }];
        assert_eq!(exit_code(&ends, None), 5);
        assert_eq!(exit_code(&ends, Some(Signal::Interrupt)), 130);
        assert_eq!(exit_code(&[CellEnd::Done, CellEnd::Skipped], None), 0);
    }
}
