//! `catscan experiment`: a question, answered. Plans the cells, runs them, weighs them, reports.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use catscan_data::{Dataset, Part};
use catscan_torch_ext::cpu;
use catscan_train::{Init, Recipe, Saving, check_room_for_all};
use tch::Device;

use crate::args::{ComputeArgs, Seeds, command_line};
use crate::compose::{self, ReportArgs, evidence_masks::EvidenceMasks};
use crate::experiment::{self, Arm, Experiment, Overrides, Profile, cell_recipe};
use crate::files::writable;
use crate::output::{print, print_json, say};
use crate::pictures::{open_dataset, without_leaks};
use crate::progress::duration;
use crate::queue::fresh::remove_runs;
use crate::queue::{self, Cell, CellEnd, Settings, State};
use crate::recipes;
use crate::refusal::Refusal;
use crate::run_name::RunName;
use crate::signals::Stop;
use crate::study::{Failure, Request, Study};
use crate::table::Table;
use crate::weights::provenance;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A row of `catscan list experiments`
    pub name: String,
    /// How much it may cost
    #[arg(long, value_enum, default_value = "quick")]
    pub profile: Profile,
    /// Start from this recipe.json instead of the profile's
    #[arg(long, value_name = "FILE", conflicts_with = "profile")]
    pub recipe: Option<PathBuf>,
    /// Arms to compare, the first being the one others are compared with
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub arms: Vec<String>,
    /// Run the arms of the experiment's factorial: every combination of its factors, so that the
    /// report tells their main effects and interactions apart
    #[arg(long, conflicts_with = "arms")]
    pub factorial: bool,
    /// How many seeds (3 means 1, 2 and 3), or which (1,4,7; a single one as 4,)
    #[arg(long, value_name = "N|LIST")]
    pub seeds: Option<Seeds>,
    #[command(flatten)]
    pub overrides: Overrides,
    /// Stop each run after this many steps: a trial, named as such in the report
    #[arg(long, value_name = "N")]
    pub max_steps: Option<u64>,
    /// Runs at once; by default one a core, one on a GPU. On a GPU at most so many: the next
    /// begins when its memory has room for one more
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub jobs: Option<u64>,
    #[command(flatten)]
    pub compute: ComputeArgs,
    /// Where experiments keep their runs
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub runs: PathBuf,
    /// Remove these runs and begin again; refused while one of them is being trained
    #[arg(long)]
    pub fresh: bool,
    /// Print the study as JSON
    #[arg(long)]
    pub json: bool,
    /// Write study.json but no report
    #[arg(long)]
    pub no_report: bool,
    #[command(flatten)]
    pub report: ReportArgs,
    /// Show what would run, and stop
    #[arg(long)]
    pub dry_run: bool,
}

/// What the arguments come to.
struct Plan {
    experiment: &'static Experiment,
    arms: Vec<&'static Arm>,
    seeds: Vec<u64>,
    base: Recipe,
    folder: PathBuf,
}

/// Trains what is not trained yet, weighs it, writes study.json and report.html.
///
/// Cells that fail do not end the others; the exit code is then the first failed one's.
pub fn run(args: &Args) -> Result<u8> {
    let began = Instant::now();
    let plan = plan(args)?;
    if args.dry_run {
        return dry_run(args, &plan);
    }
    writable(&plan.folder, "--runs")?;
    let device = args.compute.device.resolve()?;
    let dataset = open_dataset(&plan.base.data)
        .and_then(|dataset| without_leaks(dataset, args.overrides.strict))
        .and_then(|dataset| {
            recipes::check_outputs(args.recipe.as_deref(), &plan.base, dataset.classes.len())?;
            Ok(dataset)
        })
        .inspect_err(|_| leave_nothing(&plan.folder))?;
    // A slip in the masks is told before anything is trained.
    EvidenceMasks::new(&dataset, args.report.masks.as_deref())
        .inspect_err(|_| leave_nothing(&plan.folder))?;
    say(in_words(&dataset, &plan.base.data.source));
    warn_of_weights(&plan)?;
    let cells = cells(args, &plan, &dataset)?;
    check_room(&plan.folder, &cells).inspect_err(|_| leave_nothing(&plan.folder))?;
    let (jobs, threads) = shares(args.jobs, cells.len(), device.is_cuda());
    let settings = Settings {
        experiment: plan.experiment.name.into(),
        command: command_line(),
        jobs,
        threads,
        max_steps: args.max_steps,
        compute: args.compute,
        card: match device {
            Device::Cuda(index) => Some(index),
            _ => None,
        },
    };
    say(format_args!("{} cells, {jobs} at once, threads of each: {threads}", cells.len()));
    let stop = Stop::on_signals().context("handling signals")?;
    let ends = queue::run(&cells, &settings, &stop)?;
    let failures = failures(&cells, &ends);
    for failure in &failures {
        say(format_args!(
            "{}: failed with exit code {}:\n{}",
            failure.run_name(),
            failure.exit_code,
            failure.stderr
        ));
    }
    if let Some(signal) = stop.asked() {
        say(format_args!(
            "stopped by {signal}; nothing is lost, the same command goes on from here"
        ));
        return Ok(signal.exit_code());
    }
    let code = queue::exit_code(&ends, None);
    if code != 0 && ends.iter().all(|end| matches!(end, CellEnd::Failed { .. })) {
        return Ok(code);
    }
    let request = request(args, &plan, failures);
    conclude(args, &plan.folder, request, &dataset)?;
    say(format_args!("experiment took {}", duration(began.elapsed())));
    Ok(code)
}

