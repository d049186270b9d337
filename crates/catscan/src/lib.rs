//! The program `catscan`: questions about networks, answered by training them.
//!
//! How a study flows through these modules, in reading order:
//!
//! 1. [`cli`]: the command line; `commands` has one file a command, `args` the options that several
//!    share.
//! 2. [`experiment`]: EXPERIMENTS, the questions and their arms; [`recipes`], every number of a
//!    training.
//! 3. `queue`: one process per cell (arm, seed), finished cells skipped; `signals` stop it and
//!    `progress` shows it.
//! 4. `study`: the runs' folders read back and weighed by [`stats`]; written as `study.json`.
//! 5. `compose`: the study, its charts and its scans as one page, `report.html`.
//!
//! Beside the flow: `transfer` lets a training begin with learnt weights; `weights` opens a trained
//! network for `evaluate`, `predict` and `explain`, and `prediction` is what it says of pictures;
//! `pictures` opens those, and `masks` where their evidence is; `serve` shows scans on a page;
//! `names` suggests the nearest name; `run_name` names a run and its folder; `files` writes whole
//! files; `refusal` has the exit codes, and `out_of_memory` makes one of a panic; `figures` writes
//! numbers, `table` lines up columns and `output` prints.
//!
//! Public is what is of use without the program: the tables and the statistics. The rest is reached
//! by the command line.

// `println!` panics on a closed pipe; `output` is the one way out.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod args;
pub mod cli;
mod commands;
mod compose;
pub mod experiment;
mod figures;
mod files;
mod masks;
mod names;
mod out_of_memory;
mod output;
mod pictures;
mod prediction;
mod progress;
mod queue;
pub mod recipes;
mod refusal;
mod run_name;
mod serve;
mod signals;
pub mod stats;
mod study;
mod table;
mod transfer;
mod weights;
