//! `catscan train --dry-run`: the whole recipe, and what it would cost here. Nothing is kept.

use std::time::Duration;

use anyhow::{Context, Result};
use catscan_data::Dataset;
use catscan_train::environment::peak_memory_bytes;
use catscan_train::estimate::MemoryEstimate;
use catscan_train::{Estimate, Recipe, Trial, estimate};
use serde::Serialize;
use tch::Device;

use super::train::Args;
use crate::output::{print, print_json, say};
use crate::progress::duration;
use crate::signals::Stop;
use crate::table::Table;

/// Steps that are timed.
const STEPS: u64 = 5;

/// What `--json` prints.
#[derive(Serialize)]
struct DryRun<'a> {
    recipe: &'a Recipe,
    recipe_hash: String,
    estimate: Estimate,
    /// The most memory this process ever held, those steps included; pages of the mapped cache
    /// count too. Where the system tells.
    measured_peak_bytes: Option<u64>,
    /// Before the network was built: the program, libtorch, the open data.
    bytes_before: Option<u64>,
}

/// Takes the steps and prints.
pub fn run(recipe: &Recipe, dataset: &Dataset, device: Device, args: &Args) -> Result<u8> {
    say(format_args!("dry run: {STEPS} timed steps and one checkpoint, then nothing is kept"));
    let bytes_before = peak_memory_bytes();
    let trial = Trial {
        max_steps: args.max_steps,
        measured_steps: STEPS,
        saving: args.saving.saving(),
        folder: &args.out,
    };
    let stop = Stop::on_signals().context("handling signals")?;
    let estimate = estimate(recipe, dataset, device, trial, &mut || stop.asked())?;
    let dry_run = DryRun {
        recipe,
        recipe_hash: recipe.hash(),
        estimate,
        measured_peak_bytes: peak_memory_bytes(),
        bytes_before,
    };
    match args.json {
        true => print_json(&dry_run)?,
        false => print(in_full(&dry_run))?,
    }
    Ok(0)
}

fn in_full(dry_run: &DryRun) -> String {
    let Estimate { steps, step_s, scored_pictures, scored_per_s, saves, save_s, .. } =
        &dry_run.estimate;
    let Estimate { total_s, memory, .. } = &dry_run.estimate;
    let time = |seconds: f64| duration(Duration::from_secs_f64(seconds.clamp(0.0, 1e10)));
    let mut times = Table::new(&["time", "#how many", "#each", "#together"]);
    times.row([
        "steps".to_owned(),
        steps.to_string(),
        format!("{:.1} ms", 1e3 * step_s),
        time(*steps as f64 * step_s),
    ]);
    let scoring = *scored_pictures as f64 / scored_per_s;
    times.row([
        "pictures scored".to_owned(),
        scored_pictures.to_string(),
        format!("{:.1} ms", 1e3 / scored_per_s),
        time(scoring),
    ]);
    let known = |text: &dyn Fn(f64) -> String| save_s.map_or("not measured".into(), text);
    times.row([
        "checkpoints".to_owned(),
        saves.to_string(),
        known(&|save_s| format!("{:.1} ms", 1e3 * save_s)),
        known(&|save_s| time(*saves as f64 * save_s)),
    ]);
    times.row(["all".to_owned(), String::new(), String::new(), time(*total_s)]);
    format!("{}\n{times}\n{}", dry_run.recipe.to_json_pretty(), memory_table(memory, dry_run))
}

fn memory_table(memory: &MemoryEstimate, dry_run: &DryRun) -> String {
    let mut table = Table::new(&["memory", "#MB"]);
    let mut line = |name: &str, bytes: u64| {
        table.row([name.to_owned(), format!("{:.1}", bytes as f64 / 1e6)]);
    };
    line("weights", memory.weights);
    line("moments", memory.moments);
    line("averaged weights", memory.average);
    line("gradients", memory.gradients);
    line("activations", memory.activations);
    line("scoring", memory.scoring);
    line("saving", memory.saving);
    line("libtorch's own", memory.borrowed);
    line("at most", memory.total);
    if let (Some(peak), Some(before)) = (dry_run.measured_peak_bytes, dry_run.bytes_before) {
        line("the program before it", before);
        line("together", before + memory.total);
        line("measured peak of this dry run", peak);
    }
    table.to_string()
}