fn plan(args: &Args) -> Result<Plan> {
    let experiment = experiment::find(&args.name)?;
    let names: Vec<&str> = match (args.factorial, args.arms.is_empty()) {
        (true, _) => experiment.factorial_arms()?.to_vec(),
        (_, true) => experiment.default_arms.to_vec(),
        (_, false) => args.arms.iter().map(String::as_str).collect(),
    };
    let arms = names.iter().map(|name| experiment.arm(name)).collect::<Result<Vec<_>, _>>()?;
    if let Some(twice) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)) {
        return Err(Refusal::usage(format!("--arms: {} is named twice, want once", twice.1)).into());
    }
    let base = match &args.recipe {
        Some(path) => {
            experiment.base_of_file(path, recipes::read(path)?, &args.overrides, &arms)?
        }
        None => experiment.base(args.profile, &args.overrides)?,
    };
    let seeds = match &args.seeds {
        Some(Seeds(seeds)) => seeds.clone(),
        None => (1..=(experiment.plan)(args.profile).seeds).collect(),
    };
    // Refuses what is impossible before anything is opened or made.
    for arm in &arms {
        let recipe = cell_recipe(&base, arm, seeds[0], 2)?;
        recipe.model.check(i64::from(recipe.data.size_px))?;
    }
    if args.max_steps == Some(0) {
        return Err(Refusal::usage("--max-steps: 0, want at least 1").into());
    }
    Ok(Plan { experiment, arms, seeds, base, folder: args.runs.join(experiment.name) })
}

fn dry_run(args: &Args, plan: &Plan) -> Result<u8> {
    let mut recipes = Vec::new();
    let mut table =
        Table::new(&["arm", "#seed", "model", "data", "#px", "#epochs", "#batch", "folder"]);
    for arm in &plan.arms {
        for &seed in &plan.seeds {
            let recipe = cell_recipe(&plan.base, arm, seed, 2)?;
            table.row([
                arm.name.to_owned(),
                seed.to_string(),
                recipe.model.name.clone(),
                recipe.data.source.clone(),
                recipe.data.size_px.to_string(),
                recipe.epochs.to_string(),
                recipe.batch.to_string(),
                RunName::new(arm.name, seed).folder(&plan.folder).display().to_string(),
            ]);
            recipes.push(serde_json::json!({ "arm": arm.name, "seed": seed, "recipe": recipe }));
        }
    }
    match args.json {
        true => print_json(&recipes)?,
        false => print(format_args!("{}\n{table}", plan.experiment.question))?,
    }
    Ok(0)
}

/// Removes the experiment's folder and the one above it where nothing is in them: a refusal leaves
/// nothing half made. (`remove_dir` fails on a folder that holds anything, which is what we want.)
fn leave_nothing(folder: &Path) {
    for folder in folder.ancestors().take(2) {
        let _ = fs::remove_dir(folder);
    }
}

fn in_words(dataset: &Dataset, source: &str) -> String {
    let [train, val, test] = Part::ALL.map(|part| dataset.split.part(part).len());
    let out = |n: usize, words: &str| match n {
        0 => String::new(),
        n => format!(", {n} {words}"),
    };
    let rejected = out(dataset.rejected.len(), "left out");
    let fewer = out(dataset.split.train_left_out, "not trained on");
    let kind = if dataset.drawings { "drawings" } else { "pictures" };
    format!(
        "{source}: {} {kind} of {} ({train} to train, {val} to validate, {test} to test{fewer}{rejected})",
        dataset.samples.len(),
        dataset.classes.join(", ")
    )
}

