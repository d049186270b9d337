//! The command line: names, not knobs. What changes a result lives in a recipe.

use clap::{Parser, Subcommand};

use crate::commands::{
    bench, bench_data, cell, data, doctor, evaluate, experiment, explain, find_lr, list, parity,
    predict, report, serve, summary, train,
};
use crate::output::say;
use crate::{out_of_memory, refusal, signals};

/// Controlled Architecture Trials, with scans of what each network looks at.
///
/// Trains image classifiers that differ in one thing, says with statistics whether the difference
/// is real, and shows what each network looked at.
#[derive(Debug, Parser)]
#[command(name = "catscan", version, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes: 0 done, 2 bad command line or configuration, 3 bad data, 4 bad weights, \
5 numbers went bad (NaN), 7 storage failed, 8 out of memory, 129/130/143 stopped after a checkpoint.
To check a machine in seconds: catscan experiment smoke";

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer a question: train all arms, compare them, write a report
    Experiment(experiment::Args),
    /// Train one network
    Train(train::Args),
    /// Find the learning rate that a recipe can take
    FindLr(find_lr::Args),
    /// Score a trained network on pictures
    Evaluate(evaluate::Args),
    /// Say what is on some pictures
    Predict(predict::Args),
    /// Draw what a trained network looks at on some pictures
    Explain(explain::Args),
    /// Show a page on this machine: drop a picture, move through layers, arms and methods
    Serve(serve::Args),
    /// Write an experiment's report again from its runs
    Report(report::Args),
    /// Show the tables: models, pools, sources, experiments, arms, cams, recipes
    List(list::Args),
    /// Show what a network is made of and what it costs
    Summary(summary::Args),
    /// Look into a set of pictures, or fetch a public one
    Data(data::Args),
    /// Tell what this machine offers, and what is missing
    Doctor(doctor::Args),
    /// Train one cell of an experiment, for its queue
    #[command(hide = true)]
    Cell(cell::Args),
    /// Take timed steps on request, for scripts/bench
    #[command(hide = true)]
    Bench(bench::Args),
    /// Hold a device against the processor, for scripts/gpu
    #[command(hide = true)]
    Parity(parity::Args),
    /// Take timed passes over pictures on request, for scripts/bench
    #[command(hide = true)]
    BenchData(bench_data::Args),
}

/// Runs the command line and gives the process's exit code. Says what went wrong on standard error.
///
/// Help, and a command line that cannot be understood (code 2), end the process here.
pub fn main() -> u8 {
    if let Err(error) = signals::survive_file_limits() {
        say(format_args!("a limit of file sizes would end this program: {error}"));
    }
    let command = Cli::parse().command;
    let result = out_of_memory::told(|| command.run());
    result.unwrap_or_else(|error| {
        say(format_args!("error: {}", message(&error)));
        refusal::exit_code(&error)
    })
}

impl Command {
    fn run(&self) -> anyhow::Result<u8> {
        match self {
            Command::Experiment(args) => experiment::run(args),
            Command::Train(args) => train::run(args),
            Command::FindLr(args) => find_lr::run(args),
            Command::Evaluate(args) => evaluate::run(args),
            Command::Predict(args) => predict::run(args),
            Command::Explain(args) => explain::run(args),
            Command::Serve(args) => serve::run(args),
            Command::Report(args) => report::run(args),
            Command::List(args) => list::run(args),
            Command::Summary(args) => summary::run(args),
            Command::Data(args) => data::run(args),
            Command::Doctor(args) => doctor::run(args),
            Command::Cell(args) => cell::run(args),
            Command::Bench(args) => bench::run(args),
            Command::Parity(args) => parity::run(args),
            Command::BenchData(args) => bench_data::run(args),
        }
    }
}

/// The chain of causes, each said once: a transparent error repeats its cause word for word.
fn message(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        if !parts.last().is_some_and(|last| last.contains(&cause)) {
            parts.push(cause);
        }
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    /// xtask uses none of our crates, so it holds a list of its own.
    #[test]
    fn xtask_knows_every_command_and_its_line() {
        let theirs = include_str!("../../../xtask/src/commands.rs");
        let (_, table) = theirs.split_once("PROGRAM: &[(&str, &str)] = &[").unwrap();
        let (table, _) = table.split_once("];").unwrap();
        let cli = Cli::command();
        let shown: Vec<_> =
            cli.get_subcommands().filter(|command| !command.is_hide_set()).collect();
        for command in &shown {
            let about = command.get_about().expect("a line of help").to_string();
            let about = format!("{}{}", about[..1].to_lowercase(), &about[1..]);
            let row = format!("(\"{}\", \"{about}\")", command.get_name());
            assert!(table.contains(&row), "xtask/src/commands.rs: PROGRAM lacks {row}; write it");
        }
        assert_eq!(table.matches("(\"").count(), shown.len(), "commands that are gone: {table}");
    }

    #[test]
    fn a_cause_that_is_already_said_is_not_repeated() {
        let error = anyhow::anyhow!("data/x: empty").context("reading data/x: empty");
        assert_eq!(message(&error), "reading data/x: empty");
        let error = anyhow::anyhow!("data/x: empty").context("evaluate");
        assert_eq!(message(&error), "evaluate: data/x: empty");
    }
}
