//! `catscan train`: one network, one run's folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use catscan_torch_ext::cpu;
use catscan_train::{Event, Init, Job, Outcome, Signal, Watch, train};

use super::dry_run;
use crate::args::{ComputeArgs, RecipeArgs, SavingArgs, command_line, threads};
use crate::pictures::{open_dataset, without_leaks};
use crate::progress::{Board, Line};
use crate::queue::protocol::Reporter;
use crate::signals::Stop;
use crate::weights::provenance;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub recipe: RecipeArgs,
    /// The run's folder; gone on with where it holds a run that was cut
    #[arg(long, value_name = "DIR", default_value = "runs/train")]
    pub out: PathBuf,
    /// Stop after this many steps in all, and say so in the record
    #[arg(long, value_name = "N")]
    pub max_steps: Option<u64>,
    /// CPU threads
    #[arg(long, value_name = "N", value_parser = threads())]
    pub threads: Option<u16>,
    /// Threads that gather batches ahead of the trainer, 0 for none; no result depends on it
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u16).range(..=256))]
    pub workers: u16,
    /// Print what happens as JSON lines
    #[arg(long)]
    pub events: bool,
    #[command(flatten)]
    pub saving: SavingArgs,
    #[command(flatten)]
    pub compute: ComputeArgs,
    /// Print the whole recipe, what memory and time it would take, and stop; some steps are taken
    /// for it, and a checkpoint is written beside --out, and thrown away
    #[arg(long, conflicts_with_all = ["events", "resume"])]
    pub dry_run: bool,
    /// With --dry-run: print one JSON value
    #[arg(long, requires = "dry_run")]
    pub json: bool,
}

/// Trains into `--out`, going on where a cut run left off; 129, 130 or 143 where a signal stopped
/// it.
pub fn run(args: &Args) -> Result<u8> {
    args.compute.forbid_inexact();
    let (experiment, arm) = args.recipe.names();
    let recipe = args.recipe.read("train")?;
    if let Some(threads) = args.threads {
        cpu::set_threads(threads.into());
    }
    let device = args.compute.ready()?;
    let dataset = without_leaks(open_dataset(&recipe.data)?, args.recipe.overrides.strict)?;
    let recipe = args.recipe.for_classes(recipe, dataset.classes.len())?;
    recipe.validate()?;
    if let Init::File(file) = &recipe.init {
        provenance::warn(Path::new(&file.path), "the recipe", &recipe.model);
    }
    if args.dry_run {
        return dry_run::run(&recipe, &dataset, device, args);
    }
    let stop = Stop::on_signals().context("handling signals")?;
    let job = Job {
        recipe: &recipe,
        dataset: &dataset,
        device,
        workers: args.workers.into(),
        folder: &args.out,
        max_steps: args.max_steps,
        saving: args.saving.saving(),
        resume: args.saving.resume.as_deref(),
        allow_inexact_resume: args.compute.allow_inexact_resume,
        experiment,
        arm: arm.clone(),
        command: command_line(),
    };
    if args.events {
        return Ok(exit_code(train(&job, &mut Reporter { stop })?));
    }
    let board = Board::new(1);
    let mut progress = ProgressLine { line: board.line(&arm), stop };
    let outcome = train(&job, &mut progress)?;
    progress.line.end(&ending(outcome, &args.out));
    Ok(exit_code(outcome))
}

/// The process's exit code after a training.
pub fn exit_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Finished | Outcome::AlreadyDone => 0,
        Outcome::Interrupted(signal) => signal.exit_code(),
    }
}

fn ending(outcome: Outcome, folder: &Path) -> String {
    let folder = folder.display();
    match outcome {
        Outcome::Finished => format!("finished, see {folder}"),
        Outcome::AlreadyDone => format!("finished before, see {folder}"),
        Outcome::Interrupted(signal) => {
            format!("stopped by {signal}, checkpoint saved in {folder}; the same command goes on")
        }
    }
}

/// Draws a bar, or writes a log.
struct ProgressLine {
    line: Line,
    stop: Stop,
}

impl Watch for ProgressLine {
    fn on_event(&mut self, event: &Event) {
        self.line.on_event(event);
    }

    fn should_stop(&mut self) -> Option<Signal> {
        self.stop.asked()
    }
}
