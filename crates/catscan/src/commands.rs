//! One file a command, each with its arguments and a `run` that gives the exit code.

pub mod bench;
pub mod bench_data;
pub mod cell;
pub mod data;
pub mod doctor;
pub mod dry_run;
pub mod evaluate;
pub mod experiment;
pub mod explain;
pub mod find_lr;
pub mod list;
pub mod parity;
pub mod predict;
pub mod report;
pub mod serve;
pub mod summary;
pub mod train;
