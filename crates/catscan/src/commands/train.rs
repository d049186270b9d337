//! `catscan train`: one network, one run's folder. The queue starts its cells by this command too.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result};
use catscan_data::{Dataset, default_cache_dir};
use catscan_torch_ext::{DeviceSpec, cpu, cuda, determinism};
use catscan_train::{Event, Init, Job, Outcome, Signal, Watch, train};

use super::dry_run;
use crate::args::{RecipeArgs, SavingArgs, command_line, device, threads};
use crate::pictures::{open_dataset, without_leaks};
use crate::progress::{Board, Line};
use crate::queue::protocol;
use crate::signals::Stop;
use crate::weights::told;

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
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto", value_parser = device)]
    pub device: DeviceSpec,
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
    /// Go on although threads, device, batch, pictures or the like have changed; it is noted
    #[arg(long)]
    pub allow_inexact_resume: bool,
    /// Take only operations that give the same bits each time, and refuse others
    #[arg(long)]
    pub deterministic: bool,
    /// On a GPU: multiply 32-bit numbers in TF32, faster and less exact; noted in the records
    #[arg(long)]
    pub tf32: bool,
    /// Print the whole recipe, what memory and time it would take, and stop; some steps are taken
    /// for it, and a checkpoint is written beside --out, and thrown away
    #[arg(long, conflicts_with_all = ["events", "queued", "resume"])]
    pub dry_run: bool,
    /// With --dry-run: print one JSON value
    #[arg(long, requires = "dry_run")]
    pub json: bool,
    /// A queue started this: the recipe is the first line of standard input
    #[arg(long, hide = true, conflicts_with = "recipe")]
    pub queued: bool,
}

/// Trains into `--out`, going on where a cut run left off; 129, 130 or 143 where a signal stopped
/// it.
pub fn run(args: &Args) -> Result<u8> {
    if args.deterministic {
        determinism::require();
    }
    let (experiment, arm) = args.recipe.names();
    let recipe = match args.queued {
        true => protocol::read_recipe(&mut io::stdin().lock())?,
        false => args.recipe.read("train")?,
    };
    if let Some(threads) = args.threads {
        cpu::set_threads(threads.into());
    }
    let device = args.device.resolve()?;
    cuda::prepare(device, cuda::Settings { tf32: args.tf32, ..cuda::Settings::USUAL })?;
    let dataset = match args.queued {
        // The queue has read the pictures before, and showed it.
        true => Dataset::open(&recipe.data, &default_cache_dir(), &())?,
        false => without_leaks(open_dataset(&recipe.data)?, args.recipe.overrides.strict)?,
    };
    let recipe = match args.queued {
        true => recipe,
        false => args.recipe.for_classes(recipe, dataset.classes.len())?,
    };
    recipe.validate()?;
    if let Init::File(file) = &recipe.init
        && !args.queued
    {
        told::warn(Path::new(&file.path), "the recipe", &recipe.model);
    }
    if args.dry_run {
        return dry_run::run(&recipe, &dataset, device, args);
    }
    let stop = Stop::on_signals().context("handling signals")?;
    if args.queued {
        let stop = stop.clone();
        thread::spawn(move || protocol::follow(io::stdin(), &stop));
    }
    let job = Job {
        recipe: &recipe,
        dataset: &dataset,
        device,
        workers: args.workers.into(),
        folder: &args.out,
        max_steps: args.max_steps,
        saving: args.saving.saving(),
        resume: args.saving.resume.as_deref(),
        allow_inexact_resume: args.allow_inexact_resume,
        experiment,
        arm: arm.clone(),
        command: command_line(),
    };
    let outcome = if args.events || args.queued {
        train(&job, &mut Reporter { stop })?
    } else {
        let board = Board::new(1);
        let mut shown = Shown { line: board.line(&arm), stop };
        let outcome = train(&job, &mut shown)?;
        shown.line.end(&ending(outcome, &args.out));
        outcome
    };
    Ok(match outcome {
        Outcome::Finished | Outcome::AlreadyDone => 0,
        Outcome::Interrupted(signal) => signal.exit_code(),
    })
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

/// Prints events as JSON lines.
struct Reporter {
    stop: Stop,
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

/// Draws a bar, or writes a log.
struct Shown {
    line: Line,
    stop: Stop,
}

impl Watch for Shown {
    fn on_event(&mut self, event: &Event) {
        self.line.on_event(event);
    }

    fn should_stop(&mut self) -> Option<Signal> {
        self.stop.asked()
    }
}
