//! The report: a study as one page. Numbers first, then pictures, then how to have them again.
//!
//! - [`numbers`]: tables and charts from the runs' records;
//! - [`pick`]: which test pictures are shown, by a rule and not by taste;
//! - [`scans`]: class activation maps, the same pictures and taps for every arm;
//! - [`feature_maps`]: what the convolutions hold;
//! - [`trust`], [`budget`], [`robustness`]: probabilities, costs, pictures made worse;
//! - [`equal_budgets`]: the comparison at equal epochs, seconds and multiply-adds;
//! - [`gradients`], [`gradient_map`]: how much of the error reaches each layer;
//! - [`gallery`]: the pictures that tell the arms apart;
//! - [`belief`]: whether the maps follow the network at all;
//! - [`evidence`]: where masks of it are ([`evidence_masks`]), how much of a map lies on what tells
//!   the classes apart;
//! - [`report_args`]: what a report may be asked for;
//! - [`origin`]: rejected pictures, command, environment, recipes.

pub mod belief;
pub mod budget;
pub mod equal_budgets;
pub mod evidence;
pub mod evidence_masks;
pub mod feature_maps;
pub mod gallery;
pub mod gradient_map;
pub mod gradients;
pub mod numbers;
pub mod origin;
pub mod pick;
pub mod report_args;
pub mod robustness;
pub mod scans;
pub mod trust;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use catscan_data::{Dataset, Progress};
use catscan_viz::report::{Block, Page, Section, Table, markdown, render};
use tch::Device;

use evidence_masks::EvidenceMasks;
pub use report_args::ReportArgs;

use crate::files::write_file;
use crate::progress::Stages;
use crate::refusal::{DATA, Refusal};
use crate::study::{Run, Runs, STUDY, Study};
use crate::weights::Trained;

/// The report's name in the experiment's folder.
pub const REPORT: &str = "report.html";

/// The same without pictures, to be read where no browser is.
pub const MARKDOWN: &str = "report.md";

/// True where the report in the folder shows this very study: `study.json` says the same, and the
/// report was written after it. (A report that was cut, or left out, is older or absent.)
///
/// # Errors
/// None that a study can cause.
pub fn drawn(study: &Study, folder: &Path) -> Result<bool> {
    let written = |name: &str| fs::metadata(folder.join(name)).and_then(|file| file.modified());
    let (Ok(report), Ok(numbers)) = (written(REPORT), written(STUDY)) else {
        return Ok(false);
    };
    let now = study.to_json()?;
    Ok(report >= numbers && fs::read_to_string(folder.join(STUDY)).is_ok_and(|old| old == now))
}

/// Draws everything and writes `report.html` into the experiment's folder.
///
/// # Errors
/// Where the data is no longer that of the runs, weights cannot be read, or the folder written.
pub fn write(
    study: &Study,
    runs: &Runs,
    dataset: &Dataset,
    folder: &Path,
    asked: &ReportArgs,
) -> Result<PathBuf> {
    if dataset.digest != study.split.data_digest {
        let message = format!(
            "{}: has changed since the runs (digest {}, was {}); put the pictures back as they \
             were",
            study.source, dataset.digest, study.split.data_digest
        );
        return Err(Refusal::new(DATA, message).into());
    }
    let known = EvidenceMasks::new(dataset, asked.masks.as_deref())?;
    known.in_words().into_iter().for_each(crate::output::say);
    let stages = Stages::of("report");
    stages.stage("what each arm looks at", 0);
    let shown = first_runs(study, runs)?;
    let mut sections = vec![numbers::result(study)?];
    sections.extend(study.factorial.as_ref().map(numbers::factorial));
    sections.push(numbers::curves(study, runs)?);
    sections.extend(gradients::gradients(study, runs)?);
    sections.extend([
        numbers::confusion(study, runs)?,
        budget::budget(study, runs)?,
        numbers::predictions(study, &shown)?,
        trust::trust(study, runs)?,
        gallery::gallery(study, runs, dataset)?,
        scans::activation_maps(study, &shown, dataset)?,
        feature_maps::feature_maps(&shown, dataset)?,
    ]);
    sections.extend(evidence::evidence(study, runs, dataset, &known)?);
    sections.extend(belief::belief(study, runs, dataset, &known, asked.scan_pictures, &stages)?);
    sections.extend(robustness::robustness(study, runs, dataset, asked.scan_pictures, &stages)?);
    stages.clear();
    sections.push(numbers::split(study, runs)?);
    sections.push(origin::origin(study, &shown)?);
    let page = Page {
        title: title(study),
        question: study.request.question.clone(),
        answer: study.answer.clone(),
        notices: study.notices.clone(),
        sections,
        footer: format!(
            "Written by catscan {}. The numbers are in study.json and report.md, beside this file.",
            env!("CARGO_PKG_VERSION")
        ),
    };
    let path = folder.join(REPORT);
    // The report last: it is what tells that all of it was written.
    write_file(&folder.join(MARKDOWN), markdown(&page).as_bytes())?;
    write_file(&path, render(&page)?.as_bytes())?;
    Ok(path)
}

/// The page's first line; drawings are called drawings there.
fn title(study: &Study) -> String {
    let of = match study.drawings {
        true => " of drawings (critters), not photographs",
        false => "",
    };
    format!("{}: a catscan study{of}", study.request.experiment)
}

/// An arm's first finished run, opened to be looked into.
pub struct FirstRun<'a> {
    /// The run's records and test answers.
    pub run: &'a Run,
    /// The same run's newest weights, on the CPU.
    pub trained: Trained,
}

fn first_runs<'a>(study: &Study, runs: &'a Runs) -> Result<Vec<FirstRun<'a>>> {
    study.arms.iter().filter_map(|arm| runs.first_of(&arm.arm)).map(open).collect()
}

fn open(run: &Run) -> Result<FirstRun<'_>> {
    let folder = &run.record.folder;
    let trained = Trained::open_run(folder, Device::Cpu)
        .with_context(|| format!("{} cannot be looked into", folder.display()))?;
    Ok(FirstRun { run, trained })
}

/// A section of the page.
pub fn section(id: &str, title: &str, blocks: Vec<Block>) -> Section {
    Section { id: id.into(), title: title.into(), blocks }
}

/// A terminal's table as a page's.
pub fn table(table: crate::table::Table, caption: &str) -> Block {
    let crate::table::Table { head, rows, numeric } = table;
    Block::Table(Table { caption: caption.into(), head, rows, numeric })
}