/// Of arms whose network is not the one that the weights to begin with were saved from: such an arm
/// has further to go than the others.
fn warn_of_weights(plan: &Plan) -> Result<()> {
    for arm in &plan.arms {
        let recipe = cell_recipe(&plan.base, arm, plan.seeds[0], 2)?;
        if let Init::File(file) = &recipe.init {
            provenance::warn(Path::new(&file.path), &format!("arm {}", arm.name), &recipe.model);
        }
    }
    Ok(())
}

fn cells(args: &Args, plan: &Plan, dataset: &Dataset) -> Result<Vec<Cell>> {
    let folder = |arm: &Arm, seed: u64| RunName::new(arm.name, seed).folder(&plan.folder);
    if args.fresh {
        let of_seed = |&seed: &u64| plan.arms.iter().map(move |arm| folder(arm, seed));
        remove_runs(&plan.seeds.iter().flat_map(of_seed).collect::<Vec<_>>())?;
    }
    let (mut cells, split) = (Vec::new(), dataset.split_record());
    // Seed by seed: if the time runs out, whole pairs of arms are done.
    for &seed in &plan.seeds {
        for arm in &plan.arms {
            let recipe = cell_recipe(&plan.base, arm, seed, dataset.classes.len())?;
            cells.push(Cell::plan(&plan.folder, arm.name, recipe, &split, args.max_steps)?);
        }
    }
    Ok(cells)
}

/// Refuses a disk that cannot hold all the runs that are still to be trained: hours later, one by
/// one, is too late to hear of it.
fn check_room(folder: &Path, cells: &[Cell]) -> Result<()> {
    let left = cells.iter().filter(|cell| cell.state != State::Finished);
    let left: Vec<_> = left.map(|cell| (&cell.recipe, &*cell.folder)).collect();
    check_room_for_all(folder, &left, Saving::USUAL).with_context(|| match left.len() {
        1 => "1 cell is still to be trained".to_owned(),
        n => format!("{n} cells are still to be trained"),
    })
}

/// Cells at once, and threads of each. Two cells of one thread get more done than one of two, so
/// cores go to cells first. It depends on all cells, not on those left, so that going on with a
/// cut experiment uses the same threads.
fn shares(jobs: Option<u64>, cells: usize, on_gpu: bool) -> (usize, usize) {
    // Before anything changes it, libtorch's own choice is the number of physical cores.
    let cores = cpu::threads().min(cpu::cores()).max(1);
    let default = if on_gpu { 1 } else { cores.min(cells) };
    let jobs = jobs.map_or(default, |jobs| jobs as usize).max(1);
    (jobs, (cores / jobs).max(1))
}

fn failures(cells: &[Cell], ends: &[CellEnd]) -> Vec<Failure> {
    let failure = |(cell, end): (&Cell, &CellEnd)| match end {
        CellEnd::Failed { code, stderr } => Some(Failure {
            arm: cell.name.arm.clone(),
            seed: cell.name.seed,
            exit_code: *code,
            stderr: stderr.clone(),
        }),
        _ => None,
    };
    cells.iter().zip(ends).filter_map(failure).collect()
}

fn request(args: &Args, plan: &Plan, failures: Vec<Failure>) -> Request {
    Request {
        experiment: plan.experiment.name.into(),
        question: plan.experiment.question.into(),
        metric: plan.experiment.metric.into(),
        profile: args.recipe.is_none().then_some(args.profile),
        arms: plan.arms.iter().map(|arm| arm.name.to_owned()).collect(),
        seeds: plan.seeds.clone(),
        max_steps: args.max_steps,
        command: command_line(),
        failures,
    }
}

fn conclude(args: &Args, folder: &Path, request: Request, dataset: &Dataset) -> Result<()> {
    let (study, runs) = Study::read(folder, request)?;
    // What a report was asked for is not in the study: asked for anything, it is drawn again.
    let drawn = args.report == ReportArgs::default() && compose::drawn(&study, folder)?;
    if !drawn {
        study.write(folder)?;
    }
    if args.json {
        print_json(&study)?;
    } else {
        print(study.in_full())?;
    }
    if drawn {
        let path = folder.join(compose::REPORT);
        say(format_args!("report: {}, as it was: nothing has changed", path.display()));
    } else if !args.no_report {
        let path = compose::write(&study, &runs, dataset, folder, &args.report)?;
        say(format_args!("report: {}", path.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_go_to_cells_first() {
        let cores = cpu::threads().min(cpu::cores()).max(1);
        assert_eq!(shares(None, 100, false), (cores, 1));
        assert_eq!(shares(None, 1, false), (1, cores));
        assert_eq!(shares(None, 100, true).0, 1);
        assert_eq!(shares(Some(1), 100, false), (1, cores));
    }
}
