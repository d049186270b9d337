//! One cell as a process: started, listened to, asked to stop, and its end understood.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use catscan_train::{Event, Signal};

use super::protocol::{CellOrder, stop_line};
use super::{Cell, CellEnd, Settings};

/// What comes from a cell.
pub enum Message {
    Event(Box<Event>),
    /// A line on its standard error.
    Said(String),
    /// Its standard output is closed: it has ended, or is about to.
    Ended,
}

/// Lines of a cell's standard error that are kept for the report of its failure.
const TAIL_LINES: usize = 20;

/// A cell that runs.
pub struct Process {
    child: Child,
    input: ChildStdin,
    tail: Arc<Mutex<Vec<String>>>,
    stderr_reader: JoinHandle<()>,
}

impl Process {
    /// Starts the cell; its messages come through `sender` under `index`.
    ///
    /// # Errors
    /// Where this program's own file cannot be started again.
    pub fn start(
        index: usize,
        cell: &Cell,
        settings: &Settings,
        sender: Sender<(usize, Message)>,
    ) -> Result<Process> {
        let mut child = command(cell)?.spawn().context("starting a cell")?;
        let mut input = child.stdin.take().expect("piped above");
        // A cell that died before reading says why on its standard error.
        let _ = input.write_all(CellOrder::of(cell, settings).line().as_bytes());
        let tail = Arc::new(Mutex::new(Vec::new()));
        let stderr = child.stderr.take().expect("piped above");
        let stderr_reader = {
            let (tail, sender) = (tail.clone(), sender.clone());
            thread::spawn(move || read_stderr(stderr, index, &tail, &sender))
        };
        let stdout = child.stdout.take().expect("piped above");
        thread::spawn(move || read_events(stdout, index, &sender));
        Ok(Process { child, input, tail, stderr_reader })
    }

    /// Asks for a checkpoint and an end. A cell that has already ended does not mind.
    pub fn ask_to_stop(&mut self, signal: Signal) {
        let _ = self.input.write_all(stop_line(signal).as_bytes());
    }

    /// Waits for the end, which [`Message::Ended`] has announced.
    ///
    /// # Errors
    /// Where the system does not tell the exit status.
    pub fn finish(mut self) -> Result<CellEnd> {
        let status = self.child.wait().context("waiting for a cell")?;
        self.stderr_reader.join().expect("reading lines does not panic");
        let stderr = self.tail.lock().expect("reading lines does not panic").join("\n");
        let stopped = |code| Signal::ALL.into_iter().find(|one| i32::from(one.exit_code()) == code);
        Ok(match status.code() {
            Some(0) => CellEnd::Done,
            Some(code) => match stopped(code) {
                Some(signal) => CellEnd::Stopped(signal),
                None => CellEnd::Failed { code: u8::try_from(code).unwrap_or(1), stderr },
            },
            None => CellEnd::Failed { code: 1, stderr: format!("{stderr}\n{status}") },
        })
    }
}

fn command(cell: &Cell) -> Result<Command> {
    let mut command = this_program()?;
    command.arg("cell").arg(&cell.folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Ctrl-C reaches every process of the terminal's group; cells hear of it from the queue, once.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    Ok(command)
}

/// This very program, also where another has been built in its place since: cells of one study are
/// computed by one program.
fn this_program() -> Result<Command> {
    let path = std::env::current_exe().context("finding this program")?;
    #[cfg(target_os = "linux")]
    {
        let mut command = Command::new("/proc/self/exe");
        std::os::unix::process::CommandExt::arg0(&mut command, path);
        Ok(command)
    }
    #[cfg(not(target_os = "linux"))]
    Ok(Command::new(path))
}

fn read_events(stdout: impl Read, index: usize, sender: &Sender<(usize, Message)>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let message = match serde_json::from_str(&line) {
            Ok(event) => Message::Event(Box::new(event)),
            Err(_) => Message::Said(line),
        };
        let _ = sender.send((index, message));
    }
    // The queue may have gone; then nobody needs to know.
    let _ = sender.send((index, Message::Ended));
}

fn read_stderr(
    stderr: impl Read,
    index: usize,
    tail: &Mutex<Vec<String>>,
    sender: &Sender<(usize, Message)>,
) {
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        let mut tail = tail.lock().expect("pushing a line does not panic");
        if tail.len() == TAIL_LINES {
            tail.remove(0);
        }
        tail.push(line.clone());
        let _ = sender.send((index, Message::Said(line)));
    }
}
