//! `catscan find-lr`: which learning rate a recipe can take, before anything is trained by it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use catscan_torch_ext::{DeviceSpec, cpu};
use catscan_train::{RangeTest, RatePoint, RateSearch, Recipe, find_lr};
use catscan_viz::Svg;
use catscan_viz::chart::{Axes, Line, lines};
use serde::Serialize;

use super::chosen::RecipeArgs;
use super::{device, open_dataset, without_leaks, write_file};
use crate::output::{print, print_json, say};
use crate::signals::Stop;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub recipe: RecipeArgs,
    /// The first rate
    #[arg(long, value_name = "LR", default_value_t = 1e-7)]
    pub from: f64,
    /// The last rate, where the loss does not fly off before
    #[arg(long, value_name = "LR", default_value_t = 10.0)]
    pub to: f64,
    /// Steps, each at a higher rate
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub steps: u32,
    /// Where find-lr.json and find-lr.svg are written; no run's folder is touched
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub out: PathBuf,
    /// auto, cpu, cuda or cuda:N
    #[arg(long, default_value = "auto", value_parser = device)]
    pub device: DeviceSpec,
    /// CPU threads
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Print what was found as JSON
    #[arg(long)]
    pub json: bool,
}

/// What find-lr.json holds, and `--json` prints.
#[derive(Serialize)]
struct Found<'a> {
    recipe_hash: String,
    recipe_lr: f64,
    range: RangeTest,
    #[serde(flatten)]
    search: &'a RateSearch,
}

/// Makes the test, writes its chart and numbers, and says what they suggest.
pub fn run(args: &Args) -> Result<u8> {
    let recipe = args.recipe.read("find-lr")?;
    if let Some(threads) = args.threads {
        cpu::set_threads(threads);
    }
    let device = args.device.resolve()?;
    let dataset = without_leaks(open_dataset(&recipe.data)?, args.recipe.overrides.strict)?;
    let recipe = args.recipe.for_classes(recipe, dataset.classes.len())?;
    let stop = Stop::on_signals().context("handling signals")?;
    let range = RangeTest { from: args.from, to: args.to, steps: args.steps };
    let mut on_step = |point: &RatePoint| {
        say_step(point);
        stop.asked()
    };
    let search = find_lr(&recipe, &dataset, device, range, &mut on_step)?;
    let found = Found {
        recipe_hash: recipe.hash(),
        recipe_lr: recipe.optimizer.lr(),
        range,
        search: &search,
    };
    let json = serde_json::to_string_pretty(&found).context("writing JSON")? + "\n";
    write_file(&args.out.join("find-lr.json"), json.as_bytes())?;
    let chart = args.out.join("find-lr.svg");
    write_file(&chart, draw(&search)?.as_str().as_bytes())?;
    match args.json {
        true => print_json(&found)?,
        false => print(in_words(&recipe, &search))?,
    }
    say(format_args!("chart: {}", chart.display()));
    Ok(0)
}

/// A plain line a step, on standard error.
fn say_step(point: &RatePoint) {
    let RatePoint { lr, loss, smoothed } = point;
    say(format_args!("rate {lr:.2e}: loss {loss:.4}, smoothed {smoothed:.4}"));
}

fn draw(search: &RateSearch) -> Result<Svg> {
    let line = |name: &str, value: fn(&RatePoint) -> f64| Line {
        name: name.into(),
        seed: None,
        points: search.points.iter().map(|point| (point.lr.log10(), value(point))).collect(),
    };
    let both = [line("smoothed", |point| point.smoothed), line("each batch", |point| point.loss)];
    let axes = Axes { x: "learning rate, as a power of ten", diagonal: false };
    Ok(lines("Loss by learning rate", axes, &both)?)
}

fn in_words(recipe: &Recipe, search: &RateSearch) -> String {
    let rate = |rate: Option<f64>| rate.map_or("nowhere".to_owned(), |rate| format!("{rate:.1e}"));
    let last = search.points.last().map(|point| point.lr);
    let end = match search.flew_off {
        true => format!("the loss flew off at {}", rate(last)),
        false => format!("the loss had not flown off at {}, the last rate", rate(last)),
    };
    format!(
        "The loss falls fastest at {}; a tenth of the rate where it is lowest is {}; {end}.\n\
         A peak rate lies between the first two as a rule; the recipe's is {:.1e}. One test on {} \
         batches is a hint, not a measurement: look at the chart, and try another --seed.\n",
        rate(search.steepest),
        rate(search.tenth_of_lowest),
        recipe.optimizer.lr(),
        search.points.len(),
    )
}
