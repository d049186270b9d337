//! `catscan report`: writes an experiment's report again from its runs, without training.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use catscan_train::RunRecord;

use crate::compose::{self, ReportArgs};
use crate::experiment::EXPERIMENTS;
use crate::files::folders;
use crate::output::{print, print_json, say};
use crate::pictures::open_dataset;
use crate::refusal::Refusal;
use crate::run_name::{RunName, is_run};
use crate::study::{Request, STUDY, Study};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An experiment's folder, such as runs/pooling-compare
    pub folder: PathBuf,
    /// Print the study as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Makes study.json and report.html anew from the runs that are there.
pub fn run(args: &Args) -> Result<u8> {
    let folder = &args.folder;
    if !folder.is_dir() {
        let message = "no such folder; want an experiment's folder, such as runs/pooling-compare";
        return Err(Refusal::usage(format!("{}: {message}", folder.display())).into());
    }
    let stored = folder.join(STUDY);
    let request = match fs::read_to_string(&stored) {
        Ok(text) => stored_request(&text)
            .with_context(|| format!("{}: cannot be understood", stored.display()))?,
        Err(_) => guessed_request(folder)?,
    };
    let (study, runs) = Study::read(folder, request)?;
    study.write(folder)?;
    let dataset = open_dataset(&runs[0].record.recipe.data)?;
    let path = compose::write(&study, &runs, &dataset, folder, &args.report)?;
    match args.json {
        true => print_json(&study)?,
        false => print(study.in_full())?,
    }
    say(format_args!("report: {}", path.display()));
    Ok(0)
}

/// What was asked when the study was written. The rest of the file is made anew.
fn stored_request(text: &str) -> Result<Request> {
    #[derive(serde::Deserialize)]
    struct Stored {
        request: Request,
    }
    Ok(serde_json::from_str::<Stored>(text)?.request)
}

/// For an experiment that was cut before its study was written: the runs that are there.
fn guessed_request(folder: &Path) -> Result<Request> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let row = EXPERIMENTS.iter().find(|row| Some(row.name) == name.as_deref());
    let (mut arms, mut seeds, mut command) = (Vec::new(), Vec::new(), Vec::new());
    for arm in folders(folder)? {
        for run in folders(&folder.join(&arm))? {
            let Some(name) = RunName::of_folder(&arm, &run) else { continue };
            let path = name.folder(folder);
            if !is_run(&path) {
                continue;
            }
            command = RunRecord::read(&path)?.environment.command;
            arms.push(name.arm);
            seeds.push(name.seed);
        }
    }
    if arms.is_empty() {
        let message = "holds no runs; want an experiment's folder, such as runs/pooling-compare";
        return Err(Refusal::usage(format!("{}: {message}", folder.display())).into());
    }
    // In the table's order, so that the first arm is the one others are compared with.
    let place = |arm: &String| row.and_then(|row| row.arms.iter().position(|a| a.name == arm));
    arms.sort_by_key(|arm| (place(arm).unwrap_or(usize::MAX), arm.clone()));
    arms.dedup();
    seeds.sort_unstable();
    seeds.dedup();
    Ok(Request {
        experiment: name.unwrap_or_else(|| "experiment".into()),
        question: row.map_or("Which arm is better?", |row| row.question).into(),
        metric: row.map_or("test accuracy", |row| row.metric).into(),
        profile: None,
        arms,
        seeds,
        max_steps: None,
        command,
        failures: Vec::new(),
    })
}
