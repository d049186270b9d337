//! `catscan cell`, hidden: one cell of an experiment, trained for the queue that started it.

use std::path::PathBuf;
use std::{io, thread};

use anyhow::{Context, Result};
use catscan_data::{Dataset, default_cache_dir};
use catscan_torch_ext::cpu;
use catscan_train::{Job, Saving, train};

use super::train::exit_code;
use crate::queue::protocol::{CellOrder, Reporter, follow};
use crate::signals::Stop;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run's folder; what is trained there is an order on the first line of standard input
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// Trains as ordered until the queue or a signal asks to stop; tells it as JSON lines.
pub fn run(args: &Args) -> Result<u8> {
    let order = CellOrder::read(&mut io::stdin().lock())?;
    order.compute.forbid_inexact();
    cpu::set_threads(order.threads);
    let device = order.compute.ready()?;
    // The queue has read the pictures before, and showed it.
    let dataset = Dataset::open(&order.recipe.data, &default_cache_dir(), &())?;
    let stop = Stop::on_signals().context("handling signals")?;
    {
        let stop = stop.clone();
        thread::spawn(move || follow(io::stdin(), &stop));
    }
    let job = Job {
        recipe: &order.recipe,
        dataset: &dataset,
        device,
        workers: 1,
        folder: &args.folder,
        max_steps: order.max_steps,
        saving: Saving::USUAL,
        resume: None,
        allow_inexact_resume: order.compute.allow_inexact_resume,
        experiment: order.experiment,
        arm: order.arm,
        command: order.command,
    };
    Ok(exit_code(train(&job, &mut Reporter { stop })?))
}
