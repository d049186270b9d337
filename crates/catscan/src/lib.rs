//! The program `catscan`: questions about networks, answered by training them.
//!
//! How a study flows through these modules, in reading order:
//!
//! 1. [`cli`]: the command line; [`commands`] has one file a command.
//! 2. [`experiment`]: EXPERIMENTS, the questions and their arms; [`recipes`], every number of a
//!    training.
//! 3. [`queue`]: one process per cell (arm, seed), finished cells skipped; [`signals`] stop it and
//!    [`progress`] shows it.
//! 4. [`study`]: the runs' folders read back and weighed by [`stats`]; written as `study.json`.
//! 5. [`compose`]: the study, its charts and its scans as one page, `report.html`.
//!
//! Beside the flow: [`weights`] opens a trained network for `evaluate`, `predict` and `explain`;
//! [`differences`] tells recipes apart; [`names`] suggests the nearest name; [`refusal`] has the exit codes; [`table`] prints.

pub mod cli;
pub mod commands;
pub mod compose;
pub mod differences;
pub mod experiment;
pub mod names;
pub mod progress;
pub mod queue;
pub mod recipes;
pub mod refusal;
pub mod signals;
pub mod stats;
pub mod study;
pub mod table;
pub mod weights;
