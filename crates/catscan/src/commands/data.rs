//! `catscan data`: looks into a set before anything is trained on it, and fetches public ones.

mod suspects;

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use catscan_data::audit::{Audit, audit};
use catscan_data::fetch::{self, FETCHABLE, Fetchable, Patience};
use catscan_data::{DataConfig, SplitRule, default_cache_dir};
use clap::{Subcommand, builder::PossibleValuesParser};
use serde_json::json;

use crate::args::DeviceArgs;
use crate::files::{writable, write_file};
use crate::output::{print, print_json, say};
use crate::pictures::not_taken;
use crate::progress::Stages;
use crate::recipes::{original, split_of};
use crate::refusal::DATA;
use crate::table::Table;

#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Report what is in a set: counts, sizes, bad pictures, doubles, leakage, the oddest
    Audit(AuditArgs),
    /// Download a public set, checked by its published hashes
    Fetch(FetchArgs),
}

#[derive(Debug, clap::Args)]
struct AuditArgs {
    /// Pictures: folder:PATH, csv:PATH, cats-vs-dogs:PATH and others (see `catscan list sources`)
    #[arg(long, value_name = "SOURCE")]
    data: String,
    /// Folder for audit.md, audit.json and oddest.png
    #[arg(long, value_name = "FOLDER", default_value = "audit")]
    out: PathBuf,
    /// How parts that the source does not bring are dealt, such as 17:4:4 (train:val:test); by
    /// default as by the recipes for this source
    #[arg(long, value_name = "RATIO")]
    split: Option<Ratio>,
    /// The split's seed; by default the recipes'
    #[arg(long, value_name = "N")]
    split_seed: Option<u64>,
    /// A run whose network is asked which labels it doubts, of pictures it was not trained on
    #[arg(long, value_name = "RUN")]
    weights: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
    /// Exit with code 3 where doubles lie in different parts of the split
    #[arg(long)]
    strict: bool,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// train : val : test.
#[derive(Debug, Clone)]
struct Ratio([u32; 3]);

impl FromStr for Ratio {
    type Err = String;

    fn from_str(text: &str) -> Result<Ratio, String> {
        let shares: Result<Vec<u32>, _> = text.split(':').map(str::parse).collect();
        let ratio = shares.ok().and_then(|shares| <[u32; 3]>::try_from(shares).ok());
        ratio.map(Ratio).ok_or_else(|| "want three whole numbers, such as 17:4:4".into())
    }
}

#[derive(Debug, clap::Args)]
struct FetchArgs {
    /// Which
    #[arg(value_parser = PossibleValuesParser::new(FETCHABLE.iter().map(|set| set.name)))]
    set: String,
    /// Folder for its files; by default where the source of this name looks for them
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// A mirror: a folder on the web that has the files under their own names
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// Runs one of the two.
pub fn run(args: &Args) -> Result<u8> {
    match &args.command {
        Command::Audit(args) => run_audit(args),
        Command::Fetch(args) => run_fetch(args),
    }
}

fn run_audit(args: &AuditArgs) -> Result<u8> {
    let split = split_of(&args.data);
    let seed = args.split_seed.unwrap_or(split.seed);
    let split = SplitRule { seed, ratio: args.split.as_ref().map_or(split.ratio, |own| own.0) };
    let config = DataConfig { source: args.data.clone(), split, ..original().data };
    // A large set is not looked at for a report that cannot be written.
    let was_there = args.out.exists();
    writable(&args.out, "--out")?;
    let outcome = audited(args, &config);
    if outcome.is_err() && !was_there {
        // Only a folder that is still empty goes.
        let _ = std::fs::remove_dir(&args.out);
    }
    outcome
}

fn audited(args: &AuditArgs, config: &DataConfig) -> Result<u8> {
    let stages = Stages::of("data");
    let found = audit(config, &default_cache_dir(), &stages);
    stages.clear();
    let (mut audit, sheet) = found?;
    let mut text = audit.markdown("oddest.png");
    if let Some(run) = &args.weights {
        let (suspects, sheet) = suspects::suspects(run, &args.data, args.device)?;
        text += &format!("\n{}", suspects.markdown("suspects.png"));
        write_file(&args.out.join("suspects.png"), &sheet.png())?;
        audit.suspects = Some(suspects);
    }
    let json = serde_json::to_string_pretty(&audit)? + "\n";
    let report = args.out.join("audit.md");
    write_file(&report, text.as_bytes())?;
    write_file(&args.out.join("audit.json"), json.as_bytes())?;
    write_file(&args.out.join("oddest.png"), &sheet.png())?;
    match args.json {
        true => print_json(&audit)?,
        false => print(summary(&audit))?,
    }
    say(format_args!("the report is {}", report.display()));
    if args.strict && audit.leaks() > 0 {
        let leaks = audit.leaks();
        say(format_args!(
            "error: {}: {leaks} doubles lie in different parts of the split, want 0; remove one of \
             each, or put all into one part (a csv: manifest can say which)",
            args.data
        ));
        return Ok(DATA);
    }
    Ok(0)
}

fn summary(audit: &Audit) -> String {
    let mut table = Table::new(&["class", "#train", "#val", "#test", "#unreadable"]);
    for count in &audit.counts {
        let numbers = [count.train, count.val, count.test, count.unreadable];
        let numbers = numbers.map(|n| n.to_string());
        table.row(std::iter::once(count.class.clone()).chain(numbers));
    }
    let near = audit.near.len() + audit.near_not_listed;
    let doubted = audit.suspects.as_ref().map_or(String::new(), |suspects| {
        let (n, asked) = (suspects.pictures.len(), suspects.asked);
        format!("{n} labels are doubted, of {asked} pictures that the run was not trained on\n")
    });
    let not_taken = not_taken(&audit.ignored).map_or(String::new(), |line| line + "\n");
    format!(
        "{table}\n{not_taken}{} groups of equal files, {near} pairs that look the same; {} across parts \
         (leakage), {} with different labels\n{doubted}",
        audit.exact.len(),
        audit.leaks(),
        audit.contradictions()
    )
}

fn run_fetch(args: &FetchArgs) -> Result<u8> {
    let set = find(&args.set);
    let usual = fetch::default_folder(&default_cache_dir(), set.name);
    let folder = args.to.clone().unwrap_or_else(|| usual.clone());
    say(format_args!("{}: {}", set.name, set.terms));
    let stages = Stages::of("data");
    let outcome = fetch::fetch(set, &folder, args.url.as_deref(), Patience::default(), &stages);
    stages.clear();
    outcome?;
    // What is in its usual place needs no path.
    let data = match folder == usual {
        true => set.name.to_owned(),
        false => {
            let path = set.open.map_or(folder.clone(), |file| folder.join(file));
            format!("{}:{}", set.name, path.display())
        }
    };
    print_json(&json!({ "set": set.name, "folder": folder, "data": data }))?;
    say(format_args!("use it as --data {data}"));
    Ok(0)
}

/// clap has seen that there is one.
fn find(name: &str) -> &'static Fetchable {
    FETCHABLE.iter().find(|set| set.name == name).expect("one of the possible values")
}
